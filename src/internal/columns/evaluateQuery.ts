/** Answers checked queries over an array: the reference that the SQL storages are compared with. */

import { compareText } from "../text.js"
import type { Columns, ColumnType } from "./columns.js"
import type { AnyCondition, CheckedQuery, Compare, Order } from "./query.js"

interface Row {
  readonly [column: string]: unknown
}

const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!
  }
  return a.length - b.length
}

/** Compares two values of a column, neither of them null. */
const compareValues = (type: ColumnType, a: unknown, b: unknown): number => {
  switch (type) {
    case "text":
      return compareText(a as string, b as string)
    case "uuid":
      return compareText((a as string).toLowerCase(), (b as string).toLowerCase())
    case "timestamp":
      return (a as Date).getTime() - (b as Date).getTime()
    case "bytes":
      return compareBytes(a as Uint8Array, b as Uint8Array)
    default: {
      const [x, y] = [a, b] as [number, number]
      return x < y ? -1 : x > y ? 1 : 0
    }
  }
}

const compareNullable = (type: ColumnType, a: unknown, b: unknown): number => {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1
  return compareValues(type, a, b)
}

/** Returns the columns in which two normalised rows differ. Json is compared with the order of its keys. */
export const differingColumns = (columns: Columns, a: Row, b: Row): ReadonlyArray<string> =>
  Object.keys(columns).filter((name) => {
    const { type } = columns[name]!
    return type === "json"
      ? JSON.stringify(a[name]) !== JSON.stringify(b[name])
      : compareNullable(type, a[name], b[name]) !== 0
  })

const isOrderedBy = (op: Compare<unknown, unknown>["op"], order: number): boolean => {
  switch (op) {
    case "eq":
      return order === 0
    case "ne":
      return order !== 0
    case "lt":
      return order < 0
    case "lte":
      return order <= 0
    case "gt":
      return order > 0
    case "gte":
      return order >= 0
  }
}

/** Evaluates a condition: true, false, or `undefined` where a NULL leaves the result open. */
const evaluateCondition = (columns: Columns, condition: AnyCondition, row: Row): boolean | undefined => {
  switch (condition.op) {
    case "and": {
      let result: boolean | undefined = true
      for (const inner of condition.conditions) {
        const value = evaluateCondition(columns, inner, row)
        if (value === false) return false
        if (value === undefined) result = undefined
      }
      return result
    }
    case "or": {
      let result: boolean | undefined = false
      for (const inner of condition.conditions) {
        const value = evaluateCondition(columns, inner, row)
        if (value === true) return true
        if (value === undefined) result = undefined
      }
      return result
    }
    case "not": {
      const value = evaluateCondition(columns, condition.condition, row)
      return value === undefined ? undefined : !value
    }
    case "isNull":
      return row[condition.column] === null
  }
  const value = row[condition.column]
  // `x IN ()` is false even for NULL.
  if (condition.op === "in" && condition.values.length === 0) return false
  if (value === null) return undefined
  const { type } = columns[condition.column]!
  switch (condition.op) {
    case "in":
      return condition.values.some((one) => compareValues(type, value, one) === 0)
    case "between":
      return compareValues(type, value, condition.from) >= 0 && compareValues(type, value, condition.to) <= 0
    case "startsWith":
      return (value as string).startsWith(condition.value)
    default:
      return isOrderedBy(condition.op, compareValues(type, value, condition.value))
  }
}

/** Whether a normalised row meets a checked condition. Without a condition every row does. */
export const matchesCondition = (columns: Columns, where: AnyCondition | undefined, row: Row): boolean =>
  where === undefined || evaluateCondition(columns, where, row) === true

const addColumns = (condition: AnyCondition, names: Set<string>): void => {
  switch (condition.op) {
    case "and":
    case "or":
      for (const inner of condition.conditions) addColumns(inner, names)
      return
    case "not":
      addColumns(condition.condition, names)
      return
    default:
      names.add(condition.column)
  }
}

/** Returns the columns that a condition reads. */
export const columnsOfCondition = (where: AnyCondition | undefined): ReadonlySet<string> => {
  const names = new Set<string>()
  if (where !== undefined) addColumns(where, names)
  return names
}

/** Returns the columns that the condition and the order of a query read: the id among them. */
export const columnsOf = ({ orderBy, where }: CheckedQuery): ReadonlySet<string> =>
  new Set([...columnsOfCondition(where), ...orderBy.map(({ column }) => column)])

/** Compiles the comparison of a place in an order, given by its values there, with a row. */
export const comparePlace = (columns: Columns, orderBy: ReadonlyArray<Order>) => {
  return (a: (position: number) => unknown, b: Row): number => {
    for (let i = 0; i < orderBy.length; i++) {
      const { column, direction } = orderBy[i]!
      const order = compareNullable(columns[column]!.type, a(i), b[column])
      if (order !== 0) return direction === "asc" ? order : -order
    }
    return 0
  }
}

/** Whether each row is behind the one before it in an order, and the first one behind a place. */
export const isInOrder = (
  columns: Columns,
  orderBy: ReadonlyArray<Order>,
  after: ReadonlyArray<unknown> | undefined,
  rows: ReadonlyArray<Row>
): boolean => {
  const compare = comparePlace(columns, orderBy)
  return rows.every((row, at) => {
    const before = rows[at - 1]
    if (before === undefined) return after === undefined || compare((n) => after[n], row) < 0
    return compare((n) => before[orderBy[n]!.column], row) < 0
  })
}

/** Returns the rows that a query selects, in its order. The rows must be normalised: NULL is null. */
export const evaluateQuery = <R extends Row>(
  columns: Columns,
  query: CheckedQuery,
  rows: Iterable<R>
): Array<R> => {
  const { after, limit, offset, orderBy, where } = query
  const compare = comparePlace(columns, orderBy)
  const found: Array<R> = []
  for (const row of rows) {
    if (!matchesCondition(columns, where, row)) continue
    if (after !== undefined && compare((i) => after[i], row) >= 0) continue
    found.push(row)
  }
  found.sort((a, b) => compare((i) => a[orderBy[i]!.column], b))
  return offset === 0 && limit === undefined
    ? found
    : found.slice(offset, limit === undefined ? undefined : offset + limit)
}
