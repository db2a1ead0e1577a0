/** What every watcher is promised, as a law over one kind of log. */
import { it } from "@effect/vitest"
import { Effect, Runtime, Scheduler, type Scope } from "effect"
import type fc from "fast-check"
import { ensureList } from "../../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../../support/laws/laws.js"
import { microtasks, withTurn } from "../../support/time/turn.js"
import { runtimeIn, virtualTime } from "../../support/time/virtualTime.js"
import { breaksOf } from "./history.js"
import type { OpenPlace } from "./place.js"
import type { Sample } from "./schedule.js"

/** So many random histories over one kind of log. */
export const watchLaw = (
  name: string,
  count: number,
  samples: fc.Arbitrary<Sample>,
  open: Effect.Effect<OpenPlace, unknown, Scope.Scope>
): void => {
  it.scopedLive(
    `W1-W14: every watcher is told what its policy promises, over ${name}`,
    () =>
      Effect.gen(function* () {
        const openPlace = yield* open
        yield* holdsSeeded(`the histories over ${name}`, samples, count, async (sample) => {
          // A property of fast-check is in promises, and the database in the host's time.
          const place = await Effect.runPromise(openPlace(sample))
          const time = virtualTime()
          // Fibers run in microtasks only, so that whoever has settled has run.
          const scheduler = new Scheduler.MixedScheduler(Number.MAX_SAFE_INTEGER)
          const run = breaksOf(sample, place, time).pipe(
            withTurn(microtasks),
            Effect.withScheduler(scheduler)
          )
          ensureList(await Runtime.runPromise(runtimeIn(time))(run), [], "no breaks")
        })
      }),
    seededTimeout
  )
}
