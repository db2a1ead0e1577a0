/**
 * The batches that an actor has taken out of its queue: the present one, the one that was prepared, and those that are
 * handled again. All of them take room in the intake until they are settled.
 */
import { lazyArray } from "../lazyArray.js"
import * as Intake from "./intake.js"
import * as Mailbox from "./mailbox.js"

export interface Batches<Item> {
  readonly intake: Intake.Intake<Item>
  /** The one that is being handled. */
  current: Mailbox.Batch<Item> | undefined
  prepared: Mailbox.Batch<Item> | undefined
  /** Batches of items that left the queue before: they are handled before what is queued. */
  requeued: Array<Mailbox.Batch<Item>>
}

/** How many items a batch was extended by, and the position of the first of them. */
export interface Extension {
  readonly count: number
  readonly first: number
}

export const make = <Item>(intake: Intake.Intake<Item>): Batches<Item> => ({
  intake,
  current: undefined,
  prepared: undefined,
  requeued: []
})

/** Whether a full batch is ready while another one is being handled. A smaller one may still grow. */
export const mayPrepare = <I>({ current, intake, prepared }: Batches<I>): boolean =>
  current !== undefined && prepared === undefined && Mailbox.size(intake.mailbox) >= intake.mailbox.limit

/** Takes the next batch out of the queue, to be prepared. */
export const takePrepared = <I>(batches: Batches<I>): Mailbox.Batch<I> | undefined => {
  batches.prepared = take(batches.intake)
  return batches.prepared
}

const take = <I>(intake: Intake.Intake<I>): Mailbox.Batch<I> | undefined => {
  const bytes = intake.mailbox.bytes
  const batch = Mailbox.take(intake.mailbox, intake.mailbox.limit)
  if (batch === undefined) return undefined
  intake.inFlight += batch.items.length
  intake.inFlightBytes += bytes - intake.mailbox.bytes
  return batch
}

/** Whether a batch is ready before the queue. */
export const hasReady = <I>({ prepared, requeued }: Batches<I>): boolean =>
  prepared !== undefined || requeued.length > 0

/** Begins the next batch: the prepared one, a requeued one, or one from the queue. */
export const begin = <I>(batches: Batches<I>): Mailbox.Batch<I> | undefined => {
  const { prepared } = batches
  batches.prepared = undefined
  batches.current = prepared ?? batches.requeued.shift() ?? take(batches.intake)
  return batches.current
}

const sum = (sizes: ReadonlyArray<number> | undefined): number =>
  sizes === undefined ? 0 : sizes.reduce((total, size) => total + size, 0)

/**
 * Handles items again that had left the queue with an outcome, in batches of the usual size. They take room, and
 * are handled before what is queued. The sizes are kept where the bound asks for sizes.
 */
export const requeue = <I>(
  batches: Batches<I>,
  items: ReadonlyArray<I>,
  sizes: ReadonlyArray<number> | undefined
): ReadonlyArray<Mailbox.Batch<I>> => {
  const { intake, requeued } = batches
  const { limit, sized } = intake.mailbox
  const before = requeued.length
  for (let from = 0; from < items.length; from += limit) {
    const batch: Mailbox.Batch<I> = {
      items: items.slice(from, from + limit),
      sizes: sized ? sizes?.slice(from, from + limit) : undefined,
      // They have no position in the queue any more.
      first: Number.NEGATIVE_INFINITY,
      openedAt: intake.monotonic()
    }
    intake.inFlight += batch.items.length
    intake.inFlightBytes += sum(batch.sizes)
    requeued.push(batch)
  }
  return requeued.slice(before)
}

/** Settles items in flight: they have an outcome, and take no more room. */
export const settle = <I>({ intake }: Batches<I>, count: number, bytes: number): void => {
  intake.inFlight -= count
  intake.inFlightBytes -= bytes
  Intake.freed(intake)
}

/** Finishes the present batch: settles what of it was not settled yet. */
export const finish = <I>(batches: Batches<I>): void => {
  const { intake, prepared, requeued } = batches
  batches.current = undefined
  let count = intake.inFlight - (prepared?.items.length ?? 0)
  for (const { items } of requeued) count -= items.length
  if (count === 0) return
  let bytes = intake.inFlightBytes - sum(prepared?.sizes)
  for (const { sizes } of requeued) bytes -= sum(sizes)
  settle(batches, count, bytes)
}

/** A batch takes at most about this many items more than the limit, however often it asks. */
const maxExtension = 1000

const none: Extension = { count: 0, first: 0 }

/** Takes the next items into the present batch; returns how many, and where the first of them stood. */
export const takeMore = <I>(batches: Batches<I>): Extension => {
  const { current, intake, prepared } = batches
  if (current === undefined || current.items.length >= intake.mailbox.limit + maxExtension) return none
  const bytes = intake.mailbox.bytes
  const more = prepared ?? Mailbox.takeBehind(intake.mailbox, intake.mailbox.limit)
  if (more === undefined) return none
  if (prepared === undefined) {
    intake.inFlight += more.items.length
    intake.inFlightBytes += bytes - intake.mailbox.bytes
  }
  batches.prepared = undefined
  Mailbox.append(current, more)
  return { count: more.items.length, first: more.first }
}

/** Milliseconds since the oldest pending item was accepted; 0 when there is none. */
export const oldestAge = <I>({ current, intake, prepared, requeued }: Batches<I>): number => {
  const batch = intake.inFlight === 0 ? undefined : (current ?? prepared ?? requeued[0])
  const since = batch === undefined ? Mailbox.oldestAt(intake.mailbox) : batch.openedAt
  return since === undefined ? 0 : Math.max(0, intake.monotonic() - since)
}

/** What no step has handled: the requeued batches, the prepared one, and the queue. */
function* unseenOf<I>(batches: ReadonlyArray<Mailbox.Batch<I>>, contents: Mailbox.Contents<I>): Generator<I> {
  for (const { items } of batches) yield* items
  yield* Mailbox.itemsOf(contents)
}

/** Takes everything but the present batch, however much it is, without a look at it. No item takes room any more. */
export const takeAll = <I>({ intake, prepared, requeued }: Batches<I>): ReadonlyArray<I> => {
  const batches = prepared === undefined ? requeued : [...requeued, prepared]
  const contents = Mailbox.takeAll(intake.mailbox)
  intake.inFlight = 0
  intake.inFlightBytes = 0
  const count = batches.reduce((sum, { items }) => sum + items.length, contents.count)
  return lazyArray(count, unseenOf(batches, contents))
}
