/** What subscribers of a store or pool follow: a watch of its log, which is made when the first of them comes. */
import { Effect, Exit, Scope } from "effect"
import type { ChangeLog } from "../../ChangeLog.js"
import * as Watch from "../../Watch.js"
import type { StoreEnded } from "./ended.js"

export interface Following<V> {
  /** Fails when the store or pool has ended. */
  readonly watch: Effect.Effect<Watch.Watch<V>, StoreEnded>
  /** Compares the rights of followers, for those that wait. */
  readonly unsafeRecheck: () => void
  /** Gives every follower what is committed until now, and then one end. */
  readonly end: (reason: StoreEnded) => Effect.Effect<void>
}

/** How an end is named to a watcher. */
const endOf = ({ reason }: StoreEnded): "Expired" | "Ended" | "Failed" | "Closed" =>
  reason === "Unloaded" ? "Closed" : reason

/** Makes the following of a log. `closeDeadline` bounds how long an end waits for the log. */
export const make = <V>(
  log: ChangeLog<V>,
  name: string,
  closeDeadline: number
): Effect.Effect<Following<V>> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const alone = yield* Effect.makeSemaphore(1)
    let made: Watch.Watch<V> | undefined
    let ended: StoreEnded | undefined
    const make = Effect.suspend(() => {
      if (ended !== undefined) return Effect.fail(ended)
      if (made !== undefined) return Effect.succeed(made)
      return Watch.make(log, { name, closeDeadline }).pipe(
        Scope.extend(scope),
        // Its options are right.
        Effect.orDie,
        Effect.tap((watch) => Effect.sync(() => (made = watch)))
      )
    })
    const endWatch = (watch: Watch.Watch<V>, reason: StoreEnded): Effect.Effect<void> => {
      const end = endOf(reason)
      return end === "Closed" ? watch.close : watch.end(end, reason.message, reason.cause)
    }
    return {
      // Not uninterruptible: the fibers of the watch would be so too. What an interruption leaves ends with the scope.
      watch: alone.withPermits(1)(make),
      unsafeRecheck: () => made?.unsafeRecheck(),
      end: (reason) =>
        alone
          .withPermits(1)(
            Effect.suspend(() => {
              ended = reason
              return made === undefined ? Effect.void : endWatch(made, reason)
            })
          )
          .pipe(Effect.andThen(Scope.close(scope, Exit.void)))
    }
  })
