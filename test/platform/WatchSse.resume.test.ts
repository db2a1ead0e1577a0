/** Clients that come with a cursor: what they are told is the route's to say. */
import { describe, expect } from "@effect/vitest"
import { Effect } from "effect"
import type * as ChangeLog from "../../src/ChangeLog.js"
import * as WatchSse from "../../src/platform/WatchSse.js"
import { asking, briefly, eventsIn } from "../support/http/sse.js"
import { everything, lastId, setUp, short } from "../support/http/watchSse.js"
import { scenario, settled } from "../support/time/turn.js"

describe("a client that comes back", () => {
  scenario("gets what came after its Last-Event-ID, and no snapshot", function* () {
    const { put, sse } = yield* setUp()
    const live = sse.serve(everything, { snapshot: "first" })
    const first = yield* asking(live)
    yield* put("a", 1)
    yield* settled
    yield* first.leave
    yield* put("a", 2)
    const second = yield* asking(live, { lastEventId: lastId(first) })
    expect(short(second)).toEqual([
      'events {"events":[{"type":"put","key":"a","value":2}]} #2',
      "synced {} #2"
    ])
  })

  scenario("for the first time may bring a cursor as a query parameter; the header is newer", function* () {
    const { put, sse } = yield* setUp()
    const one = WatchSse.cursorOf(yield* put("a", 1))
    const two = WatchSse.cursorOf(yield* put("a", 2))
    const path = `/?x=1&lastEventId=${encodeURIComponent(one)}`
    expect(short(yield* asking(sse.serve(everything), { path }))[0]).toContain("#2")
    const both = yield* asking(sse.serve(everything), { path, lastEventId: two })
    expect(short(both)).toEqual(["synced {} #2"])
    const none = yield* asking(sse.serve(everything), { path: "/?lastEventId=", lastEventId: "" })
    expect(short(none)).toEqual(["synced {} #2"])
  })

  scenario("after a gap: compacted, it gets the gap and a snapshot", function* () {
    const { log, put, sse } = yield* setUp()
    const old = WatchSse.cursorOf(yield* put("a", 1))
    for (let i = 2; i <= 5; i++) yield* put("a", i)
    yield* log.compact(4)
    const reading = yield* asking(sse.serve(everything, { snapshot: "first" }), { lastEventId: old })
    expect(short(reading)).toEqual([
      'gap {"from":2,"to":5,"reason":"Compacted"}',
      'snapshot {"deleted":[],"entries":[\n{"key":"a","value":5,"seq":5}\n]} #5',
      "synced {} #5"
    ])
  })

  scenario("to a log of another epoch, it gets the gap and a snapshot", function* () {
    const { log, put, sse } = yield* setUp()
    yield* put("a", 1)
    const reading = yield* asking(sse.serve(everything, { snapshot: "first" }), { lastEventId: "ffff:9:1" })
    expect(short(reading).slice(0, 2)).toEqual([
      'gap {"from":1,"to":1,"reason":"EpochChanged"}',
      'snapshot {"deleted":[],"entries":[\n{"key":"a","value":1,"seq":1}\n]} #1'
    ])
    // The next one has its own gap, and no other.
    yield* log.renewEpoch
    yield* settled
    const names = reading.events().map(({ event }) => event)
    expect(names).toEqual(["gap", "snapshot", "synced", "gap", "snapshot", "synced"])
  })

  scenario("with what is no cursor, it gets the gap and a snapshot", function* () {
    const { sse } = yield* setUp()
    const reading = yield* asking(sse.serve(everything, { snapshot: "first" }), { lastEventId: "17" })
    expect(short(reading)[0]).toBe('gap {"from":1,"to":0,"reason":"Malformed"}')
    expect(short(reading)[1]).toContain("snapshot")
  })

  const lost = [
    ["a log without state", { state: "none" }, {}],
    ["a route that begins now", { state: "latest" }, {}],
    ["a route that begins now, and says so", { state: "latest" }, { snapshot: "none" }],
    ['autoResnapshot "off"', { state: "latest" }, { autoResnapshot: "off" }]
  ] as const

  describe.each(lost)("%s", (_, log, options) => {
    scenario("gets the end, and begins without a cursor", function* () {
      const setting = yield* setUp({ log })
      const old = WatchSse.cursorOf(yield* setting.put("a", 1))
      for (let i = 2; i <= 5; i++) yield* setting.put("a", i)
      yield* setting.log.compact(4)
      const cursors = { Compacted: old, EpochChanged: "ffff:9:1", Malformed: "17" }
      for (const [reason, lastEventId] of Object.entries(cursors)) {
        const reading = yield* asking(setting.sse.serve(everything, options), { lastEventId })
        yield* reading.ended
        expect(reading.events().map(briefly)).toEqual([
          `end {"reason":"${reason}","next":"restart","cursor":"${lastEventId}"}`
        ])
      }
      expect((yield* setting.watch.health).watchers).toBe(0)
    })
  })
})

describe("a route that begins now", () => {
  /** A log with a history, of which the revisions up to this one are gone. */
  const withHistory = (floor: number) =>
    Effect.gen(function* () {
      const setting = yield* setUp()
      const revisions: Array<ChangeLog.Revision> = []
      for (let i = 1; i <= 5; i++) revisions.push(yield* setting.put(`secret/${i}`, i))
      yield* setting.log.compact(floor)
      return { ...setting, revisions }
    })

  const cursors = (
    revisions: ReadonlyArray<ChangeLog.Revision>
  ): ReadonlyArray<readonly [string, string]> => {
    const { epoch } = revisions[0]!
    const of = (seq: number, tag: number | string) => `${epoch}:${seq}:${tag}`
    return [
      ["the start", of(0, 0)],
      ["the start, another word", of(0, 17)],
      ["the floor", of(2, 0)],
      ["of another tag", of(3, (revisions[2]!.tag + 1) % 2 ** 32)],
      ["of the next tag", of(3, revisions[3]!.tag)],
      ["the head, invented", of(5, 0)],
      ["of the future", of(6, 0)],
      ["the largest number", of(Number.MAX_SAFE_INTEGER, 0)],
      ["of another life", "ffff:3:1"],
      ["the start of another life", "ffff:0:0"],
      ["without a tag", `${epoch}:3`],
      ["negative", of(-1, 0)],
      ["no cursor", "17"],
      ["an object", '{"seq":0}'],
      ["long", "1".repeat(10_000)],
      ["a broken escape", "%zz:0:0"],
      ["two of them", `${of(0, 0)}, ${of(0, 0)}`]
    ]
  }

  const ways = [
    ["header", (cursor: string) => ({ lastEventId: cursor })],
    ["query", (cursor: string) => ({ path: `/?lastEventId=${encodeURIComponent(cursor)}` })],
    [
      "header and query",
      (cursor: string) => ({ lastEventId: cursor, path: `/?lastEventId=${encodeURIComponent(cursor)}` })
    ],
    [
      "repeated query",
      (cursor: string) => ({
        path: `/?lastEventId=${encodeURIComponent(cursor)}&lastEventId=${encodeURIComponent(cursor)}`
      })
    ]
  ] as const

  describe.each(ways)("by %s", (_, by) => {
    scenario("sends no history and no snapshot, whatever cursor a client brings", function* () {
      const compacted = yield* withHistory(2)
      const whole = yield* withHistory(0)
      const below = ["below the floor", WatchSse.cursorOf(compacted.revisions[0]!)] as const
      const all = [
        ...[...cursors(compacted.revisions), below].map((cursor) => [compacted.sse, ...cursor] as const),
        ...cursors(whole.revisions).map((cursor) => [whole.sse, ...cursor] as const)
      ]
      for (const [sse, name, cursor] of all) {
        const reading = yield* asking(sse.serve(everything), by(cursor))
        yield* reading.ended
        expect([name, reading.events().map(({ event }) => event)]).toEqual([name, ["end"]])
        expect([name, JSON.parse(reading.events()[0]!.data).next]).toEqual([name, "restart"])
        expect(reading.text()).not.toContain("secret")
        // An EventSource that comes back by itself does not bring it again.
        expect(reading.text()).toMatch(/\n\nid: -\n\n$/)
      }
      const again = yield* asking(whole.sse.serve(everything), { ...by("17"), lastEventId: "-" })
      yield* whole.put("secret/6", 6)
      yield* settled
      expect(short(again)).toEqual([
        "synced {} #5",
        'events {"events":[{"type":"put","key":"secret/6","value":6}]} #6'
      ])
      expect((yield* whole.watch.health).watchers).toBe(1)
    })
  })

  scenario("goes on exactly after what it has sent, from the start of its log too", function* () {
    const { put, sse } = yield* setUp()
    const live = sse.serve(everything)
    const first = yield* asking(live)
    expect(short(first)).toEqual(["synced {} #0"])
    yield* first.leave
    yield* put("a", 1)
    yield* put("a", 2)
    const second = yield* asking(live, { lastEventId: lastId(first) })
    expect(short(second).map((event) => event.slice(-2))).toEqual(["#1", "#2", "#2"])
    yield* second.leave
    yield* put("a", 3)
    const third = yield* asking(live, { lastEventId: lastId(second) })
    expect(short(third).map((event) => event.slice(-2))).toEqual(["#3", "#3"])
  })

  scenario("takes no start that another adapter gave out, nor one of a life that has ended", function* () {
    const { log, put, sse, watch } = yield* setUp()
    const first = yield* asking(sse.serve(everything))
    yield* put("a", 1)
    const other = yield* WatchSse.make(watch)
    const elsewhere = yield* asking(other.serve(everything), { lastEventId: lastId(first) })
    yield* elsewhere.ended
    expect(short(elsewhere)[0]).toContain('"reason":"Malformed","next":"restart"')
    yield* log.renewEpoch
    yield* put("a", 2)
    const later = yield* asking(sse.serve(everything), { lastEventId: lastId(first) })
    yield* later.ended
    expect(short(later)[0]).toContain('"reason":"EpochChanged","next":"restart"')
  })

  scenario("goes on after the cursor of a page that the server made, of an empty log too", function* () {
    const { log, put, sse } = yield* setUp()
    const { head } = yield* log.head
    const path = `/?lastEventId=${encodeURIComponent(sse.cursorOf(head))}`
    const one = yield* put("a", 1)
    expect(sse.cursorOf(one)).toBe(WatchSse.cursorOf(one))
    expect(short(yield* asking(sse.serve(everything), { path }))[0]).toContain("#1")
  })

  scenario("ends when its log loses what comes next, and delivers no snapshot", function* () {
    const { log, put, sse } = yield* setUp()
    const reading = yield* asking(sse.serve(everything))
    yield* put("a", 1)
    yield* settled
    yield* log.renewEpoch
    yield* settled
    yield* reading.ended
    expect(reading.events().map(({ event }) => event)).toEqual(["synced", "events", "end"])
  })
})

describe("a route with snapshots", () => {
  scenario("sends no history to a client that invents a cursor", function* () {
    const { epoch, put, remove, sse } = yield* Effect.gen(function* () {
      const setting = yield* setUp()
      const { epoch } = yield* setting.put("secret", 1)
      return { ...setting, epoch }
    })
    yield* remove("secret")
    yield* put("a", 2)
    for (const options of [{ snapshot: "first" }, { autoResnapshot: "on" }] as const) {
      const reading = yield* asking(sse.serve(everything, options), { lastEventId: `${epoch}:0:0` })
      expect(reading.events().map(({ event }) => event)).toEqual(["gap", "snapshot", "synced"])
      expect(reading.text()).not.toContain("secret")
    }
  })
})

describe("an id", () => {
  scenario("stands only where resuming is exact: on no gap, and on no end", function* () {
    const { log, put, sse, watch } = yield* setUp()
    const reading = yield* asking(sse.serve(everything, { autoResnapshot: "on" }))
    yield* put("a", 1)
    yield* settled
    yield* log.renewEpoch
    yield* settled
    yield* watch.close
    yield* reading.ended
    expect(reading.events().map(({ event, id }) => [event, id === undefined])).toEqual([
      ["synced", false],
      ["events", false],
      ["gap", true],
      ["snapshot", false],
      ["synced", false],
      ["end", true]
    ])
  })

  scenario("wherever a response is cut, the next one goes on exactly there", function* () {
    const { put, sse } = yield* setUp()
    const live = sse.serve(everything)
    const whole = yield* asking(live)
    for (let i = 1; i <= 5; i++) yield* put("a", i)
    yield* settled
    const text = whole.text()
    // Behind every line, and inside of it.
    const cuts = [...text.matchAll(/.*\n/g)].flatMap(({ 0: line, index }) => [
      index + Math.floor(line.length / 2),
      index + line.length
    ])
    for (const at of cuts) {
      const seen = eventsIn(text.slice(0, at))
      const cursor = seen.at(-1)?.id
      if (cursor === undefined) continue
      const rest = yield* asking(live, { lastEventId: cursor })
      const told = [...seen, ...rest.events()].filter(({ event }) => event === "events")
      expect(told.map(({ id }) => Number(id?.split(":")[1]))).toEqual([1, 2, 3, 4, 5])
      yield* rest.leave
    }
  })
})
