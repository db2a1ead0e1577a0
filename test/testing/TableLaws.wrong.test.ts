/**
 * The laws of tables are tested by tables that break them: each wrong table breaks the laws that are named for it, and
 * keeps the others of their groups. Each law is broken by one of them at least. So a law that loses its guard fails here.
 */
import { describe, expect, it } from "@effect/vitest"
import { type CheckOptions, laws, leftOutReason, run } from "effect-recorder/testing/TableLaws"
import { brokenOf } from "../support/laws/brokenLaws.js"
import { inVirtualTime } from "../support/laws/lawReport.js"
import { wrongTables } from "./wrongTables/index.js"
import { subjectOf } from "./wrongTables/right.js"

const options: CheckOptions = { limit: "1 second", samples: 40 }

describe("a table that is right", () => {
  it("keeps every law, and none is left out", async () => {
    const { broken, held, leftOut } = await inVirtualTime(run(subjectOf({}), options))
    expect(broken).toEqual([])
    expect(leftOut).toEqual([])
    expect(held).toEqual(laws.map(({ name }) => name))
  })
})

describe("a wrong table breaks its laws, and keeps the others of their groups", () => {
  for (const wrong of wrongTables) {
    it(wrong.name, async () => {
      const broken = await brokenOf(laws, wrong.breaks, (law) => law.check(subjectOf(wrong), options))
      expect(broken).toEqual(wrong.breaks.slice().sort())
    })
  }
})

describe("every law of tables", () => {
  it("is broken by a wrong table", () => {
    const broken = new Set(wrongTables.flatMap(({ breaks }) => breaks))
    expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([])
  })

  it("has a name and a number of its own, and needs only what a subject can have", () => {
    expect(new Set(laws.map(({ name }) => name)).size).toBe(laws.length)
    expect(laws.map(({ id }) => id)).toEqual(laws.map((_, at) => `B${at + 1}`))
    expect(
      laws.map((law) => leftOutReason(law, subjectOf({}))).filter((reason) => reason !== undefined)
    ).toEqual([])
  })
})
