/** How a live table begins and ends: a master that comes late or never, close, and the end of the scope (rule 18). */
import { describe, expect, it } from "@effect/vitest"
import {
  Cause,
  Chunk,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Scope,
  Stream,
  TestClock
} from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import { StorageError } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import { errorOf, type Keys, key, keys, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, deaf, type How, held, late, master, never } from "../support/liveTable/master.js"
import { scenario, settled, started } from "../support/time/turn.js"

const old = [key("k1", "old"), key("k2", "old")]

/** A live table whose master comes when the test lets it. */
const deferred = (options: LiveTable.Options<Keys> = {}) =>
  Effect.gen(function* () {
    const acquired = yield* Deferred.make<Table.Table<Keys>, StorageError>()
    const live = yield* LiveTable.makeDeferred(Deferred.await(acquired), { closeDeadline: 0, ...options })
    const scripted = yield* master(keys)
    yield* scripted.foreign.insert(key("k1", "old"))
    return { acquired, live, master: scripted }
  }).pipe(Effect.orDie)

describe("a live table whose master comes late", () => {
  scenario("lets reads wait and queues writes, and does them in order when it is up", function* () {
    const { acquired, live, master } = yield* deferred()
    expect((yield* live.status)._tag).toBe("Starting")
    expect(yield* live.health).toMatchObject({ state: "Starting" })
    const read = yield* started(live.get("k2"))
    const follow = yield* started(Stream.runHead(live.follow({})))
    const write = yield* started(live.insert(key("k2", "new")))
    expect(live.unsafeWrite(Table.Write.patch("k2", { account: "b" }))).toBe(true)
    // What cannot be checked yet is checked when it can.
    expect(live.unsafeWrite(Table.Write.patch("k2", {}))).toBe(true)
    expect(live.unsafeGet("k2")).toBe(undefined)
    yield* live.invalidate("all")
    expect([read.unsafePoll(), write.unsafePoll()]).toEqual([null, null])
    yield* Deferred.succeed(acquired, master.table)
    yield* live.ready
    expect((yield* Fiber.join(write)).change).toBe("Changed")
    yield* Fiber.join(read)
    expect(Option.isSome(yield* Fiber.join(follow))).toBe(true)
    yield* live.flush
    expect(Option.getOrThrow((yield* live.get("k2")).value)).toEqual(key("k2", "new", "b"))
    const failures = yield* Stream.runCollect(Stream.take(live.failures, 1))
    expect(Chunk.toReadonlyArray(failures)[0]?.error).toMatchObject({ reason: "Invalid" })
    expect((yield* live.status)._tag).toBe("Running")
    expect(yield* live.health).toMatchObject({ state: "Alone" })
  })

  scenario("gives reads up after hardTimeout", function* () {
    const { live } = yield* deferred({ hardTimeout: 1_000 })
    const read = yield* started(errorOf(live.get("k1")))
    yield* TestClock.adjust(999)
    expect(read.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(read)).toMatchObject({ _tag: "ReadFailed", reason: "TimedOut" })
  })

  scenario("tries again when it does not come up, and shows why", function* () {
    const scripted = yield* Effect.orDie(master(keys))
    let attempts = 0
    const acquire = Effect.suspend(() =>
      ++attempts < 4 ? Effect.fail(away()) : Effect.succeed(scripted.table)
    )
    const live = yield* Effect.orDie(LiveTable.makeDeferred(acquire, { closeDeadline: 0 }))
    const statuses = yield* started(
      Stream.runCollect(Stream.takeUntil(live.statusChanges, ({ _tag }) => _tag === "Running"))
    )
    expect((yield* live.status).cause).toEqual(Option.some(away()))
    yield* TestClock.adjust(1_000)
    yield* live.ready
    const seen = Chunk.toReadonlyArray(yield* Fiber.join(statuses))
    expect(seen.at(-1)?._tag).toBe("Running")
    expect(attempts).toBe(4)
    expect(stateOf(yield* live.get("k1"))).toBe("none")
  })

  scenario(
    "is Failed when it can never come up: reads, writes and follows fail with the reason",
    function* () {
      const { acquired, live } = yield* deferred()
      const read = yield* started(errorOf(live.list()))
      const write = yield* started(errorOf(live.insert(key("k2"))))
      const stage = yield* started(errorOf(live.stage(Table.Write.insert(key("k2")))))
      const follow = yield* started(errorOf(Stream.runDrain(live.follow("k1"))))
      const fatal = new StorageError({ kind: "Fatal", outcome: "NotStored", message: "no such table" })
      yield* Deferred.fail(acquired, fatal)
      expect(yield* Fiber.join(read)).toMatchObject({ _tag: "ReadFailed", reason: "Failed", cause: fatal })
      expect(yield* Fiber.join(follow)).toMatchObject({ _tag: "ReadFailed", reason: "Failed" })
      for (const fiber of [write, stage]) {
        const error = yield* Fiber.join(fiber)
        expect(error).toMatchObject({ _tag: "WriteFailed", reason: "Failed", outcome: "NotStored" })
      }
      expect((yield* live.status)._tag).toBe("Failed")
      expect(yield* errorOf(live.ready)).toMatchObject({ _tag: "ActorStopped", reason: "Failed" })
      expect(yield* errorOf(live.get("k1"))).toMatchObject({ reason: "Failed" })
      expect(yield* errorOf(live.insert(key("k2")))).toMatchObject({ reason: "Failed" })
      expect(yield* live.close).toMatchObject({
        master: Option.none(),
        masterBusy: false,
        unsaved: [{ outcome: "NotStored" }]
      })
    }
  )

  scenario("can be closed before: what was queued was never sent", function* () {
    const { live } = yield* deferred()
    const write = yield* started(errorOf(live.insert(key("k2"))))
    const read = yield* started(errorOf(live.get("k1")))
    const report = yield* live.closeWithin(0)
    expect(report).toMatchObject({
      master: Option.none(),
      unsaved: [{ write: { _tag: "Insert" }, outcome: "NotStored" }]
    })
    expect(yield* Fiber.join(write)).toMatchObject({ reason: "Closed", outcome: "NotStored" })
    expect(yield* Fiber.join(read)).toMatchObject({ reason: "Closed" })
  })
})

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

class KeyTable extends Context.Tag("test/KeyTable")<KeyTable, LiveTable.Of<Keys>>() {}

describe("layers", () => {
  const use = Effect.gen(function* () {
    const live = yield* KeyTable
    yield* live.insert(key("k1"))
    yield* live.patch("k1", { state: "new" })
    return stateOf(yield* live.get("k1"))
  })

  it.live("hold a live table under a tag of one's own", () =>
    Effect.gen(function* () {
      expect(yield* Effect.provide(use, LiveTable.layerMemory(KeyTable, keys))).toBe("new")
      const layer = LiveTable.layer(KeyTable, Table.memory(keys))
      expect(yield* Effect.provide(use, layer)).toBe("new")
    })
  )

  it.live("fail with options that are none", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Layer.launch(LiveTable.layerMemory(KeyTable, keys, { maxEntries: 0 })))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ option: "maxEntries" })
    })
  )
})
