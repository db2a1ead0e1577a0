/**
 * How one batch becomes stored: a pure machine that says which part of the batch to save next, and learns from each
 * answer. It holds no effects: the recorder runs the saves and the waits.
 *
 * Invariant: the records before `ranges` have an outcome; the ranges on the stack are disjoint, in order, and
 * together with `suspects`, `deferred` and `bad` they are exactly the records without one.
 *
 * No failure is believed by its class alone: what could be stored judges it. A batch whose failure may be a matter of
 * its records is halved before anything waits or stops. A record is bad when it failed alone, then another one was
 * stored, and then it failed alone again. When the storage blames the record itself, one failure beside a stored
 * record is enough, or a failure with no record to compare with.
 *
 * A round of halving that stores nothing ends after `maxMisses` failed saves: it was no matter of data so far. The
 * machine waits, and goes on where it was, with newcomers to compare with. Records that are stored after newcomers
 * then are the only case in which order yields.
 *
 * Bisection: when the left half is stored, the right half must hold the bad record and is halved again without a try,
 * so one bad record in n costs at most 2 + 2·ceil(log2 n) saves (22 of 1,000).
 */
import { blameOf, byIndex, type Failure, type Range, range, type Suspect } from "./bisectionRanges.js"
import {
  accuse,
  type Bulk,
  beginRound,
  cut,
  endRound,
  halve,
  popFailed,
  probe,
  progressed,
  retriesOf,
  roundIsOver,
  sizeLimit,
  top
} from "./bisectionRounds.js"

export type { Failure, Suspect } from "./bisectionRanges.js"
export { type Bulk, type Fit, make, maxMisses, unknownRetries } from "./bisectionRounds.js"

/** What to do next. */
export type Step<F extends Failure> =
  /** Save these records. */
  | { readonly _tag: "Save"; readonly from: number; readonly to: number }
  /** The backend is away: wait as the schedule says, then call `retry`. */
  | { readonly _tag: "Wait"; readonly failure: F }
  /** This record cannot be stored: set it aside, then call `isolated`. */
  | ({ readonly _tag: "Isolate" } & Suspect<F>)
  /** No retry can help: the policy decides. */
  | { readonly _tag: "Stop"; readonly failure: F }
  | { readonly _tag: "Done" }

const done = { _tag: "Done" } as const

/** What to do now. Asking changes nothing that an answer would not: it may be asked again. */
export const next = <F extends Failure>(bulk: Bulk<F>): Step<F> => {
  if (bulk.bad.length === 0 && bulk.probing && !bulk.stopped && bulk.failure === undefined) {
    if (bulk.followed > 0) accuse(bulk)
    if (roundIsOver(bulk)) endRound(bulk)
  }
  if (bulk.stopped) return { _tag: "Stop", failure: bulk.failure as F }
  const bad = bulk.bad[0]
  if (bad !== undefined) return { _tag: "Isolate", ...bad }
  if (bulk.failure !== undefined) return { _tag: "Wait", failure: bulk.failure }
  if (bulk.ranges.length === 0) return done
  while (top(bulk).guilty && top(bulk).to - top(bulk).from > 1) halve(bulk, true)
  const most = sizeLimit(bulk)
  if (top(bulk).to - top(bulk).from > most) cut(bulk, top(bulk).from + most)
  return { _tag: "Save", from: top(bulk).from, to: top(bulk).to }
}

/** Whether the next step is a wait. In the ordinary case this is known without making the step. */
export const mustWait = <F extends Failure>(bulk: Bulk<F>): boolean =>
  (bulk.failure !== undefined || bulk.probing) && next(bulk)._tag === "Wait"

/** Whether every record has an outcome. */
export const isDone = <F extends Failure>(bulk: Bulk<F>): boolean =>
  bulk.ranges.length === 0 && next(bulk)._tag === "Done"

/** The save of the last `Save` step succeeded. */
export const saved = <F extends Failure>(bulk: Bulk<F>): void => {
  const { from, to } = bulk.ranges.pop() as Range<F>
  if (bulk.sizeDoubted) bulk.passed = Math.max(bulk.passed, to - from)
  progressed(bulk)
  const right = bulk.ranges[bulk.ranges.length - 1]
  if (right?.rightHalf) {
    right.rightHalf = false
    right.guilty = true
  }
}

/** An attempt of unknown outcome held these records. */
export const markUnknown = <F extends Failure>(bulk: Bulk<F>, from: number, to: number): void => {
  bulk.unknownOutcome ??= new Uint8Array(bulk.length)
  bulk.unknownOutcome.fill(1, from, to)
}

/** Whether the storage has named bad records of the save, which began at `start`: those are bad by its word. */
const failedByName = <F extends Failure>(bulk: Bulk<F>, failure: F, start: number): boolean => {
  const { from, to } = top(bulk)
  const details = new Map<number, unknown>()
  for (const { index, cause } of failure.bad ?? []) {
    if (Number.isInteger(index) && start + index >= from && start + index < to)
      details.set(start + index, cause)
  }
  if (details.size === 0) return false
  popFailed(bulk)
  const indexes = [...details.keys()].sort((a, b) => a - b)
  for (const index of indexes) bulk.bad.push({ index, cause: failure, detail: details.get(index), times: 1 })
  for (let i = indexes.length; i >= 0; i--) {
    const start = i === 0 ? from : (indexes[i - 1] as number) + 1
    const end = i === indexes.length ? to : (indexes[i] as number)
    if (start < end) bulk.ranges.push({ ...range(start, end), tried: true })
  }
  return true
}

/** A number of stored records that makes sense. */
const storedOf = ({ stored = 0 }: Failure, most: number): number =>
  Number.isInteger(stored) ? Math.max(0, Math.min(stored, most)) : 0

/**
 * The save of the last `Save` step failed. Returns how many records at the start of it are stored all the same.
 */
export const failed = <F extends Failure>(bulk: Bulk<F>, failure: F): number => {
  const tried = top(bulk)
  const start = tried.from
  const stored = storedOf(failure, tried.to - start)
  if (stored === tried.to - start) {
    saved(bulk)
    return stored
  }
  if (stored > 0) {
    cut(bulk, start + stored)
    bulk.ranges.pop()
    progressed(bulk)
  }
  learn(bulk, failure, start)
  return stored
}

const learn = <F extends Failure>(bulk: Bulk<F>, failure: F, start: number): void => {
  const { from, to } = top(bulk)
  const { fits = 0, kind, outcome } = failure
  const blame = blameOf(failure)
  top(bulk).tried = true
  if (outcome === "Unknown") markUnknown(bulk, from, to)
  if (kind === "Poison" && failedByName(bulk, failure, start)) return
  // It was not even tried: the next one is of the size that can be.
  if (Number.isInteger(fits) && start + fits > from && start + fits < to) {
    cut(bulk, start + fits)
    return
  }
  if (blame === "backend") {
    bulk.repeats = 0
    bulk.wantsMore = false
    bulk.failure = failure
    bulk.stopped = kind === "Fatal"
    return
  }
  if (blame === "size" && to - from > 1) {
    bulk.sizeDoubted = true
    bulk.sizeProven ||= bulk.passed > 0 && to - from > bulk.passed
  }
  // One record is not too large for having met a lost connection or a time-out once.
  const mayPass = !bulk.probing || (blame === "size" && outcome === "Unknown" && to - from === 1)
  if (mayPass && ++bulk.repeats <= retriesOf(bulk, failure, blame)) bulk.failure = failure
  else probe(bulk, failure, blame)
}

/** The wait of a `Wait` step is over. */
export const retry = <F extends Failure>(bulk: Bulk<F>): void => {
  bulk.failure = undefined
  bulk.storedSince = false
}

/**
 * No newcomer can come any more. What failed alone while nothing was stored, and was blamed itself, is bad by that
 * alone; whether there was one.
 */
export const conclude = <F extends Failure>(bulk: Bulk<F>): boolean => {
  if (bulk.probing) return false
  const blamed = (of: Range<F>): boolean =>
    of.suspects?.every(({ cause }) => blameOf(cause) === "record") === true
  const found = bulk.ranges.filter(blamed).flatMap(({ suspects = [] }) => suspects)
  if (found.length === 0) return false
  bulk.bad.push(...found.sort(byIndex))
  bulk.ranges = bulk.ranges.filter((of) => !blamed(of))
  bulk.failure = undefined
  bulk.stopped = false
  return true
}

/** The schedule has no further wait: what was still to be retried is halved now, any other failure stops. */
export const exhausted = <F extends Failure>(bulk: Bulk<F>): void => {
  const { failure } = bulk
  if (failure === undefined || conclude(bulk)) return
  const blame = blameOf(failure)
  // However often it is retried, a lone record is not bad for its size alone.
  const tellsMore = blame !== "backend" && !(blame === "size" && bulk.doubts > 0)
  if (tellsMore && bulk.repeats > 0) {
    bulk.failure = undefined
    bulk.repeats = 0
    probe(bulk, failure, blame)
  } else bulk.stopped = true
}

/** The record of an `Isolate` step has its outcome. */
export const isolated = <F extends Failure>(bulk: Bulk<F>): void => {
  bulk.bad.shift()
}

/** The policy is to go on after a `Stop`: every record left that was tried is bad, by the failure that stopped it. */
export const condemn = <F extends Failure>(bulk: Bulk<F>): void => {
  const failure = bulk.failure as F
  // Newcomers, and the later parts of a batch, may not have been tried yet.
  const untried = bulk.ranges.filter(({ tried }) => !tried)
  bulk.ranges = bulk.ranges.filter(({ tried }) => tried)
  // None is bad yet: a save, and a wait, begin only when those have their outcome.
  for (const index of remaining(bulk)) bulk.bad.push({ index, cause: failure, detail: undefined, times: 0 })
  bulk.ranges = untried
  bulk.suspects = []
  bulk.deferred = []
  bulk.followed = 0
  bulk.failure = undefined
  bulk.probing = false
  bulk.doubts = 0
  bulk.wantsMore = false
  bulk.repeats = 0
  bulk.stopped = false
}

/** Newcomers stand behind the batch now: compare with them at once. */
export const extend = <F extends Failure>(bulk: Bulk<F>, count: number): void => {
  const from = bulk.length
  bulk.length += count
  if (bulk.unknownOutcome !== undefined) {
    const longer = new Uint8Array(bulk.length)
    longer.set(bulk.unknownOutcome)
    bulk.unknownOutcome = longer
  }
  bulk.most = Math.max(bulk.most, count)
  bulk.ranges.unshift(range(from, bulk.length))
  bulk.failure = undefined
  bulk.stopped = false
  bulk.doubts = 0
  bulk.storedSince = false
  beginRound(bulk, from)
}

/** The records without an outcome, in order. */
export const remaining = <F extends Failure>(bulk: Bulk<F>): ReadonlyArray<number> => {
  const indexes: Array<number> = []
  for (const { from, to } of [...bulk.ranges, ...bulk.deferred]) {
    for (let i = from; i < to; i++) indexes.push(i)
  }
  for (const { index } of bulk.suspects) indexes.push(index)
  for (const { index } of bulk.bad) indexes.push(index)
  return indexes.sort((a, b) => a - b)
}

/** Whether the record may be stored although no save of it was acknowledged. */
export const outcomeOf = <F extends Failure>(bulk: Bulk<F>, index: number): "NotStored" | "Unknown" =>
  bulk.unknownOutcome?.[index] === 1 ? "Unknown" : "NotStored"
