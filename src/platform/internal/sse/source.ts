/** Where a response takes its frames from: a watcher, and how to wait for one without a fiber that waits. */
import { Effect, Exit, type Fiber, type Scope } from "effect"
import type { Frame, WatchEnded } from "../../../internal/watch/frames.js"
import { signalOf } from "../../../internal/watch/reader.js"
import type { Watcher } from "../../../Watch.js"

export interface Source<V> {
  /** The next frame, when there is one. */
  readonly poll: () => Frame<V> | undefined
  /** To run before {@link whenAvailable}. */
  readonly prepare: Effect.Effect<void>
  /** Calls `wake` once when there is a frame, or the end; perhaps at once. Returns how to wait no longer. */
  readonly whenAvailable: (wake: () => void) => () => void
  /** Why there will be no frame any more; none: there may be one. */
  readonly ended: Effect.Effect<Exit.Exit<never, WatchEnded> | undefined>
}

const failureOf = <V>(exit: Exit.Exit<Frame<V>, WatchEnded> | null | undefined) =>
  exit !== null && exit !== undefined && Exit.isFailure(exit) ? Exit.failCause(exit.cause) : undefined

/**
 * A watcher of another watch than ours: a fiber waits for its next frame, across heartbeats. One that is interrupted
 * could take a frame with it.
 */
const foreign = <V>(watcher: Watcher<V>, scope: Scope.Scope): Source<V> => {
  let taking: Fiber.RuntimeFiber<Frame<V>, WatchEnded> | undefined
  return {
    poll: () => {
      // The fiber that waits is the one reader.
      if (taking === undefined) return watcher.unsafePoll()
      const exit = taking.unsafePoll()
      if (exit === null || Exit.isFailure(exit)) return undefined
      taking = undefined
      return exit.value
    },
    prepare: Effect.suspend(() =>
      taking !== undefined
        ? Effect.void
        : Effect.map(Effect.forkIn(watcher.take, scope), (fiber) => {
            taking = fiber
          })
    ),
    whenAvailable: (wake) => {
      const fiber = taking
      const observer = (): void => wake()
      fiber?.addObserver(observer)
      return () => fiber?.removeObserver(observer)
    },
    ended: Effect.sync(() => failureOf(taking?.unsafePoll()))
  }
}

export const of = <V>(watcher: Watcher<V>, scope: Scope.Scope): Source<V> => {
  const signal = signalOf(watcher)
  if (signal === undefined) return foreign(watcher, scope)
  return {
    poll: watcher.unsafePoll,
    prepare: Effect.void,
    whenAvailable: signal.whenAvailable,
    ended: Effect.suspend(() =>
      signal.isOver() ? Effect.map(Effect.exit(watcher.take), failureOf) : Effect.succeed(undefined)
    )
  }
}
