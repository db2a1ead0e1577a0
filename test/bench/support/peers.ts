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
  readonly makeTinyBase: (unique: string) => TinyBase
}

/** A row of TinyBase: cells are text, numbers or truth values. */
export interface TinyRow {
  readonly [cell: string]: string | number | boolean
}

/** What one store of TinyBase gives another one to merge: it is passed on as it is. */
export type TinyChanges = ReadonlyArray<unknown>

/** What the bench calls of TinyBase's MergeableStore. */
export interface TinyBase {
  readonly setRow: (table: string, row: string, cells: TinyRow) => void
  readonly delRow: (table: string, row: string) => void
  readonly getRow: (table: string, row: string) => TinyRow
  /** Calls the listener after a transaction that changed a row. Returns how to stop it. */
  readonly listen: (listener: (table: string, row: string) => void) => () => void
  readonly content: () => TinyChanges
  readonly merge: (changes: TinyChanges) => void
  /** Makes some changes in one transaction. Returns what another store merges of them. */
  readonly changed: (work: () => void) => TinyChanges
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

/** A record of an application, as a logger takes it: it has this property, and others. */
export interface Loggable {
  readonly action: string
}

/** What takes one record after the other, and is done later. */
export interface Writer {
  readonly write: (record: Loggable) => void
  readonly flush: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A queue of jobs in a database. */
export interface JobQueue {
  readonly insert: (records: ReadonlyArray<Loggable>) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** What test/bench/peers/writers.mjs exports. */
export interface Writers {
  readonly makePino: (file: string) => Writer
  readonly makeSonicBoom: (file: string) => Writer
  readonly makeOpenTelemetry: (maxQueueSize: number) => Writer
  readonly makeEvlog: (maxBufferSize: number) => Writer
  readonly makePgBoss: (url: string) => Promise<JobQueue>
  readonly makeGraphile: (url: string) => Promise<JobQueue>
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

const load = async <A>(file: string, note: (text: string) => void): Promise<A | undefined> => {
  if (!isInstalled()) {
    note("installing the peers (npm ci in test/bench/peers)")
    install()
  }
  if (isInstalled()) return await import(pathToFileURL(path.join(home, file)).href)
  note("left out: all peers. They could not be installed: run npm ci in test/bench/peers")
  return undefined
}

/** Loads the peers, which are installed on first use. Without a registry they are left out. */
export const loadPeers = (note: (text: string) => void): Promise<Peers | undefined> => load("index.mjs", note)

/** Loads the loggers and queues in the same way. */
export const loadWriters = (note: (text: string) => void): Promise<Writers | undefined> =>
  load("writers.mjs", note)
