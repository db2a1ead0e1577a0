/**
 * The rows of a table in memory, by their ids. They are normalised copies, and never change in place. A row that leaves
 * the store must be copied on the way: its new owner may change it.
 */
import { compileNormalise } from "./checkRow.js"
import type { Columns, RowOf } from "./columns.js"
import { evaluateQuery, matchesCondition } from "./evaluateQuery.js"
import type { IdValue } from "./ids.js"
import type { AnyCondition, CheckedQuery } from "./query.js"

/** Rows by their ids. */
export interface RowStore<R> {
  /** Copies a checked record, normalised. */
  readonly copy: (record: object) => R
  readonly get: (id: IdValue) => R | undefined
  /** Takes a normalised row that its giver does not change any more, in place of the one with its id. */
  readonly set: (row: R) => void
  readonly remove: (id: IdValue) => void
  readonly clear: () => void
  readonly size: () => number
  /** All rows, in the order in which their ids were added. */
  readonly rows: () => Iterable<R>
  readonly select: (query: CheckedQuery) => Array<R>
  readonly count: (where: AnyCondition | undefined) => number
}

/** Returns the id of a normalised row. */
export const idOfRow = (id: string, row: object): IdValue =>
  // The columns were checked: the id's are of a type that is one of these, and never null.
  (row as { readonly [column: string]: unknown })[id] as IdValue

/** Makes an empty store for checked columns. */
export const makeRowStore = <C extends Columns>(columns: C, id: string): RowStore<RowOf<C>> => {
  type Row = RowOf<C> & { readonly [column: string]: unknown }
  // A normalised row has the columns of the definition with their values, which is the type RowOf.
  const copy = compileNormalise(columns) as (record: object) => Row
  const rows = new Map<IdValue, Row>()
  return {
    copy,
    get: (id) => rows.get(id),
    set: (row) => {
      rows.set(idOfRow(id, row), row as Row)
    },
    remove: (id) => {
      rows.delete(id)
    },
    clear: () => rows.clear(),
    size: () => rows.size,
    rows: () => rows.values(),
    select: (query) => evaluateQuery(columns, query, rows.values()),
    count: (where) => {
      if (where === undefined) return rows.size
      let count = 0
      for (const row of rows.values()) if (matchesCondition(columns, where, row)) count++
      return count
    }
  }
}
