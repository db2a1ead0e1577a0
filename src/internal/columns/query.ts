/**
 * Typed queries over columns, as plain data. Every table storage answers them in the same way.
 *
 * Comparisons follow SQL: a comparison with NULL is neither true nor false, and neither is its negation. Text
 * compares by code point, never by locale; uuids by their lower-case text; false comes before true; bytes compare
 * byte by byte; NULL comes before every value (first ascending, last descending).
 */
import { Data } from "effect"
import type { Columns, ColumnTypes, NewRowOf } from "./columns.js"

/** A query that is not valid for these columns, or an option of a read that cannot work. Nothing was read. */
export class InvalidQuery extends Data.TaggedError("InvalidQuery")<{
  /** The part of the query: `where`, `orderBy`, `limit`, `page`, `after`, the unknown key itself, or a read's option. */
  readonly part: string
  readonly message: string
}> {}

/** A comparison of one column with a value. */
export interface Compare<Name, Value> {
  readonly op: "eq" | "ne" | "lt" | "lte" | "gt" | "gte"
  readonly column: Name
  readonly value: Value
}

/** The column's value is one of these, at most 1,000. Without values nothing matches. */
export interface OneOf<Name, Value> {
  readonly op: "in"
  readonly column: Name
  readonly values: ReadonlyArray<Value>
}

/** The column's value lies between these, both included. */
export interface Between<Name, Value> {
  readonly op: "between"
  readonly column: Name
  readonly from: Value
  readonly to: Value
}

/** The column's text begins with this, compared by code point. */
export interface StartsWith<Name> {
  readonly op: "startsWith"
  readonly column: Name
  readonly value: string
}

/** The column is NULL. */
export interface IsNull<Name> {
  readonly op: "isNull"
  readonly column: Name
}

/** All of the conditions are true. */
export interface And<Inner> {
  readonly op: "and"
  readonly conditions: ReadonlyArray<Inner>
}

/** At least one of the conditions is true. */
export interface Or<Inner> {
  readonly op: "or"
  readonly conditions: ReadonlyArray<Inner>
}

/** The condition is false. */
export interface Not<Inner> {
  readonly op: "not"
  readonly condition: Inner
}

type Comparisons<C extends Columns, K extends keyof C> = C[K]["type"] extends "json"
  ? never
  :
      | Compare<K, ColumnTypes[C[K]["type"]]>
      | OneOf<K, ColumnTypes[C[K]["type"]]>
      | Between<K, ColumnTypes[C[K]["type"]]>
      | (C[K]["type"] extends "text" ? StartsWith<K> : never)

type ColumnCondition<C extends Columns> = {
  [K in keyof C & string]: IsNull<K> | Comparisons<C, K>
}[keyof C & string]

/** A condition over columns; a query has at most 500. The only condition of a json column is `isNull`. */
export type Condition<C extends Columns> =
  | ColumnCondition<C>
  | And<Condition<C>>
  | Or<Condition<C>>
  | Not<Condition<C>>

/** One key of an order. */
export interface Order<Name extends string = string> {
  readonly column: Name
  readonly direction: "asc" | "desc"
}

/** The columns that have an order: all but json. */
export type Sortable<C extends Columns> = {
  [K in keyof C & string]: C[K]["type"] extends "json" ? never : K
}[keyof C & string]

/**
 * Which rows to read: those that meet `where` (all without it), in the order of `orderBy`, at most `limit` of them
 * (all without it), beginning after `after`, or at the page with the number `page`.
 *
 * The id is always the last key of the order, in the direction of the key before it (ascending without one). So every
 * order is total. `after` is the last row of the page before, or the part of it that has the order's columns and the
 * id. The next page begins right after that place, also if that row is deleted by now.
 *
 * `page` counts from 1, needs `limit`, and excludes `after`. It passes by the rows of the pages before it: they are read
 * again, and a row that is added or deleted there moves the page. For long lists use `after`.
 */
export interface Query<C extends Columns> {
  readonly where?: Condition<C>
  readonly orderBy?: ReadonlyArray<Order<Sortable<C>>>
  readonly limit?: number
  readonly page?: number
  readonly after?: Partial<NewRowOf<C>>
}

/**
 * Which rows to delete: those whose `column` is before `before`, at most `batchSize` (1 to 10,000, default 1,000)
 * in one statement.
 */
export type Prune<C extends Columns> = {
  readonly [K in Sortable<C>]: {
    readonly column: K
    readonly before: ColumnTypes[C[K]["type"]]
    readonly batchSize?: number
  }
}[Sortable<C>]

const compare =
  (op: Compare<unknown, unknown>["op"]) =>
  <const Name extends string, Value>(column: Name, value: Value): Compare<Name, Value> => ({
    op,
    column,
    value
  })

/**
 * Builds queries. The names and values are checked against the columns where the query is used.
 *
 * ```ts
 * storage.load({
 *   where: Query.and(Query.eq("actor", "alice"), Query.gte("at", yesterday)),
 *   orderBy: [Query.desc("at")],
 *   limit: 50
 * })
 * ```
 */
export const Query = {
  eq: compare("eq"),
  ne: compare("ne"),
  lt: compare("lt"),
  lte: compare("lte"),
  gt: compare("gt"),
  gte: compare("gte"),
  /** The value is one of these (at most 1,000); with none, nothing matches. */
  in: <const Name extends string, Value>(column: Name, values: ReadonlyArray<Value>): OneOf<Name, Value> => ({
    op: "in",
    column,
    values
  }),
  /** Between these, both included. */
  between: <const Name extends string, Value>(
    column: Name,
    from: Value,
    to: Value
  ): Between<Name, Value> => ({
    op: "between",
    column,
    from,
    to
  }),
  /** The text begins with this, by code point. */
  startsWith: <const Name extends string>(column: Name, value: string): StartsWith<Name> => ({
    op: "startsWith",
    column,
    value
  }),
  isNull: <const Name extends string>(column: Name): IsNull<Name> => ({ op: "isNull", column }),
  /** All of these; true without any. */
  and: <Inner extends ReadonlyArray<unknown>>(...conditions: Inner): And<Inner[number]> => ({
    op: "and",
    conditions
  }),
  /** One of these at least; false without any. */
  or: <Inner extends ReadonlyArray<unknown>>(...conditions: Inner): Or<Inner[number]> => ({
    op: "or",
    conditions
  }),
  not: <Inner>(condition: Inner): Not<Inner> => ({ op: "not", condition }),
  asc: <const Name extends string>(column: Name): Order<Name> => ({ column, direction: "asc" }),
  desc: <const Name extends string>(column: Name): Order<Name> => ({ column, direction: "desc" })
} as const

/** A checked condition, without the types of its columns. Its values are normalised: a uuid is in lower case. */
export type AnyCondition =
  | Compare<string, unknown>
  | OneOf<string, unknown>
  | Between<string, unknown>
  | StartsWith<string>
  | IsNull<string>
  | And<AnyCondition>
  | Or<AnyCondition>
  | Not<AnyCondition>

/**
 * A checked query, as a source answers it. Every name in it is a column's, and every value is one of that column.
 *
 * - `where`: the condition that rows must meet; all rows without it.
 * - `orderBy`: the whole order. It ends with the id, so it is total.
 * - `limit`: the most rows to return; all without it.
 * - `offset`: how many of the first rows to pass by; 0 if there is an `after`.
 * - `after`: a value or null for each key of `orderBy`. The answer begins with the first row behind that place.
 */
export interface CheckedQuery {
  readonly where: AnyCondition | undefined
  readonly orderBy: ReadonlyArray<Order>
  readonly limit: number | undefined
  readonly offset: number
  readonly after: ReadonlyArray<unknown> | undefined
}
