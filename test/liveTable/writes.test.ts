/** What the outcomes of writes do to the memory, before their writers get them (rules 4, 5, 16). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import { Query } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import { freshnessOf, idsOf, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { answering, away, failing, type How, held, never } from "../support/liveTable/master.js"
import { scenario, settled, started } from "../support/time/turn.js"

const old = [key("k1", "old"), key("k2", "old")]
const active = { where: Query.eq("state", "active") }

describe("the outcome of a write", () => {
  scenario("is in the memory before its reply; until then the old value is served (rule 4)", function* () {
    const { live, master } = yield* liveKeys({}, old)
    yield* live.getMany(["k1", "k2"])
    expect(idsOf(yield* live.list(active))).toBe("")
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const write = yield* started(
      Effect.map(live.patch("k1", { state: "active" }), () => stateOf(live.unsafeGet("k1")!))
    )
    expect(stateOf(live.unsafeGet("k1")!)).toBe("old")
    expect(idsOf(yield* live.list(active))).toBe("")
    yield* latch.open
    expect(yield* Fiber.join(write)).toBe("active")
    expect(idsOf(yield* live.list(active))).toBe("k1")
  })

  scenario("of a whole batch is there before the first reply of it (rule 4)", function* () {
    const { live, master } = yield* liveKeys({}, old)
    yield* live.getMany(["k1", "k2"])
    const seen: Array<string> = []
    const write = (id: string, other: string) =>
      Effect.map(live.patch(id, { state: "new" }), () => {
        const answer = live.unsafeGet(other)
        seen.push(`${id} sees ${answer === undefined ? "nothing" : stateOf(answer)}`)
      })
    yield* Effect.all([write("k1", "k2"), write("k2", "k1")], { concurrency: 2 })
    expect(seen).toEqual(["k1 sees new", "k2 sees new"])
    expect(master.count("write")).toBe(1)
  })

  scenario("invalidates also if nothing was changed: the memory may have been wrong (rule 4)", function* () {
    const { live, master } = yield* liveKeys({}, old)
    yield* live.get("k1")
    yield* live.list(active)
    yield* master.foreign.patch("k1", { state: "active" })
    const written = yield* live.patch("k1", { state: "active" })
    expect(written.change).toBe("Unchanged")
    expect(stateOf(yield* live.get("k1"))).toBe("active")
    expect(idsOf(yield* live.list(active))).toBe("k1")
  })

  scenario("of an insert whose id exists is the row that is there, and it is cached", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const written = yield* live.insert(key("k1", "mine"))
    expect([written.change, Option.getOrThrow(written.row).state]).toEqual(["Unchanged", "old"])
    expect(stateOf(live.unsafeGet("k1")!)).toBe("old")
    expect(master.count("getMany")).toBe(0)
  })

  scenario("answers reads of the row without the master, also of a deletion", function* () {
    const { live, master } = yield* liveKeys({}, old)
    yield* live.replace({ id: "k1", account: "b", state: "new" })
    expect(Option.getOrThrow(live.unsafeGet("k1")!.value)).toEqual(key("k1", "new", "b"))
    yield* live.delete("k1")
    expect(stateOf(live.unsafeGet("k1")!)).toBe("none")
    expect(master.count("getMany")).toBe(0)
  })

  scenario("Missing and Conflict drop the row that they disprove (rule 4)", function* () {
    const { live, master } = yield* liveKeys({}, old)
    yield* live.getMany(["k1", "k2"])
    yield* master.foreign.delete("k1")
    expect(yield* Effect.flip(live.patch("k1", { state: "new" }))).toMatchObject({ reason: "Missing" })
    expect(stateOf(yield* live.get("k1"))).toBe("none")
    yield* master.foreign.patch("k2", { state: "other" })
    const conditional = live.patch("k2", { state: "new" }, Query.eq("state", "old"))
    expect(yield* Effect.flip(conditional)).toMatchObject({ _tag: "WriteRefused", reason: "Conflict" })
    expect(stateOf(yield* live.get("k2"))).toBe("other")
    expect(yield* Effect.flip(live.delete("k2", Query.eq("state", "old")))).toMatchObject({
      reason: "Conflict"
    })
    expect((yield* live.patch("k2", { state: "new" }, Query.eq("state", "other"))).change).toBe("Changed")
    expect((yield* live.delete("k2", Query.eq("state", "new"))).change).toBe("Changed")
    expect(stateOf(yield* live.get("k2"))).toBe("none")
  })

  for (const [name, how] of [
    ["refused as Unique", answering([new Table.WriteRefused({ reason: "Unique", message: "" })])],
    ["refused as Invalid", answering([new Table.WriteRefused({ reason: "Invalid", message: "" })])],
    ["failed, with proof that nothing was stored", failing(away())]
  ] as const) {
    scenario(`that was ${name} goes to the caller, and keeps what is cached (rule 4)`, function* () {
      const { live, master } = yield* liveKeys({}, old)
      yield* live.get("k1")
      yield* live.list()
      master.next("write", how)
      const error = yield* Effect.flip(live.patch("k1", { state: "new" }))
      if (error._tag === "WriteFailed") {
        expect(error).toMatchObject({ reason: "Master", outcome: "NotStored" })
      }
      expect(freshnessOf(live.unsafeGet("k1")!)).toBe("Fresh")
      yield* live.list()
      expect([master.count("getMany"), master.count("list")]).toEqual([1, 1])
    })
  }

  const lost: How = (call) => Effect.andThen(call, Effect.fail(away("Unknown")))
  const unknown: ReadonlyArray<readonly [string, How]> = [
    ["a lost connection", lost],
    ["a defect", (call) => Effect.andThen(call, Effect.die("a bug"))],
    ["its own interruption", (call) => Effect.andThen(call, Effect.interrupt)],
    ["an error without a class", (call) => Effect.andThen(call, Effect.fail("what?"))],
    ["an answer that is none", (call) => Effect.as(call, "done" as never)],
    ["too few outcomes", (call) => Effect.as(call, [] as never)]
  ]
  for (const [name, how] of unknown) {
    scenario(`that is unknown by ${name} invalidates, and is in doubt for a while (rule 5)`, function* () {
      const { live, master } = yield* liveKeys({ doubt: 1_000 }, old)
      yield* live.get("k1")
      yield* live.list(active)
      master.next("write", how)
      const error = yield* Effect.flip(live.patch("k1", { state: "active" }))
      expect(error).toMatchObject({ _tag: "WriteFailed", outcome: "Unknown" })
      expect(live.unsafeGet("k1")).toBe(undefined)
      const answer = yield* live.get("k1")
      expect([stateOf(answer), freshnessOf(answer)]).toEqual(["active", "Bypassed"])
      const list = yield* live.list(active)
      expect([idsOf(list), freshnessOf(list)]).toEqual(["k1", "Bypassed"])
      // Other rows are not in doubt, and the worker goes on.
      yield* live.get("k2")
      expect(freshnessOf(live.unsafeGet("k2")!)).toBe("Fresh")
      yield* live.patch("k2", { state: "new" })
      yield* TestClock.adjust(1_000)
      yield* live.list(active)
      expect([freshnessOf(yield* live.get("k1")), freshnessOf(yield* live.list(active))]).toEqual([
        "Fresh",
        "Fresh"
      ])
    })
  }

  scenario("that is unknown spares those of other calls, and is not retried (rule 5)", function* () {
    const { live, master } = yield* liveKeys({ writeTimeout: 1_000 }, old)
    master.next("write", never)
    const first = yield* started(Effect.flip(live.patch("k1", { state: "new" })))
    const second = yield* started(live.patch("k2", { state: "new" }))
    yield* TestClock.adjust(999)
    expect(first.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(first)).toMatchObject({ reason: "TimedOut", outcome: "Unknown" })
    expect((yield* Fiber.join(second)).change).toBe("Changed")
    expect(master.count("write")).toBe(2)
  })

  scenario("of a deletion of everything drops everything, and an unknown one doubts it", function* () {
    const { live, master } = yield* liveKeys({ doubt: 1_000 }, old)
    yield* live.get("k1")
    yield* live.list()
    yield* live.deleteAll
    expect(stateOf(yield* live.get("k1"))).toBe("none")
    expect((yield* live.list()).value).toEqual([])
    master.next("write", lost)
    yield* Effect.flip(live.deleteAll)
    expect(freshnessOf(yield* live.get("k2"))).toBe("Bypassed")
    expect(freshnessOf(yield* live.list())).toBe("Bypassed")
  })
})

describe("writes of one id", () => {
  scenario("keep their order, and no call has an id twice (rule 16)", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const first = yield* started(live.patch("k2", { state: "0" }))
    const replies: Array<string> = []
    const patch = (id: string, state: string) =>
      Effect.map(live.patch(id, { state }), ({ row }) => {
        replies.push(`${id} ${Option.getOrThrow(row).state}`)
      })
    const writes = Effect.all(
      [patch("k1", "1"), patch("k2", "1"), patch("k1", "2"), patch("k1", "3"), patch("k2", "2")],
      { concurrency: "unbounded" }
    )
    const fiber = yield* started(writes)
    yield* latch.open
    yield* Fiber.join(first)
    yield* Fiber.join(fiber)
    expect(replies).toEqual(["k1 1", "k2 1", "k1 2", "k1 3", "k2 2"])
    const batches = master.asked("write") as ReadonlyArray<ReadonlyArray<{ readonly id: string }>>
    expect(batches.map((writes) => writes.map(({ id }) => id).join())).toEqual(["k2", "k1,k2", "k1", "k1,k2"])
    expect(stateOf(yield* live.get("k1"))).toBe("3")
    yield* settled
  })

  scenario("spare their neighbours if one is refused (rule 16)", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const first = yield* started(live.patch("k1", { state: "0" }))
    const fiber = yield* started(
      Effect.all(
        [
          live.patch("k1", { state: "1" }),
          Effect.flip(live.patch("none", { state: "1" })),
          live.insert(key("k3", "1"))
        ],
        { concurrency: "unbounded" }
      )
    )
    yield* latch.open
    yield* Fiber.join(first)
    const [patched, missing, inserted] = yield* Fiber.join(fiber)
    expect([patched.change, missing._tag, inserted.change]).toEqual(["Changed", "WriteRefused", "Changed"])
    expect(master.count("write")).toBe(2)
  })
})
