import { describe, expect, it } from "vitest"
import { chartOf } from "./support/chart.js"
import { type Report, rowsOf } from "./support/report.js"

const samples = { recorder: [10, 20, 10], slow: [100, 400, 100], quick: [5, 10, 5] }
const rows = rowsOf("a burst, ns", "recorder", samples, { quick: "it writes <nothing>" })
const report: Report = {
  command: "npm run bench -- peers",
  date: "2026-11-29",
  machine: "2 cores",
  load: [0.1, 0.9],
  rounds: 3,
  rows
}

describe("the comparison with peers", () => {
  it("pairs each peer with the recorder, and gives the reason where a peer costs less", () => {
    expect(rows).toEqual([
      { what: "a burst, ns", name: "recorder", median: 10, least: 10, most: 20 },
      {
        what: "a burst, ns",
        name: "slow",
        median: 100,
        least: 100,
        most: 400,
        ratio: { median: 10, low: 10, high: 20 }
      },
      {
        what: "a burst, ns",
        name: "quick",
        median: 5,
        least: 5,
        most: 10,
        ratio: { median: 0.5, low: 0.5, high: 0.5 },
        why: "it writes <nothing>"
      }
    ])
    expect(rowsOf("x", "recorder", samples, {}).at(-1)?.why).toBe("not explained yet")
  })

  it("is drawn from its data alone, with the command, the date and the load", () => {
    const chart = chartOf(report)
    expect(chart).toBe(chartOf(JSON.parse(JSON.stringify(report))))
    for (const words of [
      "npm run bench -- peers, 2026-11-29, 2 cores, 3 pairs, load 0.1 to 0.9",
      "10x",
      "0.50x"
    ]) {
      expect(chart).toContain(words)
    }
    expect(chart.match(/<rect [^>]*fill="#(?:2b6cb0|c2571a)"/g)).toHaveLength(2)
    expect(chartOf({ ...report, machine: "<&>" })).toContain("&lt;&amp;&gt;")
    expect(chartOf({ ...report, rows: [] })).toContain("</svg>")
  })
})
