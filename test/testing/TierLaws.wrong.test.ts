/**
 * The laws of tiers are tested by tiers that break them: each wrong tier breaks the laws that are named for it and keeps
 * the others of their groups, and each law is broken by one of them at least. So a law that loses its guard fails here, by name.
 */
import { describe, expect, it } from "@effect/vitest"
import { type CheckOptions, laws, leftOutReason, type Report, run } from "effect-recorder/testing/TierLaws"
import type * as Tier from "../../src/Tier.js"
import { brokenOf } from "../support/laws/brokenLaws.js"
import { inVirtualTime } from "../support/laws/lawReport.js"
import { type Disk, right, subjectOf } from "./rightTier.js"
import { wrongTiers } from "./wrongTiers/index.js"

const options: CheckOptions = { limit: "1 second", samples: 20 }

const reportOf = (name: string, open: (disk: Disk) => Tier.Tier): Promise<Report> =>
  inVirtualTime(run(subjectOf(name, open), options))

describe("a tier that is right", () => {
  it("keeps every law, and none is left out", async () => {
    const { broken, held, leftOut } = await reportOf("right", (disk) => right(disk))
    expect(broken).toEqual([])
    expect(leftOut).toEqual([])
    expect(held).toEqual(laws.map(({ name }) => name))
  })
})

describe("a wrong tier breaks its laws, and keeps the others of their groups", () => {
  for (const wrong of wrongTiers) {
    it(wrong.name, async () => {
      const subject = subjectOf(wrong.name, wrong.open)
      const broken = await brokenOf(laws, wrong.breaks, (law) => law.check(subject, options))
      expect(broken).toEqual(wrong.breaks.slice().sort())
    })
  }
})

describe("every law of tiers", () => {
  it("is broken by a wrong tier", () => {
    const broken = new Set(wrongTiers.flatMap(({ breaks }) => breaks))
    expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([])
  })

  it("has a name of its own, and a statement", () => {
    const names = laws.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { statement } of laws) expect(statement).toMatch(/^[^.]+(\.\w[^.]*)*\.$/)
  })

  it("is left out for a tier that lacks what it needs, with the reason", () => {
    const capabilities = { order: "ignored", ttl: "ignored", faults: "none" } as const
    const lacking = { ...subjectOf("lacking", (disk) => right(disk)), capabilities }
    const reasons = laws.flatMap((law) => leftOutReason(law, lacking) ?? [])
    expect(new Set(reasons)).toEqual(
      new Set([
        "the tier does not compare the order of entries",
        "the tier gives up nothing after its ttl",
        "the place cannot be made to fail"
      ])
    )
  })
})
