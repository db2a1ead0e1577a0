/**
 * The books of a recorder: the account, the receipts that wait, and what is kept to be handed back. It hears of
 * every outcome exactly once, and writes it down everywhere in one synchronous piece.
 */
import { Cause, Option } from "effect"
import type * as Intake from "../actor/intake.js"
import type { Batch } from "../actor/mailbox.js"
import { lazyArray } from "../lazyArray.js"
import * as Account from "./account.js"
import * as BatchRun from "./batchRun.js"
import * as Bisection from "./bisection.js"
import * as DeadLetters from "./deadLetters.js"
import * as Receipts from "./receipts.js"

/**
 * A record that was accepted and is given back: give it to the `saveAll` of a new recorder, or write it elsewhere.
 * `Deadline`: time ran out. `Failed`: the recorder had failed. `SinkFailed`: it could not be stored, and the
 * dead-letter sink did not take it; the last `maxHeld` of them are given back.
 */
export interface Unsaved<Item> {
  readonly record: Item
  readonly reason: "Deadline" | "Failed" | "SinkFailed"
  /** `Unknown`: it may be stored all the same. */
  readonly outcome: "NotStored" | "Unknown"
  /** What was in the way; none when only time ran out. */
  readonly cause: Option.Option<unknown>
}

/** The part of an actor's control that the books need. */
export interface Control<Item> {
  readonly intake: Intake.Intake<Item>
  readonly settle: (count: number, bytes: number) => void
  readonly takeMore: () => { readonly count: number; readonly first: number }
  readonly requeue: (items: Array<Item>, sizes: Array<number> | undefined) => Batch<Item>
}

/** The errors that waiting savers get. */
export interface Errors<F, E> {
  readonly setAside: (cause: F) => E
  readonly handedBack: (cause: unknown) => E
  readonly outcomeUnknown: (cause: unknown) => E
}

export interface Settlement<Item, F extends Bisection.Failure, E> {
  readonly account: Account.Account
  readonly receipts: Receipts.Receipts<E>
  readonly errors: Errors<F, E>
  readonly control: Control<Item>
  /** The most records of `deadLetters` and `sinkFailed` together. */
  readonly maxHeld: number
  /** Records set aside that no sink took, with their sizes. They take no room of the bound. */
  readonly deadLetters: DeadLetters.Queue<{
    readonly entry: BatchRun.BadRecord<Item, F>
    readonly bytes: number
  }>
  readonly releases: DeadLetters.Releases
  /** Records that are saved again and have not begun, with what is known of them. */
  readonly redriven: Array<{
    readonly batch: Batch<Item>
    readonly entries: ReadonlyArray<BatchRun.BadRecord<Item, F>>
  }>
  /** Records whose sink failed: they are handed back by the close. */
  readonly sinkFailed: DeadLetters.Queue<Unsaved<Item>>
  /** How many records were handed back that may be stored all the same. */
  handedBackUnknown: number
  run: BatchRun.BatchRun<Item, F> | undefined
  prepared: BatchRun.BatchRun<Item, F> | undefined
  /** Where the records that the present batch took in later stood in the queue: a part begins at each `index`. */
  extensions: Array<{ readonly index: number; readonly position: number }>
}

export const make = <Item, F extends Bisection.Failure, E>(
  control: Control<Item>,
  errors: Errors<F, E>,
  maxHeld: number
): Settlement<Item, F, E> => ({
  account: Account.make(),
  receipts: Receipts.make(),
  errors,
  control,
  maxHeld,
  deadLetters: DeadLetters.make(),
  releases: DeadLetters.noReleases(),
  redriven: [],
  sinkFailed: DeadLetters.make(),
  handedBackUnknown: 0,
  run: undefined,
  prepared: undefined,
  extensions: []
})

/** The run of the batch that is being saved now. */
export const startRun = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  batch: Batch<Item>
): BatchRun.BatchRun<Item, F> => {
  if (settlement.run?.batch === batch) return settlement.run
  settlement.run =
    settlement.prepared?.batch === batch ? settlement.prepared : BatchRun.makeRun<Item, F>(batch)
  settlement.prepared = undefined
  if (settlement.extensions.length > 0) settlement.extensions = []
  if (settlement.redriven[0]?.batch === batch) {
    const { entries } = settlement.redriven.shift() ?? { entries: [] }
    const bisection = BatchRun.bisectionOf(settlement.run)
    for (const [index, { outcome }] of entries.entries()) {
      if (outcome === "Unknown") Bisection.markUnknown(bisection, index, index + 1)
    }
  }
  return settlement.run
}

/** Prepares the next batch. */
export const prepare = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  batch: Batch<Item>,
  encode: () => BatchRun.Save | undefined
): void => {
  settlement.prepared = BatchRun.makeRun<Item, F>(batch)
  try {
    settlement.prepared.prepared = encode()
  } catch {
    // Nobody waits here for the error: the save of this batch meets it again, and classifies it.
  }
}

/** Where a record of the present batch stood in the queue. */
export const positionOf = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  index: number
): number => {
  let position = (settlement.run?.batch.first ?? 0) + index
  for (const part of settlement.extensions)
    if (part.index <= index) position = part.position + index - part.index
  return position
}

const freeRoom = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  batch: Batch<Item>,
  from: number,
  to: number
): void => {
  let bytes = 0
  if (batch.sizes !== undefined) for (let i = from; i < to; i++) bytes += batch.sizes[i] ?? 0
  settlement.control.settle(to - from, bytes)
}

/** Records of the present batch are stored. */
export const settleStored = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  batch: Batch<Item>,
  from: number,
  to: number,
  duplicates: number
): void => {
  settlement.account.stored += to - from
  settlement.account.duplicates += duplicates
  freeRoom(settlement, batch, from, to)
  if (settlement.receipts.waiting.size === 0) return
  for (let index = from; index < to; index++)
    Receipts.settle(settlement.receipts, positionOf(settlement, index), undefined)
}

/** Releases the oldest of what is kept beyond `maxHeld`; whether that begins an interval of releases. */
const release = <Item, F extends Bisection.Failure, E>(settlement: Settlement<Item, F, E>): boolean => {
  const { control, deadLetters, account, maxHeld, releases, sinkFailed } = settlement
  const { intake } = control
  let begun = false
  while (DeadLetters.size(deadLetters) + DeadLetters.size(sinkFailed) > maxHeld) {
    if (DeadLetters.size(deadLetters) > 0) DeadLetters.shift(deadLetters)
    else {
      DeadLetters.shift(sinkFailed)
      // It cannot be handed back any more: what is left of it is that it was set aside.
      account.handedBack--
      account.setAside++
    }
    intake.released++
    if (DeadLetters.noteRelease(releases, intake.now(), intake.monotonic())) begun = true
  }
  return begun
}

/** A record of the present batch cannot be stored. True when an interval begins in which records are released. */
export const settleBad = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  batch: Batch<Item>,
  entry: BatchRun.BadRecord<Item, F>,
  sink: BatchRun.SinkResult
): boolean => {
  const { account } = settlement
  const bytes = batch.sizes?.[entry.index] ?? 0
  if (sink === "failed") {
    account.handedBack++
    account.handedBackEvents++
    DeadLetters.add(settlement.sinkFailed, {
      record: entry.record,
      reason: "SinkFailed",
      outcome: entry.outcome,
      cause: Option.some(entry.cause)
    })
  } else {
    account.setAside++
    account.setAsideEvents++
    if (sink === "none") DeadLetters.add(settlement.deadLetters, { entry, bytes })
  }
  const begins = release(settlement)
  freeRoom(settlement, batch, entry.index, entry.index + 1)
  const error =
    sink !== "failed"
      ? settlement.errors.setAside(entry.cause)
      : entry.outcome === "Unknown"
        ? settlement.errors.outcomeUnknown(entry.cause)
        : settlement.errors.handedBack(entry.cause)
  Receipts.settle(settlement.receipts, positionOf(settlement, entry.index), error)
  return begins
}

/** Takes more records behind the present batch; how many came. */
export const takeMore = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>
): number => {
  const index = settlement.run?.batch.items.length ?? 0
  const { count, first } = settlement.control.takeMore()
  if (count > 0) settlement.extensions.push({ index, position: first })
  return count
}

/** A record that was begun and has no outcome. */
type Left<Item> = Pick<BatchRun.Unsettled<Item>, "record" | "outcome">

/** The recorder has failed: nobody's record is going to be stored, so nobody waits any longer. */
export const failReceipts = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  cause: unknown
): void => {
  const { control, errors, receipts, run } = settlement
  if (receipts.waiting.size === 0) return
  const isOpen = run === undefined ? () => false : maybeStored(settlement, run)
  const handedBack = errors.handedBack(cause)
  const outcomeUnknown = errors.outcomeUnknown(cause)
  const errorOf = (position: number): E => (isOpen(position) ? outcomeUnknown : handedBack)
  Receipts.settleAll(receipts, errorOf, control.intake.inSlices)
}

/** Which positions hold records of the present batch that may be stored. A batch of one save is not looked at. */
const maybeStored = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  run: BatchRun.BatchRun<Item, F>
): ((position: number) => boolean) => {
  const { batch, bisection, saving = nothing } = run
  if (bisection === undefined) {
    const { from, to } = saving
    return (position) => position >= batch.first + from && position < batch.first + to
  }
  const open = new Set<number>()
  for (const left of BatchRun.unsettledOf(run))
    if (isUnknown(left)) open.add(positionOf(settlement, left.index))
  return (position) => open.has(position)
}

/** What an ended actor leaves. */
export interface Rest<Item> {
  readonly current: ReadonlyArray<Item>
  readonly queued: ReadonlyArray<Item>
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

const nothing = { from: 0, to: 0 }

/** The records behind the first `skipped`; those in the range are being saved. */
function* withOutcome<Item>(
  records: ReadonlyArray<Item>,
  saving: { readonly from: number; readonly to: number },
  skipped = 0
): Generator<Left<Item>> {
  let index = 0
  for (const record of records) {
    const outcome = index >= saving.from && index < saving.to ? "Unknown" : "NotStored"
    if (index++ >= skipped) yield { record, outcome }
  }
}

/** What is left of the present batch, and how much of it may be stored. A batch of one save is not looked at. */
const leftOf = <Item, F extends Bisection.Failure>(
  current: ReadonlyArray<Item>,
  run: BatchRun.BatchRun<Item, F> | undefined
): { readonly count: number; readonly unknown: number; readonly records: Iterable<Left<Item>> } => {
  const count = current.length
  if (run?.bisection !== undefined) {
    const left = BatchRun.unsettledOf(run)
    return { count: left.length, unknown: left.filter(isUnknown).length, records: left }
  }
  const { saving = nothing } = run ?? {}
  return { count, unknown: saving.to - saving.from, records: withOutcome(current, saving) }
}

const isUnknown = ({ outcome }: { readonly outcome: "NotStored" | "Unknown" }): boolean =>
  outcome === "Unknown"

/**
 * The end: everything without an outcome is handed back. All of it is counted at once, and nothing is done for each
 * record until it is read: there may be millions of them, and a deadline.
 */
export const handBack = <Item, F extends Bisection.Failure, E>(
  settlement: Settlement<Item, F, E>,
  { cause: ended, current, queued }: Rest<Item>
): ReadonlyArray<Unsaved<Item>> => {
  const reason: Unsaved<Item>["reason"] = Option.isSome(ended) ? "Failed" : "Deadline"
  const run =
    current.length > 0 && settlement.run !== undefined && !settlement.run.isOver ? settlement.run : undefined
  const cause = Option.orElse(Option.map(ended, Cause.squash), () =>
    Option.fromNullable(run?.bisection?.failure)
  )
  const left = leftOf(current, run)
  failReceipts(settlement, Option.getOrUndefined(cause))
  if (run !== undefined) run.isOver = true
  const sinkFailed = DeadLetters.takeAll(settlement.sinkFailed)
  const redriven = settlement.redriven.map(({ entries }) => entries)
  const begunAgain = redriven.reduce((count, entries) => count + entries.length, 0)
  const count = left.count + queued.length
  settlement.account.handedBack += count
  settlement.account.handedBackEvents += count
  settlement.handedBackUnknown = sinkFailed.filter(isUnknown).length + left.unknown
  for (const entries of redriven) settlement.handedBackUnknown += entries.filter(isUnknown).length
  settlement.control.intake.inFlight = 0
  settlement.control.intake.inFlightBytes = 0
  function* all(): Generator<Unsaved<Item>> {
    yield* sinkFailed
    const unsaved = ({ outcome, record }: Left<Item>) => ({ record, reason, outcome, cause })
    for (const record of left.records) yield unsaved(record)
    // They stand before everything else that has not begun: they are the first of what is queued.
    for (const entries of redriven) for (const entry of entries) yield unsaved(entry)
    for (const record of withOutcome(queued, nothing, begunAgain)) yield unsaved(record)
  }
  return lazyArray(sinkFailed.length + count, all())
}

/** Saves again what is held; how many. They take room of the bound again, also beyond it. */
export const redrive = <Item, F extends Bisection.Failure, E>(settlement: Settlement<Item, F, E>): number => {
  const held = DeadLetters.takeAll(settlement.deadLetters)
  const { bound, mailbox } = settlement.control.intake
  settlement.account.setAside -= held.length
  DeadLetters.endInterval(settlement.releases)
  for (let from = 0; from < held.length; from += mailbox.limit) {
    const part = held.slice(from, from + mailbox.limit)
    const entries = part.map(({ entry }) => entry)
    const sizes = bound?.sizeOf === undefined ? undefined : part.map(({ bytes }) => bytes)
    const items = entries.map(({ record }) => record)
    settlement.redriven.push({ batch: settlement.control.requeue(items, sizes), entries })
  }
  return held.length
}
