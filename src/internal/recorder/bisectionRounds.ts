/**
 * The state of the machine of `bulk`, and its rounds: halving a range that fails, suspecting what failed alone, and
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

export interface Bulk<F extends Failure> {
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
  probing: boolean
  last: F | undefined
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
  doubts: number
  /** Only records are left that fail while nothing else does: newcomers are wanted, to be compared with. */
  wantsMore: boolean
  /** No save may hold more. */
  most: number
  /** A save of several records has failed, maybe by its size. */
  sizeDoubted: boolean
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
export const doubtsOf = (blame: Blame): number =>
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
export const make = <F extends Failure>(length: number, fit?: Fit): Bulk<F> => {
  const most = Math.min(length, fit?.proven === true ? fit.size : length)
  const ranges: Array<Range<F>> = []
  for (let n = Math.ceil(length / most) - 1; n >= 0; n--) {
    ranges.push(range(n * most, Math.min(length, (n + 1) * most)))
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
    probing: false,
    last: undefined,
    storedSince: false,
    storedEver: false,
    newcomersFrom: undefined,
    misses: 0,
    rounds: 0,
    unfinished: false,
    doubts: 0,
    wantsMore: false,
    most,
    sizeDoubted: fit !== undefined,
    passed: fit?.size ?? 0,
    sizeProven: fit?.proven ?? false,
    unknownOutcome: undefined
  }
}

export const top = <F extends Failure>(bulk: Bulk<F>): Range<F> =>
  bulk.ranges[bulk.ranges.length - 1] as Range<F>

/** Pops the top range, which did not go through as a whole: nothing follows from it for its right half. */
export const popFailed = <F extends Failure>(bulk: Bulk<F>): Range<F> => {
  const failed = bulk.ranges.pop() as Range<F>
  const right = bulk.ranges[bulk.ranges.length - 1]
  if (right !== undefined) right.rightHalf = false
  return failed
}

/** Cuts the top range in two, and gives the right part. */
export const cut = <F extends Failure>(bulk: Bulk<F>, at: number): Range<F> => {
  const { accused, from, suspects, to, tried } = popFailed(bulk)
  const right = { ...range<F>(at, to), suspects: suspects?.slice(at - from), accused, tried }
  const left = { ...range<F>(from, at), suspects: suspects?.slice(0, at - from), accused, tried }
  bulk.ranges.push(right, left)
  return right
}

export const halve = <F extends Failure>(bulk: Bulk<F>, byData: boolean): void => {
  const { from, to } = top(bulk)
  cut(bulk, (from + to + 1) >> 1).rightHalf = byData
}

/** Puts ranges on the stack, the leftmost on top. All of them stand before those that are there. */
const pushAll = <F extends Failure>(bulk: Bulk<F>, ranges: ReadonlyArray<Range<F>>): void => {
  bulk.ranges.push(...[...ranges].sort((a, b) => b.from - a.from))
}

/** The backend works, for a record was stored after these had failed: they are tried once more. */
export const accuse = <F extends Failure>(bulk: Bulk<F>): void => {
  const suspects = bulk.suspects.splice(0, bulk.followed)
  bulk.followed = 0
  pushAll(bulk, [...rangesOf(suspects, bulk.most, true), ...bulk.deferred])
  bulk.deferred = []
}

export const beginRound = <F extends Failure>(bulk: Bulk<F>, newcomersFrom: number | undefined): void => {
  bulk.probing = true
  bulk.newcomersFrom = newcomersFrom
  bulk.misses = 0
  bulk.wantsMore = false
}

/** The round has told what it can: what is left is in order again, and waits. */
export const endRound = <F extends Failure>(bulk: Bulk<F>): void => {
  const { deferred, doubts, last, most, newcomersFrom, storedEver, storedSince, suspects } = bulk
  bulk.probing = false
  bulk.repeats = 0
  bulk.suspects = []
  bulk.followed = 0
  bulk.deferred = []
  const isBad = ({ cause }: Suspect<F>): boolean => doubts > 0 && doubts >= doubtsOf(blameOf(cause))
  bulk.bad.push(...suspects.filter(isBad))
  const left = rangesOf(
    suspects.filter((suspect) => !isBad(suspect)),
    most,
    false
  )
  const all = [...bulk.ranges, ...deferred, ...left].sort((a, b) => a.from - b.from)
  bulk.ranges = joined(all, most).reverse()
  if (bulk.ranges.length === 0) return
  bulk.rounds = storedSince ? 1 : bulk.rounds + 1
  bulk.unfinished = bulk.ranges.some(({ suspects }) => suspects === undefined)
  // What failed alone after others were stored needs no newcomer: further rounds of retries show what it is.
  bulk.doubts = storedEver && !bulk.unfinished ? doubts + 1 : 0
  if (bulk.doubts > 0) bulk.repeats = 1
  bulk.failure = last
  // The end of the recorder is not for the first records of a batch to decide.
  const isLast = !bulk.unfinished || bulk.rounds >= fatalRounds
  bulk.stopped = last?.kind === "Fatal" && !storedEver && isLast
  // Newcomers that failed too speak for an outage: more of them would not tell more before the next round.
  bulk.wantsMore = storedEver || newcomersFrom === undefined
}

export const roundIsOver = <F extends Failure>({ misses, most, ranges, rounds }: Bulk<F>): boolean =>
  ranges.length === 0 || misses >= maxMisses(most, rounds)

/**
 * The most records that the next save may hold: what passed, once it is known to be the size; twice as much before, so
 * that a backend which was away for a while is soon as fast as before.
 */
export const sizeLimit = <F extends Failure>({ passed, sizeProven }: Bulk<F>): number =>
  passed === 0 ? Number.POSITIVE_INFINITY : sizeProven ? passed : passed * 2

/** At least one record was stored. */
export const progressed = <F extends Failure>(bulk: Bulk<F>): void => {
  bulk.repeats = 0
  bulk.rounds = 0
  bulk.unfinished = false
  bulk.wantsMore = false
  bulk.storedSince = true
  bulk.storedEver = true
  bulk.doubts = 0
  for (const range of bulk.ranges) range.accused = range.suspects !== undefined
  if (!bulk.probing) return
  bulk.misses = 0
  bulk.followed = bulk.suspects.length
}

/** Whether there is no other record to compare the top one with. */
const isLone = <F extends Failure>({ deferred, ranges, suspects }: Bulk<F>): boolean =>
  ranges.length === 1 && suspects.length + deferred.length === 0

/** The top range has failed in a round: by halves it shows which records are at fault, if any is. */
export const probe = <F extends Failure>(bulk: Bulk<F>, failure: F, blame: Blame): void => {
  if (!bulk.probing) beginRound(bulk, undefined)
  bulk.last = failure
  const { accused, from, suspects, to } = top(bulk)
  bulk.repeats = 0
  const retested = accused || bulk.doubts > 0
  const defers = !bulk.storedSince && to <= (bulk.newcomersFrom ?? 0)
  // What failed before another record was stored is judged now: its failures tell nothing of the backend.
  if (!defers && !retested) bulk.misses++
  // That they failed alone is known: what has not been tried yet tells more.
  if (suspects !== undefined && !retested && (bulk.unfinished || defers)) {
    popFailed(bulk)
    bulk.suspects.push(...suspects)
  } else if (to - from > 1) {
    if (defers) bulk.deferred.push(popFailed(bulk))
    else halve(bulk, blame === "record")
  } else {
    const before = suspects?.[0]?.times ?? 0
    const times = before === 0 || accused ? before + 1 : before
    const suspect: Suspect<F> = { index: from, cause: failure, detail: undefined, times }
    const isBad = blame === "record" ? bulk.storedSince || isLone(bulk) : accused && times >= proofsOf(blame)
    popFailed(bulk)
    if (isBad) bulk.bad.push(suspect)
    else bulk.suspects.push(suspect)
  }
}

/** How often the save is retried as it is, before its range is halved. */
export const retriesOf = <F extends Failure>(bulk: Bulk<F>, { kind, outcome }: F, blame: Blame): number => {
  if (bulk.unfinished) return 0
  if (kind === "Unknown" || bulk.doubts > 0 || bulk.rounds > 0) return unknownRetries
  return blame === "size" && outcome === "Unknown" ? lostRetries : 0
}
