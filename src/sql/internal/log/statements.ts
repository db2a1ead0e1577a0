/** The statements of a change log. What SQLite and Postgres do differently goes by {@link LogStatements}. */
import type { Revision } from "../../../internal/log/events.js"
import type { Selector } from "../../../internal/log/selector.js"
import type { Dialect, Row, Statement, Table } from "../dialect.js"
import type { SqlFailure } from "../errors.js"
import { columnOf, orderBy } from "../orderBy.js"
import { compose, headList, param, partsOfFeed } from "./compose.js"
import type { IndexRows } from "./keyRows.js"
import { keyStatements } from "./keyStatements.js"
import type { Encoded, LogRow, StateChanges } from "./rows.js"
import { conditionOf } from "./selecting.js"
import { type Feed, kindOfFeed } from "./tables.js"

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
  /** Reads what the log knows of these names. */
  readonly known: (names: Names) => Statement
  /** Writes rows, state and index, and moves the head, which is locked. */
  readonly write: (
    rows: ReadonlyArray<LogRow>,
    state: StateChanges,
    index: IndexRows,
    at: Date
  ) => ReadonlyArray<Statement>
  /**
   * Appends the entries whose id the log does not hold, by one statement of its own, to a log without state. The
   * result has a row for each revision (epoch, seq, tag), or one row without them; `fresh` is the number of entries
   * that were to be appended. None when the database has no such statement.
   *
   * Of what entries expect it judges generations alone: see {@link LogStatements.judges}. It fails if one is another.
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
  /** Whether {@link append} judges what these entries expect, and goes by the log as it is when the head is locked. */
  readonly judges: (entries: ReadonlyArray<Encoded>) => boolean
  /** Whether a failure is that of {@link append} on entries which expect another log. */
  readonly isConflict: (error: SqlFailure) => boolean
  /** The result of the last statement of a text that has several. */
  readonly last: (result: unknown) => unknown
}

/** What a commit asks the log about. */
export interface Names {
  /** The result has those that the log holds, as kind `id`. */
  readonly ids: ReadonlyArray<string>
  /** Keys whose last values are in the result, as kind `key`, with the `seq` of their revisions. */
  readonly values: ReadonlyArray<string>
  /** Keys whose generations are in the result, as kind `count`. */
  readonly counts: ReadonlyArray<string>
}

/** How long a commit or a transaction may keep others from committing. */
export interface Limits {
  /** Milliseconds that a commit waits for the one before it. */
  readonly lock: number
  /** Milliseconds that a transaction which holds the head may be idle before the server ends it. */
  readonly idle: number
}

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
        param(heads.column.state, kindOfFeed(feed)),
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
    /** Begins another epoch. An index of keys counts on, so its events stay. */
    renew: (epoch: string): ReadonlyArray<Statement> => {
      const toEpoch = [`UPDATE ${heads.sql} SET "epoch" = `, param(heads.column.epoch, epoch)]
      if (feed.keys === "indexed") return [compose(dialect, ...toEpoch, ...where)]
      return [
        compose(dialect, `DELETE FROM ${log.sql}`, ...where),
        ...(feed.state === "latest"
          ? [compose(dialect, `UPDATE ${kept.sql} SET "seq" = 0, "tag" = 0`, ...where)]
          : []),
        compose(
          dialect,
          ...toEpoch,
          `, "seq" = 0, "tag" = 0, "floor" = 0, "floor_tag" = 0, "bytes" = 0`,
          ...where
        )
      ]
    }
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
        ...conditionOf(dialect, { feed: feed.feed, keys: kept }, columnOf("s", kept.column.key), selector),
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
  ...retentionStatements(dialect, feed),
  index: feed.keys === "indexed" ? keyStatements(dialect, feed) : undefined
})

type SharedStatements = ReturnType<typeof sharedStatements>
