/**
 * Checks conditions against columns. A condition may come from untyped code or over a wire, so all of its shape is
 * checked. The checked form is a copy with normalised values: what its caller changes later has no effect on it.
 */
import { Either } from "effect"
import { normaliseValue, validateValue } from "./checkRow.js"
import type { Column, Columns } from "./columns.js"
import { type AnyCondition, InvalidQuery } from "./query.js"

// A condition becomes a SQL expression, whose depth SQLite limits to 1,000.
const maxConditions = 500
const maxValues = 1000

interface Budget {
  left: number
}

/** An object of untyped code. */
export interface Unchecked {
  readonly [key: string]: unknown
}

/** Whether a value is an object whose properties can be looked at. */
export const isObject = (value: unknown): value is Unchecked =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Makes the error of a part of a query. */
export const invalid = (part: string, message: string) => new InvalidQuery({ part, message })

/** Returns the column of a name that a part of a query gives. */
export const columnOf = (columns: Columns, name: unknown, part: string): Column | InvalidQuery =>
  typeof name === "string" && Object.hasOwn(columns, name)
    ? columns[name]!
    : invalid(part, `there is no column ${typeof name === "string" ? JSON.stringify(name) : "of that name"}`)

/** Returns the normalised value, or the `InvalidQuery` why the column cannot be compared with it. */
const resolveValue = (column: Column, name: string, value: unknown): unknown => {
  if (value === null || value === undefined) {
    return invalid("where", `column "${name}" is compared with no value; use isNull to ask for NULL`)
  }
  return validateValue(column.type, value) === undefined
    ? normaliseValue(column.type, value)
    : invalid("where", `column "${name}" is compared with a value that no ${column.type} column can hold`)
}

/** Resolves each of a list, up to the first that is not valid. */
const resolveAll = <A, B>(
  given: ReadonlyArray<A>,
  resolve: (one: A) => B | InvalidQuery
): ReadonlyArray<B> | InvalidQuery => {
  const resolved: Array<B> = []
  for (const one of given) {
    const value = resolve(one)
    if (value instanceof InvalidQuery) return value
    resolved.push(value)
  }
  return resolved
}

const resolveComparison = (columns: Columns, condition: Unchecked): AnyCondition | InvalidQuery => {
  const found = columnOf(columns, condition.column, "where")
  if (found instanceof InvalidQuery) return found
  // A column that was found has a name.
  const column = condition.column as string
  if (condition.op === "isNull") return { op: "isNull", column }
  if (found.type === "json")
    return invalid("where", `the json column "${column}" cannot be compared: its only condition is isNull`)
  const resolve = (value: unknown) => resolveValue(found, column, value)
  switch (condition.op) {
    case "in": {
      if (!Array.isArray(condition.values))
        return invalid("where", `"in" of column "${column}" needs an array of values`)
      if (condition.values.length > maxValues) {
        return invalid("where", `"in" of column "${column}" takes at most ${maxValues} values`)
      }
      const values = resolveAll(condition.values, resolve)
      return values instanceof InvalidQuery ? values : { op: "in", column, values }
    }
    case "between": {
      const ends = resolveAll([condition.from, condition.to], resolve)
      return ends instanceof InvalidQuery ? ends : { op: "between", column, from: ends[0], to: ends[1] }
    }
    case "startsWith": {
      if (found.type !== "text")
        return invalid("where", `"startsWith" needs a text column, and "${column}" is of type ${found.type}`)
      const value = resolve(condition.value)
      // The value of a text column is a string.
      return value instanceof InvalidQuery ? value : { op: "startsWith", column, value: value as string }
    }
    default: {
      const value = resolve(condition.value)
      if (value instanceof InvalidQuery) return value
      // The caller leaves no other operator to this case.
      return { op: condition.op as "eq", column, value }
    }
  }
}

const resolveCondition = (
  columns: Columns,
  condition: unknown,
  budget: Budget
): AnyCondition | InvalidQuery => {
  if (!isObject(condition))
    return invalid("where", "a condition must be an object, as the functions of Query build it")
  if (--budget.left < 0) return invalid("where", `a query takes at most ${maxConditions} conditions`)
  switch (condition.op) {
    case "and":
    case "or": {
      if (!Array.isArray(condition.conditions))
        return invalid("where", `"${condition.op}" needs an array of conditions`)
      const conditions = resolveAll(condition.conditions, (inner: unknown) =>
        resolveCondition(columns, inner, budget)
      )
      return conditions instanceof InvalidQuery ? conditions : { op: condition.op, conditions }
    }
    case "not": {
      const inner = resolveCondition(columns, condition.condition, budget)
      return inner instanceof InvalidQuery ? inner : { op: "not", condition: inner }
    }
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
      return resolveComparison(columns, condition)
    default:
      return invalid("where", "a condition has an operator that is not known")
  }
}

/** Checks one condition, and returns its checked form. */
export const checkCondition = (
  columns: Columns,
  condition: unknown
): Either.Either<AnyCondition, InvalidQuery> => {
  const resolved = resolveCondition(columns, condition, { left: maxConditions })
  return resolved instanceof InvalidQuery ? Either.left(resolved) : Either.right(resolved)
}
