/** The statements of a log's index of keys. */
import type { Revision } from "../../../internal/log/events.js"
import type { HistoryOptions } from "../../../internal/log/keyIndex.js"
import type { Dialect, Statement, TableColumn } from "../dialect.js"
import { columnOf, orderBy } from "../orderBy.js"
import { compose, headList, type Parts, param, partsOfFeed } from "./compose.js"
import { firstMatches, type Matching } from "./matching.js"
import { seqOf, wholeOf } from "./rows.js"
import { changesOf, keyList } from "./selecting.js"
import type { Feed } from "./tables.js"

/** What a scan reads, and how far it looks. */
export interface ScanWindow extends Matching {
  readonly limit: number
  /** The revision whose tag is compared with the caller's. */
  readonly upTo: number
}

/** Columns under names that begin with this one. */
const named = (dialect: Dialect, alias: string, columns: ReadonlyArray<TableColumn>): string =>
  columns
    .map((column) => `${dialect.selected(columnOf(alias, column))} AS "${alias}_${column.name}"`)
    .join(", ")

/** In the order of a key's events. */
const inOrder = (dialect: Dialect, { events }: Feed, alias: string): string =>
  `${orderBy(dialect, alias, events.column.seq)}, ${dialect.operand(columnOf(alias, events.column.pos))}`

/** The events of a key, and the last of them, as tables. */
const eventsOf = (
  dialect: Dialect,
  feed: Feed,
  key: string,
  { after, kinds, limit, upTo }: HistoryOptions
) => {
  const { events } = feed
  const { ofFeed, seq } = partsOfFeed(feed)
  const { generation, kind } = events.column
  const ofKey: Parts = [
    `SELECT i.* FROM ${events.sql} i WHERE i."feed" = `,
    ofFeed,
    ` AND i."key" = `,
    param(events.column.key, key),
    ...(upTo === undefined ? [] : [` AND i."seq" <= `, seq(seqOf(upTo))])
  ]
  const ofKinds: Parts =
    kinds === undefined
      ? []
      : [` AND ${dialect.operand(columnOf("i", kind))} IN (`, ...keyList(dialect, kind, kinds), ")"]
  const behind: Parts =
    after === undefined
      ? []
      : [
          ` AND i."seq" >= `,
          seq(seqOf(after.revision)),
          ` AND i."generation" > `,
          param(generation, wholeOf(after.generation))
        ]
  const last: Parts = [...ofKey, `${orderBy(dialect, "i", events.column.seq)} DESC, i."pos" DESC LIMIT 1`]
  const page: Parts = [...ofKey, ...behind, ...ofKinds, `${inOrder(dialect, feed, "i")} LIMIT ${limit}`]
  return { last, page }
}

/**
 * Reads the head; what is gone of a key (`k_`); the tag at `upTo` (`u_`); the event at `after` (`a_`); the last event up
 * to `upTo` (`b_`); and the events (`e_`), all as of one instant.
 */
const historyOf =
  (dialect: Dialect, feed: Feed) =>
  (key: string, options: HistoryOptions): Statement => {
    const { counted, events, heads, log } = feed
    const { ofFeed, seq } = partsOfFeed(feed)
    const { generation, tag } = events.column
    const position = [generation, events.column.seq, tag]
    const gone = [counted.column.gone, counted.column.gone_seq, counted.column.gone_tag]
    const { after, upTo } = options
    const { last, page } = eventsOf(dialect, feed, key, options)
    return compose(
      dialect,
      `SELECT ${headList(dialect, feed)}, ${named(dialect, "k", gone)}, ${named(dialect, "u", [log.column.tag])},` +
        ` ${["a", "b", "e"].map((alias) => named(dialect, alias, position)).join(", ")},` +
        ` CAST(l."changes" -> CAST(e."pos" AS int) AS text) AS "e_change" FROM ${heads.sql} h` +
        ` LEFT JOIN ${counted.sql} k ON k."feed" = h."feed" AND k."key" = `,
      param(counted.column.key, key),
      ` LEFT JOIN ${log.sql} u ON u."feed" = h."feed" AND u."seq" = `,
      seq(upTo === undefined ? -1 : seqOf(upTo)),
      ` LEFT JOIN ${events.sql} a ON a."feed" = h."feed" AND a."key" = `,
      param(events.column.key, key),
      ` AND a."seq" = `,
      seq(after === undefined ? -1 : seqOf(after.revision)),
      ` AND a."generation" = `,
      param(generation, after === undefined ? -1 : wholeOf(after.generation)),
      ` LEFT JOIN (`,
      ...last,
      `) b ON 1 = 1 LEFT JOIN (`,
      ...page,
      `) e ON 1 = 1 LEFT JOIN ${log.sql} l ON l."feed" = h."feed" AND l."seq" = e."seq" WHERE h."feed" = `,
      ofFeed,
      inOrder(dialect, feed, "e")
    )
  }

/** Finds revisions by what is in them. */
const scanOf = (dialect: Dialect, feed: Feed) => {
  const { heads, log } = feed
  const { ofFeed, seq } = partsOfFeed(feed)
  const { tag } = log.column
  return {
    /**
     * The head; the tags at `after`, `upTo` and `through` (`c_`, `u_`, `w_`); and the revisions that match (`l_`), all as
     * of one instant.
     */
    scan: ({ limit, upTo, ...matching }: ScanWindow): Statement =>
      compose(
        dialect,
        `SELECT ${headList(dialect, feed)}, ${named(dialect, "c", [tag])}, ${named(dialect, "u", [tag])},` +
          ` ${named(dialect, "w", [tag])}, ${named(dialect, "l", [log.column.seq, tag, log.column.changes])}` +
          ` FROM ${heads.sql} h LEFT JOIN ${log.sql} c ON c."feed" = h."feed" AND c."seq" = `,
        seq(matching.after),
        ` LEFT JOIN ${log.sql} u ON u."feed" = h."feed" AND u."seq" = `,
        seq(upTo),
        ` LEFT JOIN ${log.sql} w ON w."feed" = h."feed" AND w."seq" = `,
        seq(matching.through ?? -1),
        ` LEFT JOIN (SELECT r.* FROM (`,
        ...firstMatches(dialect, feed, matching, limit),
        `) m JOIN ${log.sql} r ON r."feed" = `,
        ofFeed,
        ` AND r."seq" = m."seq") l ON 1 = 1 WHERE h."feed" = `,
        ofFeed,
        orderBy(dialect, "l", log.column.seq)
      ),
    /** For each of these the tag at `after` (`c_`), and the first revision that matches (`l_`): `n` is its place. */
    matches: (all: ReadonlyArray<Matching>): Statement =>
      compose(
        dialect,
        ...all.flatMap(
          (matching, n): Parts => [
            `${n === 0 ? "" : " UNION ALL "}SELECT '${n}' AS n, ${named(dialect, "c", [tag])},` +
              ` ${named(dialect, "l", [log.column.seq, tag])} FROM ${heads.sql} h` +
              ` LEFT JOIN ${log.sql} c ON c."feed" = h."feed" AND c."seq" = `,
            seq(matching.after),
            ` LEFT JOIN (`,
            ...firstMatches(dialect, feed, matching, 1),
            `) m ON 1 = 1 LEFT JOIN ${log.sql} l ON l."feed" = h."feed" AND l."seq" = m."seq" WHERE h."feed" = `,
            ofFeed
          ]
        )
      )
  }
}

/** What keeps revisions, and what forgets them. */
const holdStatements = (dialect: Dialect, feed: Feed) => {
  const { counted, events, holds, log } = feed
  const { ofFeed, seq, where } = partsOfFeed(feed)
  const removedBy = (upTo: number): Parts => [
    `SELECT c.value ->> 0 AS "key", count(*) AS n, max(l."seq") AS "seq" FROM ${log.sql} l` +
      ` CROSS JOIN ${changesOf(dialect, 'l."changes"')} c WHERE l."feed" = `,
    ofFeed,
    ` AND l."seq" <= `,
    seq(upTo),
    ` GROUP BY c.value ->> 0`
  ]
  return {
    hold: (name: string, { seq: at, tag }: Revision): Statement =>
      compose(
        dialect,
        `INSERT INTO ${holds.sql} ("feed", "name", "seq", "tag") VALUES (`,
        ofFeed,
        ", ",
        param(holds.column.name, name),
        ", ",
        param(holds.column.seq, at),
        ", ",
        param(holds.column.tag, tag),
        `) ON CONFLICT ("feed", "name") DO UPDATE SET "seq" = excluded."seq", "tag" = excluded."tag"`
      ),
    release: (name: string): Statement =>
      compose(
        dialect,
        `DELETE FROM ${holds.sql}`,
        ...where,
        ` AND "name" = `,
        param(holds.column.name, name)
      ),
    /** The least revision that a reader keeps what comes after. */
    leastHold: (): Statement =>
      compose(
        dialect,
        `SELECT ${dialect.selected(columnOf("o", holds.column.seq))} AS "seq" FROM ${holds.sql} o WHERE o."feed" = `,
        ofFeed,
        `${orderBy(dialect, "o", holds.column.seq)} LIMIT 1`
      ),
    /** Removes the events up to a revision, which the log still holds, and marks how far each key's are gone. */
    removeUpTo: (upTo: number): ReadonlyArray<Statement> => [
      compose(
        dialect,
        `DELETE FROM ${events.sql}`,
        ...where,
        ` AND "seq" <= `,
        seq(upTo),
        ` AND "key" IN (SELECT d."key" FROM (`,
        ...removedBy(upTo),
        `) d)`
      ),
      compose(
        dialect,
        `UPDATE ${counted.sql} AS k SET "gone" = k."gone" + d.n, "gone_seq" = d."seq", "gone_tag" =` +
          ` (SELECT t."tag" FROM ${log.sql} t WHERE t."feed" = k."feed" AND t."seq" = d."seq") FROM (`,
        ...removedBy(upTo),
        `) d WHERE k."feed" = `,
        ofFeed,
        ` AND k."key" = d."key"`
      )
    ]
  }
}

/** The statements of the index of a feed's keys. */
export const keyStatements = (dialect: Dialect, feed: Feed) => ({
  history: historyOf(dialect, feed),
  ...scanOf(dialect, feed),
  ...holdStatements(dialect, feed)
})

export type KeyStatements = ReturnType<typeof keyStatements>
