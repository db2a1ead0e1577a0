/** The tier in memory, and what `Tier.make` does for every source. The laws of tiers are in test/testing. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import * as Tier from "../src/Tier.js"
import { wallClock } from "./support/time/wallClock.js"

const entry = (n: number): Tier.Entry => ({ key: `k${n}`, value: `v${n}` })

const entries = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => entry(from + n))

const heldOf = (store: Tier.Store, count: number) =>
  Effect.map(store.get(entries(0, count).map(({ key }) => key)), (values) =>
    values.flatMap((value, n) => (value === undefined ? [] : [n]))
  )

/** A source of which nothing is called, but for these. */
const sourceOf = (calls: Partial<Tier.SourceStore>): Tier.Tier =>
  Tier.make({
    open: () =>
      Effect.succeed({
        get: () => Effect.die("get"),
        put: () => Effect.die("put"),
        remove: () => Effect.die("remove"),
        clear: Effect.die("clear"),
        ...calls
      })
  })

describe("Tier.memory", () => {
  it.scoped("gives up the entries that were put longest ago, of all namespaces", () =>
    Effect.gen(function* () {
      const tier = yield* Tier.memory({ maxEntries: 4 })
      const [a, b] = [yield* tier.open("a"), yield* tier.open("b")]
      yield* a.put(entries(0, 3))
      yield* b.put(entries(0, 1))
      yield* a.put([entry(0)])
      yield* b.put(entries(1, 3))
      expect(yield* heldOf(a, 3)).toEqual([0])
      expect(yield* heldOf(b, 3)).toEqual([0, 1, 2])
    })
  )

  it.scoped("holds 10,000 entries by default", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(Tier.memory(), (tier) => tier.open("a"))
      yield* store.put(entries(0, 10_000))
      expect((yield* heldOf(store, 10_000)).length).toBe(10_000)
      yield* store.put(entries(10_000, 10_001))
      expect((yield* heldOf(store, 10_001)).slice(0, 2)).toEqual([1, 2])
    })
  )

  it.scoped("measures a ttl on the monotonic clock: at its end the entry is gone", () =>
    Effect.gen(function* () {
      const wall = yield* wallClock
      const timed = Effect.withClock(wall.clock)
      const store = yield* Effect.flatMap(Tier.memory(), (tier) => tier.open("a"))
      yield* timed(store.put([{ ...entry(0), ttl: "1 minute" }, entry(1)]))
      wall.set(-3_600_000)
      yield* TestClock.adjust("59 seconds")
      wall.set(3_600_000)
      expect(yield* timed(heldOf(store, 2))).toEqual([0, 1])
      yield* TestClock.adjust("1 second")
      expect(yield* timed(heldOf(store, 2))).toEqual([1])
    })
  )

  it.scoped("keeps namespaces and keys apart that would run together", () =>
    Effect.gen(function* () {
      const tier = yield* Tier.memory()
      const [client, clients] = [yield* tier.open("client"), yield* tier.open("clients")]
      yield* client.put([{ key: "s1", value: "of client" }])
      yield* clients.put([{ key: "1", value: "of clients" }])
      expect(yield* client.get(["s1", "1"])).toEqual(["of client", undefined])
      expect(yield* clients.get(["s1", "1"])).toEqual([undefined, "of clients"])
    })
  )

  it.scoped("keeps an entry of the same epoch with a higher seq", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(Tier.memory(), (tier) => tier.open("a"))
      for (const seq of [2, 3, 1])
        yield* store.put([{ key: "k", value: `${seq}`, order: { epoch: "e", seq } }])
      expect(yield* store.get(["k"])).toEqual(["3"])
    })
  )

  it.scoped("lets an expired entry of a higher seq be replaced", () =>
    Effect.gen(function* () {
      const store = yield* Effect.flatMap(Tier.memory(), (tier) => tier.open("a"))
      yield* store.put([{ key: "k", value: "old", ttl: "1 second", order: { epoch: "e", seq: 9 } }])
      yield* TestClock.adjust("1 second")
      yield* store.put([{ key: "k", value: "new", order: { epoch: "e", seq: 1 } }])
      expect(yield* store.get(["k"])).toEqual(["new"])
    })
  )
})

describe("Tier.make", () => {
  it.scoped("gives a source each key once, and answers for each key that was asked", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<string>> = []
      const store = yield* sourceOf({
        get: (keys) =>
          Effect.sync(() => {
            seen.push(keys)
            return keys.map((key) => (key === "none" ? undefined : `of ${key}`))
          })
      }).open("a")
      expect(yield* store.get(["x", "none", "x", "y"])).toEqual(["of x", undefined, "of x", "of y"])
      expect(seen).toEqual([["x", "none", "y"]])
    })
  )

  it.scoped("gives a source entries that were checked, each key once, with what is left of it", () =>
    Effect.gen(function* () {
      const seen: Array<Tier.CheckedEntry> = []
      const store = yield* sourceOf({ put: (entries) => Effect.sync(() => seen.push(...entries)) }).open("a")
      const order = (seq: number) => ({ epoch: "e", seq })
      yield* store.put([
        { key: "a", value: "1" },
        { key: "b", value: "2", order: order(5), ttl: "1.5 millis" },
        { key: "b", value: "3", order: order(4) },
        { key: "a", value: "4", ttl: Duration.infinity },
        { key: "c", value: "5", ttl: "36500 days" }
      ])
      expect(seen).toEqual([
        { key: "a", value: "4", ttl: undefined, order: undefined },
        { key: "b", value: "2", ttl: Duration.millis(2), order: order(5) },
        { key: "c", value: "5", ttl: undefined, order: undefined }
      ])
    })
  )

  it.scoped("asks no source for nothing", () =>
    Effect.gen(function* () {
      const store = yield* sourceOf({}).open("a")
      expect(yield* store.get([])).toEqual([])
      yield* store.put([])
      yield* store.remove([])
    })
  )

  it.scoped("takes an answer that is none for a fault", () =>
    Effect.gen(function* () {
      const wrong = [[], ["a"], ["a", "b", "c"], ["a", null], ["a", 5], "ab", undefined]
      for (const answer of wrong) {
        // What a source of JavaScript may give.
        const store = yield* sourceOf({ get: () => Effect.succeed(answer as never) }).open("a")
        expect(yield* Effect.flip(store.get(["x", "y"]))).toMatchObject({ reason: "Malformed" })
      }
    })
  )

  it.scoped("turns failures and defects into a TierError, with their cause", () =>
    Effect.gen(function* () {
      const thrown = new Error("thrown")
      const throwing = () => {
        throw thrown
      }
      const store = yield* sourceOf({
        get: throwing,
        put: () => Effect.fail("failed"),
        remove: () => Effect.die(thrown),
        clear: new Tier.TierError({ reason: "TooLarge", message: "own" })
      }).open("a")
      const unavailable = { _tag: "TierError", reason: "Unavailable" }
      expect(yield* Effect.flip(store.get(["x"]))).toMatchObject({ ...unavailable, cause: thrown })
      expect(yield* Effect.flip(store.put([entry(0)]))).toMatchObject({ ...unavailable, cause: "failed" })
      expect(yield* Effect.flip(store.remove(["x"]))).toMatchObject({ ...unavailable, cause: thrown })
      expect(yield* Effect.flip(store.clear)).toMatchObject({ reason: "TooLarge", message: "own" })
      const closed = Tier.make({ open: throwing })
      expect(yield* Effect.flip(closed.open("a"))).toMatchObject({ ...unavailable, cause: thrown })
    })
  )

  it.scoped("refuses a namespace that no tier can have, before the source sees it", () =>
    Effect.gen(function* () {
      const tier = Tier.make({ open: () => Effect.die("opened") })
      for (const name of ["a\0", "\ud800", "x".repeat(513), "é".repeat(257), 5 as unknown as string]) {
        expect(yield* Effect.flip(tier.open(name))).toMatchObject({ reason: "Invalid" })
      }
    })
  )

  it.scoped("runs its source outside of the transaction that the caller is in", () =>
    Effect.gen(function* () {
      const Transaction = Context.GenericTag<"transaction", string>(
        "@effect/sql/SqlClient/TransactionConnection"
      )
      const seen: Array<Option.Option<string>> = []
      const look = Effect.map(Effect.serviceOption(Transaction), (transaction) => void seen.push(transaction))
      const tier = Tier.make({
        open: () =>
          Effect.as(look, {
            get: (keys) =>
              Effect.as(
                look,
                keys.map(() => undefined)
              ),
            put: () => look,
            remove: () => look,
            clear: look
          })
      })
      yield* Effect.gen(function* () {
        const store = yield* tier.open("a")
        yield* Effect.all([store.get(["x"]), store.put([entry(0)]), store.remove(["x"]), store.clear])
      }).pipe(Effect.provideService(Transaction, "the caller's"))
      expect(seen).toEqual(Array.from({ length: 5 }, () => Option.none()))
    })
  )

  it.scoped("leaves an interruption an interruption", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const hanging = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      const store = yield* sourceOf({ get: () => hanging }).open("a")
      const fiber = yield* Effect.fork(store.get(["x"]))
      yield* Deferred.await(started)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
    })
  )

  it.effect("releases what a source has opened with the scope of the store", () =>
    Effect.gen(function* () {
      const open = new Set<string>()
      const tier = Tier.make({
        open: (name) =>
          Effect.acquireRelease(
            Effect.sync(() => {
              open.add(name)
              return {
                get: () => Effect.succeed([]),
                put: () => Effect.void,
                remove: () => Effect.void,
                clear: Effect.void
              }
            }),
            () => Effect.sync(() => open.delete(name))
          )
      })
      yield* Effect.scoped(
        Effect.andThen(
          tier.open("a"),
          Effect.sync(() => expect([...open]).toEqual(["a"]))
        )
      )
      expect(open.size).toBe(0)
    })
  )
})
