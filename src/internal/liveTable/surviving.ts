/**
 * Judges whether the answer to a list or a count is the same after a change. `true` is a proof; `false` is none.
 *
 * The judge knows the answer, which is right before the change, and what is known of the change. It may judge a change
 * that the answer holds already: the answer is right all the same. So a load may be judged by all changes since it began.
 *
 * Words of the proofs: *range*, *page* and *closed*, as listRange.ts has them. *Old* and *new*: the row with the change's
 * id before and after it; either may be absent. All other rows are the same, so the range changes by old and new only.
 */
import type { Columns } from "../columns/columns.js"
import { columnsOf, columnsOfCondition, matchesCondition } from "../columns/evaluateQuery.js"
import type { IdValue } from "../columns/ids.js"
import type { AnyCondition, CheckedQuery } from "../columns/query.js"
import type { AnyRow } from "../columns/rowCodec.js"
import { idOfRow } from "../columns/rowStore.js"
import { type Change, type Journal, since } from "./journal.js"
import { isBehind, isInRange, type ListRange, type Place, rangeOf } from "./listRange.js"

/** A condition, and the columns that it reads, without the id, which no change changes. */
interface Reader {
  readonly where: AnyCondition | undefined
  readonly reads: ReadonlyArray<string>
}

/** The condition of an answer. */
interface Conditions extends Reader {
  readonly columns: Columns
  /** The parts of which all must be true. */
  readonly parts: ReadonlyArray<Reader>
}

/** What decides whether a list is the same after a change. */
export interface ListBasis extends ListRange, Conditions {
  readonly _tag: "List"
  /** The ids of its rows. */
  readonly ids: ReadonlySet<IdValue>
  /** Columns of the condition and the order. */
  readonly readsAll: ReadonlyArray<string>
  /** Columns of the order. */
  readonly readsOrder: ReadonlyArray<string>
}

/** What decides whether a count is the same after a change. */
export interface CountBasis extends Conditions {
  readonly _tag: "Count"
}

export type Basis = ListBasis | CountBasis

const without = (id: string, names: Iterable<string>): ReadonlyArray<string> =>
  Array.from(names).filter((name) => name !== id)

const partsOf = (condition: AnyCondition): ReadonlyArray<AnyCondition> =>
  condition.op === "and" ? condition.conditions.flatMap(partsOf) : [condition]

const conditions = (columns: Columns, id: string, where: AnyCondition | undefined): Conditions => {
  const reader = (where: AnyCondition | undefined): Reader => ({
    where,
    reads: without(id, columnsOfCondition(where))
  })
  return { ...reader(where), columns, parts: where === undefined ? [] : partsOf(where).map(reader) }
}

/** Makes the basis of a count. */
export const ofCount = (columns: Columns, id: string, where: AnyCondition | undefined): CountBasis => ({
  _tag: "Count",
  ...conditions(columns, id, where)
})

/** Makes the basis of a list: the rows that the query selected. */
export const ofList = (
  columns: Columns,
  id: string,
  query: CheckedQuery,
  rows: ReadonlyArray<AnyRow>
): ListBasis => ({
  _tag: "List",
  ...rangeOf(columns, query, rows),
  ...conditions(columns, id, query.where),
  ids: new Set(rows.map((row) => idOfRow(id, row))),
  readsAll: without(id, columnsOf(query)),
  readsOrder: without(
    id,
    query.orderBy.map(({ column }) => column)
  )
})

const disjoint = (names: ReadonlyArray<string>, changed: ReadonlySet<string>): boolean => {
  for (let at = 0; at < names.length; at++) if (changed.has(names[at]!)) return false
  return true
}

/** Whether old and new are both there with the same values in these columns, or both absent. */
const keeps = (reads: ReadonlyArray<string>, { columns, op }: Change): boolean =>
  op === "Updated" && (columns === undefined ? reads.length === 0 : disjoint(reads, columns))

/**
 * Whether neither old nor new meets the condition, where new is known. Old has the values of new in the columns that the
 * change keeps. So if a part of the condition reads only these, and is not true for new, it is not true for old either;
 * without one of its parts the whole is not true.
 */
const neverMatches = ({ columns, parts }: Conditions, change: Change, row: AnyRow): boolean => {
  for (const part of parts) {
    if (keeps(part.reads, change) && !matchesCondition(columns, part.where, row)) return true
  }
  return false
}

/**
 * A list that begins with the first row of its range, and does not hold old. Old is not in the range, or behind a closed
 * page; without old, the page is the same. So only new decides.
 *
 * - Absent: the page stays as it is.
 * - Known: the page stays as it is if new is not in the range, or behind a closed page; else new is of the page.
 * - Not known, but the columns of condition and order are kept: new is where old was, so not of the page.
 */
const firstPage = (list: ListBasis, change: Change): boolean => {
  if (change.op === "Deleted") return true
  if (change.row === undefined) return keeps(list.readsAll, change)
  return isBehind(list, change.row) || !isInRange(list, change.row)
}

/**
 * A page without rows, behind the end of its range: the range has at most `offset` rows, and may grow by one only if new
 * is in it and old was not.
 *
 * - Absent, or known and not in the range: the range does not grow.
 * - The columns of the condition are kept: old is in the range exactly if new is. (There is no `after`.)
 */
const emptyPage = (list: ListBasis, change: Change): boolean =>
  change.op === "Deleted" ||
  keeps(list.reads, change) ||
  (change.row !== undefined && !matchesCondition(list.columns, list.where, change.row))

/**
 * A page with rows behind `offset` others, which does not hold old. It is the same if as many rows are before it as
 * there were, and new is not of it. (There is no `after`.)
 *
 * - Absent, or nothing is known of new: old may have been before the page.
 * - Inserted: old is absent, so new must not be before the page: it is not in the range, or behind a closed page.
 * - The columns of the condition and the order are kept: new is where old was, so not of the page. If new is known to be
 *   of the page, the answer was not right before, and falls.
 * - The columns of the order are kept, and new is at or behind the first row: so was old, which the page does not hold;
 *   it was not before the page. So new must not be of the page: it is not in the range, or behind a closed page.
 * - Neither old nor new meets the condition: neither is in the range.
 */
const laterPage = (list: ListBasis, first: Place, change: Change): boolean => {
  const { row } = change
  if (row === undefined) return keeps(list.readsAll, change)
  const isBeforePage = first(row) > 0
  const staysOutside = isBehind(list, row) || !isInRange(list, row)
  if (change.op === "Inserted") return staysOutside
  if (keeps(list.readsAll, change)) return isBeforePage || staysOutside
  if (keeps(list.readsOrder, change) && !isBeforePage) return staysOutside
  return neverMatches(list, change, row)
}

/**
 * A count is the same if old and new both meet the condition, or neither does.
 *
 * - The columns of the condition are kept: both do or neither.
 * - Inserted: old is absent, so new must not meet it.
 * - A part of the condition excludes both.
 */
const count = (basis: CountBasis, change: Change): boolean => {
  if (keeps(basis.reads, change)) return true
  if (change.row === undefined) return false
  return change.op === "Inserted"
    ? !matchesCondition(basis.columns, basis.where, change.row)
    : neverMatches(basis, change, change.row)
}

const list = (basis: ListBasis, change: Change): boolean => {
  // A page of no rows has no rows.
  if (basis.limit === 0) return true
  // A held row has changed in one of its columns, all of which the list returns.
  if (change.id === undefined || basis.ids.has(change.id)) return false
  if (basis.offset === 0) return firstPage(basis, change)
  return basis.first === undefined ? emptyPage(basis, change) : laterPage(basis, basis.first, change)
}

/** Whether an answer provably is the same after a change. Takes 50 to 180 ns. */
export const survives = (basis: Basis, change: Change): boolean =>
  basis._tag === "List" ? list(basis, change) : change.id !== undefined && count(basis, change)

/** Whether an answer that was right at a stamp provably still is, by the journal of what has changed since then. */
export const survivesSince = (basis: Basis, journal: Journal, stamp: number): boolean =>
  since(journal, stamp)?.every((change) => survives(basis, change)) ?? false
