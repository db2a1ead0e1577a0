/** Every ORDER BY of every statement names the column of a table, never a name of the SELECT list. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { checkQuery } from "../../src/internal/columns/checkQuery.js"
import * as Selector from "../../src/internal/log/selector.js"
import { Column, Query } from "../../src/Storage.js"
import type { Statement } from "../../src/sql/internal/dialect.js"
import { countEvents } from "../../src/sql/internal/log/keyRows.js"
import type { KeyStatements } from "../../src/sql/internal/log/keyStatements.js"
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

const manyKeys = Selector.anyOf(Selector.key("/a"), Selector.key("/b"))
const manyRanges = Selector.anyOf(Selector.range("/a", "/b"), Selector.prefix("/c/"))

/** Every statement of a feed, by the name of what makes it. */
const statementsOf = (log: LogStatements): Record<keyof LogStatements, ReadonlyArray<Statement>> => {
  const changes = [{ key: "a", kind: "b", value: "1" }]
  const entry = { index: 0, id: "a", tag: 1, changes, expect: [], json: "[]", bytes: 2 }
  const at = new Date(0)
  const expecting = { ...entry, expect: [{ key: "a", generation: 0 }] }
  const row = { ...entry, seq: 1, base: 0, previous: "[]" }
  return {
    dialect: [],
    last: [],
    headText: [{ text: log.headText, params: [] }],
    begin: log.begin,
    lock: [log.lock],
    known: [log.known({ ids: ["a"], values: ["b"], counts: ["c"] })],
    write: log.write(
      [row],
      new Map([
        ["a", undefined],
        ["b", { value: "1", seq: 1, tag: 1 }]
      ]),
      countEvents([row], new Map()),
      at
    ),
    append: log.append === undefined ? [] : [log.append([entry], at), log.append([expecting], at)],
    judges: [],
    isConflict: [],
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
    renew: log.renew("epoch"),
    index: log.index === undefined ? [] : statementsOfIndex(log.index)
  }
}

const statementsOfIndex = (index: KeyStatements): ReadonlyArray<Statement> => {
  const revision = { epoch: "epoch", seq: 1, tag: 1 }
  const position = { generation: 1, revision }
  const selectors = [undefined, Selector.key("/a"), Selector.prefix("/a/"), manyKeys, manyRanges]
  const matchings = selectors.flatMap((selector) =>
    [undefined, ["a"], ["a", "b"]].map((kinds) => ({ after: 1, through: 2, selector, kinds }))
  )
  return [
    index.history("a", { limit: 1 }),
    index.history("a", { limit: 1, after: position, upTo: revision, kinds: ["a", "b"] }),
    index.matches(matchings),
    ...matchings.map((matching) => index.scan({ ...matching, limit: 1, upTo: 2 })),
    index.hold("a", revision),
    index.release("a"),
    index.leastHold(),
    ...index.removeUpTo(1)
  ]
}

describe.each(dialects)("an ORDER BY of $dialect.name", ({ dialect, log }) => {
  it("of a log names a column of a table", () => {
    let found = 0
    const made = [
      { state: "none", keys: "none" },
      { state: "latest", keys: "none" },
      { state: "latest", keys: "indexed" },
      { state: "none", keys: "indexed" }
    ] as const
    for (const kept of made) {
      const statements = log(makeFeed({ schema: undefined, table: "log", feed: "main", ...kept }), {
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
