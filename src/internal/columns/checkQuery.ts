/** Checks queries against columns. A query may come from untyped code or over a wire, so all of its shape is checked. */
import { type Effect, Either } from "effect"
import { checkCondition, columnOf, invalid, isObject, type Unchecked } from "./checkCondition.js"
import { normaliseValue, validateValue } from "./checkRow.js"
import type { Columns } from "./columns.js"
import { type AnyCondition, type CheckedQuery, InvalidQuery, type Order } from "./query.js"

const resolveOrder = (
  columns: Columns,
  id: string,
  orderBy: unknown
): ReadonlyArray<Order> | InvalidQuery => {
  if (orderBy !== undefined && !Array.isArray(orderBy)) return invalid("orderBy", "orderBy must be an array")
  const order: Array<Order> = []
  const seen = new Set<string>()
  for (const key of (orderBy ?? []) as ReadonlyArray<unknown>) {
    if (!isObject(key)) return invalid("orderBy", "a key of the order must be { column, direction }")
    const column = columnOf(columns, key.column, "orderBy")
    if (column instanceof InvalidQuery) return column
    const name = key.column as string
    if (column.type === "json") return invalid("orderBy", `the json column "${name}" has no order`)
    if (key.direction !== "asc" && key.direction !== "desc") {
      return invalid("orderBy", `the direction of column "${name}" must be "asc" or "desc"`)
    }
    if (seen.has(name)) return invalid("orderBy", `column "${name}" is named twice`)
    seen.add(name)
    order.push({ column: name, direction: key.direction })
  }
  if (!seen.has(id)) order.push({ column: id, direction: order.at(-1)?.direction ?? "asc" })
  return order
}

const resolveAfter = (
  columns: Columns,
  order: ReadonlyArray<Order>,
  after: unknown
): ReadonlyArray<unknown> | InvalidQuery => {
  if (!isObject(after)) return invalid("after", "after must be a row: the last one of the page before")
  const values: Array<unknown> = []
  for (const { column: name } of order) {
    const column = columns[name]!
    const value = after[name]
    if (value === undefined || value === null) {
      if (!column.nullable || !(name in after)) {
        return invalid("after", `after needs the column "${name}", which the order has`)
      }
      values.push(null)
    } else {
      if (validateValue(column.type, value) !== undefined) {
        return invalid(
          "after",
          `column "${name}" of after has a value that no ${column.type} column can hold`
        )
      }
      values.push(normaliseValue(column.type, value))
    }
  }
  return values
}

const isWhole = (given: unknown, min: 0 | 1): given is number =>
  typeof given === "number" && Number.isSafeInteger(given) && given >= min

/** Returns how many rows are before the page. */
const resolveOffset = ({ after, page }: Unchecked, limit: number | undefined): number | InvalidQuery => {
  if (page === undefined) return 0
  if (!isWhole(page, 1)) return invalid("page", "page must be a whole number from 1")
  if (limit === undefined) return invalid("page", "page needs limit, the number of rows of a page")
  if (after !== undefined)
    return invalid("page", "a page begins either at its number or after a row: leave out one")
  if (!Number.isSafeInteger(page * limit)) return invalid("page", "page times limit must be at most 2^53 - 1")
  return (page - 1) * limit
}

const parts: ReadonlySet<string> = new Set(["where", "orderBy", "limit", "page", "after"])

/** Checks a query against a table's columns. `extra` is a further key, which the caller checks. */
export const checkQuery = (
  columns: Columns,
  id: string,
  query: unknown,
  extra?: string
): Either.Either<CheckedQuery, InvalidQuery> => {
  if (!isObject(query)) return Either.left(invalid("query", "a query must be an object"))
  for (const key of Object.keys(query)) {
    if (!parts.has(key) && key !== extra) return Either.left(invalid(key, `a query has no part "${key}"`))
  }
  let where: AnyCondition | undefined
  if (query.where !== undefined) {
    const checked = checkCondition(columns, query.where)
    if (Either.isLeft(checked)) return Either.left(checked.left)
    where = checked.right
  }
  const orderBy = resolveOrder(columns, id, query.orderBy)
  if (orderBy instanceof InvalidQuery) return Either.left(orderBy)
  const limit = query.limit
  if (limit !== undefined && !isWhole(limit, 0)) {
    return Either.left(invalid("limit", "limit must be a whole number from 0"))
  }
  const offset = resolveOffset(query, limit)
  if (offset instanceof InvalidQuery) return Either.left(offset)
  let after: ReadonlyArray<unknown> | undefined
  if (query.after !== undefined) {
    const checked = resolveAfter(columns, orderBy, query.after)
    if (checked instanceof InvalidQuery) return Either.left(checked)
    after = checked
  }
  return Either.right({ where, orderBy, limit, offset, after })
}

const maxPrune = 10_000

/** Checks what to prune, and returns it as a query. */
export const checkPrune = (
  columns: Columns,
  id: string,
  options: unknown
): Effect.Effect<{ readonly query: CheckedQuery; readonly batchSize: number }, InvalidQuery> => {
  if (!isObject(options)) return Either.left(invalid("prune", "prune needs { column, before }"))
  const { batchSize = 1000, before, column } = options
  if (!(Number.isInteger(batchSize) && (batchSize as number) >= 1 && (batchSize as number) <= maxPrune)) {
    return Either.left(invalid("batchSize", `batchSize must be a whole number from 1 to ${maxPrune}`))
  }
  return checkCondition(columns, { op: "lt", column, value: before }).pipe(
    Either.flatMap((where) =>
      Either.map(checkQuery(columns, id, { where, orderBy: [{ column, direction: "asc" }] }), (query) => ({
        query,
        batchSize: batchSize as number
      }))
    )
  )
}

/** The error of ids that are no array. */
export const noIds = new InvalidQuery({
  part: "id",
  message: "the ids must be an array: pass one with the ids to read"
})
