/** Which revisions of a log have an event of some keys and kinds, found by the index of keys. */
import { partsOf, type Selector } from "../../../internal/log/selector.js"
import type { Dialect, TableColumn } from "../dialect.js"
import { columnOf, orderBy } from "../orderBy.js"
import { type Parts, param, partsOfFeed } from "./compose.js"
import { changesOf, conditionOf, keyList } from "./selecting.js"
import type { Feed } from "./tables.js"

/** Which events count. */
export interface Matching {
  /** Exclusive. */
  readonly after: number
  /** Inclusive; to the end without it. */
  readonly through: number | undefined
  /** All keys without it. */
  readonly selector: Selector | undefined
  /** All kinds without it. */
  readonly kinds: ReadonlyArray<string> | undefined
}

/** So many values of a column each have a query of their own, which reads no more than the limit by the index. */
const maxBranches = 20

/** The keys of a selector of nothing but keys. */
const keysOf = (selector: Selector | undefined): ReadonlyArray<string> | undefined => {
  if (selector === undefined) return undefined
  const keys = partsOf(selector).flatMap((part) => (part._tag === "Key" ? [part.key] : []))
  return keys.length === partsOf(selector).length ? [...new Set(keys)] : undefined
}

const isEvery = (selector: Selector): boolean =>
  partsOf(selector).some((part) => part._tag === "Prefix" && part.prefix === "")

/** Which of these values a column has, as a condition. */
const isOneOf = (dialect: Dialect, column: TableColumn, values: ReadonlyArray<string>): Parts =>
  values.length === 1
    ? [`${dialect.operand(column)} = `, param(column, values[0])]
    : [`${dialect.operand(column)} IN (`, ...keyList(dialect, column, values), ")"]

/** A search for the first revisions that match. */
interface Search {
  readonly dialect: Dialect
  readonly feed: Feed
  readonly matching: Matching
  readonly limit: number
}

const within = ({ feed, matching: { after, through } }: Search, alias: string): Parts => {
  const { ofFeed, seq } = partsOfFeed(feed)
  return [
    ` WHERE ${alias}."feed" = `,
    ofFeed,
    ` AND ${alias}."seq" > `,
    seq(after),
    ...(through === undefined ? [] : [` AND ${alias}."seq" <= `, seq(through)])
  ]
}

const selects = ({ dialect, feed }: Search, key: TableColumn, selector: Selector): Parts => [
  " AND (",
  ...conditionOf(dialect, { feed: feed.feed, keys: feed.counted }, key, selector),
  ")"
]

/** By the index on a column of the events, which has one of these values. */
const byColumn = (search: Search, column: TableColumn, values: ReadonlyArray<string>, also: Parts): Parts => {
  const { dialect, feed, limit } = search
  const { seq } = feed.events.column
  const first = (values: ReadonlyArray<string>): Parts => [
    `SELECT DISTINCT e."seq" FROM ${feed.events.sql} e`,
    ...within(search, "e"),
    " AND ",
    ...isOneOf(dialect, columnOf("e", column), values),
    ...also,
    `${orderBy(dialect, "e", seq)} LIMIT ${limit}`
  ]
  if (values.length === 1 || values.length > maxBranches) return first(values)
  const branches = values.flatMap(
    (value, n): Parts => [`${n === 0 ? "" : " UNION "}SELECT f."seq" FROM (`, ...first([value]), ") f"]
  )
  return [`SELECT b."seq" FROM (`, ...branches, `) b${orderBy(dialect, "b", seq)} LIMIT ${limit}`]
}

/** By the revisions themselves: no index has all the keys of a range in the order of their revisions. */
const byRevisions = (search: Search, selector: Selector | undefined): Parts => {
  const { dialect, feed, limit } = search
  const { events, log } = feed
  const changed: Parts =
    selector === undefined
      ? []
      : [
          ` AND EXISTS (SELECT 1 FROM ${changesOf(dialect, 'l."changes"')} c WHERE 1 = 1`,
          ...selects(search, { ...events.column.key, sql: "(c.value ->> 0)" }, selector),
          ")"
        ]
  return [
    `SELECT l."seq" FROM ${log.sql} l`,
    ...within(search, "l"),
    ...changed,
    `${orderBy(dialect, "l", log.column.seq)} LIMIT ${limit}`
  ]
}

/** The numbers of the first revisions that have a matching event, in order: `seq`, at most `limit`. */
export const firstMatches = (dialect: Dialect, feed: Feed, matching: Matching, limit: number): Parts => {
  const search: Search = { dialect, feed, matching, limit }
  const { key, kind } = feed.events.column
  const { kinds } = matching
  const selector =
    matching.selector === undefined || isEvery(matching.selector) ? undefined : matching.selector
  const keys = keysOf(selector)
  if (keys !== undefined) {
    const ofKinds = kinds && isOneOf(dialect, columnOf("e", kind), kinds)
    return byColumn(search, key, keys, ofKinds === undefined ? [] : [" AND ", ...ofKinds])
  }
  if (kinds === undefined) return byRevisions(search, selector)
  const ofKeys = selector === undefined ? [] : selects(search, columnOf("e", key), selector)
  return byColumn(search, kind, kinds, ofKeys)
}
