/** What a follow sees under a view: rows that come and go, rights that change, and what never reaches a reader. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Watch from "../../src/Watch.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { brief } from "../support/watch/frames.js"
import { changing } from "../support/watch/rights.js"
import { logOf, setUp, taking } from "../support/watch/watches.js"

const all = ChangeLog.prefix("")

const isEven = (_: string, value: number): boolean => value % 2 === 0

/** All frames that can be taken now, in words. */
const polled = (watcher: Watch.Watcher<number>): ReadonlyArray<string> => {
  const frames: Array<string> = []
  for (let frame = watcher.unsafePoll(); frame !== undefined; frame = watcher.unsafePoll()) {
    frames.push(brief(frame))
  }
  return frames
}

describe("a view", () => {
  scenario(
    "delivers a row that begins to match as put, and one that ceases to match as delete",
    function* () {
      const { put, remove, watch } = yield* setUp()
      yield* put("a", 1)
      yield* put("b", 2)
      const one = yield* watch.open(all, { snapshot: "first", view: isEven })
      yield* put("a", 2)
      yield* put("b", 3)
      yield* put("b", 5)
      yield* put("c", 7)
      yield* remove("c")
      yield* remove("a")
      yield* settled
      expect(polled(one)).toEqual(["snapshot 2: b=2", "synced 2", "3: a=2", "4: -b", "8: -a"])
    }
  )

  scenario(
    "judges each event of a revision by its own value before, which it may have to hide",
    function* () {
      const { log, watch } = yield* setUp()
      const one = yield* watch.open(all, { view: isEven, previous: "include" })
      const values = [1, 2, 4, 5, 7]
      yield* log.append([...values.map((value) => ChangeLog.put("a", value)), ChangeLog.put("b", 1)])
      yield* settled
      const frames = [one.unsafePoll(), one.unsafePoll()]
      const events = frames.flatMap((frame) => (frame?._tag === "Events" ? frame.events : []))
      expect(
        events.map(({ key, previous, ...event }) => [key, "value" in event ? event.value : "gone", previous])
      ).toEqual([
        ["a", 2, Option.none()],
        ["a", 4, Option.some(2)],
        ["a", "gone", Option.some(4)]
      ])
    }
  )

  scenario("delivers what came and went also to a follow that resumes", function* () {
    const { put, watch } = yield* setUp()
    const cursor = yield* put("a", 2)
    yield* put("b", 4)
    yield* put("a", 3)
    yield* put("c", 5)
    const again = yield* watch.open(all, { after: cursor, view: isEven })
    expect(yield* taking(again, 3)).toEqual(["2: b=4", "3: -a", "synced 4"])
  })

  scenario("filters the snapshot of a follow that begins anew, which names what was delivered", function* () {
    const { log, put, watch } = yield* setUp()
    yield* put("a", 2)
    yield* put("hidden", 1)
    const one = yield* watch.open(all, {
      snapshot: "first",
      autoResnapshot: "on",
      view: isEven,
      buffer: 1
    })
    expect(polled(one)).toEqual(["snapshot 2: a=2", "synced 2"])
    yield* put("c", 2)
    yield* settled
    yield* put("a", 3)
    yield* put("b", 8)
    yield* log.compact((yield* put("hidden", 3)).seq)
    expect(polled(one)).toEqual(["3: c=2"])
    yield* settled
    expect(polled(one)).toEqual(["gap 4-6 Compacted", "snapshot 6: b=8, c=2 without a", "synced 6"])
  })

  scenario("conflates to the last event of each key, also of one that went and came again", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    yield* put("b", 2)
    const one = yield* watch.open(all, { snapshot: "first", view: isEven, policy: "conflate", buffer: 1 })
    polled(one)
    for (const value of [3, 4, 5, 6]) {
      yield* put("a", value)
      yield* settled
    }
    yield* put("b", 1)
    yield* settled
    yield* put("c", 1)
    yield* settled
    const frames = polled(one)
    expect(frames.at(-1)).toBe("7: -b")
    expect(frames.filter((frame) => frame.includes("a")).at(-1)).toBe("6: a=6")
  })

  scenario("comes before the predicate of the follow", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    yield* put("b", 4)
    const judged: Array<string> = []
    const one = yield* watch.open(all, {
      snapshot: "first",
      view: isEven,
      where: (event) => {
        judged.push(brief({ _tag: "Events", revision: event.revision, events: [event] }))
        return event.key !== "b"
      }
    })
    yield* put("a", 1)
    yield* put("a", 3)
    yield* put("b", 6)
    yield* settled
    expect(polled(one)).toEqual(["snapshot 2: a=2", "synced 2", "3: -a"])
    expect(judged).toEqual(["1: a=2", "2: b=4", "3: -a", "5: b=6"])
  })

  scenario("needs a log that keeps its state, also where snapshots come from elsewhere", function* () {
    const { watch } = yield* setUp({ snapshots: () => Effect.die("not asked") }, { state: "none" })
    const refused = yield* Effect.flip(watch.open(all, { view: isEven }))
    expect(refused).toMatchObject({ _tag: "ChangeLogError", reason: "NoState" })
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("that throws ends its follow as Failed, and no other", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    const view = (): boolean => {
      throw "a fault"
    }
    const live = yield* watch.open(all, { view })
    const snapshot = yield* watch.open(all, { snapshot: "first", view })
    const other = yield* watch.open(all)
    const resumed = yield* watch.open(all, { after: yield* put("a", 3), view: isEven })
    yield* settled
    expect(yield* Effect.flip(Effect.forever(live.take))).toMatchObject({
      reason: "Failed",
      cause: "a fault"
    })
    expect(yield* Effect.flip(snapshot.take)).toMatchObject({ reason: "Failed", cause: "a fault" })
    expect(polled(other)).toEqual(["synced 1", "2: a=3"])
    expect(polled(resumed)).toEqual(["synced 2"])
  })
})

describe("rights that change", () => {
  scenario("discard what waits: a snapshot of what is visible now, then changes judged by it", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    yield* put("b", 3)
    const { asked, rights, to } = changing(isEven)
    const one = yield* watch.open(all, { snapshot: "first", view: rights })
    expect(polled(one)).toEqual(["snapshot 2: a=2", "synced 2"])
    yield* put("a", 4)
    yield* settled
    expect((yield* one.health).buffered).toBe(1)
    to((_, value) => value % 2 === 1)
    expect(polled(one)).toEqual([])
    expect(yield* taking(one, 2)).toEqual(["snapshot 3: b=3", "synced 3"])
    yield* put("b", 8)
    yield* put("a", 5)
    yield* settled
    expect(polled(one)).toEqual(["4: -b", "5: a=5"])
    expect(asked()).toBe(2)
  })

  scenario("to nothing end the follow as Unauthorized, where its reader had read to", function* () {
    const { put, watch } = yield* setUp()
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { view: rights })
    yield* put("a", 2)
    yield* settled
    expect(polled(one)).toEqual(["synced 0", "1: a=2"])
    yield* put("a", 4)
    yield* settled
    to(undefined)
    const ended = yield* Effect.flip(one.take)
    expect([ended.reason, ended.cursor.seq]).toEqual(["Unauthorized", 1])
    expect(yield* Effect.flip(one.take)).toMatchObject({ reason: "Unauthorized" })
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("hold back a first snapshot that was not taken, and the cursor is before it", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { snapshot: "first", view: rights })
    to(undefined)
    const ended = yield* Effect.flip(one.take)
    expect([ended.reason, ended.cursor.seq]).toEqual(["Unauthorized", 0])
  })

  scenario("hold back what waits for a follow that has ended, and its cursor is before it", function* () {
    const { put, watch } = yield* setUp()
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { view: rights, policy: "cancel", buffer: 1 })
    polled(one)
    for (const value of [2, 4, 6]) yield* put("a", value)
    yield* settled
    expect((yield* one.health).state).toBe("Ended")
    to(() => true)
    const ended = yield* Effect.flip(one.take)
    expect([ended.reason, ended.cursor.seq]).toEqual(["Overflow", 0])
  })

  scenario("hold back a snapshot that was being read, and may change again meanwhile", function* () {
    const asked: Array<Deferred.Deferred<void>> = []
    const log = yield* logOf()
    const watch = yield* Watch.make(log, {
      snapshots: (selector) =>
        Effect.gen(function* () {
          const taken = yield* Effect.orDie(log.snapshot(selector))
          const gate = yield* Deferred.make<void>()
          asked.push(gate)
          yield* Deferred.await(gate)
          return taken
        })
    })
    yield* log.append([ChangeLog.put("a", 2), ChangeLog.put("b", 3), ChangeLog.put("c", 4)])
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { view: rights })
    polled(one)
    to(() => true)
    expect(polled(one)).toEqual([])
    yield* settled
    to((key) => key === "b")
    yield* Deferred.succeed(asked[0]!, undefined)
    yield* settled
    expect(polled(one)).toEqual([])
    yield* settled
    to((key) => key === "c")
    yield* watch.recheck
    yield* settled
    for (const gate of asked) yield* Deferred.succeed(gate, undefined)
    yield* settled
    expect(polled(one)).toEqual(["snapshot 1: c=4", "synced 1"])
  })

  scenario("reach readers that wait by recheck", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { view: rights })
    const other = yield* watch.open(all, { view: isEven })
    polled(one)
    polled(other)
    const next = yield* started(one.take)
    to(() => true)
    yield* settled
    expect(next.unsafePoll()).toBeNull()
    yield* watch.recheck
    expect(brief(yield* Fiber.join(next))).toBe("snapshot 1: a=2")
    to(undefined)
    const end = yield* started(Effect.flip(Effect.forever(one.take)))
    watch.unsafeRecheck()
    expect((yield* Fiber.join(end)).reason).toBe("Unauthorized")
    expect(polled(other)).toEqual([])
    expect((yield* watch.health).watchers).toBe(1)
  })

  scenario("that let nothing be seen at the start end the follow before anything is delivered", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    const { rights } = changing(undefined)
    const begins = [{}, { snapshot: "first" }, { back: 1 }] as const
    const ends = yield* Effect.forEach(begins, (begin) =>
      Effect.flatMap(watch.open(all, { ...begin, view: rights }), ({ take }) => Effect.flip(take))
    )
    expect(ends.map(({ cursor, reason }) => [reason, cursor.seq])).toEqual([
      ["Unauthorized", 1],
      ["Unauthorized", 0],
      ["Unauthorized", 0]
    ])
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("that throw end their follow as Failed", function* () {
    const { watch } = yield* setUp()
    let fault: string | undefined
    const one = yield* watch.open(all, {
      view: {
        version: () => (fault === undefined ? 1 : 2),
        visible: () => {
          if (fault !== undefined) throw fault
          return () => true
        }
      }
    })
    expect(polled(one)).toEqual(["synced 0"])
    fault = "a fault"
    expect(yield* Effect.flip(one.take)).toMatchObject({ reason: "Failed", cause: "a fault" })
  })

  scenario("keep synced waiting until the snapshot is taken", function* () {
    const { put, watch } = yield* setUp()
    yield* put("a", 2)
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { view: rights })
    polled(one)
    to(() => true)
    expect(polled(one)).toEqual([])
    const synced = yield* started(one.synced)
    expect(synced.unsafePoll()).toBeNull()
    expect(polled(one)).toEqual(["snapshot 1: a=2", "synced 1"])
    expect((yield* Fiber.join(synced)).seq).toBe(1)
  })

  scenario("when its reader is woken in the middle of a replay, nothing is skipped", function* () {
    const { put, watch } = yield* setUp()
    const from = yield* put("a", 1)
    for (const value of [2, 4, 6]) yield* put("a", value)
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { after: from, view: rights, previous: "include" })
    const frames: Array<string> = []
    one.unsafeWhenReady(() => {
      to(() => true)
      frames.push(...polled(one))
    })
    yield* settled
    frames.push(...polled(one))
    expect(frames).toEqual(["snapshot 4: a=6", "synced 4"])
  })

  scenario("when its reader is woken in the middle of a replay, its cursor stays", function* () {
    const { put, watch } = yield* setUp({ snapshots: () => Effect.never })
    const from = yield* put("a", 1)
    for (const value of [2, 4, 6]) yield* put("a", value)
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { after: from, view: rights })
    one.unsafeWhenReady(() => {
      to(() => true)
      expect(polled(one)).toEqual([])
    })
    yield* settled
    expect(yield* one.health).toMatchObject({ state: "Behind", cursor: { seq: 1 } })
  })

  scenario("let a writer go on that waits for a follow that blocks", function* () {
    const { put, watch } = yield* setUp()
    const { rights, to } = changing(isEven)
    const one = yield* watch.open(all, { view: rights, policy: "block", buffer: 1 })
    polled(one)
    const publish = (value: number) => watch.publish([ChangeLog.put("a", value)])
    yield* publish(2)
    const waits = yield* started(publish(4))
    expect(waits.unsafePoll()).toBeNull()
    to(() => true)
    yield* watch.recheck
    yield* Fiber.join(waits)
    yield* settled
    expect(polled(one)).toEqual(["snapshot 2: a=4", "synced 2"])
    yield* put("b", 1)
    yield* settled
    expect(polled(one)).toEqual(["3: b=1"])
  })
})
