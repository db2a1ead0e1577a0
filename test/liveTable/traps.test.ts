/** Mistakes that caches are known for, each with the schedule that shows it. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Option, TestClock } from "effect"
import { steady } from "../../src/internal/time.js"
import * as LiveTable from "../../src/LiveTable.js"
import { Column, Query } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import { freshnessOf, idsOf, type Keys, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { held, late, master, never } from "../support/liveTable/master.js"
import { scenario, settled, started } from "../support/time/turn.js"

const active = { where: Query.eq("state", "active") }

describe("a live table, where caches fail,", () => {
  scenario("drops a list that never held the row which begins to match it (rule 10)", function* () {
    const { live, master } = yield* liveKeys({}, [key("k1"), key("k2", "revoked")])
    expect(idsOf(yield* live.list(active))).toBe("k1")
    expect((yield* live.count(active.where)).value).toBe(1)
    yield* live.patch("k2", { state: "active" })
    expect(idsOf(yield* live.list(active))).toBe("k1,k2")
    expect((yield* live.count(active.where)).value).toBe(2)
    expect(master.count("list")).toBe(2)
  })

  scenario("does not fill the successor of an evicted cell by the old load (rule 2)", function* () {
    const { live, master } = yield* liveKeys({ maxEntries: 1 }, [key("k1", "old"), key("k2")])
    const latch = yield* Effect.makeLatch()
    master.next("getMany", late(latch))
    const first = yield* started(live.get("k1"))
    yield* live.patch("k1", { state: "new" })
    // It takes the only place.
    yield* live.get("k2")
    expect(live.unsafeGet("k1")).toBe(undefined)
    yield* latch.open
    expect(freshnessOf(yield* Fiber.join(first))).toBe("Bypassed")
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  scenario("stores no refresh that an invalidation has overtaken (rules 2, 9)", function* () {
    const { live, master } = yield* liveKeys({ ttl: 10, staleWhileRevalidate: 60_000 }, [key("k1", "old")])
    yield* live.get("k1")
    yield* TestClock.adjust(20)
    const latch = yield* Effect.makeLatch()
    master.next("getMany", late(latch))
    expect(freshnessOf(yield* live.get("k1"))).toBe("Stale Expired")
    yield* settled
    yield* master.foreign.patch("k1", { state: "new" })
    yield* live.invalidate({ ids: ["k1"] })
    yield* latch.open
    yield* settled
    expect(live.unsafeGet("k1")).toBe(undefined)
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  for (const [name, read] of [
    ["a load", (live) => live.get("k1")],
    ["a list", (live) => live.list()],
    // The load of another row begins while none is under way.
    ["a load, behind which others follow", (live) => Effect.andThen(live.get("k1"), live.get("none"))]
  ] as ReadonlyArray<
    readonly [string, (live: LiveTable.LiveTable<Keys>) => Effect.Effect<unknown, unknown>]
  >) {
    scenario(
      `does not keep the row of a write once ${name} may have read what came after it (rule 1)`,
      function* () {
        const { live, master } = yield* liveKeys({}, [key("k1", "old")])
        const [reply, statements] = [yield* Effect.makeLatch(), yield* Effect.makeLatch()]
        master.next("write", late(reply))
        const write = yield* started(live.patch("k1", { state: "new" }))
        const own = Effect.andThen(master.foreign.patch("k1", { state: "newer" }), statements.await)
        const after = yield* started(live.invalidateAfter({ ids: ["k1"] }, own))
        yield* read(live)
        expect(stateOf(yield* live.get("k1"))).toBe("newer")
        yield* reply.open
        yield* Fiber.join(write)
        expect(stateOf(yield* live.get("k1"))).toBe("newer")
        yield* statements.open
        yield* Fiber.join(after)
        expect(stateOf(yield* live.get("k1"))).toBe("newer")
      }
    )
  }

  scenario("answers a list by one read of the master, without rows that are newer (rule 10)", function* () {
    const rows = [key("k1"), key("k2"), key("k3")]
    const { live, master } = yield* liveKeys({}, rows)
    const latch = yield* Effect.makeLatch()
    master.next("list", late(latch))
    const list = yield* started(live.list(active))
    // It moves out of the list, and another one changes: in no state of the master are both as they were and are now.
    yield* live.patch("k1", { state: "revoked" })
    yield* live.patch("k3", { account: "b" })
    yield* latch.open
    const answer = yield* Fiber.join(list)
    expect(freshnessOf(answer)).toBe("Bypassed")
    expect(answer.value).toEqual(rows)
    expect((yield* live.list(active)).value).toEqual([key("k2"), key("k3", "active", "b")])
  })

  scenario("answers a list by one read of the master, without rows that are older (rule 10)", function* () {
    const { live, master } = yield* liveKeys({}, [key("k1"), key("k2")])
    yield* live.get("k1")
    yield* master.foreign.patch("k1", { account: "b" })
    yield* master.foreign.patch("k2", { account: "b" })
    const rows = [key("k1", "active", "b"), key("k2", "active", "b")]
    expect((yield* live.list(active)).value).toEqual(rows)
    expect((yield* live.list(active)).value).toEqual(rows)
    expect(master.count("list")).toBe(1)
  })

  for (const [name, target] of [
    ["its query", { query: active }],
    ["its rows", { ids: ["k2"] }],
    ["a tag of its readers", { tag: "page" }],
    ["everything", "all"]
  ] as const) {
    scenario(`stores no list whose load an invalidation of ${name} has overtaken (rule 2)`, function* () {
      const { live, master } = yield* liveKeys({}, [key("k1"), key("k2", "revoked")])
      const latch = yield* Effect.makeLatch()
      master.next("list", late(latch))
      const first = yield* started(live.list(active, { tags: ["page"] }))
      yield* master.foreign.patch("k2", { state: "active" })
      yield* live.invalidate(target)
      // A later reader does not join the load that is under way.
      const second = yield* started(live.list(active, { tags: ["page"] }))
      expect(idsOf(yield* Fiber.join(second))).toBe("k1,k2")
      yield* latch.open
      expect(idsOf(yield* Fiber.join(first))).toBe("k1")
      expect(idsOf(yield* live.list(active))).toBe("k1,k2")
    })

    scenario(`stores no such list though nothing was loaded since (${name})`, function* () {
      const { live, master } = yield* liveKeys({}, [key("k1"), key("k2", "revoked")])
      const latch = yield* Effect.makeLatch()
      master.next("list", late(latch))
      const first = yield* started(live.list(active, { tags: ["page"] }))
      yield* master.foreign.patch("k2", { state: "active" })
      yield* live.invalidate(target)
      yield* latch.open
      yield* Fiber.join(first)
      expect(idsOf(yield* live.list(active))).toBe("k1,k2")
    })
  }

  scenario("brings no row by a list that was under way with a load of the row (rules 1, 2)", function* () {
    const { live, master } = yield* liveKeys({ ttl: 1000 }, [key("k1")])
    const [row, list] = [yield* Effect.makeLatch(), yield* Effect.makeLatch()]
    master.next("getMany", held(row))
    const got = yield* started(live.get("k1"))
    yield* TestClock.adjust(2000)
    master.next("list", late(list))
    const listed = yield* started(live.list(active))
    yield* master.foreign.patch("k1", { account: "b" })
    yield* row.open
    expect(Option.getOrThrow((yield* Fiber.join(got)).value).account).toBe("b")
    yield* list.open
    yield* Fiber.join(listed)
    expect(live.unsafeGet("k1")).toBe(undefined)
  })

  scenario("puts no late row over that of a list that was under way with it (rules 1, 2)", function* () {
    const { live, master } = yield* liveKeys({}, [key("k1")])
    const [row, list] = [yield* Effect.makeLatch(), yield* Effect.makeLatch()]
    master.next("list", held(list))
    const listed = yield* started(live.list(active))
    master.next("getMany", late(row))
    const got = yield* started(live.get("k1"))
    yield* master.foreign.patch("k1", { account: "b" })
    yield* list.open
    yield* Fiber.join(listed)
    yield* row.open
    expect(Option.getOrThrow((yield* Fiber.join(got)).value).account).toBe("b")
    expect(Option.getOrThrow(live.unsafeGet("k1")!.value).account).toBe("b")
  })

  scenario("brings no row by a list that was under way with another list of it (rules 1, 2)", function* () {
    const { live, master } = yield* liveKeys({ ttl: 1000, staleWhileRevalidate: 60_000 }, [key("k1")])
    const [first, second] = [yield* Effect.makeLatch(), yield* Effect.makeLatch()]
    master.next("list", held(first))
    const one = yield* started(live.list(active))
    yield* TestClock.adjust(2000)
    master.next("list", late(second))
    const other = yield* started(live.list({ ...active, limit: 10 }))
    yield* master.foreign.patch("k1", { account: "b" })
    yield* first.open
    yield* Fiber.join(one)
    master.next("getMany", never)
    expect(Option.getOrThrow((yield* live.get("k1")).value).account).toBe("b")
    yield* second.open
    yield* Fiber.join(other)
    expect(live.unsafeGet("k1")).toBe(undefined)
  })

  scenario("does not put a late list over a newer row (rules 2, 10)", function* () {
    const { live, master } = yield* liveKeys({}, [key("k1", "old"), key("k2", "old")])
    const latch = yield* Effect.makeLatch()
    master.next("list", late(latch))
    const list = yield* started(live.list())
    yield* live.patch("k1", { state: "new" })
    yield* latch.open
    expect(freshnessOf(yield* Fiber.join(list))).toBe("Bypassed")
    expect(stateOf(yield* live.get("k1"))).toBe("new")
    // What nothing has changed comes from the list.
    expect(live.unsafeGet("k2")).toMatchObject({ freshness: { _tag: "Fresh" } })
    expect((yield* live.list()).value.map(({ state }) => state)).toEqual(["new", "old"])
  })

  scenario("does not store what may be older than a write which may still commit (rule 5)", function* () {
    const { live, master } = yield* liveKeys({ writeTimeout: 1_000, doubt: 5_000 }, [key("k1", "old")])
    const latch = yield* Effect.makeLatch()
    // The statement goes on after its time-out.
    master.next("write", (call) => Effect.uninterruptible(Effect.andThen(latch.await, call)))
    yield* live.get("k1")
    yield* live.list(active)
    const write = yield* started(Effect.exit(live.patch("k1", { state: "new" })))
    yield* TestClock.adjust(1_000)
    expect(yield* Fiber.join(write)).toMatchObject({
      cause: { error: { _tag: "WriteFailed", reason: "TimedOut", outcome: "Unknown" } }
    })
    expect(freshnessOf(yield* live.get("k1"))).toBe("Bypassed")
    expect(freshnessOf(yield* live.list())).toBe("Bypassed")
    expect(stateOf(yield* live.get("k1"))).toBe("old")
    yield* latch.open
    yield* settled
    expect(stateOf(yield* live.get("k1"))).toBe("new")
    yield* TestClock.adjust(5_000)
    expect(freshnessOf(yield* live.get("k1"))).toBe("Fresh")
  })

  scenario("does not store a load from before such a commit when the doubt has ended", function* () {
    const clock = yield* Effect.clock
    // The timer that ends the doubt is late: what lands before it must notice the time itself.
    const delayed = Object.assign(steady(clock), {
      sleep: (time: Duration.Duration) => (Duration.toMillis(time) < 5_000 ? clock.sleep(time) : Effect.never)
    })
    const options = { writeTimeout: 1_000, doubt: 5_000 }
    const { live, master } = yield* Effect.withClock(liveKeys(options, [key("k1", "old")]), delayed)
    const commit = yield* Effect.makeLatch()
    master.next("write", (call) => Effect.uninterruptible(Effect.andThen(commit.await, call)))
    yield* started(Effect.exit(live.patch("k1", { state: "new" })))
    yield* TestClock.adjust(1_000)
    const answer = yield* Effect.makeLatch()
    master.next("getMany", late(answer))
    master.next("list", late(answer))
    const row = yield* started(live.get("k1"))
    const list = yield* started(live.list())
    yield* commit.open
    yield* TestClock.adjust(5_000)
    yield* answer.open
    expect(stateOf(yield* Fiber.join(row))).toBe("old")
    yield* Fiber.join(list)
    expect(stateOf(yield* live.get("k1"))).toBe("new")
    expect((yield* live.list()).value[0]?.state).toBe("new")
  })

  scenario("gives the answer to the others when the first caller is interrupted (rule 8)", function* () {
    const { live, master } = yield* liveKeys({}, [key("k1")])
    const latch = yield* Effect.makeLatch()
    master.always("getMany", held(latch))
    const [first, second, third] = yield* Effect.all(
      [live.get("k1"), live.get("k1"), live.get("k1")].map((get) => started(get))
    )
    yield* Fiber.interrupt(first!)
    yield* latch.open
    expect(stateOf(yield* Fiber.join(second!))).toBe("active")
    expect(stateOf(yield* Fiber.join(third!))).toBe("active")
    expect(master.count("getMany")).toBe(1)
  })

  scenario("ends a load when its last caller is interrupted (rule 8)", function* () {
    const { live, master } = yield* liveKeys({}, [key("k1")])
    const ended = yield* Deferred.make<void>()
    master.next("getMany", () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined)))
    const callers = yield* Effect.all([live.get("k1"), live.get("k1")].map((get) => started(get)))
    yield* Fiber.interrupt(callers[0]!)
    yield* settled
    expect(yield* Deferred.isDone(ended)).toBe(false)
    yield* Fiber.interrupt(callers[1]!)
    yield* Deferred.await(ended)
    expect(stateOf(yield* live.get("k1"))).toBe("active")
  })

  scenario("abandons a load that never ends, and starts another (rule 8)", function* () {
    const { live, master } = yield* liveKeys({ hardTimeout: 1_000 }, [key("k1")])
    const latch = yield* Effect.makeLatch()
    master.next("getMany", (call) => Effect.uninterruptible(Effect.tap(call, latch.await)))
    const callers = yield* Effect.all(
      [live.get("k1"), live.get("k1")].map((get) => started(Effect.flip(get)))
    )
    yield* TestClock.adjust(999)
    expect(callers[0]!.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    for (const caller of callers) {
      expect(yield* Fiber.join(caller)).toMatchObject({ _tag: "ReadFailed", reason: "TimedOut" })
    }
    yield* live.patch("k1", { state: "new" })
    expect(stateOf(yield* live.get("k1"))).toBe("new")
    // What the abandoned load brings at last is not stored.
    yield* latch.open
    yield* settled
    expect(stateOf(yield* live.get("k1"))).toBe("new")
    expect(live.unsafeStats().loadFailures).toBe(1)
  })

  scenario("knows a row by one id, however it is spelled (rule 7)", function* () {
    const ids = Table.define({
      name: "ids",
      columns: { id: Column.uuid, state: Column.text },
      id: "id"
    })
    const { table, ...source } = yield* Effect.orDie(master(ids))
    const live = yield* Effect.orDie(LiveTable.make(table, { sample: 0 }))
    const lower = "0196a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    const upper = lower.toUpperCase()
    yield* live.insert({ id: upper, state: "old" })
    expect(Option.getOrThrow((yield* live.get(lower)).value)).toEqual({ id: lower, state: "old" })
    expect(source.count("getMany")).toBe(0)
    yield* live.patch(upper, { state: "new" })
    expect(Option.getOrThrow(live.unsafeGet(lower)!.value).state).toBe("new")
    expect(Option.getOrThrow(live.unsafeGet(upper)!.value).state).toBe("new")
    yield* live.invalidate({ ids: [upper] })
    expect(live.unsafeGet(lower)).toBe(undefined)
    const both = yield* live.getMany([lower, upper])
    expect(both.map(({ value }) => Option.getOrThrow(value).state)).toEqual(["new", "new"])
    expect(source.asked("getMany")).toEqual([[lower]])
  })

  scenario("is not changed by a caller who changes an answer (rule 7)", function* () {
    const events = Table.define({
      name: "events",
      columns: { id: Column.text, at: Column.timestamp, data: Column.bytes, detail: Column.json },
      id: "id"
    })
    const row = { id: "e1", at: new Date(1000), data: new Uint8Array([1]), detail: { tags: ["a"] } }
    const { table, foreign } = yield* Effect.orDie(master(events))
    yield* foreign.insert(row)
    const live = yield* Effect.orDie(LiveTable.make(table, { sample: 0 }))
    const expected = { id: "e1", at: new Date(1000), data: new Uint8Array([1]), detail: { tags: ["a"] } }
    const spoil = (given: Table.Row<typeof events>) => {
      given.at.setTime(0)
      given.data[0] = 9
      const own = given as { id: string; detail: { tags: Array<string> } }
      // Frozen, or a copy: one of them.
      expect(() => own.detail.tags.push("b")).toThrow()
      expect(Object.isFrozen(own) || own !== row).toBe(true)
    }
    const got = Effect.map(live.get("e1"), ({ value }) => Option.getOrThrow(value))
    // The caller of a load, of a hit, and of a synchronous hit.
    spoil(yield* got)
    expect(yield* got).toEqual(expected)
    spoil(yield* got)
    spoil(Option.getOrThrow(live.unsafeGet("e1")!.value))
    expect(yield* got).toEqual(expected)
    const list = (yield* live.list()).value
    expect(() => (list as Array<unknown>).pop()).toThrow()
    spoil(list[0]!)
    expect((yield* live.list()).value).toEqual([expected])
    expect(yield* got).toEqual(expected)
    // The row of an outcome, and the row that was written.
    const written = yield* live.replace(row)
    spoil(Option.getOrThrow(written.row))
    row.at.setTime(0)
    row.data[0] = 9
    expect(yield* got).toEqual(expected)
  })

  scenario(
    "shares one answer among callers, and none can change it for the others (rules 7, 8)",
    function* () {
      const events = Table.define({
        name: "events",
        columns: { id: Column.text, at: Column.timestamp },
        id: "id"
      })
      const { table, foreign } = yield* Effect.orDie(master(events))
      yield* foreign.insert({ id: "e1", at: new Date(1000) })
      const live = yield* Effect.orDie(LiveTable.make(table, { sample: 0 }))
      const [one, other] = yield* Effect.all([live.get("e1"), live.get("e1")], { concurrency: 2 })
      Option.getOrThrow(one!.value).at.setTime(0)
      expect(Option.getOrThrow(other!.value).at).toEqual(new Date(1000))
      const [list, same] = yield* Effect.all([live.list(), live.list()], { concurrency: 2 })
      list!.value[0]!.at.setTime(0)
      expect(same!.value[0]!.at).toEqual(new Date(1000))
    }
  )

  scenario("gives an id that is asked for twice an answer of its own each time (rule 7)", function* () {
    const columns = { id: Column.text, at: Column.timestamp }
    const { table, foreign } = yield* Effect.orDie(
      master(Table.define({ name: "events", columns, id: "id" }))
    )
    yield* foreign.insert({ id: "e1", at: new Date(1000) })
    const live = yield* Effect.orDie(LiveTable.make(table, { sample: 0 }))
    // From the master, then from memory.
    for (let n = 0; n < 2; n++) {
      const [one, none, other] = yield* live.getMany(["e1", "none", "e1"])
      Option.getOrThrow(one!.value).at.setTime(0)
      expect(Option.getOrThrow(other!.value).at).toEqual(new Date(1000))
      expect(none!.value).toEqual(Option.none())
    }
  })

  scenario("loads outside of its caller: an interrupted write is still done (rules 5, 16)", function* () {
    const { live, master } = yield* liveKeys({}, [key("k1", "old")])
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const write = yield* started(live.patch("k1", { state: "new" }))
    const exit = yield* Fiber.interrupt(write)
    expect(Exit.isInterrupted(exit)).toBe(true)
    yield* latch.open
    yield* live.flush
    expect(stateOf(yield* live.get("k1"))).toBe("new")
  })

  scenario("gives a failure to all that wait, and keeps it for none (rule 8)", function* () {
    const { live, master } = yield* liveKeys({ hardTimeout: 100 }, [key("k1")])
    master.next("getMany", never)
    const waiting = yield* Effect.all(
      [live.get("k1"), live.get("k1")].map((get) => started(Effect.exit(get)))
    )
    yield* TestClock.adjust(100)
    for (const one of waiting) expect(Exit.isFailure(yield* Fiber.join(one))).toBe(true)
    expect(stateOf(yield* live.get("k1"))).toBe("active")
  })
})
