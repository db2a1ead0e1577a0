/** Stores over SQLite and Postgres, by their public calls: what a program with two processes on one database relies on. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option, Queue, Scope, Stream, TestClock } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import { backendOf, counting, databases } from "./fixture.js"

interface Task {
  readonly id: string
  readonly text: string
}

const permanent = { id: "board", kind: "permanent" } as const

describe.each(databases())("stores on %s", (_, database) => {
  it.scopedLive("share one table between processes: each sees the other's writes, none is lost", () =>
    Effect.gen(function* () {
      const { one, other } = yield* database
      const here = yield* Datastore.make(one)
      const there = yield* Datastore.make(other)
      const mine = yield* here.open<Task>(permanent)
      const theirs = yield* there.open<Task>(permanent)
      yield* mine.set({ id: "a", text: "0" })
      // Each of 20 adds one to the number, by compare-and-set, from both sides.
      const add = (store: Datastore.StoreHandle<Task>): Effect.Effect<void, unknown> =>
        Effect.gen(function* () {
          const row = Option.getOrThrow(yield* store.get("a", { read: "latest" }))
          const text = String(Number(row.data.text) + 1)
          const done = yield* Effect.either(store.patch("a", { set: { text } }, { expect: row.seq }))
          if (done._tag === "Left") return yield* add(store)
        })
      yield* Effect.all(
        Array.from({ length: 20 }, (_, n) => add(n % 2 === 0 ? mine : theirs)),
        { concurrency: "unbounded" }
      )
      for (const store of [mine, theirs]) {
        const row = Option.getOrThrow(yield* store.get("a", { read: "latest" }))
        expect([row.data.text, row.seq]).toEqual(["20", 21])
      }
    })
  )

  it.scoped(
    "forget what is remembered for more than a day also while they stay open, looking once an hour",
    () =>
      Effect.gen(function* () {
        const { db, one } = yield* database
        const tidied = yield* Queue.unbounded<void>()
        const watched: Datastore.Backend = {
          ...one,
          open: (stored) =>
            Effect.map(one.open(stored), (opened) => ({
              ...opened,
              tidy: Effect.tap(opened.tidy, () => tidied.offer(undefined))
            }))
        }
        const stores = yield* Datastore.make(watched, { idleTimeout: "1 day", janitorInterval: "1 hour" })
        const store = yield* stores.open<Task>(permanent)
        const set = (n: number) =>
          store.set({ id: "a", text: "one" }, { as: { principal: "ann", client: "1", n } })
        yield* set(1)
        yield* db.sql(`UPDATE shared_operations SET "at" = "at" - ${24 * 60 * 60 * 1000 + 1000}`)
        yield* set(2)
        yield* TestClock.adjust("59 minutes")
        expect(yield* tidied.size).toBe(0)
        yield* TestClock.adjust("1 minute")
        yield* tidied.take
        const rows = yield* db.sql(`SELECT "n" FROM shared_operations`)
        expect(rows.map(({ n }) => Number(n))).toEqual([2])
        const [client] = yield* db.sql(`SELECT "top", "floor" FROM shared_clients`)
        expect([Number(client?.top), Number(client?.floor)]).toEqual([2, 1])
      })
  )

  it.scopedLive("answer an operation once, whichever process gets it again", () =>
    Effect.gen(function* () {
      const { one, other } = yield* database
      const mine = yield* Effect.flatMap(Datastore.make(one), (stores) => stores.open<Task>(permanent))
      const theirs = yield* Effect.flatMap(Datastore.make(other), (stores) => stores.open<Task>(permanent))
      const as = { principal: "ann", client: "1", n: 1 }
      const first = yield* mine.set({ id: "a", text: "one" }, { as, expect: "absent" })
      expect(yield* theirs.set({ id: "a", text: "one" }, { as, expect: "absent" })).toEqual(first)
      const reused = yield* Effect.flip(theirs.set({ id: "b", text: "two" }, { as }))
      expect(reused).toMatchObject({ reason: "IdReused" })
    })
  )

  it.scopedLive("save 10,000 sets of a store by at most 10 transactions, of 50 statements on Postgres", () =>
    Effect.gen(function* () {
      const { counts, db } = counting((yield* database).db)
      const stores = yield* Datastore.make(yield* backendOf(db))
      const store = yield* stores.open<Task>({ ...permanent, ack: "memory" })
      counts.statements = counts.transactions = 0
      for (let i = 0; i < 10_000; i++) expect(store.unsafeSet({ id: `${i % 50}`, text: `${i}` })).toBe(true)
      yield* store.flush
      expect(counts.transactions).toBeLessThanOrEqual(10)
      // On SQLite each table that is written is a statement.
      expect(counts.statements).toBeLessThanOrEqual(db.dialect === "pg" ? 50 : 100)
      expect(yield* store.status).toEqual({ _tag: "Open", unsaved: 0 })
    })
  )

  it.scopedLive("save what an owner has answered, in the order of acceptance, in few transactions", () =>
    Effect.gen(function* () {
      const { one, other } = yield* database
      const scope = yield* Scope.make()
      const stores = yield* Scope.extend(Datastore.make(one), scope)
      const store = yield* stores.open<Task>({ ...permanent, ack: "memory" })
      for (let i = 0; i < 2000; i++) expect(store.unsafeSet({ id: `${i % 50}`, text: `${i}` })).toBe(true)
      expect((yield* store.snapshot()).seq).toBe(2000)
      const second = yield* Datastore.make(other)
      const owned = yield* Effect.flip(second.open<Task>({ ...permanent, ack: "memory" }))
      expect(owned).toMatchObject({ reason: "Owned" })
      expect((yield* stores.close).unsaved).toEqual([])
      yield* Scope.close(scope, Exit.void)
      const again = yield* second.open<Task>({ ...permanent, ack: "memory" })
      const { rows, seq } = yield* again.snapshot()
      expect([seq, rows.length, rows.at(-1)?.data.text]).toEqual([2000, 50, "1999"])
      const frames = yield* again.follow().pipe(Stream.take(1), Stream.runHead)
      expect(Option.getOrThrow(frames)).toMatchObject({ _tag: "Snapshot", revision: { seq: 2000 } })
    })
  )
})
