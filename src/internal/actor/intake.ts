/**
 * The accepting side of an actor: every item offered is queued, dropped by policy, made to wait, or refused, and
 * counted as what it was. All of it is synchronous.
 */
import { atOnce, type InSlices } from "../slices.js"
import { type Bound, belowHalf, fits, sizeIn } from "./bound.js"
import { closeGap, type Gaps, noGaps, noReleases, noteDrop, noteRelease, type Releases } from "./gaps.js"
import * as Linger from "./linger.js"
import * as Mailbox from "./mailbox.js"

/** A call that waits for room, under the policy `suspend`. */
export interface Waiter<Item> {
  readonly items: ReadonlyArray<Item>
  readonly sizes: ReadonlyArray<number>
  readonly bytes: number
  /** Gets the position of its first item, or `undefined` when it was refused. */
  readonly answer: (position: number | undefined) => void
}

export interface Intake<Item> {
  readonly mailbox: Mailbox.Mailbox<Item>
  readonly bound: Bound<Item> | undefined
  /** The intervals of drops. */
  readonly gaps: Gaps
  readonly releases: Releases
  /** First in, first out. */
  readonly waiters: Set<Waiter<Item>>
  /** How many items all of them hold. */
  waiting: number
  /** Milliseconds of the wall clock, for what is shown to people. */
  readonly now: () => number
  /** Milliseconds that only grow, for durations. */
  readonly monotonic: () => number
  readonly inSlices: InSlices
  readonly events: Events
  readonly linger: Linger.Linger
  open: boolean
  /** Items taken from the mailbox that have no outcome yet, and their bytes. */
  inFlight: number
  inFlightBytes: number
  /** Items accepted and dropped without ever being queued. */
  droppedNew: number
  droppedQueued: number
  refused: number
  /** Items with an outcome that were kept for their owner, and then released from memory. */
  released: number
  warnAt: number
}

/** What the accepting side reports to its actor, synchronously, within the call that offers. */
export interface Events {
  /** The queue has got a new segment, or holds what a lingering worker waits for: there is work. */
  readonly work: () => void
  /** What is queued must wait for no more: an item found no room, or the bound is half reached. */
  readonly crowded: () => void
  /** A queued item was dropped; its position. */
  readonly dropped: (position: number) => void
  /** An interval of drops has begun. */
  readonly gapOpened: (reason: "drop-newest" | "drop-oldest") => void
  /** Items were refused, or their caller stopped waiting for room. */
  readonly refused?: () => void
  /** An unbounded queue has doubled above 100,000 items. */
  readonly grown: (pending: number) => void
}

export const make = <Item>(options: {
  readonly limit: number
  readonly bound: Bound<Item> | undefined
  readonly now: () => number
  readonly monotonic: () => number
  readonly events: Events
  readonly linger?: Linger.Linger
  /** How very many waiters are answered; by default in one piece. */
  readonly inSlices?: InSlices
}): Intake<Item> => ({
  mailbox: Mailbox.make(options.limit, options.bound?.sizeOf !== undefined),
  bound: options.bound,
  gaps: noGaps(),
  releases: noReleases(),
  waiters: new Set(),
  waiting: 0,
  now: options.now,
  monotonic: options.monotonic,
  inSlices: options.inSlices ?? atOnce,
  events: options.events,
  linger: options.linger ?? Linger.make(0),
  open: true,
  inFlight: 0,
  inFlightBytes: 0,
  droppedNew: 0,
  droppedQueued: 0,
  refused: 0,
  released: 0,
  warnAt: 100_000
})

/** Items without an outcome: queued or in flight. */
export const pending = <Item>(intake: Intake<Item>): number => Mailbox.size(intake.mailbox) + intake.inFlight

export const pendingBytes = <Item>(intake: Intake<Item>): number =>
  intake.mailbox.bytes + intake.inFlightBytes

/** All items that were accepted, the dropped ones included. */
export const accepted = <Item>(intake: Intake<Item>): number => intake.mailbox.next + intake.droppedNew

export const dropped = <Item>(intake: Intake<Item>): number => intake.droppedNew + intake.droppedQueued

const hasRoom = <Item>(intake: Intake<Item>, bound: Bound<Item>, count: number, bytes: number): boolean =>
  fits(bound, pending(intake) + count, pendingBytes(intake) + bytes)

/** Whether one item would fit if nothing was queued. */
const hasRoomBesideQueue = <Item>(intake: Intake<Item>, bound: Bound<Item>, bytes: number): boolean =>
  fits(bound, intake.inFlight + 1, intake.inFlightBytes + bytes)

/**
 * The most items of the next segment. Where a batch is going to linger, the item that ends its wait opens a segment of
 * its own, and so signals it: no other item is looked at. That segment ends where the batch does, so that the batches
 * behind it are segments again.
 */
const capacityOf = <Item>({ linger, mailbox }: Intake<Item>, now: number): number => {
  const size = Mailbox.size(mailbox)
  const missing = Linger.enough(linger, mailbox.limit) - 1 - size
  if (missing > 0 && Linger.millisOf(linger, Mailbox.oldestAt(mailbox) ?? now) > 0) return missing
  return size < mailbox.limit ? mailbox.limit - size : mailbox.limit
}

const openSegment = <Item>(intake: Intake<Item>): void => {
  const now = intake.monotonic()
  Mailbox.openSegment(intake.mailbox, now, capacityOf(intake, now))
  if (intake.bound === undefined && pending(intake) >= intake.warnAt) {
    intake.warnAt *= 2
    intake.events.grown(pending(intake))
  }
  intake.events.work()
}

const enqueue = <Item>(intake: Intake<Item>, item: Item, bytes: number): void => {
  if (Mailbox.openItems(intake.mailbox) === undefined) openSegment(intake)
  Mailbox.push(intake.mailbox, item, bytes)
  const { bound } = intake
  if (bound === undefined || intake.linger.millis === 0) return
  if (!belowHalf(bound, pending(intake), pendingBytes(intake))) intake.events.crowded()
}

const noteDropped = <Item>(intake: Intake<Item>, reason: "drop-newest" | "drop-oldest"): void => {
  if (noteDrop(intake.gaps, reason, intake.now())) intake.events.gapOpened(reason)
}

const dropQueued = <Item>(intake: Intake<Item>): boolean => {
  const position = Mailbox.dropOldest(intake.mailbox)
  if (position === undefined) return false
  intake.droppedQueued++
  noteDropped(intake, "drop-oldest")
  intake.events.dropped(position)
  return true
}

const dropNew = <Item>(intake: Intake<Item>): void => {
  intake.droppedNew++
  noteDropped(intake, intake.bound?.overflow === "drop-oldest" ? "drop-oldest" : "drop-newest")
}

/** Counts items that are not accepted. */
export const refuse = <Item>(intake: Intake<Item>, count: number): false => {
  intake.refused += count
  intake.events.refused?.()
  return false
}

/** Counts one item as released from memory; true when it begins an interval of releases. */
export const release = <Item>(intake: Intake<Item>): boolean => {
  intake.released++
  return noteRelease(intake.releases, intake.now(), intake.monotonic())
}

/** There is room again: the next release begins an interval. */
export const endReleases = <Item>({ releases }: Intake<Item>): void => closeGap(releases.gaps)

/**
 * Offers one item to an unbounded intake. Costs one array slot: no wrapper, no closure, no clock. An open segment
 * proves that the intake is open: what closes the intake closes the segment.
 */
export const offerUnbounded = <Item>(intake: Intake<Item>, item: Item): boolean => {
  const mailbox = intake.mailbox
  const items = Mailbox.openItems(mailbox)
  if (items !== undefined) Mailbox.put(mailbox, items, item)
  else if (intake.open) {
    openSegment(intake)
    Mailbox.push(mailbox, item, 0)
  } else return refuse(intake, 1)
  return true
}

/** Offers one item. */
export const offer = <Item>(intake: Intake<Item>, item: Item): boolean =>
  intake.bound === undefined ? offerUnbounded(intake, item) : offerBounded(intake, intake.bound, item)

/** How one item is offered at the least cost: known once, for all of them. */
export const offererOf = <Item>(intake: Intake<Item>): ((item: Item) => boolean) => {
  const { bound } = intake
  return bound === undefined
    ? (item) => offerUnbounded(intake, item)
    : (item) => offerBounded(intake, bound, item)
}

const offerBounded = <Item>(intake: Intake<Item>, bound: Bound<Item>, item: Item): boolean => {
  const bytes = sizeIn(bound, item)
  if (bytes === undefined || !intake.open) return refuse(intake, 1)
  if (bound.overflow === "suspend" && intake.waiters.size > 0) return refuse(intake, 1)
  return offerSized(intake, bound, item, bytes)
}

const offerSized = <Item>(intake: Intake<Item>, bound: Bound<Item>, item: Item, bytes: number): boolean => {
  if (!hasRoom(intake, bound, 1, bytes)) {
    intake.events.crowded()
    if (bound.overflow === "reject" || bound.overflow === "suspend") return refuse(intake, 1)
    // An item that would not fit even then must not push out those that do.
    if (bound.overflow === "drop-oldest" && hasRoomBesideQueue(intake, bound, bytes)) {
      while (!hasRoom(intake, bound, 1, bytes) && dropQueued(intake));
    }
    if (!hasRoom(intake, bound, 1, bytes)) {
      dropNew(intake)
      return true
    }
  }
  enqueue(intake, item, bytes)
  return true
}

const sizesOf = <Item>(
  intake: Intake<Item>,
  items: ReadonlyArray<Item>
): ReadonlyArray<number> | undefined => {
  if (intake.bound?.sizeOf === undefined) return []
  const sizes: Array<number> = []
  for (const item of items) {
    const bytes = sizeIn(intake.bound, item)
    if (bytes === undefined) return undefined
    sizes.push(bytes)
  }
  return sizes
}

const enqueueAll = <Item>(
  intake: Intake<Item>,
  items: ReadonlyArray<Item>,
  sizes: ReadonlyArray<number>
): number => {
  const position = intake.mailbox.next
  for (let i = 0; i < items.length; i++) enqueue(intake, items[i] as Item, sizes[i] ?? 0)
  return position
}

/** What became of an offer of several items. Under `Waits` they must wait for room. */
export type Offered<Item> =
  | { readonly _tag: "Taken"; readonly position: number; readonly queued: number }
  | { readonly _tag: "Refused" }
  | { readonly _tag: "Waits"; readonly park: (answer: Waiter<Item>["answer"]) => Waiter<Item> }

/** Offers several items, all or none. They keep their order; the positions of the queued ones are consecutive. */
export const offerAll = <Item>(intake: Intake<Item>, items: ReadonlyArray<Item>): Offered<Item> => {
  const sizes = intake.open ? sizesOf(intake, items) : undefined
  if (sizes === undefined || !intake.open) {
    refuse(intake, items.length)
    return { _tag: "Refused" }
  }
  const bound = intake.bound
  const bytes = sizes.reduce((sum, n) => sum + n, 0)
  const mustWait = bound?.overflow === "suspend" && intake.waiters.size > 0
  if (bound === undefined || (!mustWait && hasRoom(intake, bound, items.length, bytes))) {
    return { _tag: "Taken", position: enqueueAll(intake, items, sizes), queued: items.length }
  }
  if (bound.overflow === "drop-newest" || bound.overflow === "drop-oldest") {
    const position = intake.mailbox.next
    for (let i = 0; i < items.length; i++) offerSized(intake, bound, items[i] as Item, sizes[i] ?? 0)
    return { _tag: "Taken", position, queued: intake.mailbox.next - position }
  }
  intake.events.crowded()
  if (bound.overflow === "reject" || !fits(bound, items.length, bytes)) {
    refuse(intake, items.length)
    return { _tag: "Refused" }
  }
  return {
    _tag: "Waits",
    park: (answer) => {
      const waiter = { items, sizes, bytes, answer }
      intake.waiters.add(waiter)
      intake.waiting += items.length
      return waiter
    }
  }
}

/** Ends a wait for room; nothing of it was accepted. */
export const cancelWaiter = <Item>(intake: Intake<Item>, waiter: Waiter<Item>): void => {
  // A closed intake has counted all of them, and answers them one after the other.
  if (!intake.waiters.delete(waiter) || !intake.open) return
  intake.waiting -= waiter.items.length
  refuse(intake, waiter.items.length)
  admitWaiters(intake)
}

const admitWaiters = <Item>(intake: Intake<Item>): void => {
  if (intake.bound === undefined || intake.waiters.size === 0 || !intake.open) return
  for (const waiter of intake.waiters) {
    if (!hasRoom(intake, intake.bound, waiter.items.length, waiter.bytes)) {
      // What is queued takes the room that this one waits for.
      intake.events.crowded()
      return
    }
    intake.waiters.delete(waiter)
    intake.waiting -= waiter.items.length
    waiter.answer(enqueueAll(intake, waiter.items, waiter.sizes))
  }
}

/** Room has become free: ends an interval of drops, lets waiters in. */
export const freed = <Item>(intake: Intake<Item>): void => {
  if (intake.bound === undefined) return
  if (belowHalf(intake.bound, pending(intake), pendingBytes(intake))) closeGap(intake.gaps)
  admitWaiters(intake)
}

/** Accepts nothing from now on; all that wait for room are refused. */
export const shut = <Item>(intake: Intake<Item>): void => {
  if (!intake.open) return
  intake.open = false
  Mailbox.closeSegment(intake.mailbox)
  if (intake.waiting > 0) refuse(intake, intake.waiting)
  intake.waiting = 0
  intake.inSlices(intake.waiters, (waiter) => {
    intake.waiters.delete(waiter)
    waiter.answer(undefined)
  })
}
