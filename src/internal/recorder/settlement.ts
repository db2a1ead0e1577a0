/**
 * The books of a recorder: the account, the receipts that wait, and what is kept to be handed back. It hears of
 * every outcome exactly once, and writes it down everywhere in one synchronous piece.
 */
import { Cause, Option } from "effect"
import type * as Intake from "../actor/intake.js"
import type { Batch } from "../actor/mailbox.js"
import { lazyArray } from "../lazyArray.js"
import * as Ledger from "./account.js"
import * as Saver from "./batchRun.js"
import * as Bulk from "./bisection.js"
import * as Held from "./deadLetters.js"
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

export interface Book<Item, F extends Bulk.Failure, E> {
  readonly ledger: Ledger.Ledger
  readonly receipts: Receipts.Receipts<E>
  readonly errors: Errors<F, E>
  readonly control: Control<Item>
  /** The most records of `held` and `unsunk` together. */
  readonly maxHeld: number
  /** Records set aside that no sink took, with their sizes. They take no room of the bound. */
  readonly held: Held.Held<{ readonly entry: Saver.Isolated<Item, F>; readonly bytes: number }>
  readonly releases: Held.Releases
  /** Records that are saved again and have not begun, with what is known of them. */
  readonly redriven: Array<{
    readonly batch: Batch<Item>
    readonly entries: ReadonlyArray<Saver.Isolated<Item, F>>
  }>
  /** Records whose sink failed: they are handed back by the close. */
  readonly unsunk: Held.Held<Unsaved<Item>>
  /** How many records were handed back that may be stored all the same. */
  unknown: number
  run: Saver.Run<Item, F> | undefined
  ahead: Saver.Run<Item, F> | undefined
  /** Where the records that the present batch took in later stood in the queue: a part begins at each `index`. */
  parts: Array<{ readonly index: number; readonly position: number }>
}

export const make = <Item, F extends Bulk.Failure, E>(
  control: Control<Item>,
  errors: Errors<F, E>,
  maxHeld: number
): Book<Item, F, E> => ({
  ledger: Ledger.make(),
  receipts: Receipts.make(),
  errors,
  control,
  maxHeld,
  held: Held.make(),
  releases: Held.noReleases(),
  redriven: [],
  unsunk: Held.make(),
  unknown: 0,
  run: undefined,
  ahead: undefined,
  parts: []
})

/** The run of the batch that is being saved now. */
export const runOf = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  batch: Batch<Item>
): Saver.Run<Item, F> => {
  if (book.run?.batch === batch) return book.run
  book.run = book.ahead?.batch === batch ? book.ahead : Saver.begin<Item, F>(batch)
  book.ahead = undefined
  if (book.parts.length > 0) book.parts = []
  if (book.redriven[0]?.batch === batch) {
    const { entries } = book.redriven.shift() ?? { entries: [] }
    const bulk = Saver.bulkOf(book.run)
    for (const [index, { outcome }] of entries.entries()) {
      if (outcome === "Unknown") Bulk.markUnknown(bulk, index, index + 1)
    }
  }
  return book.run
}

/** Prepares the next batch. */
export const prepare = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  batch: Batch<Item>,
  encode: () => Saver.Save | undefined
): void => {
  book.ahead = Saver.begin<Item, F>(batch)
  try {
    book.ahead.prepared = encode()
  } catch {
    // Nobody waits here for the error: the save of this batch meets it again, and classifies it.
  }
}

/** Where a record of the present batch stood in the queue. */
export const positionOf = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  index: number
): number => {
  let position = (book.run?.batch.first ?? 0) + index
  for (const part of book.parts) if (part.index <= index) position = part.position + index - part.index
  return position
}

const settled = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  batch: Batch<Item>,
  from: number,
  to: number
): void => {
  let bytes = 0
  if (batch.sizes !== undefined) for (let i = from; i < to; i++) bytes += batch.sizes[i] ?? 0
  book.control.settle(to - from, bytes)
}

/** Records of the present batch are stored. */
export const stored = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  batch: Batch<Item>,
  from: number,
  to: number,
  duplicates: number
): void => {
  book.ledger.stored += to - from
  book.ledger.duplicates += duplicates
  settled(book, batch, from, to)
  if (book.receipts.waiting.size === 0) return
  for (let index = from; index < to; index++)
    Receipts.settle(book.receipts, positionOf(book, index), undefined)
}

/** Releases the oldest of what is kept beyond `maxHeld`; whether that begins an interval of releases. */
const release = <Item, F extends Bulk.Failure, E>(book: Book<Item, F, E>): boolean => {
  const { control, held, ledger, maxHeld, releases, unsunk } = book
  const { intake } = control
  let begun = false
  while (Held.size(held) + Held.size(unsunk) > maxHeld) {
    if (Held.size(held) > 0) Held.shift(held)
    else {
      Held.shift(unsunk)
      // It cannot be handed back any more: what is left of it is that it was set aside.
      ledger.handedBack--
      ledger.setAside++
    }
    intake.released++
    if (Held.noteRelease(releases, intake.now(), intake.monotonic())) begun = true
  }
  return begun
}

/** A record of the present batch cannot be stored. True when an interval begins in which records are released. */
export const isolated = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  batch: Batch<Item>,
  entry: Saver.Isolated<Item, F>,
  sink: Saver.SinkResult
): boolean => {
  const { ledger } = book
  const bytes = batch.sizes?.[entry.index] ?? 0
  if (sink === "failed") {
    ledger.handedBack++
    ledger.handedBackEvents++
    Held.add(book.unsunk, {
      record: entry.record,
      reason: "SinkFailed",
      outcome: entry.outcome,
      cause: Option.some(entry.cause)
    })
  } else {
    ledger.setAside++
    ledger.setAsideEvents++
    if (sink === "none") Held.add(book.held, { entry, bytes })
  }
  const begins = release(book)
  settled(book, batch, entry.index, entry.index + 1)
  const error =
    sink !== "failed"
      ? book.errors.setAside(entry.cause)
      : entry.outcome === "Unknown"
        ? book.errors.outcomeUnknown(entry.cause)
        : book.errors.handedBack(entry.cause)
  Receipts.settle(book.receipts, positionOf(book, entry.index), error)
  return begins
}

/** Takes more records behind the present batch; how many came. */
export const extend = <Item, F extends Bulk.Failure, E>(book: Book<Item, F, E>): number => {
  const index = book.run?.batch.items.length ?? 0
  const { count, first } = book.control.takeMore()
  if (count > 0) book.parts.push({ index, position: first })
  return count
}

/** A record that was begun and has no outcome. */
type Left<Item> = Pick<Saver.Left<Item>, "record" | "outcome">

/** The recorder has failed: nobody's record is going to be stored, so nobody waits any longer. */
export const failWaiters = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  cause: unknown
): void => {
  const { control, errors, receipts, run } = book
  if (receipts.waiting.size === 0) return
  const isOpen = run === undefined ? () => false : openIn(book, run)
  const handedBack = errors.handedBack(cause)
  const outcomeUnknown = errors.outcomeUnknown(cause)
  const errorOf = (position: number): E => (isOpen(position) ? outcomeUnknown : handedBack)
  Receipts.settleAll(receipts, errorOf, control.intake.inSlices)
}

/** Which positions hold records of the present batch that may be stored. A batch of one save is not looked at. */
const openIn = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  run: Saver.Run<Item, F>
): ((position: number) => boolean) => {
  const { batch, bulk, saving = nothing } = run
  if (bulk === undefined) {
    const { from, to } = saving
    return (position) => position >= batch.first + from && position < batch.first + to
  }
  const open = new Set<number>()
  for (const left of Saver.leftOf(run)) if (isUnknown(left)) open.add(positionOf(book, left.index))
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
const leftOf = <Item, F extends Bulk.Failure>(
  current: ReadonlyArray<Item>,
  run: Saver.Run<Item, F> | undefined
): { readonly count: number; readonly unknown: number; readonly records: Iterable<Left<Item>> } => {
  const count = current.length
  if (run?.bulk !== undefined) {
    const left = Saver.leftOf(run)
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
export const handBack = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  { cause: ended, current, queued }: Rest<Item>
): ReadonlyArray<Unsaved<Item>> => {
  const reason: Unsaved<Item>["reason"] = Option.isSome(ended) ? "Failed" : "Deadline"
  const run = current.length > 0 && book.run !== undefined && !book.run.over ? book.run : undefined
  const cause = Option.orElse(Option.map(ended, Cause.squash), () => Option.fromNullable(run?.bulk?.failure))
  const left = leftOf(current, run)
  failWaiters(book, Option.getOrUndefined(cause))
  if (run !== undefined) run.over = true
  const unsunk = Held.takeAll(book.unsunk)
  const redriven = book.redriven.map(({ entries }) => entries)
  const begunAgain = redriven.reduce((count, entries) => count + entries.length, 0)
  const count = left.count + queued.length
  book.ledger.handedBack += count
  book.ledger.handedBackEvents += count
  book.unknown = unsunk.filter(isUnknown).length + left.unknown
  for (const entries of redriven) book.unknown += entries.filter(isUnknown).length
  book.control.intake.inFlight = 0
  book.control.intake.inFlightBytes = 0
  function* all(): Generator<Unsaved<Item>> {
    yield* unsunk
    const unsaved = ({ outcome, record }: Left<Item>) => ({ record, reason, outcome, cause })
    for (const record of left.records) yield unsaved(record)
    // They stand before everything else that has not begun: they are the first of what is queued.
    for (const entries of redriven) for (const entry of entries) yield unsaved(entry)
    for (const record of withOutcome(queued, nothing, begunAgain)) yield unsaved(record)
  }
  return lazyArray(unsunk.length + count, all())
}

/** Saves again what is held; how many. They take room of the bound again, also beyond it. */
export const redrive = <Item, F extends Bulk.Failure, E>(book: Book<Item, F, E>): number => {
  const held = Held.takeAll(book.held)
  const { bound, mailbox } = book.control.intake
  book.ledger.setAside -= held.length
  Held.endInterval(book.releases)
  for (let from = 0; from < held.length; from += mailbox.limit) {
    const part = held.slice(from, from + mailbox.limit)
    const entries = part.map(({ entry }) => entry)
    const sizes = bound?.sizeOf === undefined ? undefined : part.map(({ bytes }) => bytes)
    const items = entries.map(({ record }) => record)
    book.redriven.push({ batch: book.control.requeue(items, sizes), entries })
  }
  return held.length
}
