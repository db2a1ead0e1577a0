import { describe, expect } from "@effect/vitest"
import { Array as Arr, Chunk, Effect, Fiber, Stream, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as WatchSse from "../../src/platform/WatchSse.js"
import type * as Watch from "../../src/Watch.js"
import { answering, eventsIn } from "../support/http/sse.js"
import { everything, setUp } from "../support/http/watchSse.js"
import { scenario, settled } from "../support/time/turn.js"

describe("a slow client", () => {
  /** Takes a piece of the body only when it is asked to. */
  const slowly = (options: WatchSse.ServeOptions<number>, adapter: WatchSse.Options<number, unknown> = {}) =>
    Effect.gen(function* () {
      const setting = yield* setUp({ watch: { heartbeat: 0 } })
      let opened: Watch.Watcher<number> | undefined
      const watch: Watch.Watch<number> = {
        ...setting.watch,
        open: (selector, options) =>
          Effect.tap(setting.watch.open(selector, options), (watcher) =>
            Effect.sync(() => {
              opened = watcher
            })
          )
      }
      const sse = yield* WatchSse.make(watch, adapter)
      const { body } = yield* answering(sse.serve(everything, options))
      const pull = yield* Stream.toPull(body)
      /** The next piece, as it is written at once. */
      const take = Effect.map(pull, (parts) => Buffer.concat(Chunk.toReadonlyArray(parts)).toString())
      return { ...setting, take, watcher: opened! }
    })

  scenario("resync: its buffer fills and no more, and it gets everything", function* () {
    const { watcher, put, take } = yield* slowly({ buffer: 8 })
    yield* take
    for (let i = 1; i <= 100; i++) yield* put("a", i)
    yield* settled
    expect(yield* watcher.health).toMatchObject({ state: "Behind", buffered: 8 })
    const told: Array<number> = []
    while (told.at(-1) !== 100) {
      for (const { event, id } of eventsIn(yield* take)) {
        if (event === "events") told.push(Number(id?.split(":")[1]))
      }
      yield* settled
    }
    expect(told).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  })

  scenario("is written a little at a time", function* () {
    const { put, take } = yield* slowly({ buffer: 256 })
    yield* take
    const key = "k".repeat(1000)
    for (let i = 1; i <= 200; i++) yield* put(key, i)
    yield* settled
    for (let told = 0; told < 200; ) {
      const text = yield* take
      expect(text.length).toBeLessThan(16_384 + 1200)
      told += eventsIn(text).length
    }
  })

  scenario("cancel: it gets a part without a hole, and then its end", function* () {
    const { put, take } = yield* slowly({ buffer: 8, policy: "cancel" })
    yield* take
    for (let i = 1; i <= 100; i++) yield* put("a", i)
    yield* settled
    const events = eventsIn((yield* take) + (yield* take))
    expect(events.map(({ id }) => id?.split(":")[1])).toEqual([..."12345678", undefined])
    expect(events.at(-1)?.data).toContain('"reason":"Overflow","next":"resume"')
  })

  scenario("drop-oldest: what is dropped is reported as a gap", function* () {
    const { put, take } = yield* slowly({ buffer: 2, policy: "drop-oldest" })
    yield* take
    for (let i = 1; i <= 5; i++) yield* put("a", i)
    yield* settled
    const events = eventsIn(yield* take)
    expect(events.map(({ id }) => id?.split(":")[1])).toEqual([undefined, "4", "5"])
    expect(events[0]?.data).toBe('{"from":1,"to":3,"reason":"Overflow"}')
  })

  const short = { stallTimeout: "60 seconds", heartbeat: 0 } as const

  scenario("is ended when it has taken nothing for the limit, and not before", function* () {
    const { put, take, watch } = yield* slowly({}, short)
    yield* take
    yield* put("a", 1)
    yield* take
    yield* TestClock.adjust("59 seconds")
    expect((yield* watch.health).watchers).toBe(1)
    yield* TestClock.adjust("2 seconds")
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("is not ended while it takes what comes, or nothing comes", function* () {
    const { put, take, watch } = yield* slowly({}, short)
    yield* take
    for (let i = 1; i <= 3; i++) {
      const taking = yield* Effect.fork(take)
      yield* TestClock.adjust("10 minutes")
      yield* put("a", i)
      yield* Fiber.join(taking)
      yield* TestClock.adjust("50 seconds")
    }
    expect((yield* watch.health).watchers).toBe(1)
  })

  scenario("has as long again for each further 256 KiB of a revision", function* () {
    const { log, take, watch } = yield* slowly({}, short)
    yield* take
    yield* log.append(Arr.makeBy(600, (i) => ChangeLog.put("k".repeat(1000) + i, i)))
    yield* take
    yield* TestClock.adjust("179 seconds")
    expect((yield* watch.health).watchers).toBe(1)
    yield* TestClock.adjust("2 seconds")
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("is never ended for it when the limit is 0", function* () {
    const { put, take, watch } = yield* slowly({}, { stallTimeout: 0, heartbeat: 0 })
    yield* put("a", 1)
    yield* take
    yield* TestClock.adjust("10 hours")
    expect((yield* watch.health).watchers).toBe(1)
  })
})
