/** Formats the results. */
import type { Recorder } from "effect-recorder"
import type { Load } from "./load.js"

const number = (value: number, digits = 0): string =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })

export const count = (value: number): string => number(value)

export const loadLine = (name: string, { answered, p50, p99, perSecond }: Load): string =>
  `  ${name.padEnd(18)}${number(perSecond).padStart(8)} requests/s   p50 ${number(p50, 1).padStart(5)} ms   ` +
  `p99 ${number(p99, 1).padStart(5)} ms   (${number(answered)} answered)`

/** Returns the mean of several loads. */
export const mean = (loads: ReadonlyArray<Load>): Load => {
  const of = (field: keyof Load) => loads.reduce((sum, load) => sum + load[field], 0)
  const n = loads.length
  const answered = of("answered")
  return {
    answered,
    failed: of("failed"),
    perSecond: of("perSecond") / n,
    p50: of("p50") / n,
    p99: of("p99") / n
  }
}

export const share = (audited: Load, plain: Load): string =>
  `  with auditing the server answers ${number((audited.perSecond / plain.perSecond) * 100)} % of the requests/s without`

/** The account of the recorder: every accepted record has one outcome. */
export const account = (stats: Recorder.Stats): string =>
  `accepted ${stats.accepted} = stored ${stats.stored} + set aside ${stats.setAside} + ` +
  `dropped ${stats.dropped} + handed back ${stats.handedBack}`

export const balances = (stats: Recorder.Stats): boolean =>
  stats.pending === 0 && stats.accepted === stats.stored + stats.setAside + stats.dropped + stats.handedBack

export const batches = (
  stats: Recorder.Stats,
  sizes: { readonly min: number; readonly max: number }
): string =>
  `${number(stats.stored)} records in ${number(stats.saves)} bulk saves of ${number(sizes.min)} to ` +
  `${number(sizes.max)} records, ${number(stats.stored / stats.saves, 1)} on average`
