/** Checks queries against columns. A query may come from untyped code or over a wire, so all of its shape is checked. */
import { type Effect, Either } from "effect"
import { validateValue } from "./checkRow.js"
import type { Column, Columns } from "./columns.js"
import { type AnyCondition, type CheckedQuery, InvalidQuery, type Order } from "./query.js"

// A condition becomes a SQL expression, whose depth SQLite limits to 1,000.
const maxConditions = 500
const maxValues = 1000

interface Budget {
  left: number
}

interface Unchecked {
  readonly [key: string]: unknown
}

const isObject = (value: unknown): value is Unchecked =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const invalid = (part: string, message: string) => new InvalidQuery({ part, message })

const columnOf = (columns: Columns, name: unknown, part: string): Column | InvalidQuery =>
  typeof name === "string" && Object.hasOwn(columns, name)
    ? columns[name]!
    : invalid(part, `there is no column ${typeof name === "string" ? JSON.stringify(name) : "of that name"}`)

const validateComparedValue = (
  column: Column,
  name: string,
  value: unknown,
  part: string
): InvalidQuery | undefined => {
  if (value === null || value === undefined) {
    return invalid(part, `column "${name}" is compared with no value; use isNull to ask for NULL`)
  }
  return validateValue(column.type, value) === undefined
    ? undefined
    : invalid(part, `column "${name}" is compared with a value that no ${column.type} column can hold`)
}

const validateComparison = (columns: Columns, condition: Unchecked): InvalidQuery | undefined => {
  const column = columnOf(columns, condition.column, "where")
  if (column instanceof InvalidQuery) return column
  const name = condition.column as string
  if (condition.op === "isNull") return undefined
  if (column.type === "json")
    return invalid("where", `the json column "${name}" cannot be compared: its only condition is isNull`)
  switch (condition.op) {
    case "in": {
      if (!Array.isArray(condition.values))
        return invalid("where", `"in" of column "${name}" needs an array of values`)
      if (condition.values.length > maxValues) {
        return invalid("where", `"in" of column "${name}" takes at most ${maxValues} values`)
      }
      for (const value of condition.values) {
        const problem = validateComparedValue(column, name, value, "where")
        if (problem !== undefined) return problem
      }
      return undefined
    }
    case "between":
      return (
        validateComparedValue(column, name, condition.from, "where") ??
        validateComparedValue(column, name, condition.to, "where")
      )
    case "startsWith":
      return column.type === "text"
        ? validateComparedValue(column, name, condition.value, "where")
        : invalid("where", `"startsWith" needs a text column, and "${name}" is of type ${column.type}`)
    default:
      return validateComparedValue(column, name, condition.value, "where")
  }
}

const validateCondition = (
  columns: Columns,
  condition: unknown,
  budget: Budget
): InvalidQuery | undefined => {
  if (!isObject(condition))
    return invalid("where", "a condition must be an object, as the functions of Query build it")
  if (--budget.left < 0) return invalid("where", `a query takes at most ${maxConditions} conditions`)
  switch (condition.op) {
    case "and":
    case "or": {
      if (!Array.isArray(condition.conditions))
        return invalid("where", `"${condition.op}" needs an array of conditions`)
      for (const inner of condition.conditions) {
        const problem = validateCondition(columns, inner, budget)
        if (problem !== undefined) return problem
      }
      return undefined
    }
    case "not":
      return validateCondition(columns, condition.condition, budget)
    case "eq":
    case "ne":
    case "lt":
    case "lte":
    case "gt":
    case "gte":
    case "in":
    case "between":
    case "startsWith":
    case "isNull":
      return validateComparison(columns, condition)
    default:
      return invalid("where", "a condition has an operator that is not known")
  }
}

/** Checks one condition. */
export const checkCondition = (
  columns: Columns,
  condition: unknown
): Either.Either<AnyCondition, InvalidQuery> => {
  const problem = validateCondition(columns, condition, { left: maxConditions })
  // Every node has been checked: the condition has the shape of the type.
  return problem === undefined ? Either.right(condition as AnyCondition) : Either.left(problem)
}

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
      values.push(value)
    }
  }
  return values
}

const parts: ReadonlySet<string> = new Set(["where", "orderBy", "limit", "after"])

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
  if (limit !== undefined && !(typeof limit === "number" && Number.isSafeInteger(limit) && limit >= 0)) {
    return Either.left(invalid("limit", "limit must be a whole number from 0"))
  }
  let after: ReadonlyArray<unknown> | undefined
  if (query.after !== undefined) {
    const checked = resolveAfter(columns, orderBy, query.after)
    if (checked instanceof InvalidQuery) return Either.left(checked)
    after = checked
  }
  return Either.right({ where, orderBy, limit, after })
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
