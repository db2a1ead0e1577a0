/** What each part of the comparison with peers has in common. */
import { type Bench, interleave } from "../support/bench.js"
import { type Reasons, type ReportRow, rowsOf } from "../support/report.js"

export interface Comparison {
  readonly bench: Bench
  readonly rounds: number
  readonly rows: Array<ReportRow>
}

/** The name of what the peers are compared with. */
export const recorderName = "Recorder"

/** The samples of one measurement, by name. */
export type Found = { readonly [name: string]: ReadonlyArray<number> }

/** Prints samples of costs with their ratios, and notes them. */
export const note = (
  { bench, rows }: Comparison,
  what: string,
  found: Found,
  reasons: Reasons,
  own = recorderName
): void => {
  bench.heading(what)
  const added = rowsOf(what, own, found, reasons)
  for (const row of added) {
    bench.figure(row.name, found[row.name] ?? [], "")
    const { ratio, why } = row
    if (ratio === undefined) continue
    const beside = why === undefined ? "" : `; it is ahead: ${why}`
    bench.note(`  ${ratio.median}x of ${own} (${ratio.low} to ${ratio.high})${beside}`)
  }
  rows.push(...added)
}

/** Takes samples of costs in turn, and notes them. */
export const compare = async (
  comparison: Comparison,
  what: string,
  samples: { readonly [name: string]: () => number | Promise<number> },
  reasons: Reasons,
  own = recorderName
): Promise<Found> => {
  const found = await interleave({ rounds: comparison.rounds }, samples)
  note(comparison, what, found, reasons, own)
  return found
}

/** Microseconds of processor time of this process for each of so many records. */
export const cpuOf = async (count: number, work: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { system, user } = process.cpuUsage(before)
  return (system + user) / count
}
