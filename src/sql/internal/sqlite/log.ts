/** Change logs on SQLite: a commit is a transaction, of which there is one at a time. */
import type { Statement } from "../dialect.js"
import { compose, param } from "../log/compose.js"
import type { IndexRows } from "../log/keyRows.js"
import { type LogRow, placeOf, type StateChanges } from "../log/rows.js"
import { headText, type LogStatements, type Names, sharedStatements } from "../log/statements.js"
import type { Feed } from "../log/tables.js"
import { sqliteDialect } from "./dialect.js"

const list = (values: ReadonlyArray<unknown>): Statement => ({
  text: "(SELECT value FROM json_each(?))",
  params: [JSON.stringify(values)]
})

const join = (...parts: ReadonlyArray<string | Statement>): Statement => ({
  text: parts.map((part) => (typeof part === "string" ? part : part.text)).join(""),
  params: parts.flatMap((part) => (typeof part === "string" ? [] : part.params))
})

const ofFeed = (feed: Feed): Statement => compose(sqliteDialect, param(feed.heads.column.feed, feed.feed))

/** One JSON parameter for any number of rows: each is an array of what its columns get. */
const rowsOf = (rows: ReadonlyArray<ReadonlyArray<unknown>>): Statement => ({
  text: "json_each(?)",
  params: [JSON.stringify(rows)]
})

const writeRows = (feed: Feed, rows: ReadonlyArray<LogRow>, at: Date): ReadonlyArray<Statement> => {
  const { log } = feed
  const place = placeOf(rows, { seq: 0, bytes: 0 })
  return [
    join(
      `INSERT INTO ${log.sql} ("feed", "at", "seq", "tag", "id", "base", "changes", "previous") SELECT `,
      ofFeed(feed),
      ", ",
      compose(sqliteDialect, param(log.column.at, at)),
      ", value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM ",
      rowsOf(
        rows.map(({ base, id, json, previous, seq, tag }) => [
          seq,
          tag,
          id ?? null,
          base,
          json,
          previous ?? null
        ])
      )
    ),
    sharedStatements(sqliteDialect, feed).moveHead(place.seq, place.tag ?? 0, place.bytes)
  ]
}

const writeState = (feed: Feed, state: StateChanges): ReadonlyArray<Statement> => {
  const { kept } = feed
  const all: Array<Statement> = []
  const put: Array<ReadonlyArray<unknown>> = []
  const gone: Array<string> = []
  for (const [key, to] of state) {
    if (to === undefined) gone.push(key)
    else put.push([key, to.value, to.seq, to.tag])
  }
  if (gone.length > 0) {
    all.push(join(`DELETE FROM ${kept.sql} WHERE "feed" = `, ofFeed(feed), ` AND "key" IN `, list(gone)))
  }
  if (put.length > 0) {
    all.push(
      join(
        `INSERT INTO ${kept.sql} ("feed", "key", "value", "seq", "tag") SELECT `,
        ofFeed(feed),
        ", value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM ",
        rowsOf(put),
        // Without a condition the parser takes ON for a join's.
        ` WHERE 1 = 1 ON CONFLICT ("feed", "key") DO UPDATE SET` +
          ` "value" = excluded."value", "seq" = excluded."seq", "tag" = excluded."tag"`
      )
    )
  }
  return all
}

const writeIndex = (feed: Feed, { events, generations }: IndexRows): ReadonlyArray<Statement> =>
  feed.keys === "none"
    ? []
    : [
        join(
          `INSERT INTO ${feed.counted.sql} ("feed", "key", "generation", "gone", "gone_seq", "gone_tag") SELECT `,
          ofFeed(feed),
          ", value ->> 0, value ->> 1, 0, 0, 0 FROM ",
          rowsOf([...generations]),
          // Without a condition the parser takes ON for a join's.
          ` WHERE 1 = 1 ON CONFLICT ("feed", "key") DO UPDATE SET "generation" = excluded."generation"`
        ),
        join(
          `INSERT INTO ${feed.events.sql} ("feed", "key", "seq", "pos", "tag", "generation", "kind") SELECT `,
          ofFeed(feed),
          ", value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM ",
          rowsOf(
            events.map(({ generation, key, kind, pos, seq, tag }) => [
              key,
              seq,
              pos,
              tag,
              generation,
              kind ?? null
            ])
          )
        )
      ]

const known = (feed: Feed, { counts, ids, values }: Names): Statement => {
  const ofKeys = (kind: string, table: string, columns: string, keys: ReadonlyArray<string>) =>
    join(
      ` UNION ALL SELECT '${kind}', "key", ${columns} FROM ${table} WHERE "feed" = `,
      ofFeed(feed),
      ` AND "key" IN `,
      list(keys)
    )
  return join(
    `SELECT 'id' AS kind, "id" AS name, NULL AS value, NULL AS seq FROM ${feed.log.sql} WHERE "feed" = `,
    ofFeed(feed),
    ` AND "id" IN `,
    list(ids),
    ...(feed.state === "none" ? [] : [ofKeys("key", feed.kept.sql, `"value", "seq"`, values)]),
    ...(feed.keys === "none" ? [] : [ofKeys("count", feed.counted.sql, `"generation", NULL`, counts)])
  )
}

export const sqliteLog = (feed: Feed): LogStatements => {
  const shared = sharedStatements(sqliteDialect, feed)
  return {
    ...shared,
    dialect: sqliteDialect,
    begin: [{ text: "BEGIN IMMEDIATE", params: [] }, shared.head()],
    headText: headText(feed, `CAST(x'${Buffer.from(feed.feed).toString("hex")}' AS TEXT)`),
    lock: shared.head(),
    known: (names) => known(feed, names),
    write: (rows, state, index, at) => [
      ...writeRows(feed, rows, at),
      ...writeState(feed, state),
      ...writeIndex(feed, index)
    ],
    append: undefined,
    judges: () => false,
    isConflict: () => false,
    store: undefined,
    last: (result) => result
  }
}
