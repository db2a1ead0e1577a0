import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, TestClock } from "effect"
import { Fault, make, type Script } from "effect-recorder/testing/FaultTable"
import * as Table from "../../src/Table.js"

const { Column, Query, Write } = Table

const things = Table.define({
  name: "things",
  columns: { id: Column.text, n: Column.integer },
  id: "id"
})
type Things = typeof things

const over = (script: Script<Things> = []) =>
  Effect.gen(function* () {
    const below = yield* Table.memory(things)
    yield* below.write(["a", "b", "c"].map((id, n) => Write.insert({ id, n })))
    const faults = yield* make(below, script)
    const held = Effect.map(below.list(), ({ value }) => value.map(({ id, n }) => `${id}${n}`).join(" "))
    return { ...faults, held }
  })

describe("FaultTable", () => {
  it.effect("passes calls through, and keeps what happened", () =>
    Effect.gen(function* () {
      const { reads, table, writes } = yield* over()
      yield* TestClock.adjust(5)
      const rows = yield* table.list({
        where: Query.gte("n", 0),
        orderBy: [Query.desc("n")],
        limit: 1,
        page: 2
      })
      expect(rows.value).toEqual([{ id: "b", n: 1 }])
      const next = yield* table.list({ orderBy: [Query.desc("n")], after: { id: "b", n: 1 } })
      expect(next.value).toEqual([{ id: "a", n: 0 }])
      expect((yield* table.get("c")).value).toEqual(Option.some({ id: "c", n: 2 }))
      expect((yield* table.count(Query.lt("n", 2))).value).toBe(2)
      yield* table.write([Write.delete("a"), Write.patch("b", { n: 9 })], "mine")
      expect(reads.map(({ asked, at, fault, nth }) => [nth, at, asked._tag, fault])).toEqual([
        [1, 5, "list", undefined],
        [2, 5, "list", undefined],
        [3, 5, "getMany", undefined],
        [4, 5, "count", undefined]
      ])
      expect(writes).toMatchObject([
        { nth: 1, at: 5, batch: "mine", writes: [{ _tag: "Delete" }, { id: "b" }] }
      ])
      expect([...reads, ...writes].every(({ exit }) => exit?._tag === "Success")).toBe(true)
      expect(table.maxBatch).toBe(1000)
    })
  )

  it.effect("fails before or after the commit, of all or of a part", () =>
    Effect.gen(function* () {
      const { held, next, table } = yield* over()
      const patches = () => table.write(["a", "b", "c"].map((id) => Write.patch(id, { n: 7 })))
      yield* next(
        Fault.fail(),
        Fault.failAfterCommit("Transient", 1),
        Fault.raise({ code: "EPIPE" }),
        Fault.die()
      )
      const outcomes = (results: ReadonlyArray<Table.WriteResult<Things>>) =>
        results.map((result) =>
          result._tag === "StorageError" ? `${result.kind} ${result.outcome}` : result._tag
        )
      expect(outcomes(yield* patches())).toEqual(Array(3).fill("Transient NotStored"))
      expect(yield* held).toBe("a0 b1 c2")
      expect(outcomes(yield* patches())).toEqual(Array(3).fill("Transient Unknown"))
      expect(yield* held).toBe("a7 b1 c2")
      expect(outcomes(yield* patches())).toEqual(Array(3).fill("Unknown Unknown"))
      expect(outcomes(yield* patches())).toEqual(Array(3).fill("Unknown Unknown"))
      expect(yield* held).toBe("a7 b1 c2")
      yield* patches()
      expect(yield* held).toBe("a7 b7 c7")
    })
  )

  it.effect("plays a script by the number of a call and by its writes", () =>
    Effect.gen(function* () {
      const { play, table } = yield* over([
        { of: "read", call: [2, 3], fault: Fault.fail("Fatal") },
        { record: ({ _tag }) => _tag === "DeleteAll", fault: Fault.fail(), times: 1 }
      ])
      const tag = <A, E>(call: Effect.Effect<A, E>) =>
        Effect.match(call, { onFailure: () => "failed", onSuccess: () => "done" })
      const seen = []
      for (const call of [table.get("a"), table.count(), table.list(), table.get("a")]) {
        seen.push(yield* tag(call as Effect.Effect<unknown, unknown>))
      }
      for (const call of [table.delete("a"), table.deleteAll, table.deleteAll]) seen.push(yield* tag(call))
      expect(seen).toEqual(["done", "failed", "failed", "done", "done", "failed", "done"])
      yield* play([{ fault: Fault.fail() }])
      expect(yield* tag(table.deleteAll)).toBe("failed")
    })
  )

  it.effect("holds a call until a latch opens, before or after it is done", () =>
    Effect.gen(function* () {
      const { held, next, nextReads, overlaps, readBegun, table, writeBegun } = yield* over()
      const [first, second] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      yield* next(Fault.hold(Deferred.await(first)))
      yield* nextReads(Fault.hold(Deferred.await(second), "after"))
      const write = yield* Effect.fork(table.patch("a", { n: 5 }))
      const read = yield* Effect.fork(table.get("a"))
      yield* writeBegun(1)
      yield* readBegun(1)
      yield* Effect.yieldNow()
      expect(yield* held).toBe("a0 b1 c2")
      yield* Deferred.succeed(first, undefined)
      yield* table.delete("c")
      expect(overlaps()).toBe(1)
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(write)
      expect(yield* held).toBe("a5 b1")
      yield* Deferred.succeed(second, undefined)
      expect((yield* Fiber.join(read)).value).toEqual(Option.some({ id: "a", n: 0 }))
    })
  )

  it.effect("hangs until it is interrupted, or longer", () =>
    Effect.gen(function* () {
      const { nextReads, readBegun, reads, table } = yield* over()
      const late = yield* Deferred.make<void>()
      yield* nextReads(Fault.hang(), Fault.hold(Deferred.await(late), "before", "ignored"))
      const hanging = yield* Effect.fork(table.list())
      yield* readBegun(1)
      yield* Fiber.interrupt(hanging)
      const deaf = yield* Effect.fork(table.list())
      yield* readBegun(2)
      const interrupting = yield* Effect.fork(Fiber.interrupt(deaf))
      yield* Effect.yieldNow()
      expect(reads.map(({ exit }) => exit?._tag)).toEqual(["Failure", undefined])
      yield* Deferred.succeed(late, undefined)
      yield* Fiber.join(interrupting)
      expect(reads[1]?.exit).toBeDefined()
    })
  )

  it.effect("answers late, and answers wrong", () =>
    Effect.gen(function* () {
      const { next, nextReads, table } = yield* over()
      yield* nextReads(
        Fault.delay("2 seconds"),
        Fault.answer(),
        Fault.answer(() => ({ value: [{ id: "z", n: 0 }] }))
      )
      const late = yield* Effect.fork(table.count())
      yield* TestClock.adjust(1_999)
      expect(late.unsafePoll()).toBe(null)
      yield* TestClock.adjust(1)
      expect((yield* Fiber.join(late)).value).toBe(3)
      expect(yield* Effect.flip(table.list())).toBeInstanceOf(Table.Malformed)
      expect(yield* Effect.flip(table.get("a"))).toBeInstanceOf(Table.Malformed)
      yield* next(Fault.answer((outcomes) => (outcomes as ReadonlyArray<unknown>).slice(1)))
      const [a, b] = yield* table.write([Write.delete("a"), Write.delete("b")])
      expect([a, b]).toMatchObject(Array(2).fill({ _tag: "StorageError", outcome: "Unknown" }))
      expect((yield* table.count()).value).toBe(1)
    })
  )

  it.effect("refuses a rule that can fit no call", () =>
    Effect.gen(function* () {
      const options = yield* Effect.forEach(
        [
          [{ fault: { _tag: "Refuse" } }],
          [{ fault: Fault.fail(), of: "load" }],
          [{ fault: Fault.fail(), call: 0 }],
          [{ fault: Fault.fail(), of: "read", record: () => true }],
          [{ fault: Fault.delay(-1) }]
        ],
        (script) =>
          Effect.map(Effect.flip(over(script as unknown as Script<Things>)), (error) =>
            "option" in error ? error.option : error
          )
      )
      expect(options).toEqual([
        "script[0].fault",
        "script[0].of",
        "script[0].call",
        "script[0].record",
        "script[0].fault.duration"
      ])
    })
  )
})
