/** The parts of a batch that have no outcome yet, for the bisection: ranges, and records that failed alone. */

/** The failure of one save, as far as the machine needs it. */
export interface Failure {
  readonly kind: "Transient" | "Poison" | "Fatal" | "Unknown"
  readonly outcome: "NotStored" | "Unknown"
  readonly blame?: Blame | undefined
  readonly stored?: number | undefined
  readonly fits?: number | undefined
  readonly bad?: ReadonlyArray<{ readonly index: number; readonly cause: unknown }> | undefined
}

// Declared again, because this machine imports nothing. `batchRunner` compiles only if it holds what a storage can blame.
/** What a failure may be a matter of; see `StorageError.blame`. */
export type Blame = "record" | "either" | "size" | "backend"

/** Positions `from` (inclusive) to `to` (exclusive) of the batch. */
export interface Range<F extends Failure> {
  from: number
  readonly to: number
  /** A bad record is known to be in it: halve it without a try. */
  knownBad: boolean
  /** The right half of a range that failed by its data, while nothing is known of the left half. */
  rightHalf: boolean
  /** Of each of its records, that it failed alone; none: not all of them did. */
  readonly suspects: ReadonlyArray<Suspect<F>> | undefined
  /** Another record was stored since they failed. */
  retested: boolean
  /** A save that held all of it has failed. */
  tried: boolean
}

/** A record that failed alone. */
export interface Suspect<F extends Failure> {
  readonly index: number
  readonly cause: F
  /** What the storage reported of this very record, if it did. */
  readonly detail: unknown
  /** How often it failed alone, each time after another record was stored. */
  readonly times: number
}

/** What a failure may be a matter of; by default it follows from the kind. */
export const blameOf = ({ blame, kind }: Failure): Blame =>
  blame ?? (kind === "Poison" ? "record" : kind === "Unknown" ? "either" : "backend")

/** A range of which nothing is known. */
export const range = <F extends Failure>(from: number, to: number): Range<F> => ({
  from,
  to,
  knownBad: false,
  rightHalf: false,
  suspects: undefined,
  retested: false,
  tried: false
})

/** Leftmost first. */
export const byIndex = (a: { readonly index: number }, b: { readonly index: number }): number =>
  a.index - b.index

/** Ranges of suspects, in order; neighbours share one. */
export const rangesOf = <F extends Failure>(
  suspects: ReadonlyArray<Suspect<F>>,
  max: number,
  retested: boolean
): Array<Range<F>> => {
  const sorted = [...suspects].sort(byIndex)
  const ranges: Array<Range<F>> = []
  for (let i = 0; i < sorted.length; ) {
    const start = i
    const from = (sorted[i] as Suspect<F>).index
    for (i++; i < sorted.length && i - start < max && sorted[i]?.index === from + i - start; ) i++
    ranges.push({ ...range(from, from + i - start), suspects: sorted.slice(start, i), retested, tried: true })
  }
  return ranges
}

/** Neighbours that have not failed alone are one range again. `ranges` are in order. */
export const joined = <F extends Failure>(ranges: ReadonlyArray<Range<F>>, max: number): Array<Range<F>> => {
  const result: Array<Range<F>> = []
  for (const { from, suspects, to, tried } of ranges) {
    const before = result[result.length - 1]
    const joins = before?.to === from && before.suspects === undefined && suspects === undefined
    if (before !== undefined && joins && tried === before.tried && to - before.from <= max) {
      result[result.length - 1] = { ...range(before.from, to), tried }
    } else result.push({ ...range(from, to), suspects, tried })
  }
  return result
}
