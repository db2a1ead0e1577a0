/** A running live table, and how it ends. */
import { type Clock, Deferred, type Effect, Exit, type PubSub } from "effect"
import type * as Actor from "../../Actor.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import type { Changes } from "./changes.js"
import type { CloseReport } from "./closeReport.js"
import type { Core } from "./core.js"
import { ReadFailed, WriteFailed } from "./errors.js"
import type { Follows } from "./following.js"
import type { Settings } from "./options.js"
import type { OtherReads } from "./otherReads.js"
import type { Outcome } from "./outcomes.js"
import type { Reads } from "./slots.js"
import type { Counters, Stats } from "./stats.js"
import { invalidateEarly } from "./targets.js"
import type { Job, Writing } from "./writing.js"

/** What a write that was not waited for has failed with. */
export interface Failed<D extends AnyDefinition> {
  readonly write: Write<D>
  readonly error: Exclude<Outcome<D>, { readonly _tag: "Written" }>
}

/** The actor of the writes. */
export type LiveActor<D extends AnyDefinition> = Actor.Actor<Core<D>, Job<D>, CloseReport<D>>

/** What comes and goes in the life of a live table. Only this file writes it. */
export interface Life<in out D extends AnyDefinition> {
  /** While the master is up, and until the live table ends. */
  readonly reads: Reads<D> | undefined
  /** The changes that are followed, once the master is up. */
  readonly changes: Changes | undefined
  /** Something was invalidated before the master was up, or may change until this time. */
  readonly outdatedUntil: number | undefined
  /** Why it has ended. */
  readonly end: ReadFailed | undefined
}

type LifeFields<D extends AnyDefinition> = { -readonly [K in keyof Life<D>]: Life<D>[K] }

export const makeLife = <D extends AnyDefinition>(): Life<D> => ({
  reads: undefined,
  changes: undefined,
  outdatedUntil: undefined,
  end: undefined
})

// All were made by `makeLife`: the type of other files hides what only this file may write.
const fieldsOf = <D extends AnyDefinition>(life: Life<D>): LifeFields<D> => life

export interface Runtime<D extends AnyDefinition> {
  readonly settings: Settings<D>
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly publish: () => void
  readonly actor: LiveActor<D>
  readonly writing: Writing<D>
  readonly follows: Follows
  /** Its end, behind the last one, is `undefined`. */
  readonly failures: PubSub.PubSub<Failed<D> | undefined>
  readonly life: Life<D>
  /** Completes when the master is up. */
  readonly up: Deferred.Deferred<Reads<D>, ReadFailed>
  /** Fails when the live table has ended. */
  readonly ended: Deferred.Deferred<never, ReadFailed>
  readonly otherReads: OtherReads
  readonly close: Effect.Effect<CloseReport<D>>
  readonly closeWithin: LiveActor<D>["closeWithin"]
}

export const closedError = new ReadFailed({
  reason: "Closed",
  message: "the live table is closed: make another one"
})

export const masterFailed = (cause: unknown): ReadFailed =>
  new ReadFailed({
    reason: "Failed",
    message: "the master never came up: look at the cause, and make another live table",
    cause
  })

/** The counters, with the sizes of now. */
export const statsOf = <D extends AnyDefinition>({
  counters,
  life
}: Pick<Runtime<D>, "counters" | "life">): Stats => {
  const cells = life.reads?.core.c.cells
  return { ...counters, entries: cells?.map.size ?? 0, bytes: cells?.bytes ?? 0 }
}

/** Notes the changes that are followed. */
export const setChanges = <D extends AnyDefinition>(life: Life<D>, changes: Changes | undefined): void => {
  fieldsOf(life).changes = changes
}

/** Notes an invalidation of before the master is up. */
export const noteEarly = <D extends AnyDefinition>(life: Life<D>, until: number): void => {
  fieldsOf(life).outdatedUntil = Math.max(until, life.outdatedUntil ?? until)
}

/** Begins reads: the master is up. */
export const beginReads = <D extends AnyDefinition>(
  life: Life<D>,
  up: Runtime<D>["up"],
  reads: Reads<D>
): void => {
  if (life.end !== undefined) return
  if (life.outdatedUntil !== undefined) invalidateEarly(reads.core, life.outdatedUntil)
  fieldsOf(life).reads = reads
  Deferred.unsafeDone(up, Exit.succeed(reads))
}

/** Ends reads and follows. */
export const endReads = <D extends AnyDefinition>(
  life: Life<D>,
  { ended, up }: Pick<Runtime<D>, "ended" | "up">,
  error: ReadFailed
): void => {
  if (life.end !== undefined) return
  const fields = fieldsOf(life)
  fields.end = error
  fields.reads = undefined
  const failed = Exit.fail(error)
  Deferred.unsafeDone(up, failed)
  Deferred.unsafeDone(ended, failed)
}

/** The failure of a write that was not sent, because of how the live table has ended. */
export const writeEnd = ({ cause, message, reason }: ReadFailed): WriteFailed =>
  new WriteFailed({
    reason: reason === "Failed" ? "Failed" : "Closed",
    outcome: "NotStored",
    message: reason === "Failed" ? message : "the live table was closed before the write was sent",
    ...(cause === undefined ? {} : { cause })
  })

/** Why writes are not accepted any more. */
export const stoppedWrite = <D extends AnyDefinition>({ life }: Pick<Runtime<D>, "life">): WriteFailed =>
  writeEnd(life.end ?? closedError)
