/** One text for each query, by which equal queries are found: in keys of caches, for one read that many share. */
import { Encoding } from "effect"
import { isBytes, isDate } from "../realms.js"
import type { AnyCondition, CheckedQuery } from "./query.js"

/** A value as JSON; those that JSON has no form for are marked by their type. */
const valueOf = (value: unknown): unknown => {
  if (typeof value === "bigint") return { bigint: String(value) }
  if (isDate(value)) return { date: value.getTime() }
  return isBytes(value) ? { bytes: Encoding.encodeBase64(value) } : value
}

const conditionOf = (condition: AnyCondition): unknown => {
  switch (condition.op) {
    case "and":
    case "or":
      return [condition.op, ...condition.conditions.map(conditionOf)]
    case "not":
      return [condition.op, conditionOf(condition.condition)]
    case "isNull":
      return [condition.op, condition.column]
    case "in":
      return [condition.op, condition.column, ...condition.values.map(valueOf)]
    case "between":
      return [condition.op, condition.column, valueOf(condition.from), valueOf(condition.to)]
    default:
      return [condition.op, condition.column, valueOf(condition.value)]
  }
}

/** Returns the text of a checked condition, or of none. */
export const conditionText = (where: AnyCondition | undefined): string =>
  JSON.stringify(where === undefined ? null : conditionOf(where))

/** Returns the text of a checked query. Two queries with the same text have the same answer. */
export const queryText = ({ after, limit, offset, orderBy, where }: CheckedQuery): string =>
  JSON.stringify([
    where === undefined ? null : conditionOf(where),
    orderBy.map(({ column, direction }) => [column, direction]),
    limit ?? null,
    offset,
    after === undefined ? null : after.map(valueOf)
  ])
