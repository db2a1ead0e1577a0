/** Transactions of a client that append to change logs. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { put, remove } from "../../../src/ChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import { following } from "../../support/watch/following.js"
import { expectGapFree } from "../../support/watch/histories.js"
import { all, keys, make, places } from "../log/places.js"

for (const [name, place] of places) {
  describe(`a transaction with change logs in ${name}`, () => {
    it.scopedLive("commits what the effect has written together with its revisions, and rings", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const sql = yield* Effect.provide(SqlClient, context)
        yield* sql`CREATE TABLE accounts (id integer, balance integer)`
        const first = yield* make(context, { table: "log", feed: "first", state: "latest", poll: "1 hour" })
        const second = yield* make(context, { table: "log", feed: "second", poll: "1 hour" })
        const readers = yield* Effect.forEach([first, second], following)
        const { revisions, value } = yield* SqlChangeLog.transact((transaction) =>
          Effect.gen(function* () {
            yield* transaction.append(second, [put("/second", 1)])
            yield* transaction.commit(first, [{ id: "one", changes: [put("/a", 1)] }])
            yield* sql`INSERT INTO accounts VALUES (1, 100)`
            yield* transaction.commit(first, [
              { id: "one", changes: [put("/b", 1)] },
              { id: "two", changes: [remove("/a"), put("/c", 1)] }
            ])
            return "done"
          })
        ).pipe(Effect.provide(context))
        expect(value).toBe("done")
        expect(revisions.map(({ seq }) => seq)).toEqual([1, 2, 1])
        expect(yield* keys(first)).toEqual(["/a", "/a", "/c"])
        expect((yield* sql`SELECT * FROM accounts`).length).toBe(1)
        yield* Effect.timeout(Effect.all([readers[0]!.until(2), readers[1]!.until(1)]), "10 seconds")
      })
    )

    it.scopedLive("rolls everything back when the effect fails, and gives its own error", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const sql = yield* Effect.provide(SqlClient, context)
        yield* sql`CREATE TABLE accounts (id integer)`
        const log = yield* make(context, { table: "log" })
        const failing = (fail: Effect.Effect<void, unknown>) =>
          SqlChangeLog.transact((transaction) =>
            Effect.gen(function* () {
              yield* sql`INSERT INTO accounts VALUES (1)`
              yield* transaction.append(log, [put("/a", 1)])
              yield* fail
            })
          ).pipe(Effect.provide(context))
        expect(yield* Effect.flip(failing(Effect.fail("mine" as const)))).toBe("mine")
        expect((yield* Effect.exit(failing(Effect.die("a defect"))))._tag).toBe("Failure")
        const started = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(
          failing(Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
        )
        yield* Deferred.await(started)
        yield* Fiber.interrupt(fiber)
        const statement = yield* Effect.flip(failing(Effect.asVoid(sql`SELECT * FROM nowhere`)))
        expect(statement).toMatchObject({ _tag: "SqlError" })
        expect(yield* all(log)).toEqual([])
        expect(yield* sql`SELECT * FROM accounts`).toEqual([])
        // The numbers are not used up, and the connection is good.
        expect(yield* log.append([put("/a", 1)])).toMatchObject({ seq: 1 })
      })
    )

    it.scopedLive("refuses what cannot be, at once", () =>
      Effect.gen(function* () {
        const { context, own } = yield* place
        const sql = yield* Effect.provide(SqlClient, context)
        const log = yield* make(context, { table: "log" })
        const other = yield* own({ table: "log" })
        const told = (body: (transaction: SqlChangeLog.Transaction) => Effect.Effect<unknown, unknown>) =>
          Effect.flip(Effect.provide(SqlChangeLog.transact(body), context))
        const invalid = { _tag: "ChangeLogError", reason: "Invalid", outcome: "NotStored" }
        expect(yield* told((transaction) => transaction.append(log, []))).toMatchObject(invalid)
        expect(yield* told((transaction) => transaction.append(log, [put("", 1)]))).toMatchObject(invalid)
        expect(yield* told((transaction) => transaction.append(other, [put("/a", 1)]))).toMatchObject(invalid)
        const nested = SqlChangeLog.transact(() => Effect.void).pipe(Effect.provide(context))
        expect(yield* told(() => nested)).toMatchObject(invalid)
        expect(yield* Effect.flip(sql.withTransaction(nested))).toMatchObject(invalid)
        expect(yield* all(log)).toEqual([])
      })
    )

    it.scopedLive("with several logs in any order: no two wait for each other", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const logs = yield* Effect.forEach(["a", "b", "c"], (feed) => make(context, { table: "log", feed }))
        const both = (order: ReadonlyArray<number>) =>
          SqlChangeLog.transact((transaction) =>
            Effect.forEach(order, (n) =>
              Effect.zipRight(Effect.yieldNow(), transaction.append(logs[n]!, [put("/x", 1)]))
            )
          )
        const orders = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? [0, 1, 2] : [2, 1, 0]))
        yield* Effect.forEach(orders, both, { concurrency: 6 }).pipe(Effect.provide(context))
        for (const log of logs) {
          const logged = yield* all(log)
          expectGapFree(logged)
          expect(logged.length).toBe(30)
        }
      })
    )
  })
}
