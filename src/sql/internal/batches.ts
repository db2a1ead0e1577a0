/** Work on many rows, a batch at a time. */
import { Effect } from "effect"

/**
 * Repeats what changes up to `size` rows and gives their number, until it changes fewer. Gives the sum. Other fibers run
 * in between.
 */
export const inBatches = <E>(batch: Effect.Effect<number, E>, size: number): Effect.Effect<number, E> => {
  const from = (total: number): Effect.Effect<number, E> =>
    Effect.flatMap(batch, (changed) =>
      changed < size
        ? Effect.succeed(total + changed)
        : Effect.zipRight(
            Effect.yieldNow(),
            Effect.suspend(() => from(total + changed))
          )
    )
  return from(0)
}
