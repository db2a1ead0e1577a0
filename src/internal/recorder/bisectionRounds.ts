/**
 * The state of the bisection, and its rounds: halving a range that fails, suspecting what failed alone, and
 * judging by what was stored meanwhile.
 */
import {
  type Blame,
  blameOf,
  type Failure,
  joined,
  type Range,
  range,
  rangesOf,
  type Suspect
} from "./bisectionRanges.js"

export interface Bisection<F extends Failure> {
  length: number
  /** Top of the stack last; the leftmost range is on top. */
  ranges: Array<Range<F>>
  /** Records found to be bad, leftmost first, not yet set aside. */
  readonly bad: Array<Suspect<F>>
  /** Records that failed alone in the present round. */
  suspects: Array<Suspect<F>>
  /** So many of the suspects were followed by a record that was stored. */
  followed: number
  /** Ranges that failed while newcomers are to be compared with: they are not halved before one is stored. */
  deferred: Array<Range<F>>
  /** The failure that the machine waits for to pass, or stops at. */
  failure: F | undefined
  stopped: boolean
  /** Failures in a row that may be a matter of the records, before the present range is halved. */
  repeats: number
  /** Inside a round of halving, and what is known of it. */
  inRound: boolean
  lastFailure: F | undefined
  /** Something was stored since the last wait. */
  storedSince: boolean
  /** Something of this batch was stored. */
  storedEver: boolean
  /** The position of the first newcomer that the round began with; none: it began without. */
  newcomersFrom: number | undefined
  /** Failed saves of the round since something was stored. */
  misses: number
  /** Rounds in a row that ended without a record stored. */
  rounds: number
  /** The last round ended before each record had failed alone. */
  unfinished: boolean
  /** What is left failed alone after others of the batch were stored; so many rounds of retries it has had since. */
  lastRounds: number
  /** Only records are left that fail while nothing else does: newcomers are wanted, to be compared with. */
  needsComparison: boolean
  /** No save may hold more. */
  maxSize: number
  /** A save of several records has failed, maybe by its size. */
  sizeSuspected: boolean
  /** The largest save that passed since; 0: none did. */
  passed: number
  /** A larger one failed after it had passed: it was the size, and not a backend that was away for a while. */
  sizeProven: boolean
  /** One byte per record: 1 when an attempt that held it had an unknown outcome. */
  unknownOutcome: Uint8Array | undefined
}

/** Failures of unknown kind are retried this often before the batch is halved; so is what all failed alone. */
export const unknownRetries = 5

/**
 * After so many rounds of retries a record is bad that failed alone after others were stored, when nothing comes to
 * compare it with: the backend may have gone away meanwhile, and look as if it refused the record.
 */
export const lastRoundsOf = (blame: Blame): number =>
  blame === "record" ? 1 : blame === "either" ? 2 : Number.POSITIVE_INFINITY

/** A batch that may be too large, and of unknown outcome (its connection was lost), is retried this often first. */
export const lostRetries = 2

/** So many rounds in which nothing is stored, and the guess that no save can be is believed. */
const fatalRounds = 3

/** The most failed saves in a row of one round; later rounds look further, while the waits grow too. */
export const maxMisses = (length: number, rounds: number): number =>
  (4 + 2 * Math.ceil(Math.log2(Math.max(length, 2)))) * Math.min(rounds + 1, 4)

/** How often a record fails alone before it is bad: what may be the size or the link needs one more proof. */
const proofsOf = (blame: Blame): number => (blame === "size" ? 3 : 2)

/** A size that passed of late, after a larger one had failed; proven: that was for its size. */
export interface Fit {
  readonly size: number
  readonly proven: boolean
}

/** A batch of this length. What was learned of sizes holds for it. */
export const make = <F extends Failure>(length: number, fit?: Fit): Bisection<F> => {
  const maxSize = Math.min(length, fit?.proven === true ? fit.size : length)
  const ranges: Array<Range<F>> = []
  for (let n = Math.ceil(length / maxSize) - 1; n >= 0; n--) {
    ranges.push(range(n * maxSize, Math.min(length, (n + 1) * maxSize)))
  }
  return {
    length,
    ranges,
    bad: [],
    suspects: [],
    followed: 0,
    deferred: [],
    failure: undefined,
    stopped: false,
    repeats: 0,
    inRound: false,
    lastFailure: undefined,
    storedSince: false,
    storedEver: false,
    newcomersFrom: undefined,
    misses: 0,
    rounds: 0,
    unfinished: false,
    lastRounds: 0,
    needsComparison: false,
    maxSize,
    sizeSuspected: fit !== undefined,
    passed: fit?.size ?? 0,
    sizeProven: fit?.proven ?? false,
    unknownOutcome: undefined
  }
}

export const top = <F extends Failure>(bisection: Bisection<F>): Range<F> =>
  bisection.ranges[bisection.ranges.length - 1] as Range<F>

/** Pops the top range, which did not go through as a whole: nothing follows from it for its right half. */
export const popFailed = <F extends Failure>(bisection: Bisection<F>): Range<F> => {
  const failed = bisection.ranges.pop() as Range<F>
  const right = bisection.ranges[bisection.ranges.length - 1]
  if (right !== undefined) right.rightHalf = false
  return failed
}

/** Cuts the top range in two, and gives the right part. */
export const cut = <F extends Failure>(bisection: Bisection<F>, at: number): Range<F> => {
  const { retested, from, suspects, to, tried } = popFailed(bisection)
  const right = { ...range<F>(at, to), suspects: suspects?.slice(at - from), retested, tried }
  const left = { ...range<F>(from, at), suspects: suspects?.slice(0, at - from), retested, tried }
  bisection.ranges.push(right, left)
  return right
}

export const halve = <F extends Failure>(bisection: Bisection<F>, byData: boolean): void => {
  const { from, to } = top(bisection)
  cut(bisection, (from + to + 1) >> 1).rightHalf = byData
}

/** Puts ranges on the stack, the leftmost on top. All of them belong before those that are there. */
const pushAll = <F extends Failure>(bisection: Bisection<F>, ranges: ReadonlyArray<Range<F>>): void => {
  bisection.ranges.push(...[...ranges].sort((a, b) => b.from - a.from))
}

/** Retests suspects: a record was stored after they had failed, so the backend works. */
export const retest = <F extends Failure>(bisection: Bisection<F>): void => {
  const suspects = bisection.suspects.splice(0, bisection.followed)
  bisection.followed = 0
  pushAll(bisection, [...rangesOf(suspects, bisection.maxSize, true), ...bisection.deferred])
  bisection.deferred = []
}

export const beginRound = <F extends Failure>(
  bisection: Bisection<F>,
  newcomersFrom: number | undefined
): void => {
  bisection.inRound = true
  bisection.newcomersFrom = newcomersFrom
  bisection.misses = 0
  bisection.needsComparison = false
}

/** Ends a round: what is left is in order again, and waits. */
export const endRound = <F extends Failure>(bisection: Bisection<F>): void => {
  const { deferred, lastRounds, lastFailure, maxSize, newcomersFrom, storedEver, storedSince, suspects } =
    bisection
  bisection.inRound = false
  bisection.repeats = 0
  bisection.suspects = []
  bisection.followed = 0
  bisection.deferred = []
  const isBad = ({ cause }: Suspect<F>): boolean =>
    lastRounds > 0 && lastRounds >= lastRoundsOf(blameOf(cause))
  bisection.bad.push(...suspects.filter(isBad))
  const left = rangesOf(
    suspects.filter((suspect) => !isBad(suspect)),
    maxSize,
    false
  )
  const all = [...bisection.ranges, ...deferred, ...left].sort((a, b) => a.from - b.from)
  bisection.ranges = joined(all, maxSize).reverse()
  if (bisection.ranges.length === 0) return
  bisection.rounds = storedSince ? 1 : bisection.rounds + 1
  bisection.unfinished = bisection.ranges.some(({ suspects }) => suspects === undefined)
  // What failed alone after others were stored needs no newcomer: further rounds of retries show what it is.
  bisection.lastRounds = storedEver && !bisection.unfinished ? lastRounds + 1 : 0
  if (bisection.lastRounds > 0) bisection.repeats = 1
  bisection.failure = lastFailure
  // The end of the recorder is not for the first records of a batch to decide.
  const isLast = !bisection.unfinished || bisection.rounds >= fatalRounds
  bisection.stopped = lastFailure?.kind === "Fatal" && !storedEver && isLast
  // Newcomers that failed too speak for an outage: more of them would show no more before the next round.
  bisection.needsComparison = storedEver || newcomersFrom === undefined
}

export const roundIsOver = <F extends Failure>({ misses, maxSize, ranges, rounds }: Bisection<F>): boolean =>
  ranges.length === 0 || misses >= maxMisses(maxSize, rounds)

/**
 * The most records that the next save may hold: what passed, once it is known to be the size; twice as much before, so
 * that a backend which was away for a while is soon as fast as before.
 */
export const sizeLimit = <F extends Failure>({ passed, sizeProven }: Bisection<F>): number =>
  passed === 0 ? Number.POSITIVE_INFINITY : sizeProven ? passed : passed * 2

/** Notes that at least one record was stored. */
export const progressed = <F extends Failure>(bisection: Bisection<F>): void => {
  bisection.repeats = 0
  bisection.rounds = 0
  bisection.unfinished = false
  bisection.needsComparison = false
  bisection.storedSince = true
  bisection.storedEver = true
  bisection.lastRounds = 0
  for (const range of bisection.ranges) range.retested = range.suspects !== undefined
  if (!bisection.inRound) return
  bisection.misses = 0
  bisection.followed = bisection.suspects.length
}

/** Whether there is no other record to compare the top one with. */
const isLone = <F extends Failure>({ deferred, ranges, suspects }: Bisection<F>): boolean =>
  ranges.length === 1 && suspects.length + deferred.length === 0

/** Halves the top range, which has failed in a round: its halves show which records are at fault, if any is. */
export const bisect = <F extends Failure>(bisection: Bisection<F>, failure: F, blame: Blame): void => {
  if (!bisection.inRound) beginRound(bisection, undefined)
  bisection.lastFailure = failure
  const { retested, from, suspects, to } = top(bisection)
  bisection.repeats = 0
  const isJudged = retested || bisection.lastRounds > 0
  const defers = !bisection.storedSince && to <= (bisection.newcomersFrom ?? 0)
  // What failed before another record was stored is judged now: its failures show nothing of the backend.
  if (!defers && !isJudged) bisection.misses++
  // That they failed alone is known: what has not been tried yet shows more.
  if (suspects !== undefined && !isJudged && (bisection.unfinished || defers)) {
    popFailed(bisection)
    bisection.suspects.push(...suspects)
  } else if (to - from > 1) {
    if (defers) bisection.deferred.push(popFailed(bisection))
    else halve(bisection, blame === "record")
  } else {
    const before = suspects?.[0]?.times ?? 0
    const times = before === 0 || retested ? before + 1 : before
    const suspect: Suspect<F> = { index: from, cause: failure, detail: undefined, times }
    const isBad =
      blame === "record" ? bisection.storedSince || isLone(bisection) : retested && times >= proofsOf(blame)
    popFailed(bisection)
    if (isBad) bisection.bad.push(suspect)
    else bisection.suspects.push(suspect)
  }
}

/** How often the save is retried as it is, before its range is halved. */
export const retriesOf = <F extends Failure>(
  bisection: Bisection<F>,
  { kind, outcome }: F,
  blame: Blame
): number => {
  if (bisection.unfinished) return 0
  if (kind === "Unknown" || bisection.lastRounds > 0 || bisection.rounds > 0) return unknownRetries
  return blame === "size" && outcome === "Unknown" ? lostRetries : 0
}
