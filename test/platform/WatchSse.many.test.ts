/** Many clients of one watch: an event is made once for all of them, and no turn of the event loop is theirs alone. */
import { describe, expect, it } from "@effect/vitest"
import { type Clock, Effect, Fiber, Schema, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Slices from "../../src/platform/internal/sse/slices.js"
import * as WatchSse from "../../src/platform/WatchSse.js"
import type * as Watch from "../../src/Watch.js"
import { asking, type Reading } from "../support/http/sse.js"
import { everything, lastId, setUp, short } from "../support/http/watchSse.js"
import { type ManualTurn, manual, scenario, settled, withTurn } from "../support/time/turn.js"
import { virtualTime } from "../support/time/virtualTime.js"

/** A watch of numbers whose JSON is counted. */
const counting = Effect.gen(function* () {
  let count = 0
  const Counted = Schema.transform(Schema.Unknown, Schema.Number, {
    decode: Number,
    encode: (value: number) => {
      count++
      return value
    }
  })
  const setting = yield* setUp({ sse: { schema: Counted } })
  const encodings = Effect.sync(() => {
    const made = count
    count = 0
    return made
  })
  return { ...setting, encodings }
})

const clients = 25

const many = (serve: (i: number) => ReturnType<WatchSse.WatchSse<number>["serve"]>, lastEventId?: string) =>
  Effect.forEach(
    Array.from({ length: clients }, (_, i) => i),
    (i) => asking(serve(i), lastEventId === undefined ? {} : { lastEventId })
  )

describe("the JSON of a value is made once", () => {
  scenario("for all that get its event, live or behind", function* () {
    const { encodings, put, sse } = yield* counting
    const readings = yield* many(() => sse.serve(everything))
    const { epoch, tag } = yield* put("a", 1)
    yield* settled
    expect(yield* encodings).toBe(1)
    for (const reading of readings) expect(short(reading).at(-1)).toContain('"value":1')
    // Those who come back read it from the log.
    const again = yield* Effect.forEach(readings, () =>
      asking(sse.serve(everything), { lastEventId: `${epoch}:1:${tag}` })
    )
    yield* put("a", 2)
    yield* put("a", 3)
    yield* settled
    expect(yield* encodings).toBe(2)
    for (const reading of again) expect(short(reading).at(-1)).toContain('"value":3')
  })

  scenario("for those that get the value before too", function* () {
    const { encodings, put, sse } = yield* counting
    yield* put("a", 1)
    const readings = yield* many(() => sse.serve(everything, { previous: "include" }))
    yield* encodings
    yield* put("a", 2)
    yield* settled
    for (const reading of readings) expect(short(reading).at(-1)).toContain('"value":2,"previous":1')
    expect(yield* encodings).toBe(2)
    // Those who come back read it from the log, each for itself.
    const cursor = lastId(readings[0]!)
    yield* Effect.forEach(readings, ({ leave }) => leave)
    yield* put("a", 3)
    yield* settled
    const again = yield* many(() => sse.serve(everything, { previous: "include" }), cursor)
    for (const reading of again) expect(short(reading)[0]).toContain('"value":3,"previous":2')
    expect(yield* encodings).toBe(2)
  })

  scenario("for those that get parts of a revision, each by a predicate of its own", function* () {
    const { encodings, log, sse } = yield* counting
    const readings = yield* many((i) =>
      sse.serve(everything, { where: ({ key }) => key === "all" || key === `k/${i % 5}` })
    )
    const puts = Array.from({ length: 5 }, (_, i) => ChangeLog.put(`k/${i}`, i))
    yield* log.append([ChangeLog.put("all", 9), ...puts])
    yield* settled
    for (const [i, reading] of readings.entries()) {
      expect(short(reading).at(-1)).toContain(
        `"events":[{"type":"put","key":"all","value":9},{"type":"put","key":"k/${i % 5}","value":${i % 5}}]`
      )
    }
    expect(yield* encodings).toBe(6)
  })

  scenario("for all who begin with the same snapshot", function* () {
    const { encodings, put, sse } = yield* counting
    for (let i = 0; i < 10; i++) yield* put(`k/${i}`, i)
    const readings = yield* many(() => sse.serve(everything, { snapshot: "first" }))
    for (const reading of readings) expect(short(reading)[0]).toContain('{"key":"k/9","value":9,"seq":10}')
    expect(yield* encodings).toBe(10)
    yield* put("k/0", 0)
    const later = yield* asking(sse.serve(everything, { snapshot: "first" }))
    expect(short(later)[0]).toContain('{"key":"k/0","value":0,"seq":11}')
    // Of the event that the others are told, and of the entry.
    expect(yield* encodings).toBe(2)
  })
})

describe("a turn of the event loop", () => {
  /** Every look at the clock finds a millisecond gone: a turn has used up its slice after a few clients. */
  const sliced = Effect.gen(function* () {
    const { log, put, watch } = yield* setUp({ watch: { heartbeat: 0 } })
    let nanos = 0n
    const clock: Clock.Clock = {
      ...virtualTime().clock,
      unsafeCurrentTimeNanos: () => {
        nanos += 1_000_000n
        return nanos
      }
    }
    const turn = manual()
    const sse = yield* withTurn(turn)(
      Effect.withClock(WatchSse.make(watch, { heartbeat: "15 seconds" }), clock)
    )
    return { log, put, sse, turn }
  })

  /** Ends turns until all are done; how many were done by each. */
  const perTurn = (turn: ManualTurn, done: () => number) =>
    Effect.gen(function* () {
      const counts: Array<number> = []
      let before = 0
      for (let turns = 0; turns < clients + 5; turns++) {
        counts.push(done() - before)
        before = done()
        if (before === clients) break
        yield* turn.end
      }
      return counts
    })

  scenario(
    "opens a few responses, delivers to a few clients and sends a few heartbeats, in order",
    function* () {
      const { put, sse, turn } = yield* sliced
      const opened: Array<Reading> = []
      const order: Array<number> = []
      for (let i = 0; i < clients; i++) {
        const opening = Effect.map(asking(sse.serve(everything)), (reading) => {
          opened.push(reading)
          order.push(i)
        })
        // Its reading ends with it.
        yield* Effect.fork(Effect.zipRight(opening, Effect.never))
      }
      yield* settled
      const opens = yield* perTurn(turn, () => opened.length)
      expect(order).toEqual(Array.from({ length: clients }, (_, i) => i))
      yield* turn.end
      yield* turn.end
      yield* put("a", 1)
      yield* settled
      const tells = yield* perTurn(
        turn,
        () => opened.filter((reading) => reading.text().includes("event: events")).length
      )
      yield* turn.end
      yield* turn.end
      yield* TestClock.adjust("15100 millis")
      const beats = yield* perTurn(
        turn,
        () => opened.filter((reading) => reading.text().endsWith("\n:\n\n")).length
      )
      for (const counts of [opens, tells, beats]) {
        expect(counts.reduce((sum, count) => sum + count)).toBe(clients)
        expect(Math.max(...counts)).toBeLessThanOrEqual(6)
      }
    }
  )
})

describe("a slice", () => {
  const setUpSlices = () => {
    let now = 0n
    const turn = manual()
    const slices = Slices.make(turn, () => now)
    return {
      slices,
      turn,
      spend: (millis: number) => {
        now += BigInt(millis) * 1_000_000n
      }
    }
  }

  it.effect("goes on at once while it has time, and then with the next turn, first in, first out", () =>
    Effect.gen(function* () {
      const { slices, spend, turn } = setUpSlices()
      const done: Array<number> = []
      const work = (i: number) =>
        Effect.zipRight(
          Slices.admit(slices),
          Effect.sync(() => {
            done.push(i)
            spend(2)
          })
        )
      const all = Array.from({ length: 12 }, (_, i) => i)
      yield* Effect.forEach(all, (i) => Effect.fork(work(i)))
      yield* settled
      // One more than fits is let in: it is resumed before the one in front of it has run.
      for (const count of [3, 7, 11, 12]) {
        expect(done).toEqual(all.slice(0, count))
        yield* turn.end
      }
      yield* turn.end
      // Nobody waits any more.
      expect(turn.waiting()).toBe(0)
    })
  )

  it.effect("is not held up by a client that goes away", () =>
    Effect.gen(function* () {
      const { slices, spend, turn } = setUpSlices()
      yield* Slices.admit(slices)
      spend(10)
      const done: Array<number> = []
      const fibers = yield* Effect.forEach([1, 2, 3], (i) =>
        Effect.fork(
          Effect.zipRight(
            Slices.admit(slices),
            Effect.sync(() => done.push(i))
          )
        )
      )
      yield* settled
      yield* Fiber.interrupt(fibers[0]!)
      yield* turn.end
      expect(done).toEqual([2, 3])
    })
  )
})

describe("a watch that is not ours", () => {
  scenario("is served as ours is: what is delivered, heartbeats, and the end", function* () {
    const { put, watch } = yield* setUp({ watch: { heartbeat: 0 } })
    const other: Watch.Watch<number> = {
      ...watch,
      open: (selector, options) => Effect.map(watch.open(selector, options), (watcher) => ({ ...watcher }))
    }
    const sse = yield* WatchSse.make(other, { heartbeat: "10 seconds" })
    const reading = yield* asking(sse.serve(everything))
    yield* put("a", 1)
    yield* settled
    yield* TestClock.adjust("11 seconds")
    yield* put("a", 2)
    yield* settled
    yield* watch.close
    yield* reading.ended
    expect(short(reading).map((event) => event.slice(0, 6))).toEqual(["synced", "events", "events", 'end {"'])
    expect(
      reading
        .text()
        .split("\n")
        .filter((line) => line === ":").length
    ).toBe(1)
  })
})
