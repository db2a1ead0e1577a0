/** The account as a law over one backend. */
import { it } from "@effect/vitest"
import { Effect, Exit, Runtime, Scope } from "effect"
import { holdsSeeded, seededTimeout } from "../../support/laws/laws.js"
import type { Table } from "./backend.js"
import { checkEnd } from "./ending.js"
import { makeWorld, play } from "./play.js"
import { type Sample, samples } from "./schedule.js"

/** Gives each schedule its table; all ids of a schedule begin with `prefix`. */
export type OpenTables = Effect.Effect<
  (prefix: string) => Effect.Effect<Table, unknown>,
  unknown,
  Scope.Scope
>

const holdsFor = async (sample: Sample, table: Table): Promise<void> => {
  const world = makeWorld(sample, table)
  for (const action of sample.actions) await play(world, action)
  await checkEnd(world)
  Runtime.runFork(world.runtime)(Scope.close(world.scope, Exit.void))
  await world.time.settle()
}

/** So many random schedules over one backend. */
export const accountLaw = (name: string, count: number, open: OpenTables): void => {
  it.scopedLive(
    `A1-A15: the account over ${name} holds under any schedule of calls, faults, interruptions and ends`,
    () =>
      Effect.gen(function* () {
        const tableOf = yield* open
        let schedule = 0
        yield* holdsSeeded(`the account over ${name}`, samples, count, async (sample) => {
          // A property of fast-check is in promises, and the database in the host's time.
          const table = await Effect.runPromise(tableOf(`${schedule++}-`))
          await holdsFor(sample, table)
        })
      }),
    seededTimeout
  )
}
