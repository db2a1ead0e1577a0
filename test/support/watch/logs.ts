/** This library's own change logs as subjects of their laws. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import type { Place, Subject } from "../../../src/testing/ChangeLogLaws.js"
import { oncePerFile } from "../laws/oncePerFile.js"
import { ownSchema } from "../postgres/tables.js"
import { tempFile } from "../sqlite/sqlite.js"

type State = "latest" | "none"
type Keys = "indexed" | "none"

const kept = (state: State, keys: Keys): string =>
  `state ${state}${keys === "indexed" ? ", keys indexed" : ""}`

export const states: ReadonlyArray<State> = ["none", "latest"]

/** A log in memory. */
export const memorySubject = (state: State, keys: Keys = "none"): Subject => ({
  name: `memory, ${kept(state, keys)}`,
  place: Effect.map(ChangeLog.make({ state, keys, maxRevisions: 1000, maxBytes: 2 ** 23 }), (log) => ({
    open: Effect.succeed(log)
  })),
  capabilities: { state, handles: "one", values: "any", keys },
  tooLarge: [ChangeLog.put("/a", "x".repeat(2 ** 22)), ChangeLog.put("/b", "x".repeat(2 ** 22))],
  retention: 1000
})

type Open = (
  options: SqlChangeLog.LogOptions
) => Effect.Effect<SqlChangeLog.SqlChangeLog<unknown>, unknown, Scope.Scope>

/** Places in one database, made once for the tests of a file: each is a feed of its own. */
const feeds = (
  make: Effect.Effect<Open, unknown, Scope.Scope>,
  state: State,
  keys: Keys
): Effect.Effect<Place> => {
  const once = oncePerFile(make)
  let feed = 0
  return Effect.map(once, (open) => {
    const options = { table: "laws", feed: `feed ${state} ${keys} ${++feed}`, state, keys }
    return { open: open(options) }
  })
}

const durable = (
  name: string,
  make: Effect.Effect<Open, unknown, Scope.Scope>,
  state: State,
  keys: Keys
): Subject => ({
  name: `${name}, ${kept(state, keys)}`,
  place: feeds(make, state, keys),
  capabilities: { state, handles: "together", values: "json", keys }
})

/** Ways to a log in a SQLite file. */
export const sqliteSubjects = (state: State, keys: Keys = "none"): ReadonlyArray<Subject> => [
  durable(
    "SqliteChangeLog",
    Effect.map(
      tempFile,
      (filename): Open =>
        (options) =>
          SqliteChangeLog.make({ ...options, filename })
    ),
    state,
    keys
  ),
  durable(
    "SqlChangeLog over a SqliteClient",
    Effect.gen(function* () {
      const filename = yield* tempFile
      const context = yield* Layer.build(SqliteClient.layer({ filename }))
      const open: Open = (options) => Effect.provide(SqlChangeLog.make(options), context)
      return open
    }),
    state,
    keys
  )
]

/** Ways to a log on a Postgres server. */
export const pgSubjects = (
  name: string,
  server: string,
  state: State,
  keys: Keys = "none"
): ReadonlyArray<Subject> => [
  durable(
    `PgChangeLog, ${name}`,
    Effect.map(
      ownSchema(server),
      (url): Open =>
        (options) =>
          PgChangeLog.make({ ...options, url })
    ),
    state,
    keys
  ),
  durable(
    `SqlChangeLog over a PgClient, ${name}`,
    Effect.gen(function* () {
      const url = Redacted.make(yield* ownSchema(server))
      const context = yield* Layer.build(PgClient.layer({ url, maxConnections: 6 }))
      const open: Open = (options) => Effect.provide(SqlChangeLog.make(options), context)
      return open
    }),
    state,
    keys
  )
]
