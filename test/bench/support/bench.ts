/** What a case gets: how often to measure, and where to tell what it found. */
import {
  type Interval,
  intervalOf,
  judge,
  median,
  quantile,
  ratios,
  type Target,
  type Verdict
} from "./statistics.js"

export interface Case {
  readonly name: string
  /** One line: what is compared with what. */
  readonly about: string
  readonly run: (bench: Bench) => Promise<void>
}

/** One line of the summary. */
export interface Finding {
  readonly what: string
  readonly found: string
  readonly target: string
  readonly verdict: Verdict
}

export interface Bench {
  readonly pairs: number
  readonly quick: boolean
  readonly heading: (text: string) => void
  readonly note: (text: string) => void
  /** An absolute figure: the median and the range of the samples. */
  readonly figure: (name: string, samples: ReadonlyArray<number>, unit: string) => void
  /** The ratio of paired samples, with its target if it has one. */
  readonly ratio: (
    what: string,
    over: ReadonlyArray<number>,
    under: ReadonlyArray<number>,
    target?: Target
  ) => void
  /** A figure with a bound of its own, judged by the median of the samples. */
  readonly limit: (what: string, samples: ReadonlyArray<number>, unit: string, target: Target) => void
  readonly findings: ReadonlyArray<Finding>
}

const format = (value: number): string => {
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString("en-US")
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

const targetText = ({ atLeast, atMost }: Target, unit: string): string =>
  [
    ...(atLeast === undefined ? [] : [`at least ${format(atLeast)}${unit}`]),
    ...(atMost === undefined ? [] : [`at most ${format(atMost)}${unit}`])
  ].join(", ")

const intervalText = ({ confidence, high, low }: Interval, unit: string): string =>
  `${format(low)} to ${format(high)}${unit} with ${(confidence * 100).toFixed(1)} %`

export const makeBench = (pairs: number, quick: boolean, print: (line: string) => void): Bench => {
  const findings: Array<Finding> = []
  const find = (what: string, samples: ReadonlyArray<number>, unit: string, target: Target | undefined) => {
    const interval = intervalOf(samples)
    const count = samples.length
    const found = `${format(interval.median)}${unit}${count < 2 ? "" : ` (${intervalText(interval, unit)})`}`
    if (target === undefined) return print(`  ${what}: ${found}`)
    const verdict = judge(interval, target)
    const wanted = targetText(target, unit)
    findings.push({ what, found, target: wanted, verdict })
    print(`  ${what}: ${found}; target ${wanted}: ${verdict}`)
  }
  return {
    pairs,
    quick,
    findings,
    heading: (text) => print(`\n${text}`),
    note: (text) => print(`  ${text}`),
    figure: (name, samples, unit) => {
      const least = Math.min(...samples)
      const most = Math.max(...samples)
      const range = samples.length < 2 ? "" : `  (${format(least)} to ${format(most)})`
      print(`  ${name.padEnd(44)} ${format(median(samples)).padStart(10)} ${unit}${range}`)
    },
    ratio: (what, over, under, target) => find(what, ratios(over, under), "x", target),
    limit: (what, samples, unit, target) => find(what, samples, ` ${unit}`, target)
  }
}

export type Sample = () => number | Promise<number>

/** Frees what earlier samples have left, so that nobody pays for somebody else's garbage. */
export const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("the benchmarks need node --expose-gc")
  globalThis.gc()
}

/** Bytes that each of the entries takes. */
export const bytesEach = async <A>(count: number, make: () => A | Promise<A>): Promise<number> => {
  collect()
  const before = process.memoryUsage().heapUsed
  const made = [await make()]
  collect()
  const bytes = (process.memoryUsage().heapUsed - before) / count
  made.pop()
  return bytes
}

export interface Rounds {
  readonly rounds: number
  /**
   * Into how many parts a sample is cut, 1 by default. The kinds take turns at every part, and a sample is the lower
   * quartile of its parts: what else the machine does can only add to the time of a part. For costs, not for rates.
   */
  readonly parts?: number
  /** Rounds that only warm up, 1 by default. */
  readonly warmUps?: number
  /** Before every round. */
  readonly begin?: () => void
}

/** Takes a sample of each kind in every round. The order alternates: nobody always comes after the same other one. */
export const interleave = async <K extends string>(
  { begin, parts = 1, rounds, warmUps = 1 }: Rounds,
  samples: { readonly [Name in K]: Sample }
): Promise<{ readonly [Name in K]: ReadonlyArray<number> }> => {
  const names = Object.keys(samples) as Array<K>
  const empty = () =>
    Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, Array<number>>
  const results = empty()
  for (let round = -warmUps; round < rounds; round++) {
    begin?.()
    if (parts > 1) collect()
    const found = empty()
    for (let part = 0; part < parts; part++) {
      for (const name of (round + part) % 2 === 0 ? names : [...names].reverse()) {
        if (parts === 1) collect()
        found[name].push(await samples[name]())
      }
    }
    if (round >= 0) for (const name of names) results[name].push(quantile(found[name], 0.25))
  }
  return results
}
