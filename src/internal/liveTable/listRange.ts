/**
 * Where a row is, as a stored list shows it. The *range* of a list: the rows that meet its condition and are behind its
 * `after`, in its order. Its *page*: the rows of the range from `offset` on, at most `limit`. A page is *closed* if it has
 * `limit` rows: then others may be behind its last row. A page that is not closed ends the range.
 */
import type { Columns } from "../columns/columns.js"
import { comparePlace, matchesCondition } from "../columns/evaluateQuery.js"
import type { AnyCondition, CheckedQuery } from "../columns/query.js"
import type { AnyRow } from "../columns/rowCodec.js"

/** Compares a place in an order with that of a row: negative if the row is behind it. */
export type Place = (row: AnyRow) => number

export interface ListRange {
  readonly columns: Columns
  readonly where: AnyCondition | undefined
  readonly limit: number | undefined
  readonly offset: number
  readonly after: Place | undefined
  /** The places of its first and its last row; `undefined`: it has no row. */
  readonly first: Place | undefined
  readonly last: Place | undefined
  readonly isClosed: boolean
}

/** Compiles the place of a row in the order of a query. */
export const compilePlace = (columns: Columns, { orderBy }: CheckedQuery): ((row: AnyRow) => Place) => {
  const compare = comparePlace(columns, orderBy)
  return (row) => {
    // The values once, not at each comparison.
    const values = orderBy.map(({ column }) => row[column])
    const value = (at: number): unknown => values[at]
    return (other) => compare(value, other)
  }
}

/** Returns the range of a list: the rows that a query has selected. */
export const rangeOf = (columns: Columns, query: CheckedQuery, rows: ReadonlyArray<AnyRow>): ListRange => {
  const { after, limit, offset, orderBy, where } = query
  const placeOf = compilePlace(columns, query)
  const compare = comparePlace(columns, orderBy)
  const [first, last] = [rows[0], rows.at(-1)]
  return {
    columns,
    where,
    limit,
    offset,
    after: after && ((row) => compare((at) => after[at], row)),
    first: first && placeOf(first),
    last: last && placeOf(last),
    isClosed: rows.length === limit
  }
}

/** Whether a row is in the range. */
export const isInRange = ({ after, columns, where }: ListRange, row: AnyRow): boolean =>
  (after === undefined || after(row) < 0) && matchesCondition(columns, where, row)

/** Whether a row of the range is behind the last row of a closed page. */
export const isBehind = ({ isClosed, last }: ListRange, row: AnyRow): boolean =>
  isClosed && last !== undefined && last(row) < 0
