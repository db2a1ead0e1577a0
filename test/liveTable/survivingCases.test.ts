/** Each case of the proofs that an answer stays as it is: what is enough, and what is not. */
import { describe, expect, it } from "@effect/vitest"
import type { Change } from "../../src/internal/liveTable/journal.js"
import { type Basis, ofCount, ofList, survives } from "../../src/internal/liveTable/surviving.js"
import { Query } from "../../src/Storage.js"
import {
  answerOf,
  type Columns,
  checked,
  columns,
  stateOf,
  type TestRow
} from "../support/liveTable/changes.js"

const row = (id: string, n: number | null, over: Partial<TestRow> = {}): TestRow => ({
  id,
  n,
  name: "a",
  ok: true,
  note: null,
  ...over
})

/** Rows b to i, whose n are 10 to 80; h and i are not ok. */
const table = stateOf([..."bcdefghi"].map((id, at) => row(id, (at + 1) * 10, { ok: at < 6 })))

const isOk = Query.eq("ok", true)

const list = (query: Query<Columns>): Basis => {
  const checkedQuery = checked(query)
  return ofList(columns, "id", checkedQuery, answerOf(checkedQuery, table))
}

const count = (where?: Query<Columns>["where"]): Basis =>
  ofCount(columns, "id", where === undefined ? undefined : checked({ where }).where)

const change = (
  op: Change["op"],
  id: Change["id"],
  names?: ReadonlyArray<string>,
  row?: TestRow
): Change => ({
  stamp: 1,
  id,
  op,
  columns: names === undefined ? undefined : new Set(names),
  row
})

const inserted = (row: TestRow) => change("Inserted", row.id, undefined, row)
const updated = (row: TestRow, ...names: ReadonlyArray<string>) => change("Updated", row.id, names, row)
/** An update of which only the id is known, and perhaps the columns. */
const touched = (id: string, names?: ReadonlyArray<string>) => change("Updated", id, names)
const deleted = (id: string) => change("Deleted", id)
const unknown = (id: string, row?: TestRow) => change("Unknown", id, undefined, row)

const expectSurvives = (basis: Basis, ...changes: ReadonlyArray<Change>) => {
  for (const change of changes) expect(survives(basis, change), JSON.stringify(change)).toBe(true)
}

const expectFalls = (basis: Basis, ...changes: ReadonlyArray<Change>) => {
  for (const change of changes) expect(survives(basis, change), JSON.stringify(change)).toBe(false)
}

const byN = [Query.asc("n")]

/** b, c, d: closed. */
const firstOk = list({ where: isOk, orderBy: byN, limit: 3 })
/** All that are ok: b to g. */
const allOk = list({ where: isOk, orderBy: byN })
/** d, e, f: closed. */
const afterC = list({ where: isOk, orderBy: byN, limit: 3, after: { id: "c", n: 20 } })
/** d, e: closed; b and c are before it. */
const secondOk = list({ where: isOk, orderBy: byN, limit: 2, page: 2 })
/** f, g: not closed. */
const lastOk = list({ where: isOk, orderBy: byN, limit: 4, page: 2 })
/** Nothing: six rows are in its range, which may have eight. */
const emptyOk = list({ where: isOk, orderBy: byN, limit: 4, page: 3 })

describe("any answer", () => {
  it("falls if any row may have changed", () => {
    for (const basis of [firstOk, allOk, afterC, secondOk, emptyOk, count(), count(isOk)]) {
      expectFalls(basis, change("Unknown", undefined), change("Updated", undefined, ["note"]))
    }
  })

  it("of no rows, as it was asked for, survives all", () => {
    expectSurvives(list({ limit: 0 }), change("Unknown", undefined), inserted(row("a", 1)))
  })
})

describe("a list", () => {
  it("falls if a row that it holds changes in any column", () => {
    for (const basis of [firstOk, allOk, afterC]) {
      expectFalls(basis, touched("d", ["note"]), deleted("d"), updated(row("d", 30), "note"), unknown("d"))
    }
    expectFalls(secondOk, touched("d", ["note"]), updated(row("d", 90, { ok: false }), "n", "ok"))
  })

  it("survives the deletion of a row that it does not hold", () => {
    expectSurvives(firstOk, deleted("e"), deleted("i"))
    expectSurvives(allOk, deleted("i"))
    expectSurvives(afterC, deleted("b"), deleted("g"))
  })

  it("survives a row that fails its condition", () => {
    const bad = row("a", 5, { ok: false })
    for (const basis of [firstOk, allOk, afterC])
      expectSurvives(basis, inserted(bad), updated(bad), unknown("a", bad))
  })

  it("falls if a row begins to match it", () => {
    expectFalls(allOk, inserted(row("a", 99)), updated(row("i", 80), "ok"), unknown("i", row("i", 80)))
    expectFalls(firstOk, inserted(row("a", 25)), updated(row("i", 5), "ok", "n"))
    expectFalls(afterC, inserted(row("a", 35)))
  })

  it("survives a row behind a closed page, and falls if the page has room", () => {
    expectSurvives(firstOk, inserted(row("a", 31)), updated(row("i", 80), "ok"))
    expectFalls(list({ where: isOk, orderBy: byN, limit: 7 }), inserted(row("a", 99)))
  })

  it("survives a row at or before the place that it begins behind", () => {
    expectSurvives(afterC, updated(row("c", 20), "note"), inserted(row("a", 5)), updated(row("b", 20), "n"))
  })

  it("survives an update outside of its condition and order, and falls at one inside", () => {
    expectSurvives(firstOk, touched("i", ["note"]), touched("i", ["id", "note", "name"]))
    expectFalls(firstOk, touched("i", ["note", "ok"]), touched("i", ["n"]), touched("i"))
    expectSurvives(list({ limit: 3 }), touched("i"))
  })

  it("falls if the row is of its page although no column that it reads has changed", () => {
    expectFalls(firstOk, updated(row("i", 15), "note"))
    expectFalls(secondOk, updated(row("i", 35), "note"))
  })

  it("falls if a row that is not known is inserted, or may be", () => {
    expectFalls(firstOk, change("Inserted", "a", ["note"]), change("Unknown", "a", ["note"]))
  })
})

describe("a page by its number", () => {
  it("falls if a row before it may come or go", () => {
    expectFalls(secondOk, inserted(row("a", 5)), deleted("b"), deleted("i"), unknown("i", row("i", 5)))
    expectFalls(secondOk, updated(row("b", 90), "n"), updated(row("i", 5), "ok", "n"), touched("b", ["n"]))
  })

  it("survives an inserted row that fails its condition, or sorts behind it while it is closed", () => {
    expectSurvives(secondOk, inserted(row("a", 5, { ok: false })), inserted(row("a", 41)))
    expectFalls(secondOk, inserted(row("a", 35)))
    expectFalls(lastOk, inserted(row("a", 99)))
  })

  it("survives an update outside of its condition and order, also of a row before it", () => {
    expectSurvives(
      secondOk,
      touched("b", ["note"]),
      updated(row("b", 10), "note"),
      updated(row("g", 60), "note")
    )
    expectFalls(secondOk, touched("b", ["ok"]), touched("b"))
  })

  it("survives an update of the condition's columns if the row stays behind its first row and is not of it", () => {
    expectSurvives(secondOk, updated(row("i", 80), "ok"), updated(row("g", 60, { ok: false }), "ok"))
    expectSurvives(lastOk, updated(row("i", 80, { ok: false, name: "b" }), "ok", "name"))
    expectFalls(lastOk, updated(row("i", 80), "ok"))
    expectFalls(secondOk, updated(row("b", 10, { ok: false }), "ok"))
  })

  it("survives an update if a part of its condition excludes the row before and after", () => {
    const where = Query.and(isOk, Query.and(Query.eq("name", "a"), Query.lt("n", 100)))
    const second = list({ where, orderBy: byN, limit: 2, page: 2 })
    expectSurvives(second, updated(row("i", 5, { name: "b" }), "ok", "n"))
    expectFalls(second, updated(row("i", 5, { name: "b" }), "ok", "n", "name"))
    expectFalls(second, updated(row("i", 5, { ok: false }), "ok"))
  })

  it("falls if it is not known whether the row was there", () => {
    expectFalls(secondOk, unknown("i", row("i", 80, { ok: false })))
  })

  it("of which no row is left falls only if the range may grow", () => {
    expectSurvives(
      emptyOk,
      deleted("b"),
      inserted(row("a", 5, { ok: false })),
      updated(row("i", 5, { ok: false }))
    )
    expectSurvives(
      emptyOk,
      touched("b", ["n"]),
      updated(row("b", 99), "n"),
      unknown("i", row("i", 1, { ok: false }))
    )
    expectFalls(
      emptyOk,
      inserted(row("a", 5)),
      updated(row("i", 80), "ok"),
      touched("i", ["ok"]),
      touched("i")
    )
  })
})

describe("a count", () => {
  it("of all rows survives updates alone", () => {
    expectSurvives(count(), touched("b"), updated(row("b", 5), "n"))
    expectFalls(count(), inserted(row("a", 5)), deleted("b"), unknown("b", row("b", 5)))
  })

  it("survives an update outside of its condition, and falls at one inside", () => {
    expectSurvives(count(isOk), touched("b", ["n", "note"]))
    expectFalls(count(isOk), touched("b", ["ok"]), touched("b"), updated(row("b", 10, { ok: false }), "ok"))
  })

  it("survives an inserted row that fails its condition", () => {
    expectSurvives(count(isOk), inserted(row("a", 5, { ok: false })))
    expectFalls(count(isOk), inserted(row("a", 5)), change("Inserted", "a"), deleted("i"))
  })

  it("survives an update if a part of its condition excludes the row before and after", () => {
    const where = Query.and(isOk, Query.eq("name", "a"))
    expectSurvives(count(where), updated(row("b", 10, { name: "b" }), "ok"))
    expectFalls(
      count(where),
      updated(row("b", 10, { name: "b" }), "ok", "name"),
      unknown("b", row("b", 1, { name: "b" }))
    )
    expectFalls(count(Query.or(isOk, Query.eq("name", "a"))), updated(row("b", 10, { name: "b" }), "ok"))
  })
})
