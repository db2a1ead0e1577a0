/** What a list shows of staged writes: where rows come and go, and what stays unknown. */
import { describe, expect, it } from "@effect/vitest"
import type { CheckedWrite } from "../../src/internal/columns/checkWrite.js"
import { applyToList, applyToRow, open, rowsOf } from "../../src/internal/liveTable/pendingLists.js"
import { Query } from "../../src/Storage.js"
import {
  answerOf,
  type Columns,
  checked,
  columns,
  stateOf,
  type TestRow
} from "../support/liveTable/changes.js"

const row = (id: string, n: number, ok = true): TestRow => ({ id, n, name: "a", ok, note: null })

/** Rows b to g, whose n are 10 to 60; g is not ok. */
const table = stateOf([..."bcdefg"].map((id, at) => row(id, (at + 1) * 10, id !== "g")))

const isOk = Query.eq("ok", true)
const page = { where: isOk, orderBy: [Query.asc("n")] } satisfies Query<Columns>

/** The ids of a list with writes applied to it. */
const shown = (query: Query<Columns>, ...writes: ReadonlyArray<CheckedWrite>): string => {
  const selecting = checked(query)
  const view = open(columns, "id", selecting, answerOf(selecting, table), (id) => table.get(String(id)))
  return rowsOf(writes.reduce(applyToList, view))
    .map(({ id }) => id)
    .join("")
}

const insert = (row: TestRow): CheckedWrite => ({ _tag: "Insert", row })
const patch = (id: string, fields: Partial<TestRow>): CheckedWrite => ({ _tag: "Patch", id, fields })
const remove = (id: string): CheckedWrite => ({ _tag: "Delete", id })
const deleteAll: CheckedWrite = { _tag: "DeleteAll" }

describe("a list with staged writes", () => {
  it("has inserted rows in their places, if they meet its condition", () => {
    expect(shown(page, insert(row("x", 25)), insert(row("y", 99)), insert(row("z", 5, false)))).toBe(
      "bcxdefy"
    )
  })

  it("takes a row that it would hold, and does not, for gone, whatever is known of it from before", () => {
    const selecting = checked(page)
    // The memory knows d as it was before the list was read.
    const rows = answerOf(selecting, table).filter(({ id }) => id !== "d")
    const view = open(columns, "id", selecting, rows, (id) => table.get(String(id)))
    const shownAfter = (write: CheckedWrite) =>
      rowsOf(applyToList(view, write))
        .map(({ id }) => id)
        .join("")
    expect(shownAfter(insert(row("d", 35)))).toBe("bcdef")
    expect(shownAfter(patch("d", { n: 35 }))).toBe("bcef")
    // It would not hold g.
    expect(shownAfter(patch("g", { ok: true }))).toBe("bcefg")
  })

  it("keeps a row that is there when one with its id is inserted", () => {
    expect(shown(page, insert(row("d", 99)))).toBe("bcdef")
  })

  it("moves rows by the columns that are set, in and out", () => {
    expect(shown(page, patch("c", { n: 45 }))).toBe("bdecf")
    expect(shown(page, patch("c", { ok: false }))).toBe("bdef")
    expect(shown(page, patch("g", { ok: true, n: 1 }))).toBe("gbcdef")
  })

  it("applies later fields to what earlier ones left", () => {
    expect(shown(page, patch("g", { n: 15 }), patch("g", { ok: true }))).toBe("bgcdef")
    expect(shown(page, insert(row("x", 25)), patch("x", { n: 99 }), patch("b", { n: 70 }))).toBe("cdefbx")
    expect(shown(page, remove("c"), patch("c", { n: 1 }), insert(row("c", 35)))).toBe("bdcef")
  })

  it("leaves out what the master would refuse", () => {
    expect(
      shown(page, patch("nope", { n: 1 }), {
        ...patch("b", { n: 99 }),
        when: { op: "isNull", column: "n" }
      } as CheckedWrite)
    ).toBe("bcdef")
  })

  it("shows no more than its limit, and what was moved out comes back", () => {
    const three = { ...page, limit: 3 }
    expect(shown(three, insert(row("x", 15)))).toBe("bxc")
    expect(shown(three, insert(row("x", 15)), remove("b"))).toBe("xcd")
    expect(shown(three, insert(row("x", 15)), remove("x"))).toBe("bcd")
  })

  it("shows nothing from behind a closed page, where others may be", () => {
    const three = { ...page, limit: 3 }
    expect(shown(three, insert(row("x", 45)), remove("b"))).toBe("cd")
    expect(shown(three, patch("b", { n: 99 }))).toBe("cd")
    expect(shown({ ...page, limit: 6 }, insert(row("x", 99)))).toBe("bcdefx")
  })

  it("shows nothing at or before the place that it begins behind", () => {
    expect(
      shown({ ...page, limit: 2, after: { id: "c", n: 20 } }, insert(row("x", 15)), insert(row("y", 25)))
    ).toBe("yd")
  })

  it("by its number keeps the rows that it began with, whatever comes before it", () => {
    const second = { ...page, limit: 2, page: 2 }
    expect(shown(second, insert(row("x", 5)), remove("b"))).toBe("de")
    expect(shown(second, insert(row("x", 35)))).toBe("dx")
    expect(shown({ ...page, limit: 5, page: 2 }, insert(row("x", 99)))).toBe("")
  })

  it("has what is written after all was deleted", () => {
    expect(shown({ ...page, limit: 2 }, deleteAll)).toBe("")
    expect(shown({ ...page, limit: 2 }, deleteAll, patch("b", { n: 1 }), insert(row("x", 99)))).toBe("x")
    expect(shown({ ...page, limit: 2, page: 2 }, deleteAll, insert(row("x", 99)))).toBe("")
  })

  it("of no rows, as it was asked for, has none", () => {
    expect(shown({ ...page, limit: 0 }, insert(row("x", 1)))).toBe("")
  })
})

describe("a row with staged writes", () => {
  const apply = applyToRow(columns, "id", "b")

  it("has the fields that were set, and the others of its base", () => {
    expect(apply(row("b", 10), patch("b", { ok: false }))).toEqual(row("b", 10, false))
    expect(apply(undefined, insert(row("b", 1)))).toEqual(row("b", 1))
    expect(apply(undefined, patch("b", { n: 1 }))).toBe(undefined)
  })

  it("is gone when it is deleted, or all are", () => {
    expect(apply(row("b", 10), remove("b"))).toBe(undefined)
    expect(apply(row("b", 10), deleteAll)).toBe(undefined)
  })

  it("is as it was after writes of other rows", () => {
    for (const write of [insert(row("c", 1)), patch("c", { n: 1 }), remove("c")]) {
      expect(apply(row("b", 10), write)).toEqual(row("b", 10))
      expect(apply(undefined, write)).toBe(undefined)
    }
  })
})
