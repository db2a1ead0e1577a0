/** A live table over a database: it answers as over memory, and keeps the laws with its log and its tier. */

import type { SqlClient } from "@effect/sql/SqlClient"
import { it } from "@effect/vitest"
import { type Context, Effect, type Scope } from "effect"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import { ensureList } from "../../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../../support/laws/laws.js"
import { databaseBackends, databasePlace, memoryBackend, plainBackend } from "./backend.js"
import { play } from "./play.js"
import { items } from "./rows.js"
import { equalSamples, tierSamples } from "./schedule.js"

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

/** So many random schedules over a table and its log in one database, and as many with a tier and a second live table. */
export const loggedLaw = (
  name: string,
  count: number,
  open: Effect.Effect<Context.Context<SqlClient>, unknown, Scope.Scope>
): void => {
  it.scopedLive(
    `L3-L8, L10: with the log and the tier of ${name} it returns what was acknowledged or later, by real revisions`,
    () =>
      Effect.gen(function* () {
        const { logged, tiered } = databaseBackends(yield* Effect.flatMap(open, databasePlace))
        yield* holdsSeeded(
          `the live table with the log of ${name}`,
          equalSamples,
          count,
          async (sample) => void (await play(sample, await Effect.runPromise(logged))),
          longRuns
        )
        yield* holdsSeeded(
          `the live table with the tier of ${name}`,
          tierSamples,
          count,
          async (sample) => void (await play(sample, await Effect.runPromise(tiered))),
          longRuns
        )
      }),
    seededTimeout
  )
}
