/** The adapters' options, and those of what tests. */
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Context, Effect } from "effect"
import * as HttpAudit from "../../../src/platform/HttpAudit.js"
import * as Recorder from "../../../src/Recorder.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as PgDoorbell from "../../../src/sql/PgDoorbell.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as SqlTier from "../../../src/sql/SqlTier.js"
import * as Table from "../../../src/Table.js"
import * as FaultStorage from "../../../src/testing/FaultStorage.js"
import * as FaultTable from "../../../src/testing/FaultTable.js"
import { aRequest, type Columns, columns, inColumns, keys, storage } from "./core.js"
import {
  aFunction,
  aText,
  durationsAbove0,
  inside,
  of,
  type Place,
  place,
  scoped,
  type WrongOf,
  wholes,
  words
} from "./wrong.js"

class Audit extends Context.Tag("test/options/Audit")<Audit, HttpAudit.AuditRecorder>() {}

const auditing = Recorder.layerMemory(Audit, { columns: HttpAudit.columns, id: "id" })

const inAudit = { actor: aFunction, action: aFunction, redact: aFunction, toRecord: aFunction }

export const others: ReadonlyArray<Place> = [
  {
    name: "HttpAudit.make",
    needed: {},
    wrong: inAudit,
    make: (options) =>
      Effect.flatMap(Audit, (recorder) => HttpAudit.make(recorder, options)).pipe(
        Effect.provide(auditing),
        Effect.scoped
      )
  },
  {
    name: "HttpAudit.middleware",
    needed: {},
    wrong: inAudit,
    make: (options) =>
      HttpAudit.middleware(
        Audit,
        options
      )(HttpServerResponse.empty()).pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, aRequest),
        Effect.provide(auditing),
        Effect.scoped,
        // A middleware adds no failure to its app: options that cannot work are a defect there.
        Effect.catchAllDefect(Effect.fail)
      )
  },
  {
    ...place<FaultStorage.Rule<string>>(
      "FaultStorage.make",
      { fault: FaultStorage.Fault.fail() },
      {
        fault: of(5),
        of: words,
        call: of("one", 0, [2, 1]),
        record: aFunction,
        times: wholes
      },
      (rule) => FaultStorage.make(storage, [rule])
    ),
    prefix: "script[0]."
  },
  {
    ...place<FaultTable.Script<typeof keys>[number]>(
      "FaultTable.make",
      { fault: FaultTable.Fault.fail() },
      {
        fault: of(5, FaultStorage.Fault.refuse()),
        of: of(5, "load"),
        call: of("one", 0, [2, 1]),
        record: aFunction,
        times: wholes
      },
      (rule) => Effect.flatMap(Table.memory(keys), (table) => FaultTable.make(table, [rule]))
    ),
    prefix: "script[0]."
  }
]

// Of databases nothing is reached: a row that is not refused fails otherwise, or takes too long

const inLayout: WrongOf<SqlTable.LayoutOptions<Columns>> = {
  schema: of(5, ""),
  indexes: [
    ...of(5, [{ name: "i", columns: [] }], [{ name: "i", columns: ["detail"] }]),
    ...inside("[0].name", [{}], [{ name: "", columns: ["id"] }]),
    ...inside("[0].kind", [{ name: "i", columns: ["id"], kind: "another" }]),
    ...inside("[0].uniqe", [{ name: "i", columns: ["id"], uniqe: true }])
  ]
}

/** Of a log beside a table; `also` is what each needs besides. */
const besideTable = (also: object) => [
  ...of(5),
  ...inside("table", { table: 5, ...also }, { table: "", ...also }),
  ...inside("feed", { table: "log", ...also, feed: "" }),
  ...inside("state", { table: "log", ...also, state: "another" }),
  ...inside("keys", { table: "log", ...also, keys: "another" }),
  ...inside("lockTimeout", { table: "log", ...also, lockTimeout: 0 }),
  ...inside("doorbell", { table: "log", ...also, doorbell: 5 }),
  ...inside("feeed", { table: "log", ...also, feeed: "main" })
]

const inTable: WrongOf<SqlStorage.TableOptions<Columns>> = {
  table: of(5, "", "x".repeat(64)),
  ...inColumns,
  ...inLayout,
  log: [
    ...besideTable({ toEntry: () => undefined }),
    ...inside("toEntry", { table: "log" }, { table: "log", toEntry: 5 })
  ]
}

// A timer of Node and of Postgres ends at 2^31 - 1 milliseconds.
const timers = [...durationsAbove0, ...of("25 days")]

const inBehavior: WrongOf<SqlDatastore.LogBehavior> = {
  retention: [
    ...of(5),
    ...inside("count", { count: "many" }, { count: 0 }),
    ...inside("bytes", { bytes: 1.5 }),
    ...inside("age", { age: "soon" }, { age: 0 }),
    ...inside("cuont", { cuont: 1 })
  ],
  lockTimeout: timers,
  poll: timers,
  doorbell: of(5)
}

const inLog: WrongOf<SqlChangeLog.LogOptions> = {
  table: of(5, "", "x".repeat(57)),
  schema: of(5, ""),
  feed: of(5, "", "x".repeat(513)),
  state: words,
  keys: words,
  ...inBehavior
}

const inConnection: WrongOf<PgStorage.PgConnectOptions> = {
  url: of(5, "http://localhost"),
  host: aText,
  port: of("5432", 0, 65_536),
  database: aText,
  username: aText,
  password: aText,
  ssl: of(5),
  applicationName: aText,
  connectTimeout: timers,
  maxConnections: of("many", 1, 2.5)
}

const { maxConnections: __, ...inConnectionOfBell } = inConnection

const url = "postgres://nobody@127.0.0.1:1/none"
const aTable = { table: "records", columns, id: "id" } as const
const aLog = { table: "log" }
const filename = "/a folder that is not there/records.db"
const inFilename = { filename: of(5, "") }

const client = SqliteClient.layer({ filename: ":memory:" })

export const databases: ReadonlyArray<Place> = [
  place<SqlStorage.TableOptions<Columns>>("SqlStorage.make", aTable, inTable, (options) =>
    Effect.provide(SqlStorage.make(options), client)
  ),
  place<SqlTable.SqlTableOptions<Columns>>(
    "SqlTable.make",
    {},
    { ...inLayout, log: besideTable({}) },
    (options) => Effect.provide(SqlTable.make({ name: "t", columns, id: "id" }, options), client)
  ),
  place<SqliteStorage.SqliteOptions<Columns>>(
    "SqliteStorage.make",
    { ...aTable, filename },
    { ...inTable, ...inFilename },
    (options) => scoped(SqliteStorage.make(options))
  ),
  place<SqliteWorker.SqliteWorkerOptions<Columns>>(
    "SqliteWorker.make",
    { ...aTable, filename },
    { ...inTable, filename: of(5, "", ":memory:") },
    (options) => scoped(SqliteWorker.make(options))
  ),
  place<PgStorage.PgOptions<Columns>>(
    "PgStorage.make",
    { ...aTable, url },
    { ...inTable, ...inConnection },
    (options) => scoped(PgStorage.make(options))
  ),
  place<SqlTier.TierOptions>(
    "SqlTier.make",
    { table: "tier" },
    { table: of(5, "", "x".repeat(56)), schema: of(5, "") },
    (options) => Effect.provide(SqlTier.make(options), client)
  ),
  place<SqlDatastore.SqlDatastoreOptions>(
    "SqlDatastore.make",
    { table: "stores" },
    {
      table: of(5, "", "x".repeat(49)),
      schema: of(5, ""),
      lease: timers,
      ownerName: of(5, "\0", "\ud800"),
      ...inBehavior
    },
    (options) => scoped(Effect.provide(SqlDatastore.make(options), client))
  ),
  place<SqlChangeLog.LogOptions>("SqlChangeLog.make", aLog, inLog, (options) =>
    scoped(Effect.provide(SqlChangeLog.make<string>(options), client))
  ),
  place<SqliteChangeLog.SqliteLogOptions>(
    "SqliteChangeLog.make",
    { ...aLog, filename },
    { ...inLog, ...inFilename },
    (options) => scoped(SqliteChangeLog.make<string>(options))
  ),
  place<PgChangeLog.PgLogOptions>(
    "PgChangeLog.make",
    { ...aLog, url },
    { ...inLog, ...inConnection },
    (options) => scoped(PgChangeLog.make<string>(options))
  ),
  place<PgDoorbell.PgDoorbellOptions>(
    "PgDoorbell.make",
    { url },
    { ...inConnectionOfBell, pingInterval: timers, pingTimeout: timers, poll: timers, pollWhileDown: timers },
    (options) => scoped(PgDoorbell.make(options))
  )
]
