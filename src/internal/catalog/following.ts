/** What subscribers of a store or pool follow: a watch of its log, which is made when the first of them comes. */
import { Effect, ExecutionStrategy, Exit, Scope } from "effect"
import type { ChangeLog } from "../../ChangeLog.js"
import * as Watch from "../../Watch.js"
import type { StoreEnded } from "./ended.js"

export interface Following<V> {
  /** Fails when the store or pool has ended. */
  readonly watch: Effect.Effect<Watch.Watch<V>, StoreEnded>
  /** Compares the rights of followers, for those that wait. */
  readonly unsafeRecheck: () => void
  /** Gives every follower what is committed until now, and then one end, within milliseconds. Called again, it hastens. */
  readonly end: (reason: StoreEnded, within: number) => Effect.Effect<void>
}

/** How an end is named to a watcher. */
const endOf = ({ reason }: StoreEnded): "Expired" | "Ended" | "Failed" | "Closed" =>
  reason === "Unloaded" ? "Closed" : reason

const endWatch = <V>(watch: Watch.Watch<V>, reason: StoreEnded, within: number): Effect.Effect<void> => {
  const end = endOf(reason)
  const hasten = watch.closeWithin(within)
  return end === "Closed"
    ? hasten
    : // The first one gives the reason.
      Effect.all([watch.end(end, reason.message, reason.cause), hasten], {
        concurrency: "unbounded",
        discard: true
      })
}

/** Makes the following of a log. It ends with the scope at the latest. */
export const make = <V>(
  log: ChangeLog<V>,
  name: string,
  closeDeadline: number
): Effect.Effect<Following<V>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
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
    /** No watch is made after it. */
    const takeMade = (reason: StoreEnded) =>
      alone.withPermits(1)(
        Effect.sync(() => {
          ended ??= reason
          return made
        })
      )
    return {
      // Not uninterruptible: the fibers of the watch would be so too. What an interruption leaves ends with the scope.
      watch: alone.withPermits(1)(make),
      unsafeRecheck: () => made?.unsafeRecheck(),
      end: (reason, within) =>
        takeMade(reason).pipe(
          Effect.flatMap((watch) => (watch === undefined ? Effect.void : endWatch(watch, reason, within))),
          Effect.andThen(Scope.close(scope, Exit.void))
        )
    }
  })
