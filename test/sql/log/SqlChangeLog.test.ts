/** What change logs in a database do beside the laws: creation, transactions, locks, retention, bad input. */

import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import {
  Clock,
  Deferred,
  Effect,
  Either,
  Exit,
  Fiber,
  Layer,
  Queue,
  Redacted,
  Scope,
  TestClock
} from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, ownSchema } from "../../support/postgres/tables.js"
import { openPlain, tempFile } from "../../support/sqlite/sqlite.js"
import { following } from "../../support/watch/following.js"
import { expectGapFree } from "../../support/watch/histories.js"
import { all, keys, make, type Place, places } from "./places.js"

const { put } = ChangeLog

const append = (log: ChangeLog.ChangeLog<unknown>, count: number) =>
  Effect.forEach(Array.from({ length: count }), (_, n) => log.append([put(`/n/${n}`, n)]))

const suite = (name: string, place: Effect.Effect<Place, unknown, Scope.Scope>) => {
  describe(name, () => {
    it.scopedLive("names a revision by its number, from the floor to the head", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const log = yield* make(context, { table: "log" })
        const revisions = yield* append(log, 4)
        yield* log.compact(2)
        const named = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 3.5], (seq) => log.revisionAt!(seq))
        expect(named).toEqual([undefined, undefined, ...revisions.slice(1), undefined, undefined])
      })
    )

    it.scopedLive("rings no more when the scope ends, also of a caller that cannot be interrupted", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const log = yield* make(context, { table: "log", poll: 1 })
        const scope = yield* Scope.make()
        const rings = yield* Queue.unbounded<void>()
        const begun = Scope.extend(
          log.doorbell(() => rings.unsafeOffer(undefined)),
          scope
        )
        yield* Effect.uninterruptible(begun)
        yield* Queue.take(rings)
        const closing = yield* Effect.forkDaemon(Scope.close(scope, Exit.void))
        const ended = yield* Effect.raceFirst(
          Effect.as(Fiber.join(closing), "closed"),
          Effect.as(Queue.takeN(rings, 100), "rung")
        )
        expect(ended).toBe("closed")
      })
    )

    it.scopedLive("is made by several starters at once, and found again", () =>
      Effect.gen(function* () {
        const { context, own } = yield* place
        const options = { table: "log", state: "latest" } as const
        const logs = yield* Effect.all(
          [own(options), own(options), make(context, options), own({ ...options, feed: "other" })],
          { concurrency: "unbounded" }
        )
        for (const log of logs) yield* Effect.retry(log.append([put("/a", 1)]), { times: 50 })
        const heads = yield* Effect.forEach(logs, ({ head }) => head)
        expect(heads.map(({ head }) => head.seq)).toEqual([3, 3, 3, 1])
        expect(new Set(heads.map(({ head }) => head.epoch)).size).toBe(2)
        expect(yield* keys(yield* own(options))).toEqual(["/a", "/a", "/a"])
      })
    )

    it.scopedLive("keeps the feeds of a table apart", () =>
      Effect.gen(function* () {
        const { own } = yield* place
        const feeds = ["main", "a", "a:b", 'it\'s \\ "ours"', "é"]
        const logs = yield* Effect.forEach(feeds, (feed) => own({ table: "log", feed, state: "latest" }))
        for (const [n, log] of logs.entries()) {
          yield* log.commit([{ id: "same", changes: [put(`/${n}`, n)] }])
        }
        yield* logs[1]!.compact(1)
        yield* logs[2]!.renewEpoch
        expect(yield* Effect.forEach(logs, keys)).toEqual([["/0"], [], [], ["/3"], ["/4"]])
        const states = yield* Effect.forEach(logs, ({ snapshot }) => snapshot(ChangeLog.prefix("")))
        expect(states.map(({ entries }) => entries.map(({ value }) => value))).toEqual([
          [0],
          [1],
          [2],
          [3],
          [4]
        ])
      })
    )

    it.scopedLive("refuses wrong options, and a feed that was made in another way", () =>
      Effect.gen(function* () {
        const { own } = yield* place
        const wrong: ReadonlyArray<readonly [string, object]> = [
          ["table", { table: "" }],
          ["table", { table: "x".repeat(57) }],
          ["schema", { schema: 'a"b' }],
          ["feed", { feed: "" }],
          ["feed", { feed: "x".repeat(513) }],
          ["state", { state: "all" }],
          ["retention.count", { retention: { count: 0 } }],
          ["retention.bytes", { retention: { bytes: 1.5 } }],
          ["retention.age", { retention: { age: -1 } }],
          ["retention.age", { retention: { age: "Infinity" } }],
          ["retention.cuont", { retention: { cuont: 1 } }],
          ["doorbell", { doorbell: {} }],
          ["feeds", { feeds: "a" }],
          ["lockTimeout", { lockTimeout: 0 }],
          ["poll", { poll: Number.NaN }]
        ]
        for (const [option, over] of wrong) {
          const error = yield* Effect.flip(own({ table: "log", ...over }))
          expect(error, option).toMatchObject({ _tag: "InvalidOptions", option })
        }
        yield* own({ table: "log" })
        const error = yield* Effect.flip(own({ table: "log", state: "latest" }))
        expect(error).toMatchObject({ _tag: "StorageError", kind: "Fatal" })
        expect(error.message).toContain('make it with state: "none"')
      })
    )

    it.scopedLive(
      "takes part in a transaction of its client: it commits with it, rolls back with it, and is found by the poll",
      () =>
        Effect.gen(function* () {
          const { context } = yield* place
          const sql = yield* Effect.provide(SqlClient, context)
          const log = yield* make(context, { table: "log", state: "latest", poll: "20 millis" })
          const reader = yield* following(log)
          const inside = Effect.gen(function* () {
            yield* log.append([put("/a", 1)])
            // What is refused inside leaves the transaction as it was.
            yield* Effect.flip(log.append([put("", 1)]))
            yield* log.commit([
              { id: "x", changes: [put("/b", 1)] },
              { id: "x", changes: [put("/c", 1)] }
            ])
            // It sees what it has written, and others do not.
            expect(yield* keys(log)).toEqual(["/a", "/b"])
            expect((yield* log.snapshot(ChangeLog.prefix(""))).entries.length).toBe(2)
          })
          yield* Effect.flip(sql.withTransaction(Effect.zipRight(inside, Effect.fail("rolled back"))))
          expect(yield* all(log)).toEqual([])
          yield* sql.withTransaction(inside)
          expect(yield* keys(log)).toEqual(["/a", "/b"])
          yield* Effect.timeout(reader.until(2), "10 seconds")
          expectGapFree(reader.seen)
        })
    )

    describe("retention", () => {
      it.scopedLive("by count holds the last revisions, in more than one batch", () =>
        Effect.gen(function* () {
          const { own } = yield* place
          const log = yield* own({ table: "log", state: "latest", retention: { count: 700 } })
          const entries = Array.from({ length: 2500 }, (_, n) => ({ changes: [put(`/${n % 5}`, n)] }))
          const writer = yield* own({ table: "log", state: "latest" })
          yield* writer.commit(entries)
          expect(yield* log.prune).toBeGreaterThanOrEqual(0)
          yield* log.prune
          const { floor, head } = yield* log.head
          expect([floor.seq, head.seq]).toEqual([1800, 2500])
          expect((yield* log.read({ after: floor, limit: 10_000 })).length).toBe(700)
          expect((yield* log.snapshot(ChangeLog.prefix(""))).entries.map(({ value }) => value)).toEqual([
            2495, 2496, 2497, 2498, 2499
          ])
        })
      )

      it.scopedLive("by bytes holds what fits, and the last revision always", () =>
        Effect.gen(function* () {
          const { own } = yield* place
          const log = yield* own({ table: "log" })
          const pruned = yield* own({ table: "log", retention: { bytes: 1000 } })
          // Each is [["/a","xxx...x"]]: 100 bytes.
          const value = "x".repeat(100 - '[["/a",""]]'.length)
          for (let n = 0; n < 25; n++) yield* log.append([put("/a", value)])
          yield* pruned.prune
          expect((yield* all(log)).length).toBe(10)
          yield* log.append([put("/a", "x".repeat(5000))])
          yield* pruned.prune
          expect((yield* all(log)).map(({ revision }) => revision.seq)).toEqual([26])
          expect(yield* pruned.prune).toBe(0)
        })
      )
    })

    it.scopedLive("names a row that another program has written", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const sql = yield* Effect.provide(SqlClient, context)
        const log = yield* make(context, { table: "log" })
        yield* append(log, 2)
        yield* sql`UPDATE log SET changes = '[{"secret": 1}]' WHERE seq = 2`
        const error = yield* Effect.flip(all(log))
        expect(error).toMatchObject({ _tag: "ChangeLogError", reason: "Unavailable" })
        expect(error.message).toContain("another program")
        yield* sql`DELETE FROM log_heads`
        const lost = yield* Effect.flip(log.append([put("/a", 1)]))
        expect(lost).toMatchObject({ reason: "Unavailable", outcome: "NotStored" })
        expect(lost.message).toContain("make the log again")
      })
    )
  })
}

for (const [name, place] of places) suite(`change logs in ${name}`, place)

for (const { name, url: server } of databaseUrls()) {
  describe(`the head's lock, ${name}`, () => {
    const holding = Effect.gen(function* () {
      const url = yield* ownSchema(server)
      const log = yield* PgChangeLog.make<unknown>({ url, table: "log", lockTimeout: "300 millis" })
      const state = yield* PgChangeLog.make<unknown>({
        url,
        table: "log",
        feed: "state",
        state: "latest",
        lockTimeout: "300 millis"
      })
      return { url, log, state, sql: yield* openClient(url) }
    })

    it.scopedLive("is not waited for longer than lockTimeout, and nothing is appended then", () =>
      Effect.gen(function* () {
        const { log, sql, state } = yield* holding
        yield* sql("BEGIN")
        yield* sql("SELECT * FROM log_heads FOR UPDATE")
        for (const one of [log, state]) {
          const error = yield* Effect.flip(one.append([put("/a", 1)]))
          expect(error).toMatchObject({ reason: "Unavailable", outcome: "NotStored" })
          expect(error.message).toContain("55P03")
          // Readers do not wait.
          expect(yield* all(one)).toEqual([])
        }
        yield* sql("ROLLBACK")
        for (const one of [log, state]) expect(yield* one.append([put("/a", 1)])).toMatchObject({ seq: 1 })
      })
    )

    it.scopedLive("is taken from a transaction that has appended and does nothing any more", () =>
      Effect.gen(function* () {
        const { log, url } = yield* holding
        const clients = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 2 }))
        const sql = yield* Effect.provide(SqlClient, clients)
        const joined = yield* Effect.provide(
          SqlChangeLog.make<unknown>({ table: "log", lockTimeout: "300 millis" }),
          clients
        )
        const appended = yield* Deferred.make<void>()
        const hanging = yield* Effect.fork(
          sql.withTransaction(
            Effect.zipRight(
              Effect.zipRight(joined.append([put("/lost", 1)]), Deferred.succeed(appended, undefined)),
              Effect.never
            )
          )
        )
        yield* Deferred.await(appended)
        yield* Effect.retry(log.append([put("/a", 1)]), { times: 10 })
        expect(yield* keys(log)).toEqual(["/a"])
        yield* Effect.forkDaemon(Fiber.interrupt(hanging))
      })
    )
  })
}

it.scoped("change logs give up revisions by themselves, after commits and when only others commit", () =>
  Effect.gen(function* () {
    const filename = yield* tempFile
    const log = yield* SqliteChangeLog.make<unknown>({ filename, table: "log", retention: { count: 3 } })
    const other = yield* SqliteChangeLog.make<unknown>({ filename, table: "log" })
    const floor = Effect.map(log.head, ({ floor }) => floor.seq)
    yield* append(log, 10)
    yield* TestClock.adjust("1 second")
    expect(yield* floor).toBe(7)
    yield* append(other, 10)
    yield* TestClock.adjust("31 seconds")
    expect(yield* floor).toBe(17)
    expect((yield* all(log)).length).toBe(3)
  })
)

it.scoped("change logs give up revisions by age, by the clock of the program", () =>
  Effect.gen(function* () {
    const log = yield* SqliteChangeLog.make<unknown>({
      filename: ":memory:",
      table: "log",
      retention: { age: "1 hour" }
    })
    yield* append(log, 3)
    yield* TestClock.adjust("40 minutes")
    yield* append(log, 2)
    expect((yield* all(log)).length).toBe(5)
    yield* TestClock.adjust("30 minutes")
    // The background has run meanwhile; what it has left is given up now.
    yield* log.prune
    expect((yield* all(log)).map(({ revision }) => revision.seq)).toEqual([4, 5])
    yield* TestClock.adjust("2 hours")
    yield* log.prune
    expect(yield* all(log)).toEqual([])
    expect(yield* log.append([put("/a", yield* Clock.currentTimeMillis)])).toMatchObject({ seq: 6 })
  })
)

it.scopedLive("a log in SQLite waits while another connection writes, without blocking the process", () =>
  Effect.gen(function* () {
    const filename = yield* tempFile
    const log = yield* SqliteChangeLog.make<unknown>({ filename, table: "log" })
    const db = yield* openPlain(filename)
    db.exec("BEGIN IMMEDIATE")
    const appending = yield* Effect.fork(log.append([put("/a", 1)]))
    expect(yield* all(log)).toEqual([])
    db.exec("COMMIT")
    expect(yield* Fiber.join(appending)).toMatchObject({ seq: 1 })
    expect(Either.isLeft(yield* Effect.either(SqliteChangeLog.make({ filename: "", table: "log" })))).toBe(
      true
    )
  })
)
