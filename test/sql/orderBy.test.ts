/** Every ORDER BY of every statement names the column of a table, never a name of the SELECT list. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { checkQuery } from "../../src/internal/columns/checkQuery.js"
import { Column, Query } from "../../src/Storage.js"
import type { Statement } from "../../src/sql/internal/dialect.js"
import type { LogStatements } from "../../src/sql/internal/log/statements.js"
import { makeFeed } from "../../src/sql/internal/log/tables.js"
import { pgDialect } from "../../src/sql/internal/pg/dialect.js"
import { pgLog } from "../../src/sql/internal/pg/log.js"
import { sqliteDialect } from "../../src/sql/internal/sqlite/dialect.js"
import { sqliteLog } from "../../src/sql/internal/sqlite/log.js"
import { sizeLimits } from "../../src/sql/internal/statementSize.js"
import { deleteBatch, select } from "../../src/sql/internal/storage/renderQuery.js"
import { makeTable } from "../../src/sql/internal/storage/tableOptions.js"

const columns = {
  id: Column.uuid,
  n: Column.integer,
  big: Column.nullable(Column.bigint),
  real: Column.real,
  flag: Column.boolean,
  at: Column.timestamp,
  maybeAt: Column.nullable(Column.timestamp),
  bytes: Column.bytes,
  text: Column.text
}

const table = Effect.runSync(
  makeTable({ schema: undefined, table: "t", columns, id: "id", indexes: [] }, sizeLimits)
)
const dialects = [
  { dialect: sqliteDialect, log: sqliteLog },
  { dialect: pgDialect, log: pgLog }
]

/** Each key of each ORDER BY in a text, up to its end or to the bracket that closes around it. */
const keysOf = (text: string): ReadonlyArray<string> =>
  text
    .split("ORDER BY ")
    .slice(1)
    .flatMap((rest) => {
      let depth = 0
      let end = 0
      const keys: Array<string> = []
      for (let at = 0; at <= rest.length; at++) {
        const open = at < rest.length && rest[at] === "("
        const close = at < rest.length && rest[at] === ")"
        const over = at === rest.length || (depth === 0 && (close || rest.startsWith(" LIMIT ", at)))
        if (over || (depth === 0 && rest[at] === ",")) {
          keys.push(rest.slice(end, at).trim())
          end = at + 1
        }
        if (over) break
        depth += open ? 1 : close ? -1 : 0
      }
      return keys
    })

const expectQualified = (text: string): number => {
  const keys = keysOf(text)
  for (const key of keys)
    expect(key, text).toMatch(/^(date_trunc\('milliseconds', )?("[^"]+"|[a-z]\w*)\."?\w+"?\)?( |$)/)
  return keys.length
}

/** Every statement of a feed, by the name of what makes it. */
const statementsOf = (log: LogStatements): Record<keyof LogStatements, ReadonlyArray<Statement>> => {
  const entry = { id: "a", tag: 1, changes: [], json: "[]", bytes: 2 }
  const at = new Date(0)
  const row = { ...entry, seq: 1, base: 0, previous: "[]" }
  return {
    dialect: [],
    last: [],
    headText: [{ text: log.headText, params: [] }],
    begin: log.begin,
    lock: [log.lock],
    known: [log.known(["a"], ["b"])],
    write: log.write(
      [row],
      new Map([
        ["a", undefined],
        ["b", { value: "1", seq: 1, tag: 1 }]
      ]),
      at
    ),
    append: log.append === undefined ? [] : [log.append([entry], at)],
    store: log.store === undefined ? [] : [log.store(table)([], [], [entry], at)],
    createFeed: [log.createFeed("bell", "epoch")],
    head: [log.head()],
    read: [log.read(1, 2)],
    snapshot: [log.snapshot({ _tag: "Prefix", prefix: "" })],
    tagAt: [log.tagAt(1)],
    firstFrom: [log.firstFrom("at", at), log.firstFrom("base", 1)],
    deleteUpTo: [log.deleteUpTo(1)],
    moveFloor: [log.moveFloor(1, 1)],
    moveHead: [log.moveHead(1, 1, 1)],
    renew: log.renew("epoch")
  }
}

describe.each(dialects)("an ORDER BY of $dialect.name", ({ dialect, log }) => {
  it("of a log names a column of a table", () => {
    let found = 0
    for (const state of ["none", "latest"] as const) {
      const statements = log(makeFeed({ schema: undefined, table: "log", feed: "main", state }), {
        lock: 1,
        idle: 1
      })
      const known = statementsOf(statements)
      expect(Object.keys(known).sort()).toEqual(Object.keys(statements).sort())
      for (const { text } of Object.values(known).flat()) found += expectQualified(text)
    }
    expect(found).toBeGreaterThanOrEqual(10)
  })

  it("of a query and of a prune names a column of the table", () => {
    for (const name of Object.keys(columns) as ReadonlyArray<keyof typeof columns>) {
      for (const order of [Query.asc(name), Query.desc(name)]) {
        const query = Either.getOrThrow(checkQuery(columns, "id", { orderBy: [order], limit: 10 }))
        expect(
          expectQualified(Either.getOrThrow(select(dialect, table, query, undefined)).text)
        ).toBeGreaterThan(0)
        expect(expectQualified(deleteBatch(dialect, table, query, 10).text)).toBeGreaterThan(0)
        expectQualified(dialect.deleteAll(table).text)
      }
    }
  })
})
