/**
 * The laws of change logs are tested by logs that break them: each wrong log breaks the laws that are named for it and
 * keeps the others, and each law is broken by one of them at least. So a law that loses its guard fails here, by name.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  type CheckOptions,
  laws,
  leftOutReason,
  type Report,
  run
} from "effect-recorder/testing/ChangeLogLaws"
import { inVirtualTime } from "../support/laws/lawReport.js"
import { states } from "../support/watch/logs.js"
import { right, subjectOf } from "./rightLog.js"
import { wrongLogs } from "./wrongLogs/index.js"
import { wrongIndexes } from "./wrongLogs/keys.js"
import { wrongSeqs } from "./wrongLogs/seqs.js"
import type { WrongLog } from "./wrongLogs/wrong.js"

const options: CheckOptions = { limit: "1 second", samples: 40 }

type State = Parameters<typeof subjectOf>[1]
type Open = Parameters<typeof subjectOf>[2]

/** Against the laws of logs with state and of logs without it. */
const reportsOf = async (name: string, open: Open): Promise<ReadonlyArray<Report>> => {
  const reports: Array<Report> = []
  for (const state of states) reports.push(await inVirtualTime(run(subjectOf(name, state, open), options)))
  return reports
}

/** Against the laws of logs with an index. */
const reportOfIndexed = (name: string, state: State, open: Open): Promise<Report> =>
  inVirtualTime(run(subjectOf(name, state, open, "indexed"), options))

describe("a log that is right", () => {
  it("keeps every law, and none is left out", async () => {
    const reports = [...(await reportsOf("right", (disk, state) => right(disk, state)))]
    for (const state of states) {
      reports.push(await reportOfIndexed("right", state, (disk, state) => right(disk, state, {}, "indexed")))
    }
    expect(reports.flatMap(({ broken }) => broken)).toEqual([])
    const held = new Set(reports.flatMap(({ held }) => held))
    expect(laws.map(({ name }) => name).filter((name) => !held.has(name))).toEqual([])
  })
})

type Law = (typeof laws)[number]
type Group = Law["group"]

/** What a log breaks of some laws, as law and message. */
const brokenOf = (
  some: ReadonlyArray<Law>,
  wrong: WrongLog,
  state: State,
  keys: "indexed" | "none"
): Promise<ReadonlyArray<readonly [law: string, message: string]>> => {
  const subject = subjectOf(wrong.name, state, wrong.open, keys)
  const held = some.filter((law) => leftOutReason(law, subject) === undefined)
  const broken = Effect.forEach(held, ({ check, name }) =>
    Effect.match(check(subject, options), {
      onFailure: ({ message }) => [[name, message] as const],
      onSuccess: () => []
    })
  )
  return inVirtualTime(Effect.map(broken, (all) => all.flat()))
}

const expectBroken = (broken: Awaited<ReturnType<typeof brokenOf>>, { breaks }: WrongLog): void => {
  for (const [law, message] of broken) expect(message, law).toMatch(/^\S.+\. [A-Z].+/s)
  expect([...new Set(broken.map(([law]) => law))].sort()).toEqual(breaks.slice().sort())
}

const lawsOf = (...groups: ReadonlyArray<Group>) => laws.filter(({ group }) => groups.includes(group))

const lawsOfSeqs = lawsOf("seqs")
const lawsOfIndexes = lawsOf("keys", "conditions")
// What is wrong with any log shows in its seqs too.
const otherLaws = laws.filter(({ group }) => group !== "seqs")

/** What a log breaks of some laws with state, and without it. */
const brokenWithStates = async (some: ReadonlyArray<Law>, wrong: WrongLog) => [
  ...(await brokenOf(some, wrong, "latest", "none")),
  ...(await brokenOf(some, wrong, "none", "none"))
]

describe("a wrong log breaks its laws, and keeps the others", () => {
  for (const wrong of wrongLogs) {
    it(wrong.name, async () => expectBroken(await brokenWithStates(otherLaws, wrong), wrong))
  }
})

describe("a log with a wrong index breaks its laws, and keeps the others of the index", () => {
  for (const wrong of wrongIndexes) {
    it(wrong.name, async () => expectBroken(await brokenOf(lawsOfIndexes, wrong, "none", "indexed"), wrong))
  }
})

describe("a log that judges seqs wrongly breaks their laws, and keeps the others of them", () => {
  for (const wrong of wrongSeqs) {
    it(wrong.name, async () => expectBroken(await brokenWithStates(lawsOfSeqs, wrong), wrong))
  }
})

describe("every law of change logs", () => {
  it("is broken by a wrong log", () => {
    const broken = new Set([...wrongLogs, ...wrongIndexes, ...wrongSeqs].flatMap(({ breaks }) => breaks))
    expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([])
  })

  it("has a name of its own, and a statement", () => {
    const names = laws.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { statement } of laws) expect(statement).toMatch(/^[^.]+\.$/)
  })
})
