/**
 * Who may import whom, by the folders' names. Ranks grow upwards; a file imports lower ranks, its own folder, and the
 * open folders below it.
 */

/** A folder or a root file of `src`, and how high it stands. */
interface Place {
  readonly rank: number
  /** Files of the same folder import each other; `undefined` for public modules, of which each stands alone. */
  readonly folder: string | undefined
  /** Who may import it: everything above, the module and adapters of its part, or its own adapter. */
  readonly access: "open" | "private" | "public"
}

const ranksOfInternal: Readonly<Record<string, number>> = {
  columns: 20,
  cache: 20,
  lease: 20,
  actor: 20,
  recorder: 40,
  table: 45,
  log: 40,
  watch: 60,
  catalog: 80,
  liveTable: 90,
  projection: 90,
  datastore: 90,
  mergePool: 90,
  audit: 90
}

const openFolders = ["columns", "log", "cache", "lease", "catalog"]

const ranksOfModules: Readonly<Record<string, number>> = {
  Metrics: 10,
  Id: 10,
  Actor: 30,
  Storage: 30,
  Tier: 30,
  Recorder: 50,
  ChangeLog: 50,
  Table: 50,
  Watch: 70,
  LiveTable: 100,
  Projection: 100,
  Datastore: 100,
  MergePool: 100,
  Audit: 100,
  index: 300
}

/** The module whose inside a private folder is. */
const ownerOf: Readonly<Record<string, string>> = {
  actor: "Actor",
  recorder: "Recorder",
  table: "Table",
  watch: "Watch",
  liveTable: "LiveTable",
  projection: "Projection",
  datastore: "Datastore",
  mergePool: "MergePool",
  audit: "Audit"
}

/** The folders inside an adapter's own `internal`, by their ranks there; its root files have rank 0. */
const adapters: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  // A tier is a part of its own, beside tables and projections, which get it as a value.
  sql: {
    log: 1,
    storage: 2,
    owner: 2,
    table: 3,
    tier: 3,
    projection: 3,
    datastore: 3,
    audit: 3,
    pg: 4,
    sqlite: 4,
    client: 5
  },
  platform: { audit: 1, sse: 1, socket: 1 },
  cluster: {},
  testing: { fault: 1, storage: 2, log: 3, table: 3, tier: 3, projection: 3, datastore: 3, merge: 3 }
}

/** Packages that connect to something. */
const drivers = [
  "pg",
  "better-sqlite3",
  "@effect/sql-pg",
  "@effect/sql-sqlite-node",
  "node:worker_threads",
  "node:fs"
]

const foldersWithDrivers = ["pg", "sqlite", "client"]

const placeOf = (file: string): Place | undefined => {
  const parts = file.replace(/\.ts$/, "").split("/").slice(1)
  const [first = "", second = "", third = ""] = parts
  if (parts.length === 1) {
    const rank = ranksOfModules[first]
    return rank === undefined ? undefined : { rank, folder: undefined, access: "public" }
  }
  if (first === "internal") {
    if (parts.length === 2) return { rank: 0, folder: "internal", access: "open" }
    const rank = parts.length === 3 ? ranksOfInternal[second] : undefined
    if (rank === undefined) return undefined
    return { rank, folder: `internal/${second}`, access: openFolders.includes(second) ? "open" : "private" }
  }
  const folders = adapters[first]
  if (folders === undefined) return undefined
  if (parts.length === 2) return { rank: 250, folder: undefined, access: "public" }
  if (second !== "internal") return undefined
  if (parts.length === 3) return { rank: 200, folder: `${first}/internal`, access: "private" }
  const rank = parts.length === 4 ? folders[third] : undefined
  return rank === undefined
    ? undefined
    : { rank: 200 + rank, folder: `${first}/internal/${third}`, access: "private" }
}

const adapterOf = (file: string): string | undefined => {
  const first = file.split("/")[1] ?? ""
  return first in adapters ? first : undefined
}

const own = (from: string, to: string): string | undefined => {
  const a = placeOf(from)
  const b = placeOf(to)
  if (a === undefined) return "an unknown folder"
  if (b === undefined) return "an import from an unknown folder"
  if (a.folder !== undefined && a.folder === b.folder) return undefined
  if (a.folder === "internal") return "a root file that imports a part"
  if (a.rank < b.rank) return "an import upwards"
  if (a.rank === b.rank) return "an import sideways"
  const adapter = adapterOf(to)
  if (adapter !== undefined) {
    return adapter === adapterOf(from) || from === "src/index.ts" ? undefined : "an import of another adapter"
  }
  if (b.access !== "private") return undefined
  const owner = ownerOf[to.split("/")[2] ?? ""]
  return from === `src/${owner}.ts` ? undefined : "an import of another part's private folder"
}

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const packageRule = (from: string, specifier: string): string | undefined => {
  if (packageOf(specifier) === "effect") return undefined
  if (adapterOf(from) === undefined) return "a package in the core"
  const [, adapter, internal, folder] = from.split("/")
  const isBelowDrivers =
    adapter === "sql" && internal === "internal" && !foldersWithDrivers.includes(folder ?? "")
  return isBelowDrivers && drivers.includes(packageOf(specifier)) ? "a driver below its rank" : undefined
}

/**
 * Which rule an import breaks, or `undefined`. `to` is the project's file behind it, or `undefined` for a package's
 * `specifier`.
 */
export const brokenRule = (from: string, specifier: string, to: string | undefined): string | undefined => {
  if (placeOf(from) === undefined) return "an unknown folder"
  if (to !== undefined) return own(from, to)
  return specifier.startsWith(".") ? "a file that is not there" : packageRule(from, specifier)
}
