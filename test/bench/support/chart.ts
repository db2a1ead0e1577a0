/** A chart of a report: for each peer a bar, how many times the recorder's cost it costs. Pure text of an SVG. */
import type { Report, ReportRow } from "./report.js"

/** What the chart of the README shows: one measurement for each part. The table has all of them. */
export const headlines = [
  "the caller's cost of a call in bursts of 10000, ns",
  "Postgres: time until committed, µs/record",
  "SQLite, synchronous FULL: time until committed, µs/record",
  "what that adds to a request that is not audited, µs",
  "a cached read that is awaited, ns",
  "an event for one of 100 keys, until its subscriber holds it, ns",
  "a record set in a shared store, in bursts of 1,000, µs",
  "the state of 10,000 rows merged, ms"
]

const width = 860
const left = 330
const right = 120
const rowHeight = 20
const headHeight = 30
const top = 56

const title = "Costs beside the recorder's: above 1x the recorder costs less"

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const times = (ratio: number): string => `${ratio >= 10 ? Math.round(ratio) : ratio.toPrecision(2)}x`

/** A smaller ratio, or one of differences that is below 0, is drawn as this one: the axis is logarithmic. */
const smallest = 0.01

/** Where a ratio is on the logarithmic axis. */
const axisOf = (rows: ReadonlyArray<ReportRow>): ((ratio: number) => number) => {
  const all = rows
    .flatMap(({ ratio }) => (ratio === undefined ? [] : [ratio.low, ratio.high]))
    .concat(1)
    .map((ratio) => Math.max(ratio, smallest))
  const least = Math.log10(Math.min(...all))
  const span = Math.max(Math.log10(Math.max(...all)) - least, 0.1)
  return (ratio) => left + ((Math.log10(Math.max(ratio, smallest)) - least) / span) * (width - left - right)
}

const text = (x: number, y: number, words: string, more = ""): string =>
  `<text x="${x.toFixed(1)}" y="${y}"${more}>${escaped(words)}</text>`

const bar = (row: ReportRow, y: number, at: (ratio: number) => number): ReadonlyArray<string> => {
  const name = text(left - 10, y + 14, row.name, ' text-anchor="end"')
  if (row.ratio === undefined) return []
  const { high, low, median } = row.ratio
  const [one, end] = [at(1), at(median)]
  const color = median < 1 ? "#c2571a" : "#2b6cb0"
  return [
    name,
    `<rect x="${Math.min(one, end).toFixed(1)}" y="${y + 3}" width="${Math.max(Math.abs(end - one), 1).toFixed(1)}" height="14" fill="${color}"/>`,
    `<line x1="${at(low).toFixed(1)}" x2="${at(high).toFixed(1)}" y1="${y + 10}" y2="${y + 10}" stroke="#444"/>`,
    text(Math.max(at(high), one) + 6, y + 14, times(median))
  ]
}

/** Draws the rows that have a ratio, under a heading for each thing that was measured. */
export const chartOf = ({ command, date, load, machine, rounds, rows }: Report): string => {
  const at = axisOf(rows)
  const lines: Array<string> = []
  let y = top
  for (const what of new Set(rows.map((row) => row.what))) {
    const own = rows.filter((row) => row.what === what)
    const recorder = own.find(({ ratio }) => ratio === undefined)
    const beside = recorder === undefined ? "" : ` (${recorder.name}: ${recorder.median})`
    lines.push(text(10, y + 20, `${what}${beside}`, ' font-weight="bold"'))
    y += headHeight
    for (const row of own) {
      const drawn = bar(row, y, at)
      lines.push(...drawn)
      if (drawn.length > 0) y += rowHeight
    }
  }
  const height = y + 20
  const one = at(1).toFixed(1)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12" role="img" aria-labelledby="title">`,
    `<title id="title">${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(10, 20, title, ' font-size="14"'),
    text(
      10,
      40,
      `${command}, ${date}, ${machine}, ${rounds} pairs, load ${load.join(" to ")}. Lines are 95 % intervals.`,
      ' fill="#555"'
    ),
    `<line x1="${one}" x2="${one}" y1="${top}" y2="${height - 12}" stroke="#999" stroke-dasharray="3 3"/>`,
    ...lines,
    "</svg>",
    ""
  ].join("\n")
}
