/** The books of a recorder, where a recorder's own tests do not tell two answers apart. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Option } from "effect"
import * as Batches from "../../src/internal/actor/batches.js"
import * as Intake from "../../src/internal/actor/intake.js"
import type { Batch } from "../../src/internal/actor/mailbox.js"
import type * as BatchRun from "../../src/internal/recorder/batchRun.js"
import * as DeadLetters from "../../src/internal/recorder/deadLetters.js"
import type { NotStored } from "../../src/internal/recorder/errors.js"
import * as Settlement from "../../src/internal/recorder/settlement.js"
import { atOnce } from "../../src/internal/slices.js"
import { StorageError } from "../../src/Storage.js"

const nothing = (): void => {}

const failure = new StorageError({ kind: "Poison", outcome: "NotStored", message: "a bad record" })

const batchOf = (items: Array<string>, first: number, sizes?: Array<number>): Batch<string> => ({
  items,
  sizes,
  first,
  openedAt: 0
})

/** A record that cannot be stored, as the runner reports it. */
const isolated = (
  record: string,
  outcome: "NotStored" | "Unknown" = "NotStored"
): DeadLetters.SetAside<string> => ({ record, cause: failure, outcome, at: 0 })

const reasons: { readonly [reason in NotStored["reason"]]?: string } = {
  SetAside: "set aside",
  HandedBack: "handed back",
  OutcomeUnknown: "outcome unknown"
}

const shown = (error: NotStored | undefined): string => {
  if (error === undefined) return "stored"
  const { cause } = error
  return `${reasons[error.reason]}: ${cause instanceof StorageError ? cause.message : cause}`
}

/** A settlement whose control does nothing but note what it was asked, and put batches before the queue. */
const made = ({
  bound,
  limit = 10,
  maxHeld = 10
}: {
  readonly bound?: Intake.Intake<string>["bound"]
  limit?: number
  maxHeld?: number
} = {}) => {
  const more: Array<{ readonly count: number; readonly first: number }> = []
  const settled: Array<{ readonly count: number; readonly bytes: number }> = []
  const intake = Intake.make<string>({
    limit,
    bound,
    now: () => 0,
    monotonic: () => 0,
    events: { work: nothing, crowded: nothing, dropped: nothing, gapOpened: nothing, grown: nothing }
  })
  const batches = Batches.make(intake)
  const control = {
    settle: (count: number, bytes: number) => {
      settled.push({ count, bytes })
    },
    takeMore: () => more.shift() ?? { count: 0, first: 0 },
    requeue: (items: ReadonlyArray<string>, sizes: ReadonlyArray<number> | undefined) =>
      Batches.requeue(batches, items, sizes),
    release: () => Intake.release(intake),
    endReleases: () => Intake.endReleases(intake)
  }
  const settlement = Settlement.make<string>(maxHeld, atOnce)
  /** What was put before the queue. */
  const again = () => batches.requeued.map(({ items, sizes }) => ({ items, sizes }))
  const told: Array<string> = []
  const wait = (position: number) =>
    settlement.receipts.waiting.set(position, (error) => told.push(`${position} ${shown(error)}`))
  return { settlement, control, intake, more, again, settled, told, wait }
}

const ended = (cause?: string): Option.Option<Cause.Cause<unknown>> =>
  Option.map(Option.fromNullable(cause), Cause.fail)

describe("the place of a record in the queue", () => {
  it("is counted from the part that it came with", () => {
    const { control, settlement, more } = made()
    Settlement.startRun(settlement, batchOf(["a", "b", "c"], 10))
    more.push({ count: 2, first: 20 }, { count: 1, first: 30 })
    expect(Settlement.takeMore(settlement, control)).toBe(2)
    settlement.run?.batch.items.push("d", "e")
    expect(Settlement.takeMore(settlement, control)).toBe(1)
    expect([0, 1, 2, 3, 4, 5].map((index) => Settlement.positionOf(settlement, index))).toEqual([
      10, 11, 12, 20, 21, 30
    ])
  })

  it("is that of its own batch: the parts of the one before are forgotten", () => {
    const { control, settlement, more } = made()
    Settlement.startRun(settlement, batchOf(["a"], 10))
    more.push({ count: 1, first: 20 })
    Settlement.takeMore(settlement, control)
    Settlement.startRun(settlement, batchOf(["c", "d"], 30))
    expect([0, 1].map((index) => Settlement.positionOf(settlement, index))).toEqual([30, 31])
  })
})

describe("a batch", () => {
  it("keeps its run, and what was prepared for it", () => {
    const { settlement } = made()
    const batch = batchOf(["a"], 0)
    const prepared = {} as BatchRun.Save
    Settlement.prepare(settlement, batch, () => prepared)
    const run = Settlement.startRun(settlement, batch)
    expect(run.prepared).toBe(prepared)
    expect(Settlement.startRun(settlement, batch)).toBe(run)
  })

  it("has nothing prepared where preparing it failed, or another one was", () => {
    const { settlement } = made()
    const batch = batchOf(["a"], 0)
    Settlement.prepare(settlement, batch, () => {
      throw new Error("cannot be encoded")
    })
    expect(Settlement.startRun(settlement, batch).prepared).toBe(undefined)
    Settlement.prepare(settlement, batchOf(["b"], 1), () => ({}) as BatchRun.Save)
    expect(Settlement.startRun(settlement, batchOf(["c"], 2)).prepared).toBe(undefined)
  })

  it("settles by the sizes of its own records", () => {
    const { control, settlement, settled, told, wait } = made()
    const batch = batchOf(["a", "b", "c"], 5, [1, 20, 300])
    Settlement.startRun(settlement, batch)
    for (const position of [5, 6, 7]) wait(position)
    Settlement.settleStored(settlement, control, batch, 0, 1, 0)
    Settlement.settleStored(settlement, control, batch, 1, 3, 1)
    expect(settled).toEqual([
      { count: 1, bytes: 1 },
      { count: 2, bytes: 320 }
    ])
    expect(told).toEqual(["5 stored", "6 stored", "7 stored"])
    expect(settlement.account).toMatchObject({ stored: 3, duplicates: 1 })
  })
})

describe("a record that cannot be stored", () => {
  it.each([
    {
      sink: "none",
      outcome: "NotStored",
      setAside: 1,
      sinkFailed: 0,
      told: "5 set aside: a bad record"
    },
    {
      sink: "taken",
      outcome: "NotStored",
      setAside: 1,
      sinkFailed: 0,
      told: "5 set aside: a bad record"
    },
    { sink: "failed", outcome: "NotStored", setAside: 0, sinkFailed: 1, told: "5 handed back: " },
    { sink: "failed", outcome: "Unknown", setAside: 0, sinkFailed: 1, told: "5 outcome unknown: " }
  ] as const)("is written down once, with $outcome and a sink that is $sink", (row) => {
    const { control, settlement, intake, settled, told, wait } = made()
    const batch = batchOf(["a", "b"], 4, [1, 20])
    Settlement.startRun(settlement, batch)
    wait(5)
    Settlement.settleBad(settlement, control, batch, 1, isolated("b", row.outcome), row.sink)
    expect(settled).toEqual([{ count: 1, bytes: 20 }])
    expect(intake.released).toBe(0)
    expect(settlement.account).toMatchObject({ setAside: row.setAside, setAsideEvents: row.setAside })
    expect(settlement.account.handedBack).toBe(row.sinkFailed)
    expect(DeadLetters.size(settlement.deadLetters)).toBe(row.sink === "none" ? 1 : 0)
    expect([...DeadLetters.entriesOf(settlement.sinkFailed)]).toEqual(
      row.sinkFailed === 0
        ? []
        : [{ record: "b", reason: "SinkFailed", outcome: row.outcome, cause: Option.some(failure) }]
    )
    expect(told).toEqual([expect.stringContaining(row.told)])
  })
})

describe("what is saved again", () => {
  const bad = ["a", "b", "c", "d"]

  const held = (options: Parameters<typeof made>[0], outcome: "NotStored" | "Unknown" = "NotStored") => {
    const all = made(options)
    const batch = batchOf([...bad], 0, [1, 2, 3, 4])
    Settlement.startRun(all.settlement, batch)
    for (const [index, record] of bad.entries()) {
      Settlement.settleBad(all.settlement, all.control, batch, index, isolated(record, outcome), "none")
    }
    return all
  }

  it("is parted into whole batches, and takes its room as any other", () => {
    const { again, control, settlement } = held({ limit: 2 })
    expect(DeadLetters.size(settlement.deadLetters)).toBe(4)
    expect(Settlement.redrive(settlement, control)).toBe(4)
    expect(again()).toEqual([
      { items: ["a", "b"], sizes: undefined },
      { items: ["c", "d"], sizes: undefined }
    ])
    expect(DeadLetters.size(settlement.deadLetters)).toBe(0)
    expect(settlement.account).toMatchObject({ setAside: 0, setAsideEvents: 4 })
    expect(Settlement.redrive(settlement, control)).toBe(0)
  })

  it("keeps its sizes where a bound asks for sizes", () => {
    const bytes = held({ limit: 3, bound: { overflow: "reject", count: 9, sizeOf: (text) => text.length } })
    Settlement.redrive(bytes.settlement, bytes.control)
    expect(bytes.again().map(({ sizes }) => sizes)).toEqual([[1, 2, 3], [4]])
    const count = held({ limit: 3, bound: { overflow: "reject", count: 9 } })
    Settlement.redrive(count.settlement, count.control)
    expect(count.again().map(({ sizes }) => sizes)).toEqual([undefined, undefined])
  })

  it("waits while another batch is at work", () => {
    const { control, settlement } = held({ limit: 2 }, "Unknown")
    Settlement.redrive(settlement, control)
    Settlement.startRun(settlement, batchOf(["other"], 50))
    const back = Settlement.handBack(settlement, { current: ["other"], queued: bad, cause: ended() })
    expect(back.map(({ outcome, record }) => `${record} ${outcome}`)).toEqual([
      "other NotStored",
      ...bad.map((record) => `${record} Unknown`)
    ])
  })

  it.each(["NotStored", "Unknown"] as const)(
    "is handed back with the outcome %s it had, begun or not",
    (outcome) => {
      for (const begins of [true, false]) {
        const { again, control, settlement } = held({}, outcome)
        Settlement.redrive(settlement, control)
        const batch = settlement.redriven[0]?.batch
        expect(again()).toHaveLength(1)
        if (begins && batch !== undefined) Settlement.startRun(settlement, batch)
        const back = Settlement.handBack(settlement, {
          current: begins ? bad : [],
          queued: begins ? [] : bad,
          cause: ended()
        })
        expect(back).toEqual(
          bad.map((record) => ({ record, reason: "Deadline", outcome, cause: Option.none() }))
        )
      }
    }
  )
})

describe("the end", () => {
  it("fails receipts of a save under way with an unknown outcome, and the others as handed back", () => {
    const { settlement, told, wait } = made()
    const run = Settlement.startRun(settlement, batchOf(["a", "b", "c"], 5))
    for (const position of [5, 6, 7, 9]) wait(position)
    run.saving = { from: 1, to: 2 }
    Settlement.failReceipts(settlement, "the disk is gone")
    expect(told).toEqual([
      "5 handed back: the disk is gone",
      "6 outcome unknown: the disk is gone",
      "7 handed back: the disk is gone",
      "9 handed back: the disk is gone"
    ])
  })

  it("hands back a batch that has not begun, and the queue, with nothing known of them but that", () => {
    const { settlement } = made()
    const back = Settlement.handBack(settlement, { current: ["a"], queued: ["b"], cause: ended() })
    const rest = { reason: "Deadline", outcome: "NotStored", cause: Option.none() }
    expect(back).toEqual([
      { record: "a", ...rest },
      { record: "b", ...rest }
    ])
    expect(settlement.account.handedBack).toBe(2)
  })

  it("hands back what has no outcome yet, and ignores a late answer", () => {
    const { settlement } = made()
    const batch = batchOf(["a", "b", "c"], 0)
    const run = Settlement.startRun(settlement, batch)
    run.saving = { from: 0, to: 2 }
    const back = Settlement.handBack(settlement, {
      current: batch.items,
      queued: [],
      cause: ended("no space")
    })
    const rest = { reason: "Failed", cause: Option.some("no space") }
    expect(back).toEqual([
      { record: "a", outcome: "Unknown", ...rest },
      { record: "b", outcome: "Unknown", ...rest },
      { record: "c", outcome: "NotStored", ...rest }
    ])
    expect(run.isOver).toBe(true)
    // A batch whose fate was told is not told of again.
    expect(Settlement.handBack(settlement, { current: ["x"], queued: [], cause: ended() })).toMatchObject([
      { record: "x", outcome: "NotStored" }
    ])
  })
})
