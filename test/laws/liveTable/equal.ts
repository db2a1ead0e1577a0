/** The same schedule over a database gives the answers that it gives over memory. */

import type { SqlClient } from "@effect/sql/SqlClient"
import { it } from "@effect/vitest"
import { type Context, Effect, type Scope } from "effect"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import { ensureList } from "../../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../../support/laws/laws.js"
import { memoryBackend, plainBackend } from "./backend.js"
import { play } from "./play.js"
import { items } from "./rows.js"
import { equalSamples } from "./schedule.js"

/** So many schedules of each database are in a long run. */
const longRuns = 3_000

/** So many random schedules over memory and over a table of one database. */
export const equalLaw = (
  name: string,
  count: number,
  open: Effect.Effect<Context.Context<SqlClient>, unknown, Scope.Scope>
): void => {
  it.scopedLive(
    `L9: the same schedule of a live table gives the same answers over memory and over ${name}`,
    () =>
      Effect.gen(function* () {
        const table = yield* Effect.provide(SqlTable.make(items), yield* open)
        yield* holdsSeeded(
          `the live table over ${name}`,
          equalSamples,
          count,
          async (sample) => {
            await Effect.runPromise(table.deleteAll)
            const answers = await play(sample, { ...plainBackend(table), inSteps: true })
            const memory = await Effect.runPromise(memoryBackend())
            const expected = await play(sample, { ...memory, inSteps: true })
            ensureList(answers, expected, "L9: the answers are those over memory")
          },
          longRuns
        )
      }),
    seededTimeout
  )
}
