/** The status of an actor, and the streams of its changes. Publishing is synchronous and never waits. */
import { Cause, Effect, Exit, Mailbox, Option, Stream } from "effect"

/**
 * What an actor is doing. Every state has its `cause`: the error that keeps the actor from its resource, or that ended
 * it, and none when nothing does.
 *
 * - `Starting`: its resource is not there yet. `attempt` failed so far, the last one with `cause`.
 * - `Running`: in order; no cause.
 * - `Degraded`: its resource is away since `since` (milliseconds since the epoch), by `cause`; exactly one attempt is
 *   under way.
 * - `Closing`: it finishes what it has accepted; `cause` shows what it waits for, if it waits.
 * - `Closed`: it has ended; no cause.
 * - `Failed`: it has ended by `cause`.
 *
 * `released` is there once items that it kept for its owner were released from memory: how many until now. A change is
 * published when an interval of releases begins, not for each of them.
 */
export type Status =
  | { readonly _tag: "Starting"; readonly attempt: number; readonly cause: Option.Option<unknown> }
  | { readonly _tag: "Running"; readonly cause: Option.Option<unknown>; readonly released?: number }
  | {
      readonly _tag: "Degraded"
      readonly since: number
      readonly cause: Option.Option<unknown>
      readonly attempt: number
      readonly released?: number
    }
  | { readonly _tag: "Closing"; readonly cause: Option.Option<unknown>; readonly released?: number }
  | { readonly _tag: "Closed"; readonly cause: Option.Option<unknown> }
  | { readonly _tag: "Failed"; readonly cause: Option.Option<unknown> }

export type Phase = "Starting" | "Running" | "Failed" | "Closed"

/** What keeps an actor from its resource. */
export interface Outage {
  readonly cause: unknown
  readonly attempt: number
  readonly since: number
}

/** What a status is made of. */
export interface Life {
  readonly phase: Phase
  readonly closing: boolean
  /** Why it has failed. */
  readonly cause: Cause.Cause<unknown> | undefined
  readonly outage: Outage | undefined
  readonly intake: { readonly released: number }
}

export const statusOf = ({ cause: failed, closing, intake, outage, phase }: Life): Status => {
  if (phase === "Closed") return { _tag: "Closed", cause: Option.none() }
  if (phase === "Failed") {
    return { _tag: "Failed", cause: Option.some(Cause.squash(failed ?? Cause.empty)) }
  }
  const cause = outage === undefined ? Option.none() : Option.some(outage.cause)
  const released = intake.released === 0 ? {} : { released: intake.released }
  if (closing) return { _tag: "Closing", cause, ...released }
  if (phase === "Starting") return { _tag: "Starting", attempt: outage?.attempt ?? 0, cause }
  return outage === undefined
    ? { _tag: "Running", cause, ...released }
    : { _tag: "Degraded", since: outage.since, cause, attempt: outage.attempt, ...released }
}

/** The present status, and the streams that follow it. */
export interface Statuses {
  current: Status
  ended: boolean
  readonly watchers: Set<Mailbox.Mailbox<Status>>
}

export const make = (): Statuses => ({
  current: { _tag: "Starting", attempt: 0, cause: Option.none() },
  ended: false,
  watchers: new Set()
})

/** Sets the present status; a terminal one ends the streams. */
export const publish = (statuses: Statuses, status: Status): void => {
  statuses.current = status
  statuses.ended = status._tag === "Closed" || status._tag === "Failed"
  for (const watcher of statuses.watchers) {
    watcher.unsafeOffer(status)
    if (statuses.ended) watcher.unsafeDone(Exit.void)
  }
  if (statuses.ended) statuses.watchers.clear()
}

// A slow watcher loses the oldest changes, never the last one.
const maxKept = 64

/** The present status, then each change. */
export const changes = (statuses: Statuses): Stream.Stream<Status> =>
  Stream.unwrapScoped(
    Effect.acquireRelease(
      Effect.map(Mailbox.make<Status>({ capacity: maxKept, strategy: "sliding" }), (watcher) => {
        watcher.unsafeOffer(statuses.current)
        if (statuses.ended) watcher.unsafeDone(Exit.void)
        else statuses.watchers.add(watcher)
        return watcher
      }),
      (watcher) => Effect.sync(() => statuses.watchers.delete(watcher))
    ).pipe(Effect.map(Mailbox.toStream))
  )
