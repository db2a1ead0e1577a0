/** How a live table ends: close, and the end of the scope (rule 18). */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, Stream, TestClock } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import { errorOf, type Keys, key, keys, liveKeys } from "../support/liveTable/keys.js"
import { deaf, type How, held, late, master, never } from "../support/liveTable/master.js"
import { scenario, settled, started } from "../support/time/turn.js"

const old = [key("k1", "old"), key("k2", "old")]

/** What every later call answers. */
const expectClosed = (live: LiveTable.Of<Keys>) =>
  Effect.gen(function* () {
    const closed = { _tag: "ReadFailed", reason: "Closed" }
    for (const read of [
      live.get("k1"),
      live.getMany(["k1"]),
      live.list(),
      live.count(),
      live.table,
      Stream.runDrain(live.stream()),
      Stream.runDrain(live.follow("k1")),
      Stream.runDrain(live.follow({}))
    ]) {
      expect(yield* errorOf(read)).toMatchObject(closed)
    }
    for (const write of [
      live.insert(key("k9")),
      live.deleteAll,
      Effect.asVoid(live.stage(Table.Write.delete("k1")))
    ]) {
      expect(yield* errorOf<unknown, unknown>(write)).toMatchObject({ _tag: "WriteFailed", reason: "Closed" })
    }
    expect(live.unsafeGet("k1")).toBe(undefined)
    expect(live.unsafeWrite(Table.Write.delete("k1"))).toBe(false)
    yield* live.invalidate("all")
    yield* live.expire("all")
    expect((yield* live.status)._tag).toBe("Closed")
  })

describe("close", () => {
  scenario("finishes the queued writes, reports the tables, and all closers share the report", function* () {
    const { live, master } = yield* liveKeys({ closeDeadline: 60_000 }, old)
    const latch = yield* Effect.makeLatch()
    master.next("write", held(latch))
    const writes = yield* Effect.forEach(["k1", "k2", "k1"], (id, n) =>
      started(live.patch(id, { state: `${n}` }))
    )
    const closing = yield* started(live.close)
    expect((yield* live.status)._tag).toBe("Closing")
    expect(yield* errorOf(live.patch("k1", { state: "late" }))).toMatchObject({ reason: "Closed" })
    yield* latch.open
    const report = yield* Fiber.join(closing)
    for (const write of writes) expect((yield* Fiber.join(write)).change).toBe("Changed")
    expect(report).toMatchObject({
      masterBusy: false,
      unsaved: [],
      target: Option.none(),
      tier: Option.none()
    })
    expect(Option.getOrThrow(report.master)).toBe(master.table)
    expect(report.stats.writes).toBe(3)
    expect(yield* live.close).toBe(report)
    expect(Option.getOrThrow((yield* master.foreign.get("k1")).value).state).toBe("2")
    yield* expectClosed(live)
  })

  scenario("within a time gives unwritten writes back, in order, with what is known of each", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    master.next("write", deaf(latch))
    const running = yield* started(errorOf(live.patch("k1", { state: "0" })))
    const queued = yield* Effect.forEach(["k2", "k1"], (id) =>
      started(errorOf(live.patch(id, { state: "1" })))
    )
    const closing = yield* started(live.closeWithin(1_000))
    yield* TestClock.adjust(999)
    expect(closing.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    const report = yield* Fiber.join(closing)
    expect(report.masterBusy).toBe(true)
    expect(
      report.unsaved.map(({ outcome, write }) => [write._tag, "id" in write && write.id, outcome])
    ).toEqual([
      ["Patch", "k1", "Unknown"],
      ["Patch", "k2", "NotStored"],
      ["Patch", "k1", "NotStored"]
    ])
    expect(yield* Fiber.join(running)).toMatchObject({ reason: "Closed", outcome: "Unknown" })
    for (const write of queued) {
      expect(yield* Fiber.join(write)).toMatchObject({ reason: "Closed", outcome: "NotStored" })
    }
    yield* expectClosed(live)
    expect(master.count("write")).toBe(1)
    yield* latch.open
  })

  scenario("ends reads and follows that wait, and nothing uses the tables later", function* () {
    const { live, master } = yield* liveKeys({ refresh: 10, ttl: 10, sample: 1 }, old)
    const ended: Array<string> = []
    const noting = (name: string) =>
      Effect.onInterrupt(Effect.never, () => Effect.sync(() => ended.push(name)))
    yield* live.get("k1")
    const follow = yield* started(errorOf(Stream.runDrain(live.follow({}))))
    master.next("getMany", () => noting("row"))
    master.next("count", () => noting("count"))
    const row = yield* started(errorOf(live.get("k3")))
    const count = yield* started(errorOf(live.count()))
    yield* live.close
    for (const read of [row, count, follow]) {
      expect(yield* Fiber.join(read)).toMatchObject({ _tag: "ReadFailed", reason: "Closed" })
    }
    expect(ended.sort()).toEqual(["count", "row"])
    const calls = () => (["list", "getMany", "count", "write"] as const).map(master.count)
    const before = calls()
    yield* expectClosed(live)
    yield* TestClock.adjust("1 hour")
    expect(calls()).toEqual(before)
  })

  for (const [name, call, read] of [
    ["a row", "getMany", (live: LiveTable.Of<Keys>) => live.get("k1")],
    ["a list", "list", (live: LiveTable.Of<Keys>) => live.list()]
  ] as const) {
    scenario(`waits for a read of ${name} that ignores its interruption, and reports it`, function* () {
      const open = function* (closeDeadline: number) {
        const { live, master } = yield* liveKeys({ closeDeadline }, old)
        const latch = yield* Effect.makeLatch()
        master.next(call, deaf(latch))
        const reading = yield* started(errorOf<unknown, unknown>(read(live)))
        return { latch, live, master, reading }
      }
      const ending = yield* open(5_000)
      const closing = yield* started(ending.live.close)
      // Its caller is not kept.
      expect(yield* Fiber.join(ending.reading)).toMatchObject({ _tag: "ReadFailed", reason: "Closed" })
      yield* TestClock.adjust(4_000)
      expect(closing.unsafePoll()).toBe(null)
      yield* ending.latch.open
      expect((yield* Fiber.join(closing)).masterBusy).toBe(false)

      const stuck = yield* open(5_000)
      const late = yield* started(stuck.live.close)
      yield* TestClock.adjust(5_000)
      expect((yield* Fiber.join(late)).masterBusy).toBe(true)
      yield* stuck.latch.open

      const hurried = yield* open(60_000)
      const within = yield* started(hurried.live.closeWithin(1_000))
      yield* TestClock.adjust(1_000)
      expect((yield* Fiber.join(within)).masterBusy).toBe(true)
      yield* hurried.latch.open
    })
  }

  scenario("does not take the master for busy by a read that stops when it is interrupted", function* () {
    const { live, master } = yield* liveKeys({ closeDeadline: 0 }, old)
    master.next("getMany", never)
    const reading = yield* started(errorOf(live.get("k1")))
    expect((yield* live.close).masterBusy).toBe(false)
    expect(yield* Fiber.join(reading)).toMatchObject({ reason: "Closed" })
  })

  scenario(
    "within no time at all takes the master for busy by a read that needs longer to stop",
    function* () {
      const stop = function* (how: How) {
        const { live, master } = yield* liveKeys({}, old)
        master.next("getMany", how)
        const reading = yield* started(errorOf(live.get("k1")))
        const { masterBusy } = yield* live.closeWithin(0)
        expect(yield* Fiber.join(reading)).toMatchObject({ reason: "Closed" })
        return masterBusy
      }
      expect(yield* stop(never)).toBe(false)
      const latch = yield* Effect.makeLatch()
      expect(yield* stop(() => Effect.onInterrupt(Effect.never, () => latch.await))).toBe(true)
      yield* latch.open
    }
  )

  scenario("ends a stream in its middle: it reads no further page", function* () {
    const rows = Array.from({ length: 2_500 }, (_, n) => key(`k${n}`))
    const { live, master } = yield* liveKeys({}, rows)
    const seen = yield* Deferred.make<void>()
    const latch = yield* Effect.makeLatch()
    const waiting = Effect.andThen(Deferred.succeed(seen, undefined), latch.await)
    const reader = yield* started(errorOf(Stream.runForEach(live.stream(), () => waiting)))
    yield* Deferred.await(seen)
    const pages = master.count("list")
    yield* live.close
    yield* latch.open
    expect(yield* Fiber.join(reader)).toMatchObject({ _tag: "ReadFailed", reason: "Closed" })
    expect(master.count("list")).toBe(pages)
  })
})

describe("the end of the scope", () => {
  scenario("closes, and gives the report to onClosed", function* () {
    const scripted = yield* Effect.orDie(master(keys))
    const reports: Array<LiveTable.CloseReport<Keys>> = []
    const scope = yield* Scope.make()
    const live = yield* LiveTable.make(scripted.table, {
      closeDeadline: 1_000,
      onClosed: (report) => Effect.sync(() => reports.push(report))
    }).pipe(Scope.extend(scope), Effect.orDie)
    yield* live.insert(key("k1"))
    scripted.always("write", never)
    yield* started(Effect.exit(live.patch("k1", { state: "new" })))
    const end = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(1_000)
    yield* Fiber.join(end)
    expect(reports).toMatchObject([{ unsaved: [{ write: { id: "k1" }, outcome: "Unknown" }] }])
    yield* expectClosed(live)
  })

  scenario("reports a read that ignores its interruption", function* () {
    const scripted = yield* Effect.orDie(master(keys))
    const reports: Array<LiveTable.CloseReport<Keys>> = []
    const scope = yield* Scope.make()
    const live = yield* LiveTable.make(scripted.table, {
      closeDeadline: 1_000,
      onClosed: (report) => Effect.sync(() => reports.push(report))
    }).pipe(Scope.extend(scope), Effect.orDie)
    yield* live.ready
    const latch = yield* Effect.makeLatch()
    scripted.next("getMany", deaf(latch))
    yield* started(Effect.exit(live.get("k1")))
    const end = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(1_000)
    yield* Fiber.join(end)
    expect(reports).toMatchObject([{ masterBusy: true, unsaved: [] }])
    yield* latch.open
  })

  scenario("after a close gives no second report", function* () {
    const reports: Array<unknown> = []
    const scope = yield* Scope.make()
    const scripted = yield* Effect.orDie(master(keys))
    const live = yield* LiveTable.make(scripted.table, {
      onClosed: (report) => Effect.sync(() => reports.push(report))
    }).pipe(Scope.extend(scope), Effect.orDie)
    yield* live.close
    yield* Scope.close(scope, Exit.void)
    expect(reports).toEqual([])
  })

  scenario("ends the loads under way", function* () {
    const scope = yield* Scope.make()
    const { live, master } = yield* Scope.extend(liveKeys({}, old), scope)
    const latch = yield* Effect.makeLatch()
    master.next("getMany", late(latch))
    const read = yield* started(errorOf(live.get("k1")))
    yield* Scope.close(scope, Exit.void)
    expect(yield* Fiber.join(read)).toMatchObject({ reason: "Closed" })
    yield* settled
  })
})
