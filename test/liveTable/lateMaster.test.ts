/** How a live table begins whose master comes late or never (rule 18). */
import { describe, expect } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Option, Stream, TestClock } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import { StorageError } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import { errorOf, type Keys, key, keys, stateOf } from "../support/liveTable/keys.js"
import { away, master } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

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
