/** The ends of stores and pools. They run side by side: a log that does not answer holds up the followers of no other. */
import { Effect } from "effect"
import { timeLeft } from "../time.js"
import type { StoreEnded } from "./ended.js"
import type { Following } from "./following.js"
import type { Lifetime } from "./lifetime.js"
import { flushAll, type Saving } from "./saving.js"

/** Ends what has ended for its callers, within milliseconds. Called again while it runs, it hastens. */
export type Ending = (within: number) => Effect.Effect<void>

export interface Endings {
  /** Begins an end in the background. */
  readonly unsafeBegin: (ending: Ending) => void
  /** Ends within milliseconds what has begun, whether or not its log answers. */
  readonly finish: (within: number) => Effect.Effect<void>
}

/** What is left of a store or pool that has ended. */
export interface Left {
  readonly ended: StoreEnded | undefined
  /** None of a permanent one. */
  readonly lifetime: Lifetime | undefined
  readonly following: Pick<Following<unknown>, "end">
  readonly release: Effect.Effect<void>
}

/** Gives followers what was accepted, if it is saved in time, then one end, and gives back what it has of a backend. */
export const endingOf =
  ({ ended, following, lifetime, release }: Left, savings: () => ReadonlyArray<Saving>): Ending =>
  (within) =>
    Effect.gen(function* () {
      const left = yield* timeLeft(within)
      const isSaved = lifetime === undefined && ended?.reason !== "Failed"
      if (isSaved) yield* Effect.timeoutOption(flushAll(savings), within)
      yield* following.end(ended!, left())
      yield* release
    })

/** What is closed need not wait longer than this for what cannot be interrupted. */
const graceMillis = 100

/** `run` runs a task in the background, each within `deadline` milliseconds. */
export const make = (run: (task: Effect.Effect<void>) => boolean, deadline: number): Endings => {
  const open = new Set<Ending>()
  const over = (ending: Ending, within: number): Effect.Effect<void> =>
    Effect.ensuring(
      ending(within),
      Effect.sync(() => open.delete(ending))
    )
  return {
    unsafeBegin: (ending) => {
      open.add(ending)
      run(over(ending, deadline))
    },
    finish: (within) =>
      Effect.suspend(() => {
        const limit = Math.min(within, deadline)
        const ends = Effect.forEach(Array.from(open), (ending) => Effect.exit(over(ending, limit)), {
          concurrency: "unbounded",
          discard: true
        })
        return Effect.asVoid(Effect.timeoutOption(Effect.disconnect(ends), limit + graceMillis))
      })
  }
}
