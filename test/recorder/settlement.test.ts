/** The books of a recorder, where a recorder's own tests do not tell two answers apart. */
import { describe, expect, it } from "@effect/vitest"
import { Option } from "effect"
import * as Intake from "../../src/internal/actor/intake.js"
import type { Batch } from "../../src/internal/actor/mailbox.js"
import type * as Saver from "../../src/internal/recorder/batchRun.js"
import type * as Bulk from "../../src/internal/recorder/bisection.js"
import * as Held from "../../src/internal/recorder/deadLetters.js"
import * as Book from "../../src/internal/recorder/settlement.js"

type Failure = Bulk.Failure & { readonly why: string }

const nothing = (): void => {}

const failure: Failure = { kind: "Poison", outcome: "NotStored", why: "a bad record" }

const batchOf = (items: Array<string>, first: number, sizes?: Array<number>): Batch<string> => ({
  items,
  sizes,
  first,
  openedAt: 0
})

/** What was isolated, as the saver tells it. */
const isolated = (
  record: string,
  index: number,
  outcome: "NotStored" | "Unknown" = "NotStored"
): Saver.Isolated<string, Failure> => ({ index, record, cause: failure, outcome, at: 0 })

/** A book whose control does nothing but say what it was asked. */
const made = ({
  bound,
  limit = 10,
  maxHeld = 10
}: {
  readonly bound?: Intake.Intake<string>["bound"]
  limit?: number
  maxHeld?: number
} = {}) => {
  const time = { now: 0 }
  const more: Array<{ readonly count: number; readonly first: number }> = []
  const again: Array<{
    readonly items: ReadonlyArray<string>
    readonly sizes: ReadonlyArray<number> | undefined
  }> = []
  const settled: Array<{ readonly count: number; readonly bytes: number }> = []
  const intake = Intake.make<string>({
    limit,
    bound,
    now: () => 0,
    monotonic: () => time.now,
    events: { work: nothing, full: nothing, dropped: nothing, gapOpened: nothing, grown: nothing }
  })
  const book = Book.make<string, Failure, string>(
    {
      intake,
      settle: (count, bytes) => settled.push({ count, bytes }),
      takeMore: () => more.shift() ?? { count: 0, first: 0 },
      requeue: (items, sizes) => {
        again.push({ items: [...items], sizes })
        return batchOf(items, intake.mailbox.next, sizes)
      }
    },
    {
      setAside: ({ why }) => `set aside: ${why}`,
      handedBack: (cause) => `handed back: ${cause}`,
      outcomeUnknown: (cause) => `outcome unknown: ${cause}`
    },
    maxHeld
  )
  const told: Array<string> = []
  const wait = (position: number) =>
    book.receipts.waiting.set(position, (error) => told.push(`${position} ${error ?? "stored"}`))
  return { book, intake, more, again, settled, told, wait, time }
}

const ended = (cause?: string): Book.Rest<string>["cause"] =>
  Option.map(Option.fromNullable(cause), (error) => ({ _tag: "Fail", error }) as never)

describe("the place of a record in the queue", () => {
  it("is counted from the part that it came with", () => {
    const { book, more } = made()
    Book.runOf(book, batchOf(["a", "b", "c"], 10))
    more.push({ count: 2, first: 20 }, { count: 1, first: 30 })
    expect(Book.extend(book)).toBe(2)
    book.run?.batch.items.push("d", "e")
    expect(Book.extend(book)).toBe(1)
    expect([0, 1, 2, 3, 4, 5].map((index) => Book.positionOf(book, index))).toEqual([10, 11, 12, 20, 21, 30])
  })

  it("is that of its own batch: the parts of the one before are forgotten", () => {
    const { book, more } = made()
    Book.runOf(book, batchOf(["a"], 10))
    more.push({ count: 1, first: 20 })
    Book.extend(book)
    Book.runOf(book, batchOf(["c", "d"], 30))
    expect([0, 1].map((index) => Book.positionOf(book, index))).toEqual([30, 31])
  })
})

describe("a batch", () => {
  it("keeps its run, and what was prepared for it", () => {
    const { book } = made()
    const batch = batchOf(["a"], 0)
    const prepared = {} as Saver.Save
    Book.prepare(book, batch, () => prepared)
    const run = Book.runOf(book, batch)
    expect(run.prepared).toBe(prepared)
    expect(Book.runOf(book, batch)).toBe(run)
  })

  it("has nothing prepared where preparing it failed, or another one was", () => {
    const { book } = made()
    const batch = batchOf(["a"], 0)
    Book.prepare(book, batch, () => {
      throw new Error("cannot be encoded")
    })
    expect(Book.runOf(book, batch).prepared).toBe(undefined)
    Book.prepare(book, batchOf(["b"], 1), () => ({}) as Saver.Save)
    expect(Book.runOf(book, batchOf(["c"], 2)).prepared).toBe(undefined)
  })

  it("settles by the sizes of its own records", () => {
    const { book, settled, told, wait } = made()
    const batch = batchOf(["a", "b", "c"], 5, [1, 20, 300])
    Book.runOf(book, batch)
    for (const position of [5, 6, 7]) wait(position)
    Book.stored(book, batch, 1, 3, 1)
    expect(settled).toEqual([{ count: 2, bytes: 320 }])
    expect(told).toEqual(["6 stored", "7 stored"])
    expect(book.ledger).toMatchObject({ stored: 2, duplicates: 1 })
  })
})

describe("a record that cannot be stored", () => {
  it.each([
    {
      sink: "none",
      outcome: "NotStored",
      setAside: 1,
      unsunk: 0,
      told: "5 set aside: a bad record"
    },
    {
      sink: "taken",
      outcome: "NotStored",
      setAside: 1,
      unsunk: 0,
      told: "5 set aside: a bad record"
    },
    { sink: "failed", outcome: "NotStored", setAside: 0, unsunk: 1, told: "5 handed back: " },
    { sink: "failed", outcome: "Unknown", setAside: 0, unsunk: 1, told: "5 outcome unknown: " }
  ] as const)("is written down once, with $outcome and a sink that is $sink", (row) => {
    const { book, intake, settled, told, wait } = made()
    const batch = batchOf(["a", "b"], 4, [1, 20])
    Book.runOf(book, batch)
    wait(5)
    Book.isolated(book, batch, isolated("b", 1, row.outcome), row.sink)
    expect(settled).toEqual([{ count: 1, bytes: 20 }])
    expect(intake.released).toBe(0)
    expect(book.ledger).toMatchObject({ setAside: row.setAside, setAsideEvents: row.setAside })
    expect(book.ledger.handedBack).toBe(row.unsunk)
    expect(Held.size(book.held)).toBe(row.sink === "none" ? 1 : 0)
    expect([...Held.entriesOf(book.unsunk)]).toEqual(
      row.unsunk === 0
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
    Book.runOf(all.book, batch)
    for (const [index, record] of bad.entries()) {
      Book.isolated(all.book, batch, isolated(record, index, outcome), "none")
    }
    return all
  }

  it("is parted into whole batches, and takes its room as any other", () => {
    const { again, book } = held({ limit: 2 })
    expect(Held.size(book.held)).toBe(4)
    expect(Book.redrive(book)).toBe(4)
    expect(again).toEqual([
      { items: ["a", "b"], sizes: undefined },
      { items: ["c", "d"], sizes: undefined }
    ])
    expect(Held.size(book.held)).toBe(0)
    expect(book.ledger).toMatchObject({ setAside: 0, setAsideEvents: 4 })
    expect(Book.redrive(book)).toBe(0)
  })

  it("keeps its sizes where a bound asks for sizes", () => {
    const bytes = held({ limit: 3, bound: { overflow: "reject", count: 9, sizeOf: (text) => text.length } })
    Book.redrive(bytes.book)
    expect(bytes.again.map(({ sizes }) => sizes)).toEqual([[1, 2, 3], [4]])
    const count = held({ limit: 3, bound: { overflow: "reject", count: 9 } })
    Book.redrive(count.book)
    expect(count.again.map(({ sizes }) => sizes)).toEqual([undefined, undefined])
  })

  it("waits while another batch is at work", () => {
    const { book } = held({ limit: 2 }, "Unknown")
    Book.redrive(book)
    Book.runOf(book, batchOf(["other"], 50))
    const back = Book.handBack(book, { current: ["other"], queued: bad, cause: ended() })
    expect(back.map(({ outcome, record }) => `${record} ${outcome}`)).toEqual([
      "other NotStored",
      ...bad.map((record) => `${record} Unknown`)
    ])
  })

  it.each(["NotStored", "Unknown"] as const)(
    "is handed back with the outcome %s it had, begun or not",
    (outcome) => {
      for (const begins of [true, false]) {
        const { again, book } = held({}, outcome)
        Book.redrive(book)
        const batch = book.redriven[0]?.batch
        expect(again).toHaveLength(1)
        if (begins && batch !== undefined) Book.runOf(book, batch)
        const back = Book.handBack(book, {
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
  it("tells who waits for a record in a save that its outcome is unknown, and the others that theirs came back", () => {
    const { book, told, wait } = made()
    const run = Book.runOf(book, batchOf(["a", "b", "c"], 5))
    for (const position of [5, 6, 7, 9]) wait(position)
    run.saving = { from: 1, to: 2 }
    Book.failWaiters(book, "the disk is gone")
    expect(told).toEqual([
      "5 handed back: the disk is gone",
      "6 outcome unknown: the disk is gone",
      "7 handed back: the disk is gone",
      "9 handed back: the disk is gone"
    ])
  })

  it("hands back a batch that has not begun, and the queue, with nothing known of them but that", () => {
    const { book } = made()
    const back = Book.handBack(book, { current: ["a"], queued: ["b"], cause: ended() })
    const rest = { reason: "Deadline", outcome: "NotStored", cause: Option.none() }
    expect(back).toEqual([
      { record: "a", ...rest },
      { record: "b", ...rest }
    ])
    expect(book.ledger.handedBack).toBe(2)
  })

  it("hands back what has no outcome yet, and hears no late answer", () => {
    const { book } = made()
    const batch = batchOf(["a", "b", "c"], 0)
    const run = Book.runOf(book, batch)
    run.saving = { from: 0, to: 2 }
    const back = Book.handBack(book, { current: batch.items, queued: [], cause: ended("no space") })
    const rest = { reason: "Failed", cause: Option.some("no space") }
    expect(back).toEqual([
      { record: "a", outcome: "Unknown", ...rest },
      { record: "b", outcome: "Unknown", ...rest },
      { record: "c", outcome: "NotStored", ...rest }
    ])
    expect(run.over).toBe(true)
    // A batch whose fate was told is not told of again.
    expect(Book.handBack(book, { current: ["x"], queued: [], cause: ended() })).toMatchObject([
      { record: "x", outcome: "NotStored" }
    ])
  })
})
