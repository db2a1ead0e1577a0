/** The loop that sets the metrics of a catalog. An operation costs no update of its own. */
import { Effect } from "effect"

const interval = "10 seconds"

/**
 * Updates metrics every 10 seconds, and once more at the end. `update` adds what was counted since the stats `before`, and
 * returns those of now. It counts from this call on, whenever it begins to run.
 */
export const run = <Stats>(first: Stats, update: (before: Stats) => Stats): Effect.Effect<never> => {
  let last = first
  const next = Effect.sync(() => {
    last = update(last)
  })
  return Effect.ensuring(Effect.forever(Effect.andThen(Effect.sleep(interval), next)), next)
}
