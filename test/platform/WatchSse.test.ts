import { describe, expect, it } from "@effect/vitest"
import { type Clock, Effect, Exit, Metric, Random, Schema, Scope, Stream, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Metrics from "../../src/Metrics.js"
import * as WatchSse from "../../src/platform/WatchSse.js"
import * as Watch from "../../src/Watch.js"
import { answering, asking, briefly, eventsIn } from "../support/http/sse.js"
import { everything, lastId, setUp, short } from "../support/http/watchSse.js"
import { logs } from "../support/recorder/watching.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { virtualTime } from "../support/time/virtualTime.js"

describe("WatchSse.serve", () => {
  scenario("answers with the headers that keep an event stream flowing", function* () {
    const { sse } = yield* setUp()
    const { response } = yield* asking(sse.serve(everything))
    expect(response.status).toBe(200)
    expect(response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "private, no-cache, no-store, no-transform",
      "x-accel-buffering": "no",
      connection: "close"
    })
  })

  scenario("of HEAD, has the same head and begins no follow", function* () {
    const { sse, watch } = yield* setUp()
    const { response } = yield* asking(sse.serve(everything), { method: "HEAD" })
    expect([response.status, response.headers["content-type"]]).toEqual([200, "text/event-stream"])
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("sends first when to connect again, jittered by 20 %", function* () {
    const { sse } = yield* setUp({ sse: { retry: "10 seconds" } })
    const waits = new Set<number>()
    for (let i = 0; i < 20; i++) {
      const reading = yield* Effect.withRandom(asking(sse.serve(everything)), Random.make(i))
      const [, wait] = /^retry: (\d+)\n\n/.exec(reading.text()) ?? []
      expect(Number(wait)).toBeGreaterThanOrEqual(8000)
      expect(Number(wait)).toBeLessThanOrEqual(12_000)
      waits.add(Number(wait))
    }
    expect(waits.size).toBeGreaterThan(10)
  })

  scenario("sends a frame as an event, a revision whole", function* () {
    const { log, put, remove, sse } = yield* setUp()
    yield* put("a", 1)
    const reading = yield* asking(sse.serve(everything))
    yield* log.append([ChangeLog.put("a", 2), ChangeLog.put("b", 3)])
    yield* remove("a")
    yield* settled
    expect(short(reading)).toEqual([
      "synced {} #1",
      'events {"events":[{"type":"put","key":"a","value":2},{"type":"put","key":"b","value":3}]} #2',
      'events {"events":[{"type":"delete","key":"a"}]} #3'
    ])
  })

  scenario("puts the cursor into the data too, as epoch:seq:tag", function* () {
    const { put, sse } = yield* setUp()
    const revision = yield* put("a", 1)
    const reading = yield* asking(sse.serve(everything, { snapshot: "first" }))
    const cursor = `${revision.epoch}:1:${revision.tag}`
    expect(WatchSse.cursorOf(revision)).toBe(cursor)
    for (const { data, id } of reading.events()) {
      expect(id).toBe(cursor)
      expect(JSON.parse(data).cursor).toBe(cursor)
    }
  })

  scenario("begins with a snapshot when it is asked to", function* () {
    const { put, sse } = yield* setUp()
    yield* put("k/a", 1)
    yield* put("k/b", 2)
    yield* put("other", 3)
    const reading = yield* asking(sse.serve(ChangeLog.prefix("k/"), { snapshot: "first" }))
    yield* put("k/a", 4)
    yield* settled
    expect(short(reading)).toEqual([
      'snapshot {"deleted":[],"entries":[\n{"key":"k/a","value":1,"seq":1},\n{"key":"k/b","value":2,"seq":2}\n]} #3',
      "synced {} #3",
      'events {"events":[{"type":"put","key":"k/a","value":4}]} #4'
    ])
  })

  scenario("selects by its predicate what is in a snapshot, whichever it is", function* () {
    const { log, put, sse } = yield* setUp()
    yield* put("secret/a", 1)
    const old = WatchSse.cursorOf(yield* put("open/a", 2))
    yield* put("open/a", 3)
    yield* log.compact(3)
    const where = ({ key }: { readonly key: string }) => !key.startsWith("secret/")
    const live = sse.serve(everything, { snapshot: "first", where })
    const first = yield* asking(live)
    const resumed = yield* asking(live, { lastEventId: old })
    const lost = yield* asking(live, { lastEventId: "17" })
    yield* put("secret/b", 4)
    yield* put("open/b", 5)
    yield* log.renewEpoch
    yield* settled
    for (const reading of [first, resumed, lost]) {
      const snapshots = short(reading).filter((event) => event.startsWith("snapshot"))
      expect(snapshots.length).toBe(2)
      expect(snapshots[0]).toContain('{"key":"open/a","value":3,"seq":3}')
      expect(reading.text()).toContain("open/b")
      expect(reading.text()).not.toContain("secret")
    }
  })

  scenario("sends the value before, when it is asked to and there was one", function* () {
    const { put, remove, sse } = yield* setUp()
    const reading = yield* asking(sse.serve(everything, { previous: "include" }))
    yield* put("a", 1)
    yield* put("a", 2)
    yield* remove("a")
    yield* settled
    expect(short(reading).slice(1)).toEqual([
      'events {"events":[{"type":"put","key":"a","value":1}]} #1',
      'events {"events":[{"type":"put","key":"a","value":2,"previous":1}]} #2',
      'events {"events":[{"type":"delete","key":"a","previous":2}]} #3'
    ])
  })

  scenario("sends progress with an id to resume from", function* () {
    const { put, sse } = yield* setUp({ watch: { heartbeat: "5 seconds" } })
    const reading = yield* asking(sse.serve(ChangeLog.key("a")))
    yield* put("b", 1)
    yield* TestClock.adjust("6 seconds")
    expect(short(reading)).toEqual(["synced {} #0", "progress {} #1"])
  })

  scenario("makes JSON of values by a schema", function* () {
    const log = yield* ChangeLog.make<Date>({ state: "latest" })
    const watch = yield* Watch.make(log)
    const Day = Schema.transform(Schema.String, Schema.DateFromSelf, {
      decode: (day) => new Date(day),
      encode: (date) => date.toISOString().slice(0, 10)
    })
    const sse = yield* WatchSse.make(watch, { schema: Day })
    yield* log.append([ChangeLog.put("a", new Date(0))])
    const reading = yield* asking(sse.serve(everything, { snapshot: "first" }))
    yield* log.append([ChangeLog.put("a", new Date(86_400_000))])
    yield* settled
    const values = reading.events().map(({ data }) => /"value":"([^"]*)"/.exec(data)?.[1])
    expect(values).toEqual(["1970-01-01", undefined, "1970-01-02"])
  })
})

describe("a heartbeat", () => {
  scenario("is a comment, when nothing else was sent for the interval", function* () {
    const { put, sse } = yield* setUp({ sse: { heartbeat: "10 seconds" }, watch: { heartbeat: 0 } })
    const reading = yield* asking(sse.serve(everything))
    const beats = () =>
      reading
        .text()
        .split("\n")
        .filter((line) => line === ":").length
    yield* TestClock.adjust("9 seconds")
    expect(beats()).toBe(0)
    yield* put("a", 1)
    yield* TestClock.adjust("9 seconds")
    expect(beats()).toBe(0)
    yield* TestClock.adjust("1 seconds")
    expect(beats()).toBe(1)
    yield* TestClock.adjust("20 seconds")
    expect(beats()).toBe(3)
  })

  scenario("loses and moves no frame that comes at the same moment", function* () {
    const { put, sse } = yield* setUp()
    const wakes: Array<() => void> = []
    const clock: Clock.Clock = {
      ...virtualTime().clock,
      sleep: () =>
        Effect.async((resume) => {
          wakes.push(() => resume(Effect.void))
        })
    }
    const { body } = yield* answering(sse.serve(everything))
    const parts: Array<Uint8Array> = []
    const read = Stream.runForEach(body, (part) => Effect.sync(() => parts.push(part)))
    yield* started(Effect.withClock(read, clock))
    const moments = 60
    for (let i = 0; i < moments; i++) {
      // The heartbeat is due at every step of the frame's way.
      yield* put("a", 2 * i + 1)
      yield* Effect.repeatN(Effect.yieldNow(), i)
      for (const wake of wakes.splice(0)) wake()
      yield* put("a", 2 * i + 2)
      yield* settled
    }
    const text = Buffer.concat(parts).toString()
    const seqs = eventsIn(text).map(({ id }) => Number(id?.split(":")[1]))
    expect(seqs).toEqual(Array.from({ length: 2 * moments + 1 }, (_, i) => i))
    expect(text.split("\n").filter((line) => line === ":").length).toBeGreaterThan(moments / 2)
  })

  scenario("of 0 is none", function* () {
    const { sse } = yield* setUp({ sse: { heartbeat: 0 }, watch: { heartbeat: 0 } })
    const reading = yield* asking(sse.serve(everything))
    const before = reading.text()
    yield* TestClock.adjust("1 hours")
    expect(reading.text()).toBe(before)
  })
})

describe("the end", () => {
  scenario("of the watch is sent as Closed, behind everything, to be resumed", function* () {
    const { put, sse, watch } = yield* setUp()
    const reading = yield* asking(sse.serve(everything))
    const { epoch, tag } = yield* put("a", 1)
    yield* watch.close
    yield* reading.ended
    expect(reading.events().map(briefly).slice(-1)).toEqual([
      `end {"reason":"Closed","next":"resume","cursor":"${epoch}:1:${tag}"}`
    ])
    expect(short(reading)[1]).toContain("#1")
    const later = yield* asking(sse.serve(everything), { lastEventId: lastId(reading) })
    yield* later.ended
    expect(later.events().map(briefly)).toEqual([
      `end {"reason":"Closed","next":"resume","cursor":"${epoch}:1:${tag}"}`
    ])
  })

  scenario("comes with the adapter's scope, and with close, to every response", function* () {
    const { watch } = yield* setUp()
    const scope = yield* Scope.make()
    const sse = yield* Scope.extend(WatchSse.make(watch), scope)
    const readings = yield* Effect.replicateEffect(asking(sse.serve(everything)), 3)
    yield* Scope.close(scope, Exit.void)
    for (const reading of readings) {
      yield* reading.ended
      expect(reading.events().at(-1)?.data).toContain('"reason":"Closed"')
    }
    yield* sse.close
    const later = yield* asking(sse.serve(everything))
    yield* later.ended
    expect(later.events().map(({ event }) => event)).toEqual(["end"])
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("of a watch that is full is sent, so that the client connects again", function* () {
    const { sse } = yield* setUp({ watch: { maxWatchers: 1 } })
    const first = yield* asking(sse.serve(everything))
    const second = yield* asking(sse.serve(everything))
    yield* second.ended
    expect(second.events().map(briefly)).toEqual(['end {"reason":"Full","next":"resume","cursor":null}'])
    yield* first.leave
    expect(short(yield* asking(sse.serve(everything)))).toEqual(["synced {} #0"])
  })

  scenario("of a log that does not answer is sent, too late or at once", function* () {
    const log = yield* ChangeLog.make<number>()
    let head: typeof log.head = Effect.never
    const away = new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "at db.example:5432" })
    const watch = yield* Watch.make({ ...log, head: Effect.suspend(() => head) }, { heartbeat: 0 })
    const sse = yield* WatchSse.make(watch)
    const waiting = yield* Effect.fork(asking(sse.serve(everything)))
    yield* TestClock.adjust("10 seconds")
    const late = yield* waiting
    yield* late.ended
    head = away
    const atOnce = yield* asking(sse.serve(everything))
    yield* atOnce.ended
    for (const reading of [late, atOnce]) {
      expect(reading.events().map(briefly)).toEqual([
        'end {"reason":"Unavailable","next":"resume","cursor":null}'
      ])
    }
  })

  scenario("of a predicate that throws is sent as Failed", function* () {
    const { put, sse } = yield* setUp()
    const where = () => {
      throw new RangeError("a secret")
    }
    const { layer, lines } = logs()
    const reading = yield* Effect.provide(asking(sse.serve(everything, { where })), layer)
    yield* put("a", 1)
    yield* reading.ended
    expect(reading.events().at(-1)?.data).toContain('"reason":"Failed","next":"stop"')
    expect(lines.map(({ text }) => text).join()).toMatch(/its predicate threw, RangeError at /)
  })
})

describe("what a handler has to answer for", () => {
  scenario("fails, and begins no follow", function* () {
    const { sse, watch } = yield* setUp({ log: { state: "none" } })
    const failures = [
      [sse.serve(ChangeLog.key("")), { _tag: "InvalidSelector" }],
      [sse.serve(ChangeLog.prefix("a")), { _tag: "InvalidSelector" }],
      [sse.serve(everything, { buffer: -1 }), { _tag: "InvalidOptions", option: "buffer" }],
      [sse.serve(everything, { policy: "block" as "resync" }), { _tag: "InvalidOptions", option: "policy" }],
      [sse.serve(everything, { after: "1" } as object), { _tag: "InvalidOptions", option: "after" }],
      [sse.serve(everything, { snapshot: "first" }), { _tag: "ChangeLogError", reason: "NoState" }],
      [sse.serve(everything, { autoResnapshot: "on" }), { _tag: "ChangeLogError", reason: "NoState" }],
      [sse.serve(everything, { previous: "include" }), { _tag: "ChangeLogError", reason: "NoState" }]
    ] as const
    for (const [handler, error] of failures) {
      expect(yield* Effect.flip(asking(handler))).toMatchObject(error)
    }
    expect((yield* watch.health).watchers).toBe(0)
  })

  it.scoped("wrong options fail in make", () =>
    Effect.gen(function* () {
      const watch = yield* Watch.make(yield* ChangeLog.make<number>())
      const wrong = [{ heartbeat: -1 }, { retry: Number.NaN }, { schema: {} as Schema.Schema<number> }]
      for (const options of wrong) {
        const error = yield* Effect.flip(WatchSse.make(watch, options))
        expect(error).toMatchObject({ _tag: "InvalidOptions", option: Object.keys(options)[0] })
      }
    })
  )
})

describe("a value that has no JSON", () => {
  const circular: Record<string, unknown> = { secret: 1 }
  circular.itself = circular
  const without: ReadonlyArray<unknown> = [undefined, 1n, circular, () => "secret", Symbol("secret")]
  const leftOut = Effect.map(Metric.value(Metrics.watchSseLeftOut), ({ count }) => count)

  scenario("is left out, counted and logged, and the others go on, of clients now and later", function* () {
    const { layer, lines } = logs()
    yield* Effect.gen(function* () {
      const before = yield* leftOut
      const log = yield* ChangeLog.make<unknown>({ state: "latest" })
      const sse = yield* WatchSse.make(yield* Watch.make(log))
      const readings = [yield* asking(sse.serve(everything)), yield* asking(sse.serve(everything))]
      for (const [i, value] of without.entries()) {
        yield* log.append([ChangeLog.put(`bad/${i}`, value), ChangeLog.put("good", i)])
      }
      yield* settled
      const events = (i: number) => `events {"events":[{"type":"put","key":"good","value":${i}}]} #${i + 1}`
      for (const reading of readings) {
        expect(short(reading)).toEqual(["synced {} #0", ...without.map((_, i) => events(i))])
      }
      expect((yield* leftOut) - before).toBe(without.length)
      const later = yield* asking(sse.serve(everything, { snapshot: "first" }))
      expect(short(later)).toEqual([
        'snapshot {"deleted":[],"entries":[\n{"key":"good","value":4,"seq":5}\n]} #5',
        "synced {} #5"
      ])
    }).pipe(Effect.provide(layer))
    expect(lines.length).toBeGreaterThan(0)
    expect(lines[0]?.text).toMatch(/left out .* encoding it threw TypeError at /)
    expect(lines.map(({ text }) => text).join()).not.toContain("secret")
  })

  scenario("alone in its revision, is a progress, after which a client resumes", function* () {
    const log = yield* ChangeLog.make<unknown>()
    const sse = yield* WatchSse.make(yield* Watch.make(log))
    const reading = yield* asking(sse.serve(everything))
    yield* log.append([ChangeLog.put("a", 1n)])
    yield* settled
    expect(short(reading)).toEqual(["synced {} #0", "progress {} #1"])
    const lastEventId = lastId(reading)
    yield* log.append([ChangeLog.put("a", 1)])
    const again = yield* asking(sse.serve(everything), { lastEventId })
    expect(short(again)[0]).toContain('"value":1')
  })

  scenario("before a change, is left out of it alone", function* () {
    const log = yield* ChangeLog.make<unknown>({ state: "latest" })
    const sse = yield* WatchSse.make(yield* Watch.make(log))
    yield* log.append([ChangeLog.put("a", 1n)])
    const reading = yield* asking(sse.serve(everything, { previous: "include" }))
    yield* log.append([ChangeLog.put("a", 2)])
    yield* log.append([ChangeLog.remove("a")])
    yield* settled
    expect(short(reading).slice(1)).toEqual([
      'events {"events":[{"type":"put","key":"a","value":2}]} #2',
      'events {"events":[{"type":"delete","key":"a","previous":2}]} #3'
    ])
  })

  scenario("by the schema of the adapter, is left out too, also of a large snapshot", function* () {
    const log = yield* ChangeLog.make<string>({ state: "latest" })
    const sse = yield* WatchSse.make(yield* Watch.make(log), { schema: Schema.NonEmptyString })
    for (let i = 0; i < 30; i++)
      yield* log.append([ChangeLog.put(`k/${i}`, i % 2 === 0 ? "" : "x".repeat(2000))])
    const reading = yield* asking(sse.serve(everything, { snapshot: "first" }))
    yield* settled
    const [snapshot] = reading.events()
    expect(JSON.parse(snapshot?.data ?? "").entries.length).toBe(15)
  })
})
