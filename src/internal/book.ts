/**
 * The books of a recorder: the account, the receipts that wait, and what is kept to be handed back. It hears of
 * every outcome exactly once, and writes it down everywhere in one synchronous piece.
 */
import { Cause, Option } from "effect"
import * as Bulk from "./bulk.js"
import type * as Intake from "./intake.js"
import * as Ledger from "./ledger.js"
import type { Batch } from "./mailbox.js"
import * as Receipts from "./receipts.js"
import * as Saver from "./saver.js"

/**
 * A record that was accepted and is given back: give it to the `saveAll` of a new recorder, or write it elsewhere.
 * `Deadline`: time ran out. `Failed`: the recorder had failed. `SinkFailed`: it could not be stored, and the
 * dead-letter sink did not take it.
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
  readonly settled: (count: number, bytes: number) => void
  readonly extend: () => { readonly count: number; readonly first: number }
  readonly again: (items: Array<Item>, sizes: Array<number> | undefined) => Batch<Item>
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
  /** Records set aside that no sink took, with their sizes. */
  held: Array<{ readonly entry: Saver.Isolated<Item, F>; readonly bytes: number }>
  /** Records that are saved again and have not begun, with what is known of them. */
  readonly redriven: Array<{
    readonly batch: Batch<Item>
    readonly entries: ReadonlyArray<Saver.Isolated<Item, F>>
  }>
  /** Records handed back before the close. */
  readonly unsunk: Array<Unsaved<Item>>
  run: Saver.Run<Item, F> | undefined
  ahead: Saver.Run<Item, F> | undefined
  /** Where the records that the present batch took in later stood in the queue: a part begins at each `index`. */
  parts: Array<{ readonly index: number; readonly position: number }>
}

export const make = <Item, F extends Bulk.Failure, E>(
  control: Control<Item>,
  errors: Errors<F, E>
): Book<Item, F, E> => ({
  ledger: Ledger.make(),
  receipts: Receipts.make(),
  errors,
  control,
  held: [],
  redriven: [],
  unsunk: [],
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
  book.control.settled(to - from, bytes)
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

/** A record of the present batch cannot be stored. */
export const isolated = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  batch: Batch<Item>,
  entry: Saver.Isolated<Item, F>,
  sink: Saver.SinkResult
): void => {
  const { control, ledger } = book
  const bytes = batch.sizes?.[entry.index] ?? 0
  if (sink === "failed") {
    ledger.handedBack++
    book.unsunk.push({
      record: entry.record,
      reason: "SinkFailed",
      outcome: entry.outcome,
      cause: Option.some(entry.cause)
    })
  } else {
    ledger.setAside++
    ledger.setAsideEvents++
    if (sink === "none") book.held.push({ entry, bytes })
  }
  if (sink !== "taken") {
    control.intake.held++
    control.intake.heldBytes += bytes
  }
  settled(book, batch, entry.index, entry.index + 1)
  const error =
    sink !== "failed"
      ? book.errors.setAside(entry.cause)
      : entry.outcome === "Unknown"
        ? book.errors.outcomeUnknown(entry.cause)
        : book.errors.handedBack(entry.cause)
  Receipts.settle(book.receipts, positionOf(book, entry.index), error)
}

/** Takes more records behind the present batch; how many came. */
export const extend = <Item, F extends Bulk.Failure, E>(book: Book<Item, F, E>): number => {
  const index = book.run?.batch.items.length ?? 0
  const { count, first } = book.control.extend()
  if (count > 0) book.parts.push({ index, position: first })
  return count
}

/** The recorder has failed: nobody's record is going to be stored, so nobody waits any longer. */
export const failWaiters = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  cause: unknown
): void => {
  if (book.run !== undefined) {
    for (const left of Saver.leftOf(book.run)) {
      if (left.outcome === "NotStored") continue
      Receipts.settle(book.receipts, positionOf(book, left.index), book.errors.outcomeUnknown(cause))
    }
  }
  Receipts.settleAll(book.receipts, book.errors.handedBack(cause))
}

/** What an ended actor leaves. */
export interface Rest<Item> {
  readonly current: ReadonlyArray<Item>
  readonly queued: ReadonlyArray<Item>
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

/** The end: everything without an outcome is handed back. */
export const handBack = <Item, F extends Bulk.Failure, E>(
  book: Book<Item, F, E>,
  { cause: ended, current, queued }: Rest<Item>
): ReadonlyArray<Unsaved<Item>> => {
  const reason: Unsaved<Item>["reason"] = Option.isSome(ended) ? "Failed" : "Deadline"
  const run = current.length > 0 && book.run !== undefined && !book.run.over ? book.run : undefined
  const left =
    run === undefined
      ? current.map((record) => ({ record, outcome: "NotStored" as const }))
      : Saver.leftOf(run)
  const cause = Option.orElse(Option.map(ended, Cause.squash), () => Option.fromNullable(run?.bulk?.failure))
  failWaiters(book, Option.getOrUndefined(cause))
  if (run !== undefined) run.over = true
  // They stand before everything else that has not begun.
  const redriven = book.redriven.flatMap(({ entries }) => entries)
  const rest: ReadonlyArray<{ readonly record: Item; readonly outcome: "NotStored" | "Unknown" }> = [
    ...left,
    ...redriven,
    ...queued.slice(redriven.length).map((record) => ({ record, outcome: "NotStored" as const }))
  ]
  book.ledger.handedBack += rest.length
  book.control.intake.inFlight = 0
  book.control.intake.inFlightBytes = 0
  return [...book.unsunk, ...rest.map(({ outcome, record }) => ({ record, reason, outcome, cause }))]
}

/** Saves again what is held; how many. */
export const redrive = <Item, F extends Bulk.Failure, E>(book: Book<Item, F, E>): number => {
  const held = book.held
  const { intake } = book.control
  book.held = []
  book.ledger.setAside -= held.length
  intake.held -= held.length
  for (const { bytes } of held) intake.heldBytes -= bytes
  const { bound, mailbox } = intake
  for (let from = 0; from < held.length; from += mailbox.limit) {
    const part = held.slice(from, from + mailbox.limit)
    const entries = part.map(({ entry }) => entry)
    const sizes = bound?.sizeOf === undefined ? undefined : part.map(({ bytes }) => bytes)
    const items = entries.map(({ record }) => record)
    book.redriven.push({ batch: book.control.again(items, sizes), entries })
  }
  return held.length
}
