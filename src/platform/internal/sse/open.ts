/** Begins a response: with a new follow, after the client's cursor, or with the reason why it ends at once. */
import { Effect, type Scope } from "effect"
import type { ChangeLogError, InvalidSelector, Selector } from "../../../ChangeLog.js"
import { anything, type InvalidOptions, oneOf, optional, resolve } from "../../../internal/options.js"
import type { FollowOptions, Policy, Watch } from "../../../Watch.js"
import * as Sse from "./encoding.js"
import type { EndReason, GapReason } from "./frames.js"
import type { Opened, ResumeGap } from "./session.js"

/** What opens watchers: a watch, or what opens them for a principal. */
export type Opener<in out V> = Pick<Watch<V>, "open">

/** Options of the follow of a client; each has a default. */
export interface ServeOptions<V>
  extends Omit<FollowOptions<V>, "after" | "back" | "autoResnapshot" | "policy"> {
  /** Default `resync`. A client never blocks a publisher. */
  readonly policy?: Exclude<Policy, "block"> | undefined
  /**
   * `on`: what cannot be resumed, or is compacted away under a slow client, is answered by a gap and a snapshot.
   * `off`: by the end. Default `on` where the route begins with a snapshot, otherwise `off`: whatever a client sends,
   * a route without both delivers no snapshot. With `on` a follow remembers the keys that it has delivered.
   */
  readonly autoResnapshot?: "on" | "off" | undefined
}

/**
 * Faults of the handler: the selector or the options cannot be, or the log keeps no state for what they ask. What may
 * pass (a watch that is full, closed, or without an answer from its log) is sent to the client as the event `end`. An
 * `EventSource` never connects again after a status other than 200.
 */
export type ServeError = InvalidSelector | InvalidOptions | ChangeLogError

/** A response that ends at once, and why. */
interface Refused {
  readonly _tag: "Refused"
  readonly reason: EndReason
}

export type Answer<V> = Opened<V> | Refused

type Begun<V> = Effect.Effect<Answer<V>, ServeError, Scope.Scope>

export const refused = (reason: EndReason): Refused => ({ _tag: "Refused", reason })

/** The names of the options; the watch checks their values. */
const rules = {
  snapshot: anything,
  view: anything,
  where: anything,
  buffer: anything,
  previous: anything,
  autoResnapshot: anything,
  // `block` would hand the pace of a stranger on to every publisher.
  policy: optional(oneOf("resync", "conflate", "cancel", "drop-oldest"))
}

/** Opens a follow as the watch does; what may pass, or is gone, becomes an answer. */
const attempt = <V>(
  watch: Opener<V>,
  selector: Selector,
  options: FollowOptions<V>,
  resumeGap: ResumeGap | undefined
): Begun<V> => {
  const opened = Effect.map(
    watch.open(selector, options),
    (watcher): Answer<V> => ({ _tag: "Opened", watcher, resumeGap })
  )
  return Effect.catchAll(opened, (error): Effect.Effect<Answer<V>, ServeError> => {
    switch (error._tag) {
      case "Compacted":
      case "EpochChanged":
        return Effect.succeed(refused(error._tag))
      case "WatchRefused":
        return Effect.succeed(refused(error.reason === "Log" ? "Unavailable" : (error.ended ?? error.reason)))
      case "ChangeLogError":
        return error.reason === "Unavailable" ? Effect.succeed(refused("Unavailable")) : Effect.fail(error)
      default:
        return Effect.fail(error)
    }
  })
}

/**
 * Begins the follow of a client with this cursor, or with none. The route decides what it may get: one that delivers
 * no snapshots answers a cursor that cannot be resumed by the end.
 */
export const openResponse = <V>(
  watch: Opener<V>,
  selector: Selector,
  options: ServeOptions<V>,
  starts: Sse.Starts,
  cursor: string | undefined
): Begun<V> =>
  Effect.andThen(resolve<ServeOptions<V>>()(rules, options), () =>
    openAt(watch, selector, options, starts, cursor)
  )

const openAt = <V>(
  watch: Opener<V>,
  selector: Selector,
  options: ServeOptions<V>,
  starts: Sse.Starts,
  cursor: string | undefined
): Begun<V> => {
  const { autoResnapshot = options.snapshot === "first" ? "on" : "off", snapshot, ...rest } = options
  const open = (begin: Pick<FollowOptions<V>, "after" | "snapshot">, resumeGap?: ResumeGap): Begun<V> =>
    attempt(watch, selector, { ...rest, ...begin, autoResnapshot }, resumeGap)
  const anew = (reason: GapReason & EndReason, from: number): Begun<V> =>
    autoResnapshot === "on" ? open({ snapshot: "first" }, { from, reason }) : Effect.succeed(refused(reason))
  if (cursor === undefined) return open({ snapshot })
  const after = Sse.fromClient(starts, cursor)
  if (after === undefined) return anew("Malformed", 1)
  return Effect.flatMap(open({ after }), (answer) => {
    if (answer._tag === "Opened") return Effect.succeed(answer)
    if (answer.reason === "Compacted") return anew("Compacted", after.seq + 1)
    return answer.reason === "EpochChanged" ? anew("EpochChanged", 1) : Effect.succeed(answer)
  })
}
