/** What else uses the master and the tier when a live table ends: it is ended, and waited for (rule 18). */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Scope, Stream, TestClock } from "effect"
import type * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import * as Tier from "../../src/Tier.js"
import { errorOf, type Keys, key, liveKeys } from "../support/liveTable/keys.js"
import { type Call, deaf } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

const rows = [key("k1"), key("k2")]

/** A tier in memory that counts the calls it gets. A put takes some time. */
const slowTier = Effect.gen(function* () {
  const memory = yield* Tier.memory()
  const script = { calls: 0, running: 0 }
  const counted = <A, E>(call: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      script.calls++
      script.running++
      return Effect.ensuring(
        call,
        Effect.sync(() => script.running--)
      )
    })
  const tier: Tier.Tier = {
    open: (namespace) =>
      Effect.map(memory.open(namespace), (store) => ({
        ...store,
        get: (keys) => counted(store.get(keys)),
        put: (entries) => counted(Effect.delay(store.put(entries), 50)),
        remove: (keys) => counted(store.remove(keys))
      }))
  }
  return { script, tier }
})

describe("the end of a live table", () => {
  for (const [name, call, read] of [
    ["a page of a stream", "list", (live) => Effect.ignore(Stream.runDrain(live.stream()))],
    ["a sample", "getMany", (live) => Effect.sync(() => void live.unsafeGet("k1"))]
  ] satisfies ReadonlyArray<readonly [string, Call, (live: LiveTable.Of<Keys>) => Effect.Effect<void>]>) {
    scenario(`waits for ${name} that ignores its interruption, and reports it`, function* () {
      const open = function* () {
        const { live, master } = yield* liveKeys({ closeDeadline: 5_000, sample: 1 }, rows)
        yield* live.get("k1")
        const latch = yield* Effect.makeLatch()
        master.next(call, deaf(latch))
        yield* started(read(live))
        return { latch, live }
      }
      const ending = yield* open()
      const closing = yield* started(ending.live.close)
      yield* TestClock.adjust(4_000)
      expect(closing.unsafePoll()).toBe(null)
      yield* ending.latch.open
      expect((yield* Fiber.join(closing)).masterBusy).toBe(false)

      const stuck = yield* open()
      const late = yield* started(stuck.live.close)
      yield* TestClock.adjust(5_000)
      expect((yield* Fiber.join(late)).masterBusy).toBe(true)
      yield* stuck.latch.open
    })
  }

  scenario("does not take the master for busy by a page and a sample that stop", function* () {
    const { live, master } = yield* liveKeys({ sample: 1 }, rows)
    yield* live.get("k1")
    master.always("list", () => Effect.never)
    master.always("getMany", () => Effect.never)
    const reading = yield* started(errorOf(Stream.runDrain(live.stream())))
    live.unsafeGet("k1")
    expect((yield* live.close).masterBusy).toBe(false)
    expect(yield* Fiber.join(reading)).toMatchObject({ reason: "Closed" })
  })

  scenario("reports the tier, which is not asked later", function* () {
    const { script, tier } = yield* slowTier
    const { live } = yield* liveKeys({ tier }, rows)
    yield* live.get("k1")
    const closing = yield* started(live.close)
    yield* TestClock.adjust(50)
    const report = yield* Fiber.join(closing)
    expect(Option.getOrThrow(report.tier)).toBe(tier)
    // What was to be put is there.
    expect(script).toEqual({ calls: 2, running: 0 })
    yield* errorOf(live.get("k2"))
    yield* TestClock.adjust("1 hour")
    expect(script.calls).toBe(2)
  })

  scenario("ends `failures` behind the last one, for readers that come later too", function* () {
    const { live, master } = yield* liveKeys({}, rows)
    master.always("write", () => Effect.never)
    const reading = yield* started(Stream.runCollect(live.failures))
    live.unsafeWrite(Table.Write.delete("none"))
    live.unsafeWrite(Table.Write.delete("k1"))
    yield* live.closeWithin(0)
    const late = yield* started(Stream.runCollect(live.failures))
    for (const each of [reading, late]) {
      const failed = [...(yield* Fiber.join(each))].map(({ error }) => error)
      expect(failed).toMatchObject([{ reason: "Closed" }, { reason: "Closed" }])
    }
  })

  scenario("by its scope has ended the use of the tier and the master before `onClosed`", function* () {
    const { script, tier } = yield* slowTier
    const seen: Array<number> = []
    const scope = yield* Scope.make()
    const onClosed = () => Effect.sync(() => seen.push(script.calls, script.running))
    const { live } = yield* Scope.extend(liveKeys({ tier, onClosed }, rows), scope)
    yield* live.get("k1")
    const closing = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust(50)
    yield* Fiber.join(closing)
    expect(seen).toEqual([2, 0])
  })
})
