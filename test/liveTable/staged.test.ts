/** Staged writes: shown at once to readers who ask for them, and gone with their outcome (rule 12). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import type * as LiveTable from "../../src/LiveTable.js"
import { Query } from "../../src/Storage.js"
import { Write } from "../../src/Table.js"
import { idsOf, type Keys, key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, failing, held, late } from "../support/liveTable/master.js"
import { scenario, settled, started } from "../support/time/turn.js"

const old = [key("k1", "old"), key("k2", "old")]
const include = { pending: "include" } as const

/** The row and the list of the old ones, with staged writes, and without. */
const views = (live: LiveTable.Of<Keys>) =>
  Effect.gen(function* () {
    const query = { where: Query.eq("state", "old") }
    return [
      stateOf(yield* live.get("k1", include)),
      stateOf(yield* live.get("k1")),
      idsOf(yield* live.list(query, include)),
      idsOf(yield* live.list(query))
    ].join(" ")
  })

describe("a staged write", () => {
  scenario("is shown to those who include it, until it is confirmed as the base of all", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const staged = yield* live.stage(Write.patch("k1", { state: "new" }))
    expect(yield* staged.status).toBe("pending")
    expect(yield* views(live)).toBe("new old k2 k1,k2")
    expect(stateOf(live.unsafeGet("k1")!)).toBe("old")
    yield* latch.open
    expect(Option.getOrThrow((yield* staged.outcome).row).state).toBe("new")
    expect(yield* staged.status).toBe("confirmed")
    expect(yield* views(live)).toBe("new new k2 k2")
  })

  scenario("keeps its row in memory until it has its outcome, whatever else is read", function* () {
    const { live, master } = yield* liveKeys({ maxEntries: 1 }, old)
    yield* live.get("k1")
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const staged = yield* live.stage(Write.patch("k1", { state: "new" }))
    yield* live.get("k2")
    yield* live.get("k3")
    const asked = master.count("getMany")
    expect(stateOf(yield* live.get("k1", include))).toBe("new")
    expect(master.count("getMany")).toBe(asked)
    yield* latch.open
    yield* staged.outcome
    yield* live.get("k2")
    expect(live.unsafeStats().entries).toBe(1)
  })

  scenario("that is refused or fails is reverted alone, by field", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const [first, second] = [yield* Effect.makeLatch(), yield* Effect.makeLatch()]
    master.next("write", held(first))
    master.next("write", (call) => Effect.andThen(second.await, failing(away())(call)))
    const staged = yield* live.stage(Write.patch("none", { state: "new" }))
    yield* settled
    const state = yield* live.stage(Write.patch("k1", { state: "new" }))
    const account = yield* live.stage(Write.patch("k1", { account: "b" }))
    const shown = Effect.map(live.get("k1", include), ({ value }) => Option.getOrThrow(value))
    expect(yield* shown).toEqual(key("k1", "new", "b"))
    yield* first.open
    expect(yield* Effect.flip(staged.outcome)).toMatchObject({ reason: "Missing" })
    expect(yield* staged.status).toBe("reverted")
    expect(yield* shown).toEqual(key("k1", "new", "b"))
    yield* second.open
    expect(yield* Effect.flip(state.outcome)).toMatchObject({ _tag: "WriteFailed" })
    yield* account.outcome
    expect([yield* state.status, yield* account.status]).toEqual(["reverted", "confirmed"])
    expect(yield* shown).toEqual(key("k1", "old", "b"))
  })

  scenario("stands over a base that moves, and does not move it", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const staged = yield* live.stage(Write.patch("k1", { state: "new" }))
    yield* live.get("k1", include)
    yield* master.foreign.patch("k1", { account: "b" })
    yield* live.invalidate("all")
    expect(Option.getOrThrow((yield* live.get("k1", include)).value)).toEqual(key("k1", "new", "b"))
    expect(Option.getOrThrow((yield* live.get("k1")).value)).toEqual(key("k1", "old", "b"))
    yield* latch.open
    yield* staged.outcome
    expect(Option.getOrThrow((yield* live.get("k1")).value)).toEqual(key("k1", "new", "b"))
  })

  scenario("is in lists that it comes into, and not in those that it leaves", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.always("write", held(latch))
    yield* live.stage(Write.insert(key("k0", "old")))
    yield* live.stage(Write.delete("k2"))
    const list = yield* live.list({ where: Query.eq("account", "a") }, include)
    expect(idsOf(list)).toBe("k0,k1")
    expect((yield* live.count(undefined, include)).value).toBe(2)
    expect(stateOf(yield* live.get("k2", include))).toBe("none")
    yield* live.stage(Write.deleteAll)
    expect(idsOf(yield* live.list({}, include))).toBe("")
    yield* latch.open
    yield* live.flush
    expect(idsOf(yield* live.list({}, include))).toBe("")
  })

  scenario("that inserts an id which exists is confirmed as the row that is there", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const staged = yield* live.stage(Write.insert(key("k1", "mine")))
    yield* latch.open
    expect((yield* staged.outcome).change).toBe("Unchanged")
    expect(yield* staged.status).toBe("confirmed")
    expect(yield* views(live)).toBe("old old k1,k2 k1,k2")
  })

  scenario("that is confirmed while a read is under way is in the answer of that read", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.next("getMany", late(latch))
    master.next("list", late(latch))
    const row = yield* started(live.get("k1", include))
    const list = yield* started(live.list({ where: Query.eq("state", "old") }, include))
    const staged = yield* live.stage(Write.patch("k1", { state: "new" }))
    yield* staged.outcome
    yield* latch.open
    expect(stateOf(yield* Fiber.join(row))).toBe("new")
    expect(idsOf(yield* Fiber.join(list))).toBe("k2")
  })

  scenario(
    "that was confirmed is in the answer of an old read, also when a later one has landed",
    function* () {
      const { live, master } = yield* liveKeys({}, old)
      const query = { where: Query.eq("state", "old") }
      const latch = yield* Effect.makeLatch()
      master.next("list", late(latch))
      const list = yield* started(live.list(query, include))
      const staged = yield* live.stage(Write.patch("k1", { state: "new" }))
      yield* staged.outcome
      expect(idsOf(yield* live.list(query))).toBe("k2")
      yield* latch.open
      expect(idsOf(yield* Fiber.join(list))).toBe("k2")
    }
  )

  scenario("that was confirmed stands under the writes that a read has waited for", function* () {
    const { live, master } = yield* liveKeys({}, old)
    master.next("write", failing(away("Unknown")))
    // What is in doubt is not stored, so that every read of it asks the master.
    yield* Effect.flip(live.patch("k1", { account: "a" }))
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    yield* live.stage(Write.patch("k1", { state: "staged" }))
    yield* started(live.patch("k1", { state: "later" }))
    const queued = { ...include, atLeast: "queued" } as const
    const row = yield* started(live.get("k1", queued))
    const list = yield* started(live.list({ where: Query.eq("state", "later") }, queued))
    yield* latch.open
    expect(stateOf(yield* Fiber.join(row))).toBe("later")
    expect(idsOf(yield* Fiber.join(list))).toBe("k1")
  })

  scenario("brings a row into a list only while the cache would answer it", function* () {
    const { live, master } = yield* liveKeys({ ttl: "10 seconds" }, [...old, key("k3", "new")])
    yield* live.get("k3")
    master.always("write", held(yield* Effect.makeLatch()))
    yield* live.stage(Write.patch("k3", { state: "old" }))
    const query = { where: Query.eq("state", "old") }
    expect(idsOf(yield* live.list(query, include))).toBe("k1,k2,k3")
    // What is asked of the master, or of the log, is asked of every row.
    expect(idsOf(yield* live.list(query, { ...include, use: "master" }))).toBe("k1,k2")
    yield* TestClock.adjust("10 seconds")
    expect(idsOf(yield* live.list(query, include))).toBe("k1,k2")
    yield* live.get("k3")
    expect(idsOf(yield* live.list(query, include))).toBe("k1,k2,k3")
  })

  scenario("that is not valid is refused at once, and never shown", function* () {
    const { live, master } = yield* liveKeys({}, old)
    expect(yield* Effect.flip(live.stage(Write.patch("k1", {})))).toMatchObject({ reason: "Invalid" })
    expect(stateOf(yield* live.get("k1", include))).toBe("old")
    yield* live.flush
    expect(master.count("write")).toBe(0)
  })

  scenario("has an outcome and is reverted when the live table is closed before it is done", function* () {
    const { live, master } = yield* liveKeys({}, old)
    master.always("write", held(yield* Effect.makeLatch()))
    const running = yield* live.stage(Write.patch("k1", { state: "new" }))
    const queued = yield* live.stage(Write.patch("k1", { account: "b" }))
    yield* live.closeWithin(0)
    expect(yield* Effect.flip(running.outcome)).toMatchObject({ reason: "Closed", outcome: "Unknown" })
    expect(yield* Effect.flip(queued.outcome)).toMatchObject({ reason: "Closed", outcome: "NotStored" })
    expect([yield* running.status, yield* queued.status]).toEqual(["reverted", "reverted"])
  })
})
