/**
 * How one batch becomes stored: a pure machine that chooses which part of the batch to save next, and learns from each
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
  type Bisection,
  beginRound,
  bisect,
  cut,
  endRound,
  halve,
  popFailed,
  progressed,
  retest,
  retriesOf,
  roundIsOver,
  sizeLimit,
  top
} from "./bisectionRounds.js"

export type { Failure, Suspect } from "./bisectionRanges.js"
export { type Bisection, type Fit, make, maxMisses, unknownRetries } from "./bisectionRounds.js"

/** What to do next. */
export type Step<F extends Failure> =
  /** Save these records. */
  | { readonly _tag: "Save"; readonly from: number; readonly to: number }
  /** The backend is away: wait by the retry schedule, then call `retry`. */
  | { readonly _tag: "Wait"; readonly failure: F }
  /** This record cannot be stored: set it aside, then call `isolated`. */
  | ({ readonly _tag: "Isolate" } & Suspect<F>)
  /** No retry can help: the policy decides. */
  | { readonly _tag: "Stop"; readonly failure: F }
  | { readonly _tag: "Done" }

const done = { _tag: "Done" } as const

/** What to do now. Asking changes nothing that an answer would not: it may be asked again. */
export const next = <F extends Failure>(bisection: Bisection<F>): Step<F> => {
  if (
    bisection.bad.length === 0 &&
    bisection.inRound &&
    !bisection.stopped &&
    bisection.failure === undefined
  ) {
    if (bisection.followed > 0) retest(bisection)
    if (roundIsOver(bisection)) endRound(bisection)
  }
  if (bisection.stopped) return { _tag: "Stop", failure: bisection.failure as F }
  const bad = bisection.bad[0]
  if (bad !== undefined) return { _tag: "Isolate", ...bad }
  if (bisection.failure !== undefined) return { _tag: "Wait", failure: bisection.failure }
  if (bisection.ranges.length === 0) return done
  while (top(bisection).knownBad && top(bisection).to - top(bisection).from > 1) halve(bisection, true)
  const limit = sizeLimit(bisection)
  if (top(bisection).to - top(bisection).from > limit) cut(bisection, top(bisection).from + limit)
  return { _tag: "Save", from: top(bisection).from, to: top(bisection).to }
}

/** Whether the next step is a wait. In the ordinary case this is known without making the step. */
export const mustWait = <F extends Failure>(bisection: Bisection<F>): boolean =>
  (bisection.failure !== undefined || bisection.inRound) && next(bisection)._tag === "Wait"

/** Whether every record has an outcome. */
export const isDone = <F extends Failure>(bisection: Bisection<F>): boolean =>
  bisection.ranges.length === 0 && next(bisection)._tag === "Done"

/** Notes that the save of the last `Save` step succeeded. */
export const saved = <F extends Failure>(bisection: Bisection<F>): void => {
  const { from, to } = bisection.ranges.pop() as Range<F>
  if (bisection.sizeSuspected) bisection.passed = Math.max(bisection.passed, to - from)
  progressed(bisection)
  const right = bisection.ranges[bisection.ranges.length - 1]
  if (right?.rightHalf) {
    right.rightHalf = false
    right.knownBad = true
  }
}

/** Notes that an attempt of unknown outcome held these records. */
export const markUnknown = <F extends Failure>(bisection: Bisection<F>, from: number, to: number): void => {
  bisection.unknownOutcome ??= new Uint8Array(bisection.length)
  bisection.unknownOutcome.fill(1, from, to)
}

/** Whether the storage has named bad records of the save, which began at `start`: those are bad without a further try. */
const failedByName = <F extends Failure>(bisection: Bisection<F>, failure: F, start: number): boolean => {
  const { from, to } = top(bisection)
  const details = new Map<number, unknown>()
  for (const { index, cause } of failure.bad ?? []) {
    if (Number.isInteger(index) && start + index >= from && start + index < to)
      details.set(start + index, cause)
  }
  if (details.size === 0) return false
  popFailed(bisection)
  const indexes = [...details.keys()].sort((a, b) => a - b)
  for (const index of indexes)
    bisection.bad.push({ index, cause: failure, detail: details.get(index), times: 1 })
  for (let i = indexes.length; i >= 0; i--) {
    const start = i === 0 ? from : (indexes[i - 1] as number) + 1
    const end = i === indexes.length ? to : (indexes[i] as number)
    if (start < end) bisection.ranges.push({ ...range(start, end), tried: true })
  }
  return true
}

/** A number of stored records that makes sense. */
const storedOf = ({ stored = 0 }: Failure, max: number): number =>
  Number.isInteger(stored) ? Math.max(0, Math.min(stored, max)) : 0

/**
 * Notes that the save of the last `Save` step failed. Returns how many records at the start of it are stored all the same.
 */
export const failed = <F extends Failure>(bisection: Bisection<F>, failure: F): number => {
  const tried = top(bisection)
  const start = tried.from
  const stored = storedOf(failure, tried.to - start)
  if (stored === tried.to - start) {
    saved(bisection)
    return stored
  }
  if (stored > 0) {
    cut(bisection, start + stored)
    bisection.ranges.pop()
    progressed(bisection)
  }
  learn(bisection, failure, start)
  return stored
}

const learn = <F extends Failure>(bisection: Bisection<F>, failure: F, start: number): void => {
  const { from, to } = top(bisection)
  const { fits = 0, kind, outcome } = failure
  const blame = blameOf(failure)
  top(bisection).tried = true
  if (outcome === "Unknown") markUnknown(bisection, from, to)
  if (kind === "Poison" && failedByName(bisection, failure, start)) return
  // It was not even tried: the next one is of the size that can be.
  if (Number.isInteger(fits) && start + fits > from && start + fits < to) {
    cut(bisection, start + fits)
    return
  }
  if (blame === "backend") {
    bisection.repeats = 0
    bisection.needsComparison = false
    bisection.failure = failure
    bisection.stopped = kind === "Fatal"
    return
  }
  if (blame === "size" && to - from > 1) {
    bisection.sizeSuspected = true
    bisection.sizeProven ||= bisection.passed > 0 && to - from > bisection.passed
  }
  // One record is not too large for having met a lost connection or a time-out once.
  const mayPass = !bisection.inRound || (blame === "size" && outcome === "Unknown" && to - from === 1)
  if (mayPass && ++bisection.repeats <= retriesOf(bisection, failure, blame)) bisection.failure = failure
  else bisect(bisection, failure, blame)
}

/** Ends the wait of a `Wait` step. */
export const retry = <F extends Failure>(bisection: Bisection<F>): void => {
  bisection.failure = undefined
  bisection.storedSince = false
}

/**
 * Concludes without newcomers, when none can come any more: what failed alone while nothing was stored, and was blamed
 * itself, is bad by that alone. Whether there was such a record.
 */
export const conclude = <F extends Failure>(bisection: Bisection<F>): boolean => {
  if (bisection.inRound) return false
  const blamed = (of: Range<F>): boolean =>
    of.suspects?.every(({ cause }) => blameOf(cause) === "record") === true
  const found = bisection.ranges.filter(blamed).flatMap(({ suspects = [] }) => suspects)
  if (found.length === 0) return false
  bisection.bad.push(...found.sort(byIndex))
  bisection.ranges = bisection.ranges.filter((of) => !blamed(of))
  bisection.failure = undefined
  bisection.stopped = false
  return true
}

/** Notes that the schedule has no further wait: what was still to be retried is halved, any other failure stops. */
export const exhausted = <F extends Failure>(bisection: Bisection<F>): void => {
  const { failure } = bisection
  if (failure === undefined || conclude(bisection)) return
  const blame = blameOf(failure)
  // However often it is retried, a lone record is not bad for its size alone.
  const mayBeData = blame !== "backend" && !(blame === "size" && bisection.lastRounds > 0)
  if (mayBeData && bisection.repeats > 0) {
    bisection.failure = undefined
    bisection.repeats = 0
    bisect(bisection, failure, blame)
  } else bisection.stopped = true
}

/** Notes that the record of an `Isolate` step has its outcome. */
export const isolated = <F extends Failure>(bisection: Bisection<F>): void => {
  bisection.bad.shift()
}

/** Goes on after a `Stop`: every record left that was tried is bad, by the failure that stopped it. */
export const failRemaining = <F extends Failure>(bisection: Bisection<F>): void => {
  const failure = bisection.failure as F
  // Newcomers, and the later parts of a batch, may not have been tried yet.
  const untried = bisection.ranges.filter(({ tried }) => !tried)
  bisection.ranges = bisection.ranges.filter(({ tried }) => tried)
  // None is bad yet: a save, and a wait, begin only when those have their outcome.
  for (const index of remaining(bisection))
    bisection.bad.push({ index, cause: failure, detail: undefined, times: 0 })
  bisection.ranges = untried
  bisection.suspects = []
  bisection.deferred = []
  bisection.followed = 0
  bisection.failure = undefined
  bisection.inRound = false
  bisection.lastRounds = 0
  bisection.needsComparison = false
  bisection.repeats = 0
  bisection.stopped = false
}

/** Adds newcomers behind the batch, and compares with them at once. */
export const extend = <F extends Failure>(bisection: Bisection<F>, count: number): void => {
  const from = bisection.length
  bisection.length += count
  if (bisection.unknownOutcome !== undefined) {
    const longer = new Uint8Array(bisection.length)
    longer.set(bisection.unknownOutcome)
    bisection.unknownOutcome = longer
  }
  bisection.maxSize = Math.max(bisection.maxSize, count)
  bisection.ranges.unshift(range(from, bisection.length))
  bisection.failure = undefined
  bisection.stopped = false
  bisection.lastRounds = 0
  bisection.storedSince = false
  beginRound(bisection, from)
}

/** The records without an outcome, in order. */
export const remaining = <F extends Failure>(bisection: Bisection<F>): ReadonlyArray<number> => {
  const indexes: Array<number> = []
  for (const { from, to } of [...bisection.ranges, ...bisection.deferred]) {
    for (let i = from; i < to; i++) indexes.push(i)
  }
  for (const { index } of bisection.suspects) indexes.push(index)
  for (const { index } of bisection.bad) indexes.push(index)
  return indexes.sort((a, b) => a - b)
}

/** Whether the record may be stored although no save of it was acknowledged. */
export const outcomeOf = <F extends Failure>(
  bisection: Bisection<F>,
  index: number
): "NotStored" | "Unknown" => (bisection.unknownOutcome?.[index] === 1 ? "Unknown" : "NotStored")
