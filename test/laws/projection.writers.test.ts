/** Many writers who each read a state, and append if the key still has its generation. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { type Context, Effect, type Scope } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { pgSchema, sqliteFile } from "../support/table/databases.js"
import { changeOf, definitions, inWords, type Value } from "./projection/definitions.js"

type Log = ChangeLog.ChangeLog<Value>

/** Appends the next number of the key: what it expects is the state that it has read. */
const countOn = (log: Log, projection: Projection.Projection<unknown>): Effect.Effect<void, unknown> =>
  projection.projectOutcome("a").pipe(
    Effect.flatMap(({ generation }) =>
      log.commit([{ changes: [changeOf("a", "Added", generation + 1)], expect: [{ key: "a", generation }] }])
    ),
    Effect.asVoid,
    Effect.catchTag("Conflict", () => Effect.suspend(() => countOn(log, projection)))
  )

const writersLaw = (name: string, writers: number, open: Effect.Effect<Log, unknown, Scope.Scope>): void => {
  it.scopedLive(
    `P9: ${writers} writers that try again after a conflict lose and repeat nothing over ${name}`,
    () =>
      Effect.gen(function* () {
        const log = yield* open
        const both = yield* Effect.all([
          Projection.make(definitions.on[0], log),
          Projection.make(definitions.off[0], log)
        ])
        yield* Effect.forEach(
          Array.from({ length: writers }, (_, n) => both[n % 2] as (typeof both)[number]),
          (projection) => countOn(log, projection),
          { concurrency: "unbounded" }
        )
        const numbers = Array.from({ length: writers }, (_, n) => n + 1)
        const words = `${numbers.reduce((sum, n) => sum + n)}: ${numbers.join()}`
        for (const projection of both) expect(inWords(yield* projection.project("a"))).toBe(words)
        expect((yield* log.head).head.seq).toBe(writers)
      })
  )
}

const inDatabase = (client: Effect.Effect<Context.Context<SqlClient>, unknown, Scope.Scope>) =>
  Effect.flatMap(client, (context) =>
    Effect.provide(SqlChangeLog.make<Value>({ table: "events", keys: "indexed" }), context)
  )

describe("writers by projections", () => {
  writersLaw("memory", 64, ChangeLog.make<Value>({ keys: "indexed" }))
  writersLaw("SQLite", 16, inDatabase(Effect.flatMap(sqliteFile, ({ client }) => client)))
})

describe.each(databaseUrls())("writers by projections, $name", ({ url }) => {
  writersLaw("Postgres", 16, inDatabase(Effect.flatMap(pgSchema(url), ({ client }) => client)))
})
