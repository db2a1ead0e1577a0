/** Rows of a comparison as data, which are kept beside the chart that is made of them. */
import { intervalOf, ratios } from "./statistics.js"

/** What was measured of one peer, for one amount of work. */
export interface ReportRow {
  /** What was measured, with its unit. */
  readonly what: string
  readonly name: string
  readonly median: number
  readonly least: number
  readonly most: number
  /** Its cost by that of the recorder in the same round: above 1 the recorder costs less. None of the recorder itself. */
  readonly ratio?: { readonly median: number; readonly low: number; readonly high: number }
  /** Why the peer costs less, where it does. */
  readonly why?: string
}

export interface Report {
  readonly command: string
  readonly date: string
  readonly machine: string
  /** The load of the machine over a minute, before and after. */
  readonly load: readonly [before: number, after: number]
  readonly rounds: number
  readonly rows: ReadonlyArray<ReportRow>
}

/** What is known of why a peer may cost less: it does less. */
export type Reasons = { readonly [name: string]: string }

const round = (value: number): number => Number(value.toPrecision(4))

/** The rows of one measurement, of which the samples are costs. The recorder's are under its own name. */
export const rowsOf = (
  what: string,
  recorder: string,
  samples: { readonly [name: string]: ReadonlyArray<number> },
  reasons: Reasons
): ReadonlyArray<ReportRow> => {
  const own = samples[recorder] ?? []
  return Object.entries(samples).map(([name, found]): ReportRow => {
    const { median } = intervalOf(found)
    const row = {
      what,
      name,
      median: round(median),
      least: round(Math.min(...found)),
      most: round(Math.max(...found))
    }
    if (name === recorder) return row
    const interval = intervalOf(ratios(found, own))
    const ratio = { median: round(interval.median), low: round(interval.low), high: round(interval.high) }
    const why = ratio.median < 1 ? { why: reasons[name] ?? "not explained yet" } : {}
    return { ...row, ratio, ...why }
  })
}

/** The report of these measurements alone. */
export const only = (report: Report, whats: ReadonlyArray<string>): Report => ({
  ...report,
  rows: report.rows.filter(({ what }) => whats.includes(what))
})

const cells = (row: ReportRow): ReadonlyArray<string> => {
  const { least, median, most, name, ratio, why, what } = row
  const beside = ratio === undefined ? "" : `${ratio.median}x (${ratio.low} to ${ratio.high})`
  return [what, name, `${median} (${least} to ${most})`, beside, why ?? ""]
}

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** The rows as a table of Markdown, with the command and the date. */
export const tableOf = (report: Report): string => {
  const { command, date, load, machine, rounds, rows } = report
  const head = [
    "what",
    "",
    "cost (least to most)",
    "to the first without a ratio",
    "why it is ahead, where it is"
  ]
  return [
    `Command: \`${command}\`, ${machine}, ${date}, ${rounds} interleaved pairs, load ${load.join(" to ")}.`,
    "",
    line(head),
    line(head.map(() => "---")),
    ...rows.map((row) => line(cells(row)))
  ].join("\n")
}

const opens = "<!-- of results.json -->"
const closes = "<!-- end -->"

/** The page with this table at its place. */
export const placed = (page: string, table: string): string => {
  const [from, to] = [page.indexOf(opens), page.indexOf(closes)]
  if (from < 0 || to < from) throw new Error(`the page has no place between ${opens} and ${closes}`)
  return `${page.slice(0, from + opens.length)}\n\n${table}\n\n${page.slice(to)}`
}
