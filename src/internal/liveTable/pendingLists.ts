/**
 * What staged writes do to a row and to a list that were read before them. A view is never stored: the list below it stays
 * the answer of one read.
 *
 * Not every row of the table is known. So the view of a list shows a prefix of what the master would answer if it had done
 * the writes: what lies behind the last row of a closed page stays unknown, as does the row that would move up when one is
 * deleted. A page by its number shows the rows that it began with; rows that come or go before it do not move it.
 */
import type { CheckedWrite } from "../columns/checkWrite.js"
import type { Columns } from "../columns/columns.js"
import type { IdValue } from "../columns/ids.js"
import { type PlannedWrite, planWrites } from "../columns/planWrites.js"
import type { CheckedQuery } from "../columns/query.js"
import type { AnyRow } from "../columns/rowCodec.js"
import { idOfRow } from "../columns/rowStore.js"
import { compilePlace, isBehind, isInRange, type ListRange, type Place, rangeOf } from "./listRange.js"

const plan = (
  columns: Columns,
  id: string,
  get: (id: IdValue) => AnyRow | undefined,
  write: CheckedWrite
): PlannedWrite<AnyRow> => planWrites(columns, id, { get, size: () => 1 }, [write])[0]!

/** Applies a write to the row with an id, if it is one of that row; by field, as the master does it. */
export const applyToRow =
  (columns: Columns, id: string, of: IdValue) =>
  (row: AnyRow | undefined, write: CheckedWrite): AnyRow | undefined => {
    const planned = plan(columns, id, (id) => (id === of ? row : undefined), write)
    const change = planned._tag === "Done" ? planned.change : undefined
    switch (change?.op) {
      case "Inserted":
      case "Updated":
        return change.id === of ? change.row : row
      case "Deleted":
        return change.id === of ? undefined : row
      case "Changed":
        return undefined
      default:
        return row
    }
  }

/** A list with writes applied to it. */
export interface ListView {
  readonly id: string
  readonly range: ListRange
  readonly placeOf: (row: AnyRow) => Place
  /** In order; perhaps more than its limit, so that what was moved out comes back. */
  readonly rows: ReadonlyArray<AnyRow>
  /** The rows that writes have changed, and those that they have deleted. */
  readonly written: ReadonlyMap<IdValue, AnyRow | undefined>
  /** Returns a row as it was before the writes, if it is known. */
  readonly before: (id: IdValue) => AnyRow | undefined
}

/** Makes the view of a list before any write. `before`: what is known of rows that the list does not hold. */
export const open = (
  columns: Columns,
  id: string,
  query: CheckedQuery,
  rows: ReadonlyArray<AnyRow>,
  before: (id: IdValue) => AnyRow | undefined
): ListView => ({
  id,
  range: rangeOf(columns, query, rows),
  placeOf: compilePlace(columns, query),
  rows,
  written: new Map(),
  before
})

/** Whether a row is surely of the page, as far as the page is known. */
const shows = ({ range }: ListView, row: AnyRow): boolean =>
  range.limit !== 0 &&
  (range.offset === 0 || (range.first !== undefined && range.first(row) <= 0)) &&
  !isBehind(range, row) &&
  isInRange(range, row)

/** What is known of a row from elsewhere. One that the list would hold is not there any more: the list is its read. */
const outside = (view: ListView, of: IdValue): AnyRow | undefined => {
  const known = view.before(of)
  return known !== undefined && shows(view, known) ? undefined : known
}

const rowOf = (view: ListView, of: IdValue): AnyRow | undefined => {
  const { id, rows, written } = view
  const held = rows.find((row) => idOfRow(id, row) === of)
  return written.has(of) ? written.get(of) : (held ?? outside(view, of))
}

/** Puts a row where it is in the order now, or leaves it out. */
const put = (view: ListView, of: IdValue, row: AnyRow | undefined): ListView => {
  const rows = view.rows.filter((other) => idOfRow(view.id, other) !== of)
  if (row !== undefined && shows(view, row)) {
    const place = view.placeOf(row)
    const at = rows.findIndex((other) => place(other) < 0)
    rows.splice(at < 0 ? rows.length : at, 0, row)
  }
  return { ...view, rows, written: new Map(view.written).set(of, row) }
}

const deletedAll = (view: ListView): ListView => ({
  ...view,
  range: { ...view.range, first: undefined, last: undefined, isClosed: false },
  rows: [],
  written: new Map(),
  before: () => undefined
})

/** Applies a write to the view of a list. What the master would refuse does nothing. */
export const applyToList = (view: ListView, write: CheckedWrite): ListView => {
  const planned = plan(view.range.columns, view.id, (of) => rowOf(view, of), write)
  const change = planned._tag === "Done" ? planned.change : undefined
  switch (change?.op) {
    case "Inserted":
    case "Updated":
      return put(view, change.id, change.row)
    case "Deleted":
      return put(view, change.id, undefined)
    case "Changed":
      return deletedAll(view)
    default:
      return view
  }
}

/** Returns the rows that the view shows. */
export const rowsOf = ({ range, rows }: ListView): ReadonlyArray<AnyRow> =>
  range.limit === undefined ? rows : rows.slice(0, range.limit)
