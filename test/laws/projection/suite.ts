/** The laws of projections over the logs of a database, each on a feed of its own. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { it } from "@effect/vitest"
import { type Context, Effect, type Scope } from "effect"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import { holdsSeeded, seededTimeout } from "../../support/laws/laws.js"
import { databaseBackend } from "./backend.js"
import type { Value } from "./definitions.js"
import { play } from "./play.js"
import { databaseSamples } from "./schedule.js"

/** So many random schedules over feeds of one database. */
export const projectionLaws = (
  name: string,
  count: number,
  open: Effect.Effect<Context.Context<SqlClient>, unknown, Scope.Scope>
): void => {
  it.scopedLive(
    `P1-P11: over ${name} give the fold of all events, and answer how fresh it is, under any schedule`,
    () =>
      Effect.gen(function* () {
        const client = yield* open
        let feeds = 0
        const logOf = (feed: string) =>
          Effect.provide(SqlChangeLog.make<Value>({ table: "events", feed, keys: "indexed" }), client)
        yield* holdsSeeded(`projections over ${name}`, databaseSamples, count, (sample) =>
          Effect.runPromise(
            Effect.scoped(
              Effect.flatMap(logOf(`feed ${++feeds}`), (log) =>
                Effect.promise(() => play(sample, databaseBackend(log)))
              )
            )
          )
        )
      }),
    seededTimeout
  )
}
