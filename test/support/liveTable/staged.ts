/** Random staged writes, and a table that does them in the plainest way. */
import fc from "fast-check"
import type { CheckedWrite } from "../../../src/internal/columns/checkWrite.js"
import { matchesCondition } from "../../../src/internal/columns/evaluateQuery.js"
import { Query } from "../../../src/Storage.js"
import { checked, columns, type State, type TestRow, testRow } from "./changes.js"

const id = testRow.map((row) => row.id)

const fields = fc
  .tuple(testRow, fc.subarray(["n", "name", "ok", "note"] as const, { minLength: 1, maxLength: 2 }))
  .map(([row, names]) => Object.fromEntries(names.map((name) => [name, row[name]])))

const when = fc.constantFrom(undefined, undefined, undefined, checked({ where: Query.eq("ok", true) }).where)

export const write: fc.Arbitrary<CheckedWrite> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Insert" as const), row: testRow }) },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Replace" as const), row: testRow }) },
  { weight: 8, arbitrary: fc.record({ _tag: fc.constant("Patch" as const), id, fields, when }) },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Delete" as const), id, when }) },
  { weight: 1, arbitrary: fc.constant({ _tag: "DeleteAll" as const }) }
)

/** The table after a write, or `undefined` if it refuses the write. */
export const after = (state: State, write: CheckedWrite): State | undefined => {
  if (write._tag === "DeleteAll") return new Map()
  const next = new Map(state)
  if ("row" in write) {
    // A row of the arbitrary above.
    const row = write.row as TestRow
    if (write._tag === "Replace" || !state.has(row.id)) next.set(row.id, row)
    return next
  }
  const of = String(write.id)
  const row = state.get(of)
  if (row === undefined) return write._tag === "Delete" ? next : undefined
  if (!matchesCondition(columns, write.when, row)) return undefined
  if (write._tag === "Delete") next.delete(of)
  else next.set(of, { ...row, ...write.fields })
  return next
}

/** What is done: writes are staged, done by the master or reverted; others write; the base is read again. */
export type Action =
  | { readonly _tag: "Stage"; readonly write: CheckedWrite }
  /** The master does a pending write, mostly the first. It may give an inserted row another id. */
  | { readonly _tag: "Settle"; readonly at: number; readonly otherId: boolean }
  | { readonly _tag: "Revert"; readonly at: number }
  | { readonly _tag: "Foreign"; readonly write: CheckedWrite }
  | { readonly _tag: "Refresh" }
  | { readonly _tag: "Release" }

const tag = <const Tag extends string>(tag: Tag) => ({ _tag: fc.constant(tag) })

export const actions: fc.Arbitrary<ReadonlyArray<Action>> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ ...tag("Stage"), write }) },
    {
      weight: 4,
      arbitrary: fc.record({
        ...tag("Settle"),
        at: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(5) }),
        otherId: fc.constantFrom(true, false, false)
      })
    },
    { weight: 2, arbitrary: fc.record({ ...tag("Revert"), at: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ ...tag("Foreign"), write }) },
    { weight: 2, arbitrary: fc.record(tag("Refresh")) },
    { weight: 1, arbitrary: fc.record(tag("Release")) }
  ),
  { minLength: 1, maxLength: 20 }
)
