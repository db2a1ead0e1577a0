/** The peers, in a package of their own: `npm ci` of this one stays light. */
import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"

/** What test/bench/peers/index.mjs exports. */
export interface Peers {
  readonly makeLru: <V>(
    max: number,
    ttl: number
  ) => { readonly get: (key: string) => V | undefined; readonly set: (key: string, value: V) => void }
  readonly makeBento: (
    max: number,
    ttl: number
  ) => {
    readonly getOrSet: <V>(key: string, factory: () => V) => Promise<V>
    readonly close: () => Promise<void>
  }
  readonly makeEmmett: (url: string) => Promise<EventStore>
  readonly makeTinyBase: () => Promise<MergeableStores>
}

/** What the bench calls of TinyBase's mergeable stores. */
export interface MergeableStores {
  readonly contentOf: (rows: { readonly [key: string]: object }) => string
  readonly make: () => (content: unknown) => void
}

/** An event of emmett. */
export interface StoredEvent {
  readonly type: string
  readonly data: { readonly [name: string]: unknown }
}

/** What the bench calls of emmett's event store. */
export interface EventStore {
  /** Appends events and returns the stream's next version; `expected` is the version that it must have. */
  readonly append: (stream: string, events: ReadonlyArray<StoredEvent>, expected?: bigint) => Promise<bigint>
  readonly aggregate: <S>(
    stream: string,
    initial: S,
    evolve: (state: S, event: StoredEvent) => S
  ) => Promise<S>
  readonly close: () => Promise<void>
}

// The cases run compiled, in another folder; the process runs in the repository's.
const home = path.join(process.cwd(), "test/bench/peers")

const isInstalled = (): boolean => {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(home, "package.json"), "utf8"))
  return Object.entries<string>(dependencies).every(([name, version]) => {
    const manifest = path.join(home, "node_modules", name, "package.json")
    return fs.existsSync(manifest) && JSON.parse(fs.readFileSync(manifest, "utf8")).version === version
  })
}

const install = (): void => {
  const args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"]
  spawnSync("npm", args, { cwd: home, stdio: "ignore", timeout: 120_000 })
}

/** Loads the peers, which are installed on first use. Without a registry they are left out, by name. */
export const loadPeers = async (note: (text: string) => void): Promise<Peers | undefined> => {
  if (!isInstalled()) {
    note("installing lru-cache, bentocache, emmett and tinybase (npm ci in test/bench/peers)")
    install()
  }
  if (isInstalled()) return await import(pathToFileURL(path.join(home, "index.mjs")).href)
  note(
    "left out: lru-cache, bentocache, emmett, tinybase. They could not be installed: run npm ci in test/bench/peers"
  )
  return undefined
}
