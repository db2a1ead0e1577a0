/**
 * Instants that others have written with microseconds. They are read as their millisecond, so they are compared and
 * sorted as that too: rows of one millisecond are the same instant, and the next key of the order separates them.
 * Otherwise a page could not begin behind a row that was read.
 */
import type { Order } from "../../../internal/columns/query.js"
import type { TableColumn } from "../dialect.js"

const infinity = (sign: "" | "-"): string => `timestamptz '${sign}infinity'`

/** The millisecond that an instant is read as. */
export const millisecondOf = (sql: string): string => `date_trunc('milliseconds', ${sql})`

/** The first instant that is read as a later one than this parameter. */
export const behindMillisecond = (placeholder: string): string =>
  `(${placeholder} + interval '1 millisecond')`

/**
 * A condition for the first `limit` rows in the order of a column's milliseconds: no index has that order, but one of
 * the column gives the millisecond of the last of them. `from` is FROM and WHERE of the query. The bounds have two
 * sides because the planner expects few rows then, and takes the index.
 */
export const firstInstants = (
  { nullable, sql }: TableColumn,
  direction: Order["direction"],
  limit: number,
  from: string
): string => {
  const isAsc = direction === "asc"
  const nulls = nullable ? ` NULLS ${isAsc ? "FIRST" : "LAST"}` : ""
  const order = `${sql} ${isAsc ? "ASC" : "DESC"}${nulls}`
  const last = `(SELECT ${sql} AS "at" ${from} ORDER BY ${order} LIMIT 1 OFFSET ${limit - 1}) last`
  const end = isAsc ? ` + interval '999 microseconds'` : ""
  // The last of them may be NULL, and there may be fewer rows than that.
  const found = `coalesce(${millisecondOf(`last."at"`)}${end}, ${infinity(isAsc && !nullable ? "" : "-")})`
  const bound = `coalesce((SELECT ${found} FROM ${last}), ${infinity(isAsc ? "" : "-")})`
  const within = isAsc
    ? `${sql} BETWEEN ${infinity("-")} AND ${bound}`
    : `${sql} BETWEEN ${bound} AND ${infinity("")}`
  return nullable ? `(${within} OR ${sql} IS NULL)` : within
}
