/**
 * The laws are tested by storages that break them: each wrong storage breaks the law that is named for it and keeps
 * the others of its group, and each law is broken by one of them at least. So a law that loses its guard
 * fails here, by name.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  type CheckOptions,
  laws,
  leftOutReason,
  type Report,
  run,
  type Subject
} from "effect-recorder/testing/StorageLaws"
import { brokenOf } from "../support/laws/brokenLaws.js"
import { inVirtualTime } from "../support/laws/lawReport.js"
import { wrongStorages } from "./wrong/index.js"
import { right, subjectOf } from "./wrong/right.js"

const options: CheckOptions = { limit: "1 second", samples: 40 }

const reportOf = <Record, Query>(subject: Subject<Record, Query>): Promise<Report> =>
  inVirtualTime(run(subject, options))

const rightly = subjectOf({ name: "right", open: (disk) => Effect.sync(() => right(disk)) })

describe("a storage that is right", () => {
  it("keeps every law, and none is left out", async () => {
    const { broken, held, leftOut } = await reportOf(rightly)
    expect(broken).toEqual([])
    expect(leftOut).toEqual([])
    expect(held).toEqual(laws.map(({ name }) => name))
  })
})

describe("a wrong storage breaks its laws, and keeps the others of their groups", () => {
  for (const wrong of wrongStorages) {
    it(wrong.name, async () => {
      const broken = await brokenOf(laws, wrong.breaks, (law) => law.check(subjectOf(wrong), options))
      expect(broken).toEqual(wrong.breaks.slice().sort())
    })
  }
})

describe("every law", () => {
  it("is broken by a wrong storage", () => {
    const broken = new Set(wrongStorages.flatMap(({ breaks }) => breaks))
    expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([])
  })

  it("has a name of its own, a statement, and is one of at least 40", () => {
    const names = laws.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.length).toBeGreaterThanOrEqual(40)
    for (const { statement } of laws) expect(statement).toMatch(/^[^.]+(\.\w[^.]*)*\.$/)
  })

  it("needs only what a subject can have", () => {
    expect(laws.map((law) => leftOutReason(law, rightly)).filter((reason) => reason !== undefined)).toEqual(
      []
    )
  })
})
