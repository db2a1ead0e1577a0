import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { chartOf, headlines } from "./support/chart.js"
import { only, placed, type Report, rowsOf, tableOf } from "./support/report.js"

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

  it("is a table at the place of a page, which a second run replaces", () => {
    const page = "# Results\n\n<!-- of results.json -->\n<!-- end -->\n\nMore.\n"
    const first = placed(page, tableOf(report))
    for (const words of [
      "Command: `npm run bench -- peers`, 2 cores, 2026-11-29, 3 interleaved pairs, load 0.1 to 0.9.",
      "| a burst, ns | slow | 100 (100 to 400) | 10x (10 to 20) |  |",
      "| a burst, ns | quick | 5 (5 to 10) | 0.5x (0.5 to 0.5) | it writes <nothing> |",
      "\n\nMore.\n"
    ]) {
      expect(first).toContain(words)
    }
    expect(placed(first, tableOf(report))).toBe(first)
    expect(placed(first, tableOf(only(report, [])))).not.toContain("slow")
    expect(() => placed("# Results", "")).toThrow("has no place")
  })

  it("is in the repository as it is made of the data there", () => {
    const here = path.dirname(fileURLToPath(import.meta.url))
    const read = (name: string) => fs.readFileSync(path.join(here, name), "utf8")
    const kept: Report = JSON.parse(read("peers/results.json"))
    expect(read("peers/chart.svg")).toBe(chartOf(only(kept, headlines)))
    // The formatter aligns the columns.
    const unaligned = (page: string) => page.replace(/ +/g, " ").replace(/-+/g, "-")
    const page = read("RESULTS.md")
    expect(unaligned(page)).toBe(unaligned(placed(page, tableOf(kept))))
  })
})
