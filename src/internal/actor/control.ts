/** What the behavior of an actor may do with it, and read of it, once it runs. All of it is synchronous. */
import type { Effect } from "effect"
import * as Batches from "./batches.js"
import * as Engine from "./engine.js"
import { type GapNote, mergedNotes } from "./gaps.js"
import * as Intake from "./intake.js"
import type { Batch } from "./mailbox.js"

/** The counters of an actor at one instant. */
export interface Counts {
  /** All items that were accepted, the dropped ones included. */
  readonly accepted: number
  /** Items without an outcome: queued, or taken from the queue and not settled. */
  readonly pending: number
  /** The sum of the sizes of the pending items; 0 without sizes. */
  readonly pendingBytes: number
  readonly dropped: number
  readonly refused: number
  /** Items that were released from memory after their outcome. */
  readonly released: number
}

/** Acts on a running actor, and reads its counters. All members are synchronous. */
export interface Control<in out Item> {
  /**
   * Settles this many items of the present batch: they have an outcome and take no more room. `bytes` is the sum of
   * their sizes. For a behavior that settles a batch in parts; the end of a batch settles the rest of it.
   */
  readonly settle: (count: number, bytes: number) => void
  /** Puts the next items of the queue behind the present batch, passing over barriers. */
  readonly takeMore: () => Batches.Extension
  /**
   * Handles items again that were settled before, in batches of their own before what is queued. They take room again,
   * cannot be dropped, and are the first of `Leftover.queued` when their turn has not come. The sizes are kept where
   * the bound asks for sizes.
   */
  readonly requeue: (
    items: ReadonlyArray<Item>,
    sizes: ReadonlyArray<number> | undefined
  ) => ReadonlyArray<Batch<Item>>
  /** Lets what is queued now linger no longer. */
  readonly hurry: () => void
  /** Counts items as refused that were never offered; always `false`. */
  readonly refuse: (count: number) => false
  /**
   * Counts one settled item as released from memory. True when that begins an interval of releases, which is published
   * as a status and ends after a minute without a release.
   */
  readonly release: () => boolean
  /** Ends the interval of releases. */
  readonly endReleases: () => void
  /** Publishes that the resource is away, or back (`undefined`). */
  readonly setOutage: (cause: { readonly cause: unknown; readonly attempt: number } | undefined) => void
  /** Runs an effect, such as a log line, beside the steps. */
  readonly runInBackground: (effect: Effect.Effect<void>) => void
  /** When the present step began, in nanoseconds of the clock. */
  readonly stepStartedAt: () => bigint
  /** Whether it accepts items. */
  readonly isOpen: () => boolean
  readonly counts: () => Counts
  /** The position that the next queued item gets. */
  readonly nextPosition: () => number
  /** Milliseconds since the oldest pending item was accepted; 0 when there is none. */
  readonly oldestAge: () => number
  /** The last 100 intervals in which items were dropped, or released. */
  readonly gaps: () => ReadonlyArray<GapNote>
}

/** The control of the engine that is going to be there when its behavior runs. */
export const make = <Resource, Item>(engineOf: () => Engine.Engine<Resource, Item>): Control<Item> => ({
  settle: (count, bytes) => Batches.settle(engineOf().batches, count, bytes),
  takeMore: () => Batches.takeMore(engineOf().batches),
  requeue: (items, sizes) => {
    const engine = engineOf()
    const batches = Batches.requeue(engine.batches, items, sizes)
    if (batches.length > 0) Engine.signal(engine)
    return batches
  },
  hurry: () => Engine.hurry(engineOf()),
  refuse: (count) => Intake.refuse(engineOf().intake, count),
  release: () => {
    const engine = engineOf()
    const begins = Intake.release(engine.intake)
    if (begins) Engine.publish(engine)
    return begins
  },
  endReleases: () => Intake.endReleases(engineOf().intake),
  setOutage: (next) => {
    const engine = engineOf()
    const { outage } = engine
    if (next === undefined && outage === undefined) return
    engine.outage = next === undefined ? undefined : { ...next, since: outage?.since ?? engine.intake.now() }
    Engine.publish(engine)
  },
  runInBackground: (effect) => Engine.runInBackground(engineOf(), effect),
  stepStartedAt: () => engineOf().startedAt,
  isOpen: () => engineOf().intake.open,
  counts: () => countsOf(engineOf().intake),
  nextPosition: () => engineOf().intake.mailbox.next,
  oldestAge: () => Batches.oldestAge(engineOf().batches),
  gaps: () => {
    const { gaps, releases } = engineOf().intake
    return mergedNotes(gaps, releases.gaps)
  }
})

const countsOf = <Item>(intake: Intake.Intake<Item>): Counts => ({
  accepted: Intake.accepted(intake),
  pending: Intake.pending(intake),
  pendingBytes: Intake.pendingBytes(intake),
  dropped: Intake.dropped(intake),
  refused: intake.refused,
  released: intake.released
})
