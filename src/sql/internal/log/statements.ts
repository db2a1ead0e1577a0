/** The statements of a change log. What SQLite and Postgres do differently goes by {@link LogStatements}. */
import type { Revision } from "../../../internal/log/events.js"
import { type Part, partsOf, type Selector } from "../../../internal/log/selector.js"
import type { Dialect, Row, Statement, Table, TableColumn } from "../dialect.js"
import { columnOf, orderBy } from "../orderBy.js"
import type { Encoded, LogRow, StateChanges } from "./rows.js"
import type { Feed } from "./tables.js"

/** The statements of one feed. */
export interface LogStatements extends SharedStatements {
  readonly dialect: Dialect
  /**
   * Begins a transaction and locks the head: no other transaction commits to the feed until its end. The last statement's
   * result is the head's row.
   */
  readonly begin: ReadonlyArray<Statement>
  /** An expression without parameters: the head's revision as text, for {@link headRevision}. NULL without the feed. */
  readonly headText: string
  /** Locks the head inside of an open transaction, and gives its row. */
  readonly lock: Statement
  /** Of these ids those that the log holds (kind `id`), and of these keys the last values (kind `key`). */
  readonly known: (ids: ReadonlyArray<string>, keys: ReadonlyArray<string>) => Statement
  /** Writes rows and state, and moves the head, which is locked. */
  readonly write: (rows: ReadonlyArray<LogRow>, state: StateChanges, at: Date) => ReadonlyArray<Statement>
  /**
   * Appends the entries whose id the log does not hold, by one statement of its own, to a log without state. The
   * result has a row for each revision (epoch, seq, tag), or one row without them; `fresh` is the number of entries
   * that were to be appended. None when the database has no such statement.
   */
  readonly append: ((entries: ReadonlyArray<Encoded>, at: Date) => Statement) | undefined
  /**
   * Stores rows of a table and appends the entries of those that were new, by one statement of its own, to a log
   * without state. `firsts` and `entries` belong together: each id of the batch once. The result is that of
   * {@link append}.
   */
  readonly store:
    | ((
        table: Table
      ) => (
        rows: ReadonlyArray<Row>,
        firsts: ReadonlyArray<Row>,
        entries: ReadonlyArray<Encoded>,
        at: Date
      ) => Statement)
    | undefined
  /** The result of the last statement of a text that has several. */
  readonly last: (result: unknown) => unknown
}

/** How long a commit or a transaction may keep others from committing. */
export interface Limits {
  /** Milliseconds that a commit waits for the one before it. */
  readonly lock: number
  /** Milliseconds that a transaction which holds the head may be idle before the server ends it. */
  readonly idle: number
}

/** A value that goes to the database as a parameter. */
interface Param {
  readonly column: TableColumn
  readonly value: unknown
}

export const param = (column: TableColumn, value: unknown): Param => ({ column, value })

/** A statement made of text and values, in their order. */
export const compose = (dialect: Dialect, ...parts: ReadonlyArray<string | Param>): Statement => {
  const params: Array<unknown> = []
  let text = ""
  for (const part of parts) {
    if (typeof part === "string") text += part
    else {
      params.push(dialect.param(part.column, part.value))
      text += dialect.placeholder(params.length, part.column)
    }
  }
  return { text, params }
}

/** Columns of a table that is known by an alias, as they are read. */
const selected = (dialect: Dialect, alias: string, columns: ReadonlyArray<TableColumn>): string =>
  columns.map((column) => `${dialect.selected(columnOf(alias, column))} AS ${column.sql}`).join(", ")

/** The head's columns. */
export const headList = (dialect: Dialect, { heads }: Feed): string =>
  selected(dialect, "h", heads.columns.slice(1))

/** See {@link LogStatements.headText}; `feed` is an expression for the feed's name. */
export const headText = ({ heads }: Feed, feed: string): string =>
  `(SELECT CAST(h."seq" AS text) || ' ' || CAST(h."tag" AS text) || ' ' || h."epoch" FROM ${heads.sql} h WHERE h."feed" = ${feed})`

/** The revision that {@link LogStatements.headText} gives. */
export const headRevision = (text: string | undefined): Revision | undefined => {
  const parts = text === undefined ? null : /^(\d+) (\d+) (.*)$/s.exec(text)
  return parts === null
    ? undefined
    : Object.freeze({ epoch: parts[3]!, seq: Number(parts[1]), tag: Number(parts[2]) })
}

/** Text and values of a statement, in their order. */
export type Parts = ReadonlyArray<string | Param>

/** How the databases make rows of a list that comes as JSON: of keys, and of pairs (`first`, `second`). */
const lists: {
  readonly [Name in Dialect["name"]]: {
    readonly keys: readonly [before: string, behind: string]
    readonly pairs: readonly [before: string, behind: string]
  }
} = {
  sqlite: {
    keys: ["SELECT value FROM json_each(", ")"],
    pairs: ["SELECT value ->> 0 AS first, value ->> 1 AS second FROM json_each(", ")"]
  },
  pg: {
    keys: ["SELECT jsonb_array_elements_text((", ")::jsonb)"],
    // Without OFFSET each pair would be decoded again for each row that it is compared with.
    pairs: [
      "SELECT value ->> 0 AS first, value ->> 1 AS second FROM jsonb_array_elements((",
      ")::jsonb) OFFSET 0"
    ]
  }
}

/** A query that gives one row for each of these values of a column of text: they are one parameter. */
export const keyList = (dialect: Dialect, column: TableColumn, values: ReadonlyArray<string>): Parts => {
  const [before, behind] = lists[dialect.name].keys
  return [before, param(column, JSON.stringify(values)), behind]
}

/** The first key that a part holds, and the first one behind it that it does not; none of a part that holds all keys. */
const boundsOf = (part: Exclude<Part, { readonly _tag: "Key" }>): readonly [string, string] | undefined => {
  if (part._tag === "Range") return [part.from, part.to]
  // It ends with "/", and "0" is the code point behind that.
  return part.prefix === "" ? undefined : [part.prefix, `${part.prefix.slice(0, -1)}0`]
}

/**
 * The condition of a selector. However many keys it has are one parameter, and so are its ranges and prefixes:
 * databases bound the parameters, the terms and the depth of a statement.
 */
const conditionOf = (dialect: Dialect, { feed, kept }: Feed, selector: Selector): Parts => {
  const { key } = kept.column
  const [beforePairs, behindPairs] = lists[dialect.name].pairs
  const operandOf = (alias: string) => dialect.operand(columnOf(alias, key))
  const operand = operandOf("s")
  const keys: Array<string> = []
  const ranges: Array<readonly [string, string]> = []
  for (const part of partsOf(selector)) {
    const bounds = part._tag === "Key" ? undefined : boundsOf(part)
    if (part._tag === "Key") keys.push(part.key)
    else if (bounds === undefined) return ["1 = 1"]
    else ranges.push(bounds)
  }
  const conditions: Array<Parts> = []
  if (keys.length === 1) conditions.push([`${operand} = `, param(key, keys[0])])
  else if (keys.length > 1) conditions.push([`${operand} IN (`, ...keyList(dialect, key, keys), ")"])
  const [range] = ranges
  if (range !== undefined && ranges.length === 1) {
    conditions.push([
      `(${operand} >= `,
      param(key, range[0]),
      ` AND ${operand} < `,
      param(key, range[1]),
      ")"
    ])
  } else if (range !== undefined) {
    conditions.push([
      `${operand} IN (SELECT ${operandOf("r")} FROM (`,
      beforePairs,
      param(key, JSON.stringify(ranges)),
      behindPairs,
      // In this order: for each range the index gives the keys in it.
      `) p CROSS JOIN ${kept.sql} r WHERE r."feed" = `,
      param(kept.column.feed, feed),
      ` AND ${operandOf("r")} >= p.first AND ${operandOf("r")} < p.second)`
    ])
  }
  return conditions.flatMap((condition, n) => (n === 0 ? condition : [" OR ", ...condition]))
}

/** Parts of statements that several have. */
const partsOfFeed = ({ feed, heads, log }: Feed) => {
  const ofFeed = param(heads.column.feed, feed)
  const where: Parts = [` WHERE "feed" = `, ofFeed]
  return { ofFeed, where, seq: (value: number) => param(log.column.seq, value) }
}

/** The statements that make and move a head. */
const headStatements = (dialect: Dialect, feed: Feed) => {
  const { heads, kept, log } = feed
  const { ofFeed, where } = partsOfFeed(feed)
  return {
    /** Makes the feed when there is none. */
    createFeed: (logId: string, epoch: string) =>
      compose(
        dialect,
        `INSERT INTO ${heads.sql} (${heads.columns.map(({ sql }) => sql).join(", ")}) VALUES (`,
        ofFeed,
        ", ",
        param(heads.column.bell, logId),
        ", ",
        param(heads.column.state, feed.state),
        ", ",
        param(heads.column.epoch, epoch),
        ", 0, 0, 0, 0, 0) ON CONFLICT (feed) DO NOTHING"
      ),
    head: () =>
      compose(dialect, `SELECT ${headList(dialect, feed)} FROM ${heads.sql} h`, ` WHERE h."feed" = `, ofFeed),
    moveHead: (to: number, tag: number, bytes: number) =>
      compose(
        dialect,
        `UPDATE ${heads.sql} SET "seq" = `,
        param(heads.column.seq, to),
        `, "tag" = `,
        param(heads.column.tag, tag),
        `, "bytes" = `,
        param(heads.column.bytes, bytes),
        ...where
      ),
    /** Begins another epoch. */
    renew: (epoch: string): ReadonlyArray<Statement> => [
      compose(dialect, `DELETE FROM ${log.sql}`, ...where),
      ...(feed.state === "latest"
        ? [compose(dialect, `UPDATE ${kept.sql} SET "seq" = 0, "tag" = 0`, ...where)]
        : []),
      compose(
        dialect,
        `UPDATE ${heads.sql} SET "epoch" = `,
        param(heads.column.epoch, epoch),
        `, "seq" = 0, "tag" = 0, "floor" = 0, "floor_tag" = 0, "bytes" = 0`,
        ...where
      )
    ]
  }
}

/** The statements that read revisions and last values. */
const readStatements = (dialect: Dialect, feed: Feed) => {
  const { heads, kept, log } = feed
  const { ofFeed, seq } = partsOfFeed(feed)
  return {
    /** The head, the tag of the revision at the cursor (`cursor`), and the revisions after it, as of one instant. */
    read: (after: number, limit: number) => {
      const { changes, previous, seq: number, tag } = log.column
      const columns = [number, tag, changes, previous].map(
        (column) => `${dialect.selected(columnOf("l", column))} AS "l_${column.name}"`
      )
      const cursor = dialect.selected(columnOf("c", tag))
      return compose(
        dialect,
        `SELECT ${headList(dialect, feed)}, ${cursor} AS "cursor", ${columns.join(", ")} FROM ${heads.sql} h` +
          ` LEFT JOIN ${log.sql} c ON c."feed" = h."feed" AND c."seq" = `,
        seq(after),
        ` LEFT JOIN (SELECT * FROM ${log.sql} r WHERE r."feed" = `,
        ofFeed,
        ` AND r."seq" > `,
        seq(after),
        `${orderBy(dialect, "r", number)} LIMIT ${limit}) l ON 1 = 1 WHERE h."feed" = `,
        ofFeed,
        orderBy(dialect, "l", number)
      )
    },
    /** The head and the last values, as of one instant. */
    snapshot: (selector: Selector) => {
      const columns = [kept.column.key, kept.column.value, kept.column.seq, kept.column.tag].map(
        (column) => `${dialect.selected(columnOf("s", column))} AS "s_${column.name}"`
      )
      return compose(
        dialect,
        `SELECT ${headList(dialect, feed)}, ${columns.join(", ")} FROM ${heads.sql} h` +
          ` LEFT JOIN ${kept.sql} s ON s."feed" = h."feed" AND (`,
        ...conditionOf(dialect, feed, selector),
        `) WHERE h."feed" = `,
        ofFeed,
        orderBy(dialect, "s", kept.column.key)
      )
    }
  }
}

/** The statements that give up old revisions. */
const retentionStatements = (dialect: Dialect, feed: Feed) => {
  const { heads, log } = feed
  const { ofFeed, seq, where } = partsOfFeed(feed)
  return {
    /** The tag of a revision. */
    tagAt: (at: number) =>
      compose(
        dialect,
        `SELECT ${dialect.selected(log.column.tag)} AS "tag" FROM ${log.sql}`,
        ...where,
        ` AND "seq" = `,
        seq(at)
      ),
    /** The first revision before which there are at least so many bytes, or which is not older. */
    firstFrom: (column: "base" | "at", value: unknown) =>
      compose(
        dialect,
        `SELECT ${dialect.selected(columnOf("l", log.column.seq))} AS "seq" FROM ${log.sql} l WHERE l."feed" = `,
        ofFeed,
        ` AND l."${column}" >= `,
        param(log.column[column], value),
        `${orderBy(dialect, "l", log.column.seq)} LIMIT 1`
      ),
    deleteUpTo: (upTo: number) =>
      compose(dialect, `DELETE FROM ${log.sql}`, ...where, ` AND "seq" <= `, seq(upTo)),
    moveFloor: (to: number, tag: number) =>
      compose(
        dialect,
        `UPDATE ${heads.sql} SET "floor" = `,
        param(heads.column.floor, to),
        `, "floor_tag" = `,
        param(heads.column.floor_tag, tag),
        ...where
      )
  }
}

/** The statements that both databases share. */
export const sharedStatements = (dialect: Dialect, feed: Feed) => ({
  ...headStatements(dialect, feed),
  ...readStatements(dialect, feed),
  ...retentionStatements(dialect, feed)
})

type SharedStatements = ReturnType<typeof sharedStatements>
