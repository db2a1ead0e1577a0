/**
 * The settlement of a recorder's records: the account, the receipts that wait, and what is kept to be handed back.
 * Every outcome is settled exactly once, everywhere in one synchronous piece.
 */
import { Cause, Option } from "effect"
import type { Batch, Control, Leftover } from "../../Actor.js"
import type { Outcome } from "../../Storage.js"
import { lazyArray } from "../lazyArray.js"
import type { InSlices } from "../slices.js"
import * as Account from "./account.js"
import * as BatchRun from "./batchRun.js"
import * as Bisection from "./bisection.js"
import * as DeadLetters from "./deadLetters.js"
import { handedBackError, type NotStored, outcomeUnknownError, setAsideError } from "./errors.js"
import * as Receipts from "./receipts.js"

/**
 * A record that was accepted and is given back: give it to the `saveAll` of a new recorder, or write it elsewhere.
 * `Deadline`: time ran out. `Failed`: the recorder had failed. `SinkFailed`: it could not be stored, and the
 * dead-letter sink did not take it; the last `maxHeld` of them are given back.
 */
export interface Unsaved<out Record> {
  readonly record: Record
  readonly reason: "Deadline" | "Failed" | "SinkFailed"
  /** `Unknown`: it may be stored all the same. */
  readonly outcome: Outcome
  /** What was in the way; none when only time ran out. */
  readonly cause: Option.Option<unknown>
}

export interface Settlement<Record> {
  readonly account: Account.Account
  readonly receipts: Receipts.Receipts
  /** For what is done for each of very many. */
  readonly inSlices: InSlices
  /** The most records of `deadLetters` and `sinkFailed` together. */
  readonly maxHeld: number
  /** Records set aside that no sink took, with their sizes. They take no room of the bound. */
  readonly deadLetters: DeadLetters.Queue<{
    readonly entry: DeadLetters.SetAside<Record>
    readonly bytes: number
  }>
  /** Records that are saved again and have not begun, with what is known of them. */
  readonly redriven: Array<{
    readonly batch: Batch<Record>
    readonly entries: ReadonlyArray<DeadLetters.SetAside<Record>>
  }>
  /** Records whose sink failed: they are handed back by the close. */
  readonly sinkFailed: DeadLetters.Queue<Unsaved<Record>>
  /** How many records were handed back that may be stored all the same. */
  handedBackUnknown: number
  run: BatchRun.BatchRun<Record> | undefined
  prepared: BatchRun.BatchRun<Record> | undefined
  /** Where the records that the present batch took in later stood in the queue: each begins at its `index`. */
  extensions: Array<{ readonly index: number; readonly position: number }>
}

export const make = <Record>(maxHeld: number, inSlices: InSlices): Settlement<Record> => ({
  account: Account.make(),
  receipts: Receipts.make(),
  inSlices,
  maxHeld,
  deadLetters: DeadLetters.make(),
  redriven: [],
  sinkFailed: DeadLetters.make(),
  handedBackUnknown: 0,
  run: undefined,
  prepared: undefined,
  extensions: []
})

/** The run of the batch that is being saved now; starts it when there is none yet. */
export const startRun = <Record>(
  settlement: Settlement<Record>,
  batch: Batch<Record>
): BatchRun.BatchRun<Record> => {
  if (settlement.run?.batch === batch) return settlement.run
  settlement.run =
    settlement.prepared?.batch === batch ? settlement.prepared : BatchRun.makeRun<Record>(batch)
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
export const prepare = <Record>(
  settlement: Settlement<Record>,
  batch: Batch<Record>,
  encode: () => BatchRun.Save | undefined
): void => {
  settlement.prepared = BatchRun.makeRun<Record>(batch)
  try {
    settlement.prepared.prepared = encode()
  } catch {
    // The error is not lost: the save of this batch meets it again, and classifies it.
  }
}

/** Where a record of the present batch stood in the queue. */
export const positionOf = <Record>({ extensions, run }: Settlement<Record>, index: number): number => {
  let position = (run?.batch.first ?? 0) + index
  for (const part of extensions) if (part.index <= index) position = part.position + index - part.index
  return position
}

const sizeOf = <Record>({ sizes }: Batch<Record>, from: number, to: number): number => {
  let bytes = 0
  if (sizes !== undefined) for (let i = from; i < to; i++) bytes += sizes[i] ?? 0
  return bytes
}

/** Settles records of the present batch that are stored. */
export const settleStored = <Record>(
  settlement: Settlement<Record>,
  control: Pick<Control<Record>, "settle">,
  batch: Batch<Record>,
  from: number,
  to: number,
  duplicates: number
): void => {
  const { account, receipts } = settlement
  account.stored += to - from
  account.duplicates += duplicates
  control.settle(to - from, sizeOf(batch, from, to))
  if (receipts.waiting.size === 0) return
  for (let index = from; index < to; index++) {
    Receipts.settle(receipts, positionOf(settlement, index), undefined)
  }
}

/** Releases the oldest of what is kept beyond `maxHeld`; whether that begins an interval of releases. */
const release = <Record>(
  { account, deadLetters, maxHeld, sinkFailed }: Settlement<Record>,
  control: Pick<Control<Record>, "release">
): boolean => {
  let begins = false
  while (DeadLetters.size(deadLetters) + DeadLetters.size(sinkFailed) > maxHeld) {
    if (DeadLetters.size(deadLetters) > 0) DeadLetters.shift(deadLetters)
    else {
      DeadLetters.shift(sinkFailed)
      // It cannot be handed back any more: what is left of it is that it was set aside.
      account.handedBack--
      account.setAside++
    }
    if (control.release()) begins = true
  }
  return begins
}

/** Settles a record of the present batch that cannot be stored. True when that begins an interval of releases. */
export const settleBad = <Record>(
  settlement: Settlement<Record>,
  control: Pick<Control<Record>, "settle" | "release">,
  batch: Batch<Record>,
  index: number,
  entry: DeadLetters.SetAside<Record>,
  sink: BatchRun.SinkResult
): boolean => {
  const { account, deadLetters, receipts, sinkFailed } = settlement
  const { cause, outcome, record } = entry
  const bytes = batch.sizes?.[index] ?? 0
  if (sink === "failed") {
    account.handedBack++
    account.handedBackEvents++
    DeadLetters.add(sinkFailed, { record, reason: "SinkFailed", outcome, cause: Option.some(cause) })
  } else {
    account.setAside++
    account.setAsideEvents++
    if (sink === "none") DeadLetters.add(deadLetters, { entry, bytes })
  }
  const begins = release(settlement, control)
  control.settle(1, bytes)
  Receipts.settle(receipts, positionOf(settlement, index), receiptErrorOf(entry, sink))
  return begins
}

const receiptErrorOf = (
  { cause, outcome }: DeadLetters.SetAside<unknown>,
  sink: BatchRun.SinkResult
): NotStored => {
  if (sink !== "failed") return setAsideError(cause)
  return outcome === "Unknown" ? outcomeUnknownError(cause) : handedBackError(cause)
}

/** Takes more records behind the present batch; how many came. */
export const takeMore = <Record>(
  settlement: Settlement<Record>,
  control: Pick<Control<Record>, "takeMore">
): number => {
  const index = settlement.run?.batch.items.length ?? 0
  const { count, first } = control.takeMore()
  if (count > 0) settlement.extensions.push({ index, position: first })
  return count
}

/** Fails all receipts that wait: the recorder has failed, or ended, and stores no record any more. */
export const failReceipts = <Record>(settlement: Settlement<Record>, cause: unknown): void => {
  const { inSlices, receipts, run } = settlement
  if (receipts.waiting.size === 0) return
  const mayBeStored = run === undefined ? () => false : maybeStored(settlement, run)
  const handedBack = handedBackError(cause)
  const outcomeUnknown = outcomeUnknownError(cause)
  Receipts.settleAll(receipts, (position) => (mayBeStored(position) ? outcomeUnknown : handedBack), inSlices)
}

/** Which positions hold records of the present batch that may be stored. A batch of one save is not looked at. */
const maybeStored = <Record>(
  settlement: Settlement<Record>,
  run: BatchRun.BatchRun<Record>
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

/** A record that was begun and has no outcome. */
type Left<Record> = Pick<BatchRun.Unsettled<Record>, "record" | "outcome">

const nothing = { from: 0, to: 0 }

/** The records behind the first `skipped`; those in the range are being saved. */
function* withOutcome<Record>(
  records: ReadonlyArray<Record>,
  saving: { readonly from: number; readonly to: number },
  skipped = 0
): Generator<Left<Record>> {
  let index = 0
  for (const record of records) {
    const outcome = index >= saving.from && index < saving.to ? "Unknown" : "NotStored"
    if (index++ >= skipped) yield { record, outcome }
  }
}

/** What is left of the present batch, and how much of it may be stored. A batch of one save is not looked at. */
const leftOf = <Record>(
  current: ReadonlyArray<Record>,
  run: BatchRun.BatchRun<Record> | undefined
): { readonly count: number; readonly unknown: number; readonly records: Iterable<Left<Record>> } => {
  const count = current.length
  if (run?.bisection !== undefined) {
    const left = BatchRun.unsettledOf(run)
    return { count: left.length, unknown: left.filter(isUnknown).length, records: left }
  }
  const { saving = nothing } = run ?? {}
  return { count, unknown: saving.to - saving.from, records: withOutcome(current, saving) }
}

const isUnknown = ({ outcome }: { readonly outcome: Outcome }): boolean => outcome === "Unknown"

/**
 * Hands back everything without an outcome, at the end. All of it is counted at once, and nothing is done for each
 * record until it is read: there may be millions of them, and a deadline.
 */
export const handBack = <Record>(
  settlement: Settlement<Record>,
  { cause: ended, current, queued }: Pick<Leftover<unknown, Record>, "cause" | "current" | "queued">
): ReadonlyArray<Unsaved<Record>> => {
  const { account } = settlement
  const reason: Unsaved<Record>["reason"] = Option.isSome(ended) ? "Failed" : "Deadline"
  const run = current.length > 0 && settlement.run?.isOver === false ? settlement.run : undefined
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
  account.handedBack += count
  account.handedBackEvents += count
  settlement.handedBackUnknown = sinkFailed.filter(isUnknown).length + left.unknown
  for (const entries of redriven) settlement.handedBackUnknown += entries.filter(isUnknown).length
  function* all(): Generator<Unsaved<Record>> {
    yield* sinkFailed
    const unsaved = ({ outcome, record }: Left<Record>) => ({ record, reason, outcome, cause })
    for (const record of left.records) yield unsaved(record)
    // They are handled before everything else that has not begun: they are the first of what is queued.
    for (const entries of redriven) for (const entry of entries) yield unsaved(entry)
    for (const record of withOutcome(queued, nothing, begunAgain)) yield unsaved(record)
  }
  return lazyArray(sinkFailed.length + count, all())
}

/** Saves again what is held; how many. They take room of the bound again, also beyond it. */
export const redrive = <Record>(
  settlement: Settlement<Record>,
  control: Pick<Control<Record>, "requeue" | "endReleases">
): number => {
  const held = DeadLetters.takeAll(settlement.deadLetters)
  settlement.account.setAside -= held.length
  control.endReleases()
  const batches = control.requeue(
    held.map(({ entry }) => entry.record),
    held.map(({ bytes }) => bytes)
  )
  let from = 0
  for (const batch of batches) {
    const entries = held.slice(from, from + batch.items.length).map(({ entry }) => entry)
    settlement.redriven.push({ batch, entries })
    from += batch.items.length
  }
  return held.length
}

/** The records set aside that no sink took, oldest first. */
export const heldOf = <Record>({
  deadLetters
}: Settlement<Record>): ReadonlyArray<DeadLetters.SetAside<Record>> => {
  function* entries(): Generator<DeadLetters.SetAside<Record>> {
    for (const { entry } of DeadLetters.entriesOf(deadLetters)) yield entry
  }
  return lazyArray(DeadLetters.size(deadLetters), entries())
}
