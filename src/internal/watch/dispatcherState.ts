/** What the dispatcher of a watch knows: of its log, and of its own life. Only this file writes it. */
import type { Clock } from "effect"
import type { ChangeLogError, Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import type { WatchEnded } from "./frames.js"
import * as Registry from "./registry.js"
import type { Source } from "./snapshots.js"

/** The state of a dispatcher, as all other files see it. */
export interface Dispatcher<V> {
  readonly registry: Registry.Registry<V>
  readonly source: Source<V>
  /** Milliseconds between heartbeats; 0: none. */
  readonly heartbeat: number
  readonly nanos: () => bigint
  /** Milliseconds that only grow. */
  readonly millis: () => number
  /** The newest revision known of the log. */
  readonly head: Revision | undefined
  /** When the log last answered, by `millis`. */
  readonly answeredAt: number
  /** Everything committed before is known, by `millis`: when the log was asked what it has answered. */
  readonly knownAt: number
  /** Why the log does not answer. */
  readonly cause: ChangeLogError | undefined
  /** How all watchers end when it is closed; none: it is open. */
  readonly ending: Ending | undefined
  /** `Closing`: no call of the log is repeated any more. */
  readonly phase: "Open" | "Closing" | "Closed"
  /** The log has failed for good, or the dispatcher has: no watcher gets anything any more. */
  readonly failure: { readonly cause: unknown } | undefined
}

/** Why all watchers of a watch end. */
export type Ending = Pick<WatchEnded, "reason" | "message" | "cause">

type Fields<V> = { -readonly [K in keyof Dispatcher<V>]: Dispatcher<V>[K] }

/** The dispatcher of a new watch; `wake` starts a pass. */
export const make = <V>(
  source: Source<V>,
  clock: Clock.Clock,
  heartbeat: number,
  wake: () => void
): Dispatcher<V> => ({
  registry: Registry.make(wake),
  source,
  heartbeat,
  nanos: () => clock.unsafeCurrentTimeNanos(),
  millis: () => monotonicMillis(clock),
  head: undefined,
  answeredAt: monotonicMillis(clock),
  // Each watcher asks for the head when it is opened.
  knownAt: monotonicMillis(clock),
  cause: undefined,
  ending: undefined,
  phase: "Open",
  failure: undefined
})

/** For how many milliseconds the log has not answered. */
export const silentFor = <V>({ answeredAt, millis }: Dispatcher<V>): number => millis() - answeredAt

/** How many milliseconds ago the log was asked for what is known of it. */
export const headAge = <V>({ knownAt, millis }: Dispatcher<V>): number => millis() - knownAt

/** The longest silence that is none, in milliseconds: two heartbeats. */
export const maxSilence = <V>({ heartbeat }: Dispatcher<V>): number =>
  heartbeat > 0 ? 2 * heartbeat : Number.POSITIVE_INFINITY

/** Whether the log has not answered for more than two heartbeats. */
export const isSuspect = <V>(dispatcher: Dispatcher<V>): boolean =>
  silentFor(dispatcher) > maxSilence(dispatcher)

export const setHead = <V>(dispatcher: Fields<V>, head: Revision): void => {
  dispatcher.head = head
}

/** What the log holds, as of a question that was asked then, is known. An answer may be late. */
export const noteKnown = <V>(dispatcher: Fields<V>, askedAt: number): void => {
  dispatcher.knownAt = Math.max(dispatcher.knownAt, askedAt)
}

/** The log answered where its head is. */
export const noteHead = <V>(dispatcher: Fields<V>, head: Revision): void => {
  dispatcher.head = head
  dispatcher.answeredAt = dispatcher.millis()
}

/** The log answered a read. */
export const noteAnswer = <V>(dispatcher: Fields<V>): void => {
  dispatcher.cause = undefined
  dispatcher.answeredAt = dispatcher.millis()
}

/** The log did not answer. */
export const setCause = <V>(dispatcher: Fields<V>, cause: ChangeLogError): void => {
  dispatcher.cause = cause
}

/** Begins to close. Returns how its watchers end: the first ending holds. */
export const startClosing = <V>(dispatcher: Fields<V>, ending: Ending): Ending => {
  if (dispatcher.phase === "Open") dispatcher.phase = "Closing"
  dispatcher.ending ??= ending
  return dispatcher.ending
}

export const setClosed = <V>(dispatcher: Fields<V>): void => {
  dispatcher.phase = "Closed"
}

/** Fails for good. False: it is being closed, or has failed before. */
export const fail = <V>(dispatcher: Fields<V>, cause: unknown): boolean => {
  if (dispatcher.phase !== "Open" || dispatcher.failure !== undefined) return false
  dispatcher.failure = { cause }
  return true
}
