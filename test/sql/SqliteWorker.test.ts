import { monitorEventLoopDelay } from "node:perf_hooks"
import { inspect } from "node:util"
import { Worker } from "node:worker_threads"
import * as Statement from "@effect/sql/Statement"
import { describe, expect, it, vi } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber } from "effect"
import { Column, InvalidOptions, Query, StorageError } from "../../src/Storage.js"
import * as SqliteWorker from "../../src/sql/SqliteWorker.js"
import { SqlFailure } from "../../src/sql/SqlStorage.js"
import { emptySqlite, openPlain, tempFile } from "../support/sqlite/sqlite.js"
import { storageSuite } from "./storage/sqlStorage.suite.js"

storageSuite("SqliteWorker", emptySqlite(SqliteWorker.make))

const columns = { id: Column.text, n: Column.integer, note: Column.nullable(Column.text) }
const table = { table: "t", columns, id: "id" } as const

/** A condition that is true, and takes SQLite about so many milliseconds to find out. */
const slow = (millis: number) =>
  Statement.unsafeFragment(
    `(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${millis * 6000})
      SELECT count(*) FROM c) > 0`
  )

/** The threads that got a message while this ran. */
const threadsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => vi.spyOn(Worker.prototype, "postMessage")),
    (spy) =>
      Effect.map(effect, (value) => [value, new Set(spy.mock.contexts as ReadonlyArray<Worker>)] as const),
    (spy) => Effect.sync(() => spy.mockRestore())
  )

const count = (filename: string) =>
  Effect.scoped(
    Effect.map(openPlain(filename), (db) => Number(db.prepare("SELECT count(*) FROM t").pluck().get()))
  )

describe("SqliteWorker", () => {
  it.scopedLive("brings the driver's codes over, and no values", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const indexes = [{ name: "t_note", columns: ["note"], kind: "unique" }] as const
      const storage = yield* SqliteWorker.make({ filename, ...table, indexes })
      yield* storage.save([{ id: "a", n: 1, note: "s3cr3t" }])
      const error = yield* Effect.flip(
        storage.save([
          { id: "b", n: 1 },
          { id: "c", n: 1, note: "s3cr3t" }
        ])
      )
      expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored" })
      expect(error.cause).toBeInstanceOf(SqlFailure)
      expect(error.cause).toMatchObject({ code: "SQLITE_CONSTRAINT_UNIQUE", constraint: "t.note" })
      expect(inspect(error, { depth: 20 })).not.toContain("s3cr3t")
      // A value that cannot cross is found before it is sent.
      const callback = (() => 1) as unknown as string
      expect(yield* Effect.flip(storage.save([{ id: "d", n: 1, note: callback }]))).toMatchObject({
        kind: "Poison"
      })
      const db = yield* openPlain(filename)
      db.exec("BEGIN IMMEDIATE")
      const busy = yield* Effect.flip(storage.save([{ id: "e", n: 1 }]))
      expect(busy).toMatchObject({ kind: "Transient", outcome: "NotStored", cause: { code: "SQLITE_BUSY" } })
      db.exec("COMMIT")
      expect(yield* storage.save([{ id: "e", n: 1 }])).toEqual({ duplicates: 0 })
      expect(yield* storage.load({ where: Query.gt("id", "a"), orderBy: [Query.asc("id")] })).toEqual([
        { id: "e", n: 1, note: null }
      ])
      const missing = yield* Effect.flip(
        SqliteWorker.make({ filename, ...table, columns: { ...columns, more: Column.nullable(Column.real) } })
      )
      expect(missing.message).toContain('ALTER TABLE "t" ADD COLUMN "more" REAL')
    })
  )

  it.scopedLive("fails typed on what cannot be opened", () =>
    Effect.gen(function* () {
      const filename = `${yield* tempFile}/missing/x.db`
      const error = yield* Effect.flip(SqliteWorker.make({ filename, ...table }))
      expect(error).toBeInstanceOf(StorageError)
      expect(error).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
      expect(error.message).toContain(filename)
      for (const wrong of ["", ":memory:", undefined as unknown as string]) {
        expect(yield* Effect.flip(SqliteWorker.make({ filename: wrong, ...table }))).toBeInstanceOf(
          InvalidOptions
        )
      }
    })
  )

  it.scopedLive("fails the calls of a thread that dies as transient, and starts another one", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const storage = yield* SqliteWorker.make({ filename, ...table })
      const [, threads] = yield* threadsOf(storage.save([{ id: "a", n: 1 }]))
      const [thread] = threads
      const loading = yield* Effect.fork(storage.load({ sql: slow(500) }))
      const saving = yield* Effect.fork(storage.save([{ id: "b", n: 1 }]))
      yield* Effect.yieldNow()
      yield* Effect.promise(() => thread!.terminate())
      for (const fiber of [loading, saving]) {
        expect(yield* Effect.flip(Fiber.join<unknown, unknown>(fiber))).toMatchObject({
          _tag: "StorageError",
          kind: "Transient",
          outcome: "Unknown"
        })
      }
      const [again, others] = yield* threadsOf(
        storage.save([
          { id: "a", n: 1 },
          { id: "b", n: 2 }
        ])
      )
      expect(again.duplicates).toBeGreaterThanOrEqual(1)
      expect(others.has(thread!)).toBe(false)
      expect((yield* storage.load({ orderBy: [Query.asc("id")] })).map(({ id }) => id)).toEqual(["a", "b"])
    })
  )

  for (const [how, millis] of [
    ["is answered in time", 300],
    ["has to end the thread", 1500]
  ] as const) {
    it.scopedLive(
      `commits nothing after an interruption that ${how}`,
      () =>
        Effect.gen(function* () {
          const filename = yield* tempFile
          const storage = yield* SqliteWorker.make({ filename, ...table })
          yield* storage.save([{ id: "0", n: 0 }])
          const loading = yield* Effect.fork(storage.load({ sql: slow(millis) }))
          const saving = yield* Effect.fork(storage.save([{ id: "a", n: 1 }]))
          yield* Effect.yieldNow()
          expect(Exit.isInterrupted(yield* Fiber.interrupt(saving))).toBe(true)
          const then = yield* count(filename)
          yield* Effect.exit(Fiber.join(loading))
          yield* storage.load({})
          expect(yield* count(filename)).toBe(then)
          expect(yield* storage.save([{ id: "a", n: 1 }])).toEqual({ duplicates: then - 1 })
        }),
      60_000
    )
  }

  it.scopedLive("leaves the calling thread free while it works", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const storage = yield* SqliteWorker.make({ filename, ...table })
      yield* storage.save([{ id: "a", n: 1 }])
      const delay = monitorEventLoopDelay({ resolution: 5 })
      delay.enable()
      const [took] = yield* Effect.timed(storage.load({ sql: slow(500) }))
      delay.disable()
      // On the calling thread it would have been one delay of all that time.
      expect(delay.max / 1e6).toBeLessThan(Duration.toMillis(took) / 2)
    })
  )
})
