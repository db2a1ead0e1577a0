/** Snapshots of selectors with more keys, prefixes and ranges than a statement has room for terms and parameters. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import * as Watch from "../../../src/Watch.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { ownSchema } from "../../support/postgres/tables.js"
import { tempFile } from "../../support/sqlite/sqlite.js"
import { brief } from "../../support/watch/frames.js"

type Log = SqlChangeLog.SqlChangeLog<number>

const options = { table: "log", state: "latest" } as const

const count = 1200

const keyOf = (n: number): string => `k/${n}/x`

const puts = (from: number, to: number): ReadonlyArray<ChangeLog.Change<number>> =>
  Array.from({ length: to - from }, (_, n) => ChangeLog.put(keyOf(from + n), from + n))

type Part = Exclude<ChangeLog.Selector, { readonly _tag: "AnyOf" }>

const parts = (part: (n: number) => Part): ReadonlyArray<Part> =>
  Array.from({ length: count }, (_, n) => part(n))

/** Each of them matches the keys below `count`, and nothing else. */
const selectors: { readonly [what: string]: ReadonlyArray<Part> } = {
  keys: parts((n) => ChangeLog.key(keyOf(n))),
  prefixes: parts((n) => ChangeLog.prefix(`k/${n}/`)),
  ranges: parts((n) => ChangeLog.range(keyOf(n), `${keyOf(n)}a`)),
  "keys, prefixes and ranges, several of each for one key": parts((n) =>
    n % 3 === 0
      ? ChangeLog.key(keyOf(n))
      : n % 3 === 1
        ? ChangeLog.prefix(`k/${n}/`)
        : ChangeLog.range(keyOf(n), `${keyOf(n)}a`)
  ).flatMap((part) => [part, part])
}

const suite = (name: string, open: Effect.Effect<Log, unknown, Scope.Scope>) =>
  describe(name, () => {
    it.scopedLive("a snapshot of more than a thousand keys, prefixes or ranges holds what they match", () =>
      Effect.gen(function* () {
        const log = yield* open
        yield* log.append(puts(0, count + 100))
        const wanted = puts(0, count)
          .map(({ key }) => key)
          .sort(ChangeLog.compareKeys)
        for (const [what, of] of Object.entries(selectors)) {
          const { entries } = yield* log.snapshot(ChangeLog.anyOf(...of))
          expect(
            entries.map(({ key }) => key),
            what
          ).toEqual(wanted)
        }
        const all = yield* log.snapshot(ChangeLog.anyOf(ChangeLog.key(keyOf(1)), ChangeLog.prefix("")))
        expect(all.entries.length).toBe(count + 100)
      })
    )

    it.scopedLive("a watcher of more than a thousand keys that cannot read on gets a snapshot", () =>
      Effect.gen(function* () {
        const log = yield* open
        const watch = yield* Watch.make(log, { heartbeat: 0 })
        yield* log.append(puts(0, 2))
        const slow = yield* watch.open(ChangeLog.anyOf(...selectors.keys!), {
          buffer: 1,
          autoResnapshot: "on",
          snapshot: "first"
        })
        const other = yield* watch.open(ChangeLog.key(keyOf(1)))
        for (const value of [7, 8, 9]) {
          yield* log.append([ChangeLog.put(keyOf(1), value)])
          while ((yield* other.take)._tag !== "Events");
        }
        yield* log.compact((yield* log.head).head.seq)
        const frames = (yield* Effect.replicateEffect(slow.take, 6)).map(brief)
        expect(frames).toEqual([
          "snapshot 1: k/0/x=0, k/1/x=1",
          "synced 1",
          "2: k/1/x=7",
          "gap 3-4 Compacted",
          "snapshot 4: k/0/x=0, k/1/x=9",
          "synced 4"
        ])
      })
    )
  })

suite(
  "SqliteChangeLog",
  Effect.flatMap(tempFile, (filename) => SqliteChangeLog.make<number>({ ...options, filename }))
)
suite(
  "SqlChangeLog over a SqliteClient",
  Effect.gen(function* () {
    const context = yield* Layer.build(SqliteClient.layer({ filename: yield* tempFile }))
    return yield* Effect.provide(SqlChangeLog.make<number>(options), context)
  })
)
for (const { name, url: server } of databaseUrls()) {
  suite(
    `PgChangeLog, ${name}`,
    Effect.flatMap(ownSchema(server), (url) => PgChangeLog.make<number>({ ...options, url }))
  )
  suite(
    `SqlChangeLog over a PgClient, ${name}`,
    Effect.gen(function* () {
      const url = Redacted.make(yield* ownSchema(server))
      const context = yield* Layer.build(PgClient.layer({ url }))
      return yield* Effect.provide(SqlChangeLog.make<number>(options), context)
    })
  )
}
