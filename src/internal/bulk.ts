/**
 * How one batch becomes stored: a pure machine that says which part of the batch to save next, and learns from each
 * answer. It holds no effects: the recorder runs the saves and the waits.
 *
 * Invariant: the records before `ranges` have an outcome; the ranges on the stack are disjoint, in order, and
 * together with `suspects` they are exactly the records without one.
 *
 * Bisection: a batch that fails by its data is halved until the bad records stand alone. When the left half is stored,
 * the right half must hold the bad record and is halved again without a try, so one bad record in n costs
 * at most 1 + 2·ceil(log2 n) saves (21 of 1,000).
 *
 * Failures of unknown kind may be a matter of data or of the backend, so an outage that begins or ends in the midst of
 * a bisection must not condemn anything. A record is bad when it failed alone, then another one was stored, and then
 * it failed alone again; one that is stored then comes after that other one, the only case in which order yields.
 * Where nothing was stored after it, it gets another round of retries, or a newcomer to be compared with; where
 * nothing was stored at all, it was no matter of data.
 */

/** The failure of one save, as far as the machine needs it. */
export interface Failure {
  readonly kind: "Transient" | "Poison" | "Fatal" | "Unknown"
  readonly outcome: "NotStored" | "Unknown"
  readonly stored?: number | undefined
  readonly bad?: ReadonlyArray<{ readonly index: number; readonly cause: unknown }> | undefined
}

/** Positions `from` (inclusive) to `to` (exclusive) of the batch. */
export interface Range {
  from: number
  readonly to: number
  /** A bad record is known to be in it: halve it without a try. */
  guilty: boolean
  /** The right half of a range that failed by its data, while nothing is known of the left half. */
  rightHalf: boolean
  /** Each of it failed alone for an unknown reason before another record was stored: failing again, it is bad. */
  readonly accused: boolean
}

export interface Suspect<F extends Failure> {
  readonly index: number
  readonly cause: F
  /** What the storage said of this very record, if it did. */
  readonly detail: unknown
}

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

export interface Bulk<F extends Failure> {
  length: number
  /** Top of the stack last; the leftmost range is on top. */
  readonly ranges: Array<Range>
  /** Records found to be bad, leftmost first, not yet set aside. */
  readonly bad: Array<Suspect<F>>
  /** Records that failed alone for an unknown reason in the present bisection, in order. */
  suspects: Array<Suspect<F>>
  /** So many of the suspects were followed by a record that was stored. */
  followed: number
  /** The failure that the machine waits for to pass, or stops at. */
  failure: F | undefined
  stopped: boolean
  /** Failures of unknown kind in a row, for the present range. */
  unknowns: number
  /** Inside the bisection that follows unknown failures: whether a record was stored in it, or newcomers began it. */
  probing: boolean
  storedWhileProbing: boolean
  begunByNewcomers: boolean
  /** What is left failed alone after others were stored, and is in its last round. */
  doubted: boolean
  /** Only records are left that fail for an unknown reason: newcomers are wanted, to be compared with. */
  wantsMore: boolean
  /** No save may hold more. */
  most: number
  /** One byte per record: 1 when an attempt that held it had an unknown outcome. */
  unknownOutcome: Uint8Array | undefined
}

/** Unknown failures are retried this often before the batch is bisected. */
export const unknownRetries = 5

const range = (from: number, to: number, accused = false): Range => ({
  from,
  to,
  guilty: false,
  rightHalf: false,
  accused
})

export const make = <F extends Failure>(length: number): Bulk<F> => ({
  length,
  ranges: length === 0 ? [] : [range(0, length)],
  bad: [],
  suspects: [],
  followed: 0,
  failure: undefined,
  stopped: false,
  unknowns: 0,
  probing: false,
  storedWhileProbing: false,
  begunByNewcomers: false,
  doubted: false,
  wantsMore: false,
  most: length,
  unknownOutcome: undefined
})

const top = <F extends Failure>(bulk: Bulk<F>): Range => bulk.ranges[bulk.ranges.length - 1] as Range

/** Pops the top range, which did not go through as a whole: nothing follows from it for its right half. */
const popFailed = <F extends Failure>(bulk: Bulk<F>): Range => {
  const failed = bulk.ranges.pop() as Range
  const right = bulk.ranges[bulk.ranges.length - 1]
  if (right !== undefined) right.rightHalf = false
  return failed
}

const split = <F extends Failure>(bulk: Bulk<F>, byData: boolean): void => {
  const { accused, from, to } = popFailed(bulk)
  const middle = (from + to + 1) >> 1
  const right = range(middle, to, accused)
  right.rightHalf = byData
  bulk.ranges.push(right, range(from, middle, accused))
}

/** Makes ranges of suspects again, the leftmost on top; neighbours share one. */
const pushBack = <F extends Failure>(
  bulk: Bulk<F>,
  suspects: ReadonlyArray<Suspect<F>>,
  accused: boolean
): void => {
  for (let i = suspects.length - 1; i >= 0; ) {
    const to = (suspects[i] as Suspect<F>).index + 1
    let from = to - 1
    for (i--; i >= 0 && (suspects[i] as Suspect<F>).index === from - 1 && to - from < bulk.most; i--) from--
    bulk.ranges.push(range(from, to, accused))
  }
}

/** The backend works, for a record was stored after these had failed: they are tried once more. */
const accuse = <F extends Failure>(bulk: Bulk<F>): void => {
  pushBack(bulk, bulk.suspects.splice(0, bulk.followed), true)
  bulk.followed = 0
}

const endProbing = <F extends Failure>(bulk: Bulk<F>): void => {
  const { begunByNewcomers, doubted, storedWhileProbing, suspects } = bulk
  bulk.probing = false
  bulk.doubted = false
  bulk.unknowns = 0
  if (suspects.length === 0) return
  bulk.suspects = []
  if (doubted) {
    bulk.bad.push(...suspects)
    return
  }
  pushBack(bulk, suspects, false)
  bulk.failure = suspects[suspects.length - 1]?.cause
  // Newcomers that failed too speak for an outage: more of them would not tell more before the next round.
  bulk.wantsMore = storedWhileProbing || !begunByNewcomers
  if (storedWhileProbing) {
    bulk.doubted = true
    bulk.unknowns = 1
  }
}

const done = { _tag: "Done" } as const

/** What to do now. Asking changes nothing that an answer would not: it may be asked again. */
export const next = <F extends Failure>(bulk: Bulk<F>): Step<F> => {
  if (bulk.stopped) return { _tag: "Stop", failure: bulk.failure as F }
  if (bulk.bad.length === 0 && bulk.probing) {
    if (bulk.followed > 0) accuse(bulk)
    if (bulk.ranges.length === 0) endProbing(bulk)
  }
  const bad = bulk.bad[0]
  if (bad !== undefined) return { _tag: "Isolate", ...bad }
  if (bulk.failure !== undefined) return { _tag: "Wait", failure: bulk.failure }
  if (bulk.ranges.length === 0) return done
  while (top(bulk).guilty && top(bulk).to - top(bulk).from > 1) split(bulk, true)
  return { _tag: "Save", from: top(bulk).from, to: top(bulk).to }
}

/** At least one record was stored. */
const progressed = <F extends Failure>(bulk: Bulk<F>): void => {
  bulk.unknowns = 0
  bulk.wantsMore = false
  if (!bulk.probing) return
  bulk.storedWhileProbing = true
  bulk.followed = bulk.suspects.length
}

/** Whether the next step is a wait. In the ordinary case this is known without making the step. */
export const mustWait = <F extends Failure>(bulk: Bulk<F>): boolean =>
  (bulk.failure !== undefined || bulk.probing) && next(bulk)._tag === "Wait"

/** Whether every record has an outcome. */
export const isDone = <F extends Failure>(bulk: Bulk<F>): boolean =>
  bulk.ranges.length === 0 && next(bulk)._tag === "Done"

/** The save of the last `Save` step succeeded. */
export const saved = <F extends Failure>(bulk: Bulk<F>): void => {
  bulk.ranges.pop()
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

/** `start` is where the save that failed began: the storage counts from there. */
const failedPoison = <F extends Failure>(bulk: Bulk<F>, failure: F, start: number): void => {
  const { from, to } = top(bulk)
  const details = new Map<number, unknown>()
  for (const { index, cause } of failure.bad ?? []) {
    if (Number.isInteger(index) && start + index >= from && start + index < to)
      details.set(start + index, cause)
  }
  if (details.size > 0) {
    popFailed(bulk)
    const indexes = [...details.keys()].sort((a, b) => a - b)
    for (const index of indexes) bulk.bad.push({ index, cause: failure, detail: details.get(index) })
    for (let i = indexes.length; i >= 0; i--) {
      const start = i === 0 ? from : (indexes[i - 1] as number) + 1
      const end = i === indexes.length ? to : (indexes[i] as number)
      if (start < end) bulk.ranges.push(range(start, end))
    }
  } else if (to - from === 1) {
    popFailed(bulk)
    bulk.bad.push({ index: from, cause: failure, detail: undefined })
  } else split(bulk, true)
}

const probe = <F extends Failure>(bulk: Bulk<F>, failure: F): void => {
  if (!bulk.probing) beginProbing(bulk, false)
  const { accused, from, to } = top(bulk)
  if (to - from > 1) split(bulk, false)
  else {
    popFailed(bulk)
    const suspects = accused ? bulk.bad : bulk.suspects
    suspects.push({ index: from, cause: failure, detail: undefined })
  }
}

const beginProbing = <F extends Failure>(bulk: Bulk<F>, byNewcomers: boolean): void => {
  bulk.probing = true
  bulk.storedWhileProbing = false
  bulk.begunByNewcomers = byNewcomers
  bulk.wantsMore = false
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
  tried.from += stored
  if (stored > 0) progressed(bulk)
  if (failure.outcome === "Unknown") markUnknown(bulk, tried.from, tried.to)
  if (failure.kind === "Unknown") {
    if (bulk.probing || ++bulk.unknowns > unknownRetries) probe(bulk, failure)
    else bulk.failure = failure
    return stored
  }
  bulk.unknowns = 0
  bulk.wantsMore = false
  if (failure.kind === "Poison") failedPoison(bulk, failure, start)
  else {
    bulk.failure = failure
    bulk.stopped = failure.kind === "Fatal"
  }
  return stored
}

/** The wait of a `Wait` step is over. */
export const retry = <F extends Failure>(bulk: Bulk<F>): void => {
  bulk.failure = undefined
}

/** The schedule has no further wait: an unknown failure is bisected now, any other one stops. */
export const exhausted = <F extends Failure>(bulk: Bulk<F>): void => {
  const failure = bulk.failure
  if (failure?.kind === "Unknown" && bulk.unknowns > 0) {
    bulk.failure = undefined
    bulk.unknowns = 0
    probe(bulk, failure)
  } else bulk.stopped = true
}

/** The record of an `Isolate` step has its outcome. */
export const isolated = <F extends Failure>(bulk: Bulk<F>): void => {
  bulk.bad.shift()
}

/** The policy is to go on after a `Stop`: every record left is bad, by the failure that stopped it. */
export const condemn = <F extends Failure>(bulk: Bulk<F>): void => {
  const failure = bulk.failure as F
  // None is bad yet: a save, and a wait, begin only when those have their outcome.
  for (const index of remaining(bulk)) bulk.bad.push({ index, cause: failure, detail: undefined })
  bulk.ranges.length = 0
  bulk.suspects = []
  bulk.followed = 0
  bulk.failure = undefined
  bulk.probing = false
  bulk.doubted = false
  bulk.wantsMore = false
  bulk.unknowns = 0
  bulk.stopped = false
}

/** Newcomers stand behind the batch now: compare with them at once. */
export const extend = <F extends Failure>(bulk: Bulk<F>, count: number): void => {
  bulk.ranges.unshift(range(bulk.length, bulk.length + count))
  bulk.length += count
  if (bulk.unknownOutcome !== undefined) {
    const longer = new Uint8Array(bulk.length)
    longer.set(bulk.unknownOutcome)
    bulk.unknownOutcome = longer
  }
  bulk.most = Math.max(bulk.most, count)
  bulk.failure = undefined
  bulk.doubted = false
  beginProbing(bulk, true)
}

/** The records without an outcome, in order. */
export const remaining = <F extends Failure>(bulk: Bulk<F>): ReadonlyArray<number> => {
  const indexes: Array<number> = []
  for (const { from, to } of bulk.ranges) for (let i = from; i < to; i++) indexes.push(i)
  for (const { index } of bulk.suspects) indexes.push(index)
  for (const { index } of bulk.bad) indexes.push(index)
  return indexes.sort((a, b) => a - b)
}

/** Whether the record may be stored although no save of it was acknowledged. */
export const outcomeOf = <F extends Failure>(bulk: Bulk<F>, index: number): "NotStored" | "Unknown" =>
  bulk.unknownOutcome?.[index] === 1 ? "Unknown" : "NotStored"
