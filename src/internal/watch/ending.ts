/** The end of a watch: by its scope, by the owner of its log, or because its log failed for good. The first one holds. */
import { Cause, Deferred, type Duration, Effect } from "effect"
import { checkOrDie } from "../arguments.js"
import { millisOf, oneOf, text } from "../options.js"
import * as State from "./dispatcherState.js"
import type { OwnerReason, WatchEnded } from "./frames.js"
import { type Admission, WatchRefused } from "./opening.js"
import * as Registry from "./registry.js"

/** A watch that can be closed. */
export interface Closing<V> extends Admission<V> {
  /** What runs the passes of the dispatcher. */
  readonly actor: { readonly closeWithin: (deadline: number) => Effect.Effect<unknown> }
  /** In milliseconds. */
  readonly closeDeadline: number
}

/** How a watch ends that is closed. */
export const closed: State.Ending = { reason: "Closed", message: "the watch was closed" }

const refuse = <V>({ refused }: Admission<V>, error: WatchRefused): void =>
  Deferred.unsafeDone(refused, error)

/** Ends the watch when its log has failed for good, or a pass has died. */
export const fail = <V>(admission: Admission<V>, error: unknown): void => {
  const { dispatcher, setGauge } = admission
  const cause = Cause.isCause(error) ? Cause.squash(error) : error
  if (!State.fail(dispatcher, cause)) return
  Registry.endAll(dispatcher.registry, "Failed", "its log failed", cause)
  setGauge()
  const message = "the watch has failed: make another one"
  refuse(admission, new WatchRefused({ reason: "Log", message, cause }))
}

const ownerReason = oneOf("Expired", "Ended", "Failed")

/** Makes the call of an owner that ends what it gave out. What names no end dies, and ends nothing. */
export const byOwner =
  (end: (how: State.Ending) => Effect.Effect<void>) =>
  (reason: OwnerReason, message: string, cause?: unknown): Effect.Effect<void> =>
    Effect.andThen(
      Effect.andThen(checkOrDie("reason", ownerReason, reason), checkOrDie("message", text, message)),
      end({ reason, message, cause })
    )

/** Closes within a duration, if it is one. */
export const within =
  (close: (limit: number) => Effect.Effect<void>) =>
  (duration: Duration.DurationInput): Effect.Effect<void> =>
    Effect.flatMap(millisOf("closeWithin", duration), close)

const isOwnerReason = (reason: WatchEnded["reason"]): reason is OwnerReason =>
  reason === "Expired" || reason === "Ended" || reason === "Failed"

const refusalOf = ({ cause, message: why, reason: ended }: State.Ending): WatchRefused => {
  const message = isOwnerReason(ended)
    ? `the owner of the log ended the watch (${why}): follow another log`
    : "the watch is closed: make another one"
  return isOwnerReason(ended)
    ? new WatchRefused({ reason: "Ended", ended, message, ...(cause === undefined ? {} : { cause }) })
    : new WatchRefused({ reason: "Closed", message })
}

/** Delivers what is committed until now, and ends every watcher, within milliseconds. */
export const close = <V>(
  watch: Closing<V>,
  how: State.Ending,
  within: number = watch.closeDeadline
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { actor, dispatcher, setGauge } = watch
    Registry.ring(dispatcher.registry)
    const { cause, message, reason } = State.startClosing(dispatcher, how)
    refuse(watch, refusalOf({ reason, message, cause }))
    return Effect.andThen(actor.closeWithin(within), () => {
      State.setClosed(dispatcher)
      Registry.endAll(dispatcher.registry, reason, message, cause)
      setGauge()
    })
  })
