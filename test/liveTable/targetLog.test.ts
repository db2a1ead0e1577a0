/** A live table with a write target, and the log of that: what the log names, the master shows later (rules 1, 5, 13). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import { makeMemorySource } from "../../src/internal/table/memory.js"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { errorOf, freshnessOf, idsOf, key, keys, stateOf } from "../support/liveTable/keys.js"
import { away } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

/** The master shows what the target has when `show` says so, with the revision of it. */
const split = (revisions: "shown" | "none") =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<Table.TableChange>()
    const source = yield* makeMemorySource(keys, log)
    const other = yield* Table.make(keys, source)
    const fails = { next: false }
    const target = yield* Table.make(keys, {
      ...source,
      write: (writes, batch) =>
        Effect.suspend(() => {
          const write = source.write(writes, batch)
          if (!fails.next) return write
          fails.next = false
          const later = Effect.forkDaemon(Effect.delay(write, 500))
          return Effect.andThen(later, Effect.fail(away("Unknown")))
        })
    })
    const copy = yield* Table.memory(keys)
    const at: { revision: ChangeLog.Revision | undefined } = { revision: undefined }
    const revised = <A extends object, E>(read: Effect.Effect<A, E>) =>
      Effect.map(read, (answer) => ({ ...answer, revision: at.revision }))
    const master: Table.Table<typeof keys> = {
      ...copy,
      getMany: (ids) => revised(copy.getMany(ids)),
      list: (query) => revised(copy.list(query))
    }
    const show = Effect.gen(function* () {
      const { value } = yield* other.list()
      yield* copy.deleteAll
      for (const row of value) yield* copy.insert(row)
      if (revisions === "shown") at.revision = (yield* log.head).head
    })
    yield* other.insert(key("k1"))
    yield* show
    const options = { target, sample: 0, targetLag: 5_000, closeDeadline: 0 }
    const live = yield* LiveTable.make(master, { ...options, changes: yield* Watch.make(log) })
    yield* live.ready
    yield* TestClock.adjust(6_000)
    expect((yield* live.health).state).toBe("Live")
    /** The next write is cut off, and committed later. */
    const cut = Effect.sync(() => {
      fails.next = true
    })
    return { live, other, show, cut }
  }).pipe(Effect.orDie)

describe("a live table with a write target and its log", () => {
  scenario("stores nothing from before a write of unknown outcome that the log has shown", function* () {
    const { cut, live, show } = yield* split("none")
    yield* cut
    yield* Effect.flip(live.patch("k1", { state: "revoked" }))
    yield* TestClock.adjust(1_000)
    const before = yield* live.get("k1")
    expect([stateOf(before), freshnessOf(before)]).toEqual(["active", "Bypassed"])
    expect(freshnessOf(yield* live.list())).toBe("Bypassed")
    yield* show
    expect(stateOf(yield* live.get("k1"))).toBe("revoked")
    yield* TestClock.adjust(5_000)
    expect(freshnessOf(yield* live.get("k1"))).toBe("Fresh")
    expect(freshnessOf(yield* live.list())).toBe("Fresh")
  })

  scenario("stores nothing from before a write of others", function* () {
    const { live, other, show } = yield* split("shown")
    yield* other.deleteAll
    yield* other.insert(key("k2"))
    yield* TestClock.adjust(1_000)
    expect(freshnessOf(yield* live.get("k1"))).toBe("Bypassed")
    expect(freshnessOf(yield* live.get("k2"))).toBe("Bypassed")
    const list = yield* live.list()
    expect([idsOf(list), freshnessOf(list)]).toEqual(["k1", "Bypassed"])
    yield* show
    // A read that shows it ends that before the time does.
    const shown = yield* live.list()
    expect([idsOf(shown), freshnessOf(shown)]).toEqual(["k2", "Fresh"])
    const gone = yield* live.get("k1")
    expect([Option.isNone(gone.value), freshnessOf(gone)]).toEqual([true, "Fresh"])
  })

  scenario(
    "answers what it has written, and not what was before, when others write the row too",
    function* () {
      for (const revisions of ["shown", "none"] as const) {
        const { live, other, show } = yield* split(revisions)
        yield* live.patch("k1", { state: "revoked" })
        yield* TestClock.adjust(3_000)
        yield* other.patch("k1", { uses: 1 })
        // Longer than its own write is unshown, and shorter than the other one.
        yield* TestClock.adjust(4_000)
        expect(stateOf(yield* live.get("k1"))).toBe("revoked")
        yield* other.deleteAll
        yield* TestClock.adjust(1_000)
        expect(stateOf(yield* live.get("k1"))).toBe("revoked")
        yield* show
        yield* TestClock.adjust(5_000)
        expect(stateOf(yield* live.get("k1"))).toBe("none")
      }
    }
  )

  scenario(
    "is not misled by a change that the log names before the reply of an own, earlier write",
    function* () {
      const { live, other, show } = yield* split("shown")
      yield* other.patch("k1", { uses: 1 })
      yield* TestClock.adjust(100)
      yield* live.patch("k1", { state: "revoked" })
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("revoked")
      yield* show
      const shown = yield* live.get("k1", { use: "master" })
      expect(Option.getOrThrow(shown.value)).toMatchObject({ state: "revoked", uses: 1 })
      expect(freshnessOf(shown)).toBe("Fresh")
    }
  )
})

describe("a read with `atLeast` before a write target", () => {
  scenario("waits until the master shows the write of others, in a row and in a list", function* () {
    const { live, other, show } = yield* split("shown")
    const { revision } = yield* other.insert(key("k2", "new"))
    const atLeast = Option.getOrThrow(revision)
    const row = yield* started(live.get("k2", { atLeast }))
    const list = yield* started(live.list({}, { atLeast }))
    yield* TestClock.adjust(4_000)
    expect([row.unsafePoll(), list.unsafePoll()]).toEqual([null, null])
    yield* show
    yield* TestClock.adjust(100)
    expect(stateOf(yield* Fiber.join(row))).toBe("new")
    expect(idsOf(yield* Fiber.join(list))).toBe("k1,k2")
  })

  scenario("waits for its own write in a list, and answers it at once in a row", function* () {
    const { live, show } = yield* split("shown")
    const { revision } = yield* live.insert(key("k2", "new"))
    const atLeast = Option.getOrThrow(revision)
    expect(stateOf(yield* live.get("k2", { atLeast }))).toBe("new")
    const list = yield* started(live.list({}, { atLeast }))
    yield* TestClock.adjust(1_000)
    expect(list.unsafePoll()).toBe(null)
    yield* show
    yield* TestClock.adjust(100)
    expect(idsOf(yield* Fiber.join(list))).toBe("k1,k2")
  })

  scenario("does not wait for what no change in the log concerns", function* () {
    const { live, other } = yield* split("shown")
    yield* live.get("k1")
    const { revision } = yield* other.insert(key("k2"))
    const row = yield* started(live.get("k1", { atLeast: Option.getOrThrow(revision) }))
    yield* TestClock.adjust(0)
    expect(stateOf(yield* Fiber.join(row))).toBe("active")
  })

  scenario("fails if the master has not shown it within targetLag", function* () {
    const { live, other } = yield* split("shown")
    const { revision } = yield* other.insert(key("k2"))
    const read = yield* started(errorOf(live.list({}, { atLeast: Option.getOrThrow(revision) })))
    yield* TestClock.adjust(4_999)
    expect(read.unsafePoll()).toBe(null)
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(read)).toMatchObject({ _tag: "ReadFailed", reason: "TimedOut" })
  })

  scenario("takes what a master without revisions shows after targetLag", function* () {
    const { live, other, show } = yield* split("none")
    const { revision } = yield* other.insert(key("k2", "new"))
    const read = yield* started(live.list({}, { atLeast: Option.getOrThrow(revision) }))
    yield* TestClock.adjust(4_900)
    expect(read.unsafePoll()).toBe(null)
    yield* show
    yield* TestClock.adjust(100)
    expect(idsOf(yield* Fiber.join(read))).toBe("k1,k2")
  })
})
