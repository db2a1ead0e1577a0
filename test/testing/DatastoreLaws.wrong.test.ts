/**
 * The laws of permanent stores are tested by backends that break them: each wrong backend breaks the laws that are named
 * for it and keeps the others of their groups, and each law is broken by one of them at least. So a law that loses its
 * guard fails here, by name.
 */
import { describe, expect, it } from "@effect/vitest"
import { type CheckOptions, laws, leftOutReason, run } from "effect-recorder/testing/DatastoreLaws"
import { brokenOf } from "../support/laws/brokenLaws.js"
import { inVirtualTime } from "../support/laws/lawReport.js"
import { right, subjectOf } from "./rightBackend.js"
import { wrongBackends } from "./wrongBackends/index.js"

const options: CheckOptions = { limit: "1 second", samples: 10 }

describe("a backend that is right", () => {
  it("keeps every law, and none is left out", async () => {
    const { broken, held, leftOut } = await inVirtualTime(run(subjectOf("right", right), options))
    expect(broken).toEqual([])
    expect(leftOut).toEqual([])
    expect(held).toEqual(laws.map(({ name }) => name))
  })
})

describe("a wrong backend breaks its laws, and keeps the others of their groups", () => {
  for (const wrong of wrongBackends) {
    it(wrong.name, async () => {
      const subject = subjectOf(wrong.name, wrong.open)
      const broken = await brokenOf(laws, wrong.breaks, (law) => law.check(subject, options))
      expect(broken).toEqual(wrong.breaks.slice().sort())
    })
  }
})

describe("every law of permanent stores", () => {
  it("is broken by a wrong backend", () => {
    const broken = new Set(wrongBackends.flatMap(({ breaks }) => breaks))
    expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([])
  })

  it("has a name of its own, and a statement", () => {
    const names = laws.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { statement } of laws) expect(statement).toMatch(/^[^.]+(\.\w[^.]*)*\.$/)
  })

  it("is left out for a backend that lacks what it needs, with the reason", () => {
    const lacking = { ...subjectOf("lacking", right), capabilities: { faults: "none" } } as const
    const reasons = laws.flatMap((law) => leftOutReason(law, lacking) ?? [])
    expect(reasons.sort()).toEqual([
      "the place cannot be made to fail",
      "the place cannot let more than a day pass",
      "the place cannot let more than a day pass"
    ])
  })
})
