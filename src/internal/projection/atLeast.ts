/** Waits until a log has reached a revision. */
import { Effect } from "effect"
import type { ChangeLog } from "../log/changeLog.js"
import type { ChangeLogError, Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import { isSame } from "./cached.js"
import { ProjectionError } from "./errors.js"
import type { EventValue } from "./events.js"

/** What is waited for. */
export interface Waiting {
  /** The name of the projection. */
  readonly name: string
  readonly log: ChangeLog<EventValue>
  readonly key: string
  readonly revision: Revision
  /** In milliseconds. */
  readonly timeout: number
}

/** A log of another process may commit without a ring. In milliseconds. */
const pollInterval = 1_000

const failed = (
  { key, name }: Waiting,
  reason: ProjectionError["reason"],
  message: string,
  cause?: unknown
) => new ProjectionError({ reason, projection: name, key, message, cause })

const otherHistory = (waiting: Waiting): ProjectionError =>
  failed(
    waiting,
    "EpochChanged",
    "the requested revision is not of this log's history, which was renewed or restored"
  )

const timedOut = (waiting: Waiting, head: Revision): ProjectionError =>
  failed(
    waiting,
    "TimedOut",
    `the log is at revision ${head.seq}, not yet at ${waiting.revision.seq}: wait longer, or ask for less`
  )

/** The revision that the log has under the number; `undefined` if it does not know it any more. */
const held = (
  { log, revision }: Waiting,
  head: Revision
): Effect.Effect<Revision | undefined, ChangeLogError> =>
  head.seq === revision.seq
    ? Effect.succeed(head)
    : (log.revisionAt?.(revision.seq) ?? Effect.succeed(undefined))

/** Whether a head is at the revision or beyond. Fails if the revision is of another history. */
export const isReached = (waiting: Waiting, head: Revision): Effect.Effect<boolean, ProjectionError> => {
  const { revision } = waiting
  if (head.epoch !== revision.epoch) return Effect.fail(otherHistory(waiting))
  if (head.seq < revision.seq) return Effect.succeed(false)
  return Effect.matchEffect(held(waiting, head), {
    onFailure: (error) =>
      Effect.fail(failed(waiting, "Log", `the log cannot be read: ${error.message}`, error)),
    onSuccess: (found) =>
      found === undefined || isSame(found, revision)
        ? Effect.succeed(true)
        : Effect.fail(otherHistory(waiting))
  })
}

/** Reads until the log has reached the revision, whenever it may have: at each ring, and once a second. */
export const untilReached = <R extends { readonly head: Revision }>(
  waiting: Waiting,
  read: Effect.Effect<R, ProjectionError>
): Effect.Effect<R, ProjectionError> => {
  const once = Effect.flatMap(read, (result) =>
    Effect.map(isReached(waiting, result.head), (reached) => ({ result, reached }))
  )
  const waitAndRead = Effect.gen(function* () {
    const clock = yield* Effect.clock
    const until = monotonicMillis(clock) + waiting.timeout
    const bell = yield* Effect.makeLatch()
    yield* waiting.log.doorbell(() => bell.unsafeOpen())
    while (true) {
      // A ring during the reading is not lost.
      bell.unsafeClose()
      const { reached, result } = yield* once
      if (reached) return result
      const left = until - monotonicMillis(clock)
      if (left <= 0) return yield* timedOut(waiting, result.head)
      yield* Effect.timeoutOption(bell.await, Math.min(left, pollInterval))
    }
  })
  return Effect.flatMap(once, ({ reached, result }) => {
    if (reached) return Effect.succeed(result)
    return waiting.timeout > 0 ? Effect.scoped(waitAndRead) : Effect.fail(timedOut(waiting, result.head))
  })
}
