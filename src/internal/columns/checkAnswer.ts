/** Checks what a source answers, and copies it: a source is foreign code, and its rows may be shared. */
import { compileCheckRow, compileNormalise } from "./checkRow.js"
import type { Columns } from "./columns.js"
import { isInOrder, matchesCondition } from "./evaluateQuery.js"
import type { IdValue } from "./ids.js"
import type { CheckedQuery } from "./query.js"
import type { AnyRow } from "./rowCodec.js"
import { idOfRow } from "./rowStore.js"

/** Rows that were checked and copied, or what is wrong with them. */
export type CheckedAnswer<A> =
  | { readonly _tag: "Answer"; readonly value: A }
  | { readonly _tag: "Wrong"; readonly problem: string }

const wrong = (problem: string): CheckedAnswer<never> => ({ _tag: "Wrong", problem })

/** The checks of the answers of one table. */
export interface AnswerChecks {
  /** Checks one row. */
  readonly row: (given: unknown) => CheckedAnswer<AnyRow>
  /** Checks rows by the ids that were requested. */
  readonly byId: (ids: ReadonlySet<IdValue>, given: unknown) => CheckedAnswer<ReadonlyMap<IdValue, AnyRow>>
  /** Checks the rows of a query: its condition, order, place and limit. */
  readonly list: (query: CheckedQuery, given: unknown) => CheckedAnswer<ReadonlyArray<AnyRow>>
}

/** Compiles the checks of answers. */
export const compileCheckAnswer = (columns: Columns, id: string): AnswerChecks => {
  const check = compileCheckRow(columns, id)
  const normalise = compileNormalise(columns)

  const row = (given: unknown): CheckedAnswer<AnyRow> => {
    const reason = check(given)
    // What passes the check is an object.
    return reason === undefined
      ? { _tag: "Answer", value: normalise(given as object) }
      : wrong(`a row is not one of this table: ${reason.message}`)
  }

  const rowsOf = (given: unknown): CheckedAnswer<ReadonlyMap<IdValue, AnyRow>> => {
    if (!Array.isArray(given)) return wrong("it returned no array of rows")
    const rows = new Map<IdValue, AnyRow>()
    for (const one of given as ReadonlyArray<unknown>) {
      const checked = row(one)
      if (checked._tag === "Wrong") return checked
      const key = idOfRow(id, checked.value)
      if (rows.has(key)) return wrong("a row is there twice")
      rows.set(key, checked.value)
    }
    return { _tag: "Answer", value: rows }
  }

  return {
    row,
    byId: (ids, given) => {
      const rows = rowsOf(given)
      if (rows._tag === "Wrong") return rows
      for (const key of rows.value.keys()) if (!ids.has(key)) return wrong("a row was not requested")
      return rows
    },
    list: ({ after, limit, orderBy, where }, given) => {
      const found = rowsOf(given)
      if (found._tag === "Wrong") return found
      const rows = [...found.value.values()]
      if (limit !== undefined && rows.length > limit) return wrong("there are more rows than the limit")
      if (!rows.every((row) => matchesCondition(columns, where, row))) {
        return wrong("a row does not meet the condition")
      }
      return isInOrder(columns, orderBy, after, rows)
        ? { _tag: "Answer", value: rows }
        : wrong("the rows are not in the order of the query, or do not begin behind its place")
    }
  }
}
