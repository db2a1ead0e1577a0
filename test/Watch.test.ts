import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, Option, Scope, Stream, TestClock } from "effect"
import * as ChangeLog from "../src/ChangeLog.js"
import * as Watch from "../src/Watch.js"
import { brief, writing } from "./support/frames.js"
import { scenario, started } from "./support/turn.js"
import { jumps, wallClock } from "./support/wallClock.js"

const logOf = (options: ChangeLog.Options<number> = {}) =>
  ChangeLog.make<number>({ state: "latest", ...options })

const setUp = (options: Watch.Options<number> = {}, ofLog: ChangeLog.Options<number> = {}) =>
  Effect.gen(function* () {
    const log = yield* logOf(ofLog)
    const watch = yield* Watch.make(log, options)
    return { log, watch, ...writing(log) }
  })

/** A log that can go away, and come back. */
const flakyLog = Effect.gen(function* () {
  const log = yield* logOf()
  let isAway = false
  const away = new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "away" })
  const flaky: ChangeLog.ChangeLog<number> = {
    ...log,
    head: Effect.suspend(() => (isAway ? Effect.fail(away) : log.head)),
    read: (options) => Effect.suspend(() => (isAway ? Effect.fail(away) : log.read(options)))
  }
  return { log, flaky, go: (to: "away" | "back") => (isAway = to === "away") }
})

const taking = (follower: Watch.Follower<number>, count: number) =>
  Effect.map(Effect.replicateEffect(follower.take, count), (frames) => frames.map(brief))

describe("Watch.register", () => {
  it.scoped("tells one key's changes from now on, in order", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      yield* put("a", 1)
      const { receiver } = yield* watch.register("a")
      yield* put("b", 2)
      yield* put("a", 3)
      yield* put("a", 4)
      expect(yield* taking(receiver, 3)).toEqual(["synced 1", "3: a=3", "4: a=4"])
    })
  )

  it.scoped("counts ids from 1 and never gives one twice", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp()
      const first = yield* watch.register("a")
      yield* first.release
      const second = yield* watch.register("a")
      expect([first.id, second.id]).toEqual([1, 2])
    })
  )

  it.scoped("unregisters with its release, with its scope, and once", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const scope = yield* Scope.make()
      const one = yield* watch.register("a")
      const two = yield* Scope.extend(watch.register("a"), scope)
      expect((yield* watch.health).followers).toBe(2)
      yield* one.release
      yield* one.release
      yield* Scope.close(scope, Exit.void)
      expect((yield* watch.health).followers).toBe(0)
      yield* put("a", 1)
      yield* one.receiver.take
      const ended = yield* Effect.flip(Effect.zipRight(two.receiver.take, two.receiver.take))
      expect(ended.reason).toBe("Closed")
    })
  )

  it.scoped("detached, the receiver outlives its handle and its scope until it is cancelled", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const scope = yield* Scope.make()
      const handle = yield* Scope.extend(watch.register("a"), scope)
      const receiver = yield* handle.detach
      yield* handle.release
      yield* Scope.close(scope, Exit.void)
      yield* put("a", 1)
      expect(yield* taking(receiver, 2)).toEqual(["synced 0", "1: a=1"])
      yield* receiver.cancel
      expect((yield* watch.health).followers).toBe(0)
    })
  )

  it.scoped("full: it is cancelled, what was buffered is told first, and others are not disturbed", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const slow = (yield* watch.register("a", { buffer: 2 })).receiver
      const healthy = (yield* watch.register("a")).receiver
      for (let i = 1; i <= 4; i++) yield* put("a", i)
      expect(yield* taking(healthy, 5)).toEqual(["synced 0", "1: a=1", "2: a=2", "3: a=3", "4: a=4"])
      expect(yield* taking(slow, 3)).toEqual(["synced 0", "1: a=1", "2: a=2"])
      const ended = yield* Effect.flip(slow.take)
      expect(ended.reason).toBe("Overflow")
      expect(ended.cursor.seq).toBe(2)
      expect((yield* watch.health).followers).toBe(1)
      // It resumes where it ended.
      const again = yield* watch.open(ChangeLog.key("a"), { after: ended.cursor })
      expect(yield* taking(again, 3)).toEqual(["3: a=3", "4: a=4", "synced 4"])
    })
  )
})

describe("Watch.follow", () => {
  it.scoped("a prefix is told of its children, never of a longer name", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const follower = yield* watch.open(ChangeLog.prefix("/config/"))
      for (const key of ["/config", "/configextra", "/config/a", "/config/a/b", "/other/config/a"])
        yield* put(key, 1)
      expect(yield* taking(follower, 3)).toEqual(["synced 0", "3: /config/a=1", "4: /config/a/b=1"])
    })
  )

  it.scoped("a range is told from its beginning until before its end", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const follower = yield* watch.open(ChangeLog.range("b", "d"))
      for (const key of ["a", "b", "c", "czz", "d"]) yield* put(key, 1)
      expect(yield* taking(follower, 4)).toEqual(["synced 0", "2: b=1", "3: c=1", "4: czz=1"])
    })
  )

  it.scoped("many keys come in one stream, each event once, a revision whole", () =>
    Effect.gen(function* () {
      const { log, watch } = yield* setUp()
      const selector = ChangeLog.many(ChangeLog.key("a/x"), ChangeLog.prefix("a/"), ChangeLog.range("b", "c"))
      const follower = yield* watch.open(selector)
      yield* log.append([
        ChangeLog.put("a/x", 1),
        ChangeLog.put("z", 2),
        ChangeLog.put("b", 3),
        ChangeLog.remove("a/x")
      ])
      expect(yield* taking(follower, 2)).toEqual(["synced 0", "1: a/x=1, b=3, -a/x"])
    })
  )

  it.scoped("a predicate filters inside of the selector", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const where = (event: ChangeLog.Event<number>) => event._tag === "Put" && event.value > 1
      const follower = yield* watch.open(ChangeLog.key("a"), { where })
      for (const value of [1, 2, 3, 0]) yield* put("a", value)
      expect(yield* taking(follower, 3)).toEqual(["synced 0", "2: a=2", "3: a=3"])
    })
  )

  it.scoped("a predicate that throws ends its follower, and no other", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const where = () => {
        throw new Error("no")
      }
      const bad = yield* watch.open(ChangeLog.key("a"), { where })
      const good = yield* watch.open(ChangeLog.key("a"))
      yield* put("a", 1)
      expect(yield* taking(good, 2)).toEqual(["synced 0", "1: a=1"])
      const ended = yield* Effect.flip(Effect.zipRight(bad.take, bad.take))
      expect(ended).toMatchObject({
        reason: "Failed",
        message: "its predicate threw",
        cause: new Error("no")
      })
    })
  )

  it.scoped("resumes after a revision, exclusive, and says when it is live", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const cursor = yield* put("a", 1)
      yield* put("a", 2)
      yield* put("b", 3)
      const follower = yield* watch.open(ChangeLog.key("a"), { after: cursor })
      expect(yield* taking(follower, 2)).toEqual(["2: a=2", "synced 3"])
      yield* put("a", 4)
      expect(yield* taking(follower, 1)).toEqual(["4: a=4"])
    })
  )

  it.scoped("begins with a snapshot, then goes on without a gap and without a duplicate", () =>
    Effect.gen(function* () {
      const { put, remove, watch } = yield* setUp()
      yield* put("k/b", 1)
      yield* put("k/a", 2)
      yield* put("k/c", 3)
      yield* remove("k/c")
      yield* put("other", 5)
      const follower = yield* watch.open(ChangeLog.prefix("k/"), { snapshot: "first" })
      yield* put("k/a", 6)
      expect(yield* taking(follower, 3)).toEqual(["snapshot 5: k/a=2, k/b=1", "synced 5", "6: k/a=6"])
    })
  )

  it.scoped("says that it is live on an empty set too", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp()
      const follower = yield* watch.open(ChangeLog.prefix("none/"), { snapshot: "first" })
      expect(yield* taking(follower, 2)).toEqual(["snapshot 0: ", "synced 0"])
    })
  )

  it.scoped("tells the value before, when it is asked to", () =>
    Effect.gen(function* () {
      const { put, remove, watch } = yield* setUp()
      yield* put("a", 1)
      const follower = yield* watch.open(ChangeLog.key("a"), { previous: "include" })
      const plain = yield* watch.open(ChangeLog.key("a"))
      yield* put("a", 2)
      yield* remove("a")
      yield* put("a", 3)
      const frames = yield* Effect.replicateEffect(follower.take, 4)
      const previous = frames
        .flatMap((frame) => (frame._tag === "Events" ? frame.events : []))
        .map((e) => e.previous)
      expect(previous).toEqual([Option.some(1), Option.some(2), Option.none()])
      yield* plain.take
      const first = yield* plain.take
      expect(first._tag === "Events" && "previous" in first.events[0]!).toBe(false)
    })
  )

  scenario("is a stream whose end is typed", function* () {
    const { put, watch } = yield* setUp()
    const reading = yield* started(Stream.runCollect(Stream.take(watch.follow(ChangeLog.key("a")), 2)))
    yield* put("a", 1)
    const seen = yield* Fiber.join(reading)
    expect(Chunk.toReadonlyArray(seen).map(brief)).toEqual(["synced 0", "1: a=1"])
    expect((yield* watch.health).followers).toBe(0)
    const open = yield* watch.open(ChangeLog.key("a"))
    yield* watch.close
    const all = yield* Effect.flip(Stream.runDrain(open.frames))
    expect(all.reason).toBe("Closed")
    const refused = yield* Effect.flip(Stream.runDrain(watch.follow(ChangeLog.key("a"))))
    expect(refused).toMatchObject({ _tag: "WatchRefused", reason: "Closed" })
  })
})

describe("a slow follower", () => {
  it.scoped("resync: reads on from the log, and misses nothing", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 2 })
      for (let i = 1; i <= 10; i++) yield* put("a", i)
      const healthy = yield* watch.open(ChangeLog.key("a"))
      yield* healthy.take
      expect((yield* slow.health).state).toBe("Behind")
      const expected = ["synced 0", ...Array.from({ length: 10 }, (_, i) => `${i + 1}: a=${i + 1}`)]
      expect(yield* taking(slow, 11)).toEqual(expected)
      yield* put("a", 11)
      expect(yield* taking(slow, 1)).toEqual(["11: a=11"])
    })
  )

  it.scoped("conflate: keeps the order and the last event of each key", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const slow = yield* watch.open(ChangeLog.prefix(""), { buffer: 3, policy: "conflate" })
      for (let i = 1; i <= 20; i++) yield* put(i % 2 === 0 ? "even" : "odd", i)
      yield* (yield* watch.open(ChangeLog.key("x"))).take
      const frames = Chunk.toReadonlyArray(yield* slow.takeAll).map(brief)
      expect(frames[0]).toBe("synced 0")
      expect(frames.slice(-2)).toEqual(["19: odd=19", "20: even=20"])
      expect(frames.length).toBeLessThanOrEqual(1 + 4)
    })
  )

  it.scoped("drop-oldest: announces what it drops by one gap", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 3, policy: "drop-oldest" })
      for (let i = 1; i <= 10; i++) yield* put("a", i)
      yield* (yield* watch.open(ChangeLog.key("x"))).take
      const frames = Chunk.toReadonlyArray(yield* slow.takeAll).map(brief)
      expect(frames).toEqual(["synced 0", "gap 1-7 Overflow", "8: a=8", "9: a=9", "10: a=10"])
    })
  )

  it.scoped("block: holds up whoever publishes, and nothing is lost", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp()
      const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 2, policy: "block" })
      const done: Array<number> = []
      const writer = yield* Effect.fork(
        Effect.forEach([1, 2, 3, 4], (i) =>
          Effect.tap(watch.publish([ChangeLog.put("a", i)]), () => Effect.sync(() => done.push(i)))
        )
      )
      expect(yield* taking(slow, 2)).toEqual(["synced 0", "1: a=1"])
      expect(done.length).toBeLessThan(4)
      expect(yield* taking(slow, 3)).toEqual(["2: a=2", "3: a=3", "4: a=4"])
      yield* Fiber.join(writer)
    })
  )

  it.scoped("block: one who goes away lets the others on", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp()
      const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 1, policy: "block" })
      const writer = yield* Effect.fork(
        Effect.forEach([1, 2, 3], (i) => watch.publish([ChangeLog.put("a", i)]), { discard: true })
      )
      yield* slow.take
      yield* slow.cancel
      yield* Fiber.join(writer)
    })
  )
})

describe("a publish that waits for one who blocks", () => {
  const lost = {
    compacted: (log: ChangeLog.ChangeLog<number>) => log.compact(2),
    "of an epoch that is over": (log: ChangeLog.ChangeLog<number>) => log.renewEpoch
  }
  for (const [name, lose] of Object.entries(lost)) {
    scenario(`ends when its revision is ${name}: it will never be dispatched`, function* () {
      const { log, watch } = yield* setUp()
      const follow = { buffer: 1, policy: "block", autoResnapshot: "on" } as const
      const slow = yield* watch.open(ChangeLog.key("a"), follow)
      yield* watch.publish([ChangeLog.put("a", 1)])
      const writer = yield* started(watch.publish([ChangeLog.put("a", 2)]))
      expect(writer.unsafePoll()).toBe(null)
      yield* lose(log)
      yield* slow.takeAll
      yield* TestClock.adjust(0)
      expect(writer.unsafePoll()).not.toBe(null)
    })
  }

  scenario("in a new epoch waits for it there, whatever the numbers of the old one", function* () {
    const { log, watch } = yield* setUp()
    const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 1, policy: "block", autoResnapshot: "on" })
    yield* watch.publish([ChangeLog.put("a", 1)])
    yield* log.renewEpoch
    // The watch has not heard of the new epoch yet, and stands at 1 of the old one.
    const writer = yield* Effect.fork(watch.publish([ChangeLog.put("a", 2)]))
    yield* Effect.yieldNow()
    expect(writer.unsafePoll()).toBe(null)
    yield* TestClock.adjust(0)
    expect(Chunk.toReadonlyArray(yield* slow.takeAll).map(brief)).toContain("1: a=1")
    expect(writer.unsafePoll()).not.toBe(null)
  })
})

describe("what is gone", () => {
  it.scoped("a resume below the floor is refused with the floor, and nothing is registered", () =>
    Effect.gen(function* () {
      const { log, put, watch } = yield* setUp()
      const cursor = yield* put("a", 1)
      yield* put("a", 2)
      yield* put("a", 3)
      yield* log.compact(2)
      const error = yield* Effect.flip(watch.open(ChangeLog.key("a"), { after: cursor }))
      expect(error).toMatchObject({ _tag: "Compacted", floor: 2 })
      expect((yield* watch.health).followers).toBe(0)
    })
  )

  it.scoped("a slow follower ends with Compacted behind what was buffered", () =>
    Effect.gen(function* () {
      const { log, put, watch } = yield* setUp()
      const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 1 })
      for (let i = 1; i <= 5; i++) yield* put("a", i)
      yield* (yield* watch.open(ChangeLog.key("x"))).take
      yield* log.compact(4)
      expect(yield* taking(slow, 2)).toEqual(["synced 0", "1: a=1"])
      const ended = yield* Effect.flip(slow.take)
      expect(ended).toMatchObject({ reason: "Compacted", cursor: { seq: 1 } })
    })
  )

  it.scoped("autoResnapshot: it is told a gap and a snapshot, with what it held and is gone", () =>
    Effect.gen(function* () {
      const { log, put, remove, watch } = yield* setUp()
      yield* put("k/x", 0)
      const slow = yield* watch.open(ChangeLog.prefix("k/"), {
        buffer: 1,
        autoResnapshot: "on",
        snapshot: "first"
      })
      yield* put("k/a", 2)
      for (let i = 3; i <= 5; i++) yield* put("k/b", i)
      yield* remove("k/a")
      yield* remove("k/x")
      yield* (yield* watch.open(ChangeLog.key("x"))).take
      yield* log.compact(6)
      expect(yield* taking(slow, 6)).toEqual([
        "snapshot 1: k/x=0",
        "synced 1",
        "2: k/a=2",
        "gap 3-7 Compacted",
        "snapshot 7: k/b=5 without k/x, k/a",
        "synced 7"
      ])
    })
  )

  it.scoped("a renewed epoch ends followers with EpochChanged, and the cursor is refused", () =>
    Effect.gen(function* () {
      const { log, put, watch } = yield* setUp()
      const cursor = yield* put("a", 1)
      const follower = yield* watch.open(ChangeLog.key("a"))
      const lasting = yield* watch.open(ChangeLog.key("a"), { autoResnapshot: "on" })
      yield* log.renewEpoch
      expect((yield* Effect.flip(Effect.zipRight(follower.take, follower.take))).reason).toBe("EpochChanged")
      expect((yield* taking(lasting, 3)).slice(2)).toEqual(["snapshot 0: a=1"])
      yield* put("a", 2)
      expect(yield* taking(lasting, 2)).toEqual(["synced 0", "1: a=2"])
      expect(yield* Effect.flip(watch.open(ChangeLog.key("a"), { after: cursor }))).toMatchObject({
        _tag: "EpochChanged"
      })
    })
  )
})

describe("progress and health", () => {
  it.scoped("an idle follower is told how far it is, once for each heartbeat", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp({ heartbeat: "10 seconds" })
      const follower = yield* watch.open(ChangeLog.key("a"))
      yield* follower.take
      for (let i = 0; i < 3; i++) yield* put("b", i)
      const next = yield* Effect.fork(follower.take)
      yield* TestClock.adjust("11 seconds")
      expect(brief(yield* Fiber.join(next))).toBe("progress 3")
    })
  )

  it.scoped("progress stands behind the events, and uses up no buffer", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp({ heartbeat: "10 seconds" })
      const follower = yield* watch.open(ChangeLog.key("a"), { buffer: 1, policy: "cancel" })
      yield* put("a", 1)
      for (let i = 0; i < 5; i++) {
        yield* TestClock.adjust("11 seconds")
        yield* (yield* watch.open(ChangeLog.key("x"))).take
      }
      expect(yield* taking(follower, 3)).toEqual(["synced 0", "1: a=1", "progress 1"])
    })
  )

  it.scoped("one who has fallen behind is not told of progress that it has not made", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp({ heartbeat: "10 seconds" })
      const follower = yield* watch.open(ChangeLog.key("a"), { buffer: 1 })
      const others = Effect.scoped(Effect.flatMap(watch.open(ChangeLog.key("x")), ({ take }) => take))
      yield* put("a", 1)
      yield* others
      yield* TestClock.adjust("11 seconds")
      yield* others
      for (const value of [2, 3]) yield* put("a", value)
      yield* others
      const polled = [follower.unsafePoll(), follower.unsafePoll(), follower.unsafePoll()]
      expect(polled.map((frame) => frame && brief(frame))).toEqual(["synced 0", "1: a=1", undefined])
      expect(yield* taking(follower, 3)).toEqual(["2: a=2", "3: a=3", "progress 3"])
    })
  )

  describe.each(jumps)("a wall clock set %s", (_, ahead) => {
    it.scoped("makes nothing Suspect, and hides nothing that is", () =>
      Effect.gen(function* () {
        const { flaky, go } = yield* flakyLog
        const wall = yield* wallClock
        const watch = yield* Effect.withClock(Watch.make(flaky, { heartbeat: "20 seconds" }), wall.clock)
        const state = Effect.map(watch.health, (health) => health.state)
        yield* watch.register("a")
        yield* TestClock.adjust("1 second")
        wall.set(ahead)
        expect(yield* state).toBe("Live")
        go("away")
        yield* TestClock.adjust("42 seconds")
        expect(yield* state).toBe("Suspect")
        wall.set(0)
        expect(yield* state).toBe("Suspect")
        // It closes without a wait for the log.
        go("back")
        yield* TestClock.adjust("3 seconds")
      })
    )
  })

  it.scoped("a log that does not answer makes the state Suspect, and says why until it answers", () =>
    Effect.gen(function* () {
      const { flaky, go } = yield* flakyLog
      const watch = yield* Watch.make(flaky, { heartbeat: "20 seconds" })
      const follower = yield* watch.open(ChangeLog.key("a"))
      const states = Effect.map(Effect.all([watch.health, follower.health]), ([{ state, trouble }, of]) => [
        state,
        of.state,
        Option.getOrUndefined(Option.map(trouble, ({ message }) => message))
      ])
      expect(yield* states).toEqual(["Live", "Live", undefined])
      go("away")
      yield* TestClock.adjust("1 minute")
      expect(yield* states).toEqual(["Suspect", "Suspect", "away"])
      go("back")
      // Long before the next heartbeat.
      yield* TestClock.adjust("3 seconds")
      expect(yield* states).toEqual(["Live", "Live", undefined])
    })
  )

  it.scoped("a log that answers that something is gone has answered", () =>
    Effect.gen(function* () {
      // Fails when only a success counts as an answer: the trouble is then shown for ever, because nobody follows.
      const { flaky, go, log } = yield* flakyLog
      const watch = yield* Watch.make(
        { ...log, read: (options) => (options.after.seq === 0 ? flaky : log).read(options) },
        { heartbeat: "0 seconds" }
      )
      const { epoch } = yield* log.append([ChangeLog.put("a", 1)])
      const behind = yield* watch.open(ChangeLog.key("a"), { after: ChangeLog.start(epoch) })
      go("away")
      yield* TestClock.adjust("1 second")
      expect(Option.isSome((yield* watch.health).trouble)).toBe(true)
      yield* log.compact(1)
      go("back")
      yield* TestClock.adjust("3 seconds")
      expect(yield* watch.health).toMatchObject({ followers: 0, trouble: Option.none() })
      expect((yield* Effect.flip(behind.take)).reason).toBe("Compacted")
    })
  )

  it.scoped("the cap on followers is a typed refusal", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp({ maxFollowers: 2 })
      const results = yield* Effect.all(
        Array.from({ length: 5 }, () => Effect.either(watch.register("a"))),
        { concurrency: "unbounded" }
      )
      expect(results.filter(({ _tag }) => _tag === "Right").length).toBe(2)
      const refused = results.find(({ _tag }) => _tag === "Left")
      expect(refused).toMatchObject({ left: { _tag: "WatchRefused", reason: "Full" } })
    })
  )
})

describe("bad input", () => {
  it.scoped("is a typed error, and registers nothing", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp()
      const stateless = yield* Watch.make(yield* ChangeLog.make<number>())
      const other = yield* ChangeLog.make<number>()
      const foreign = yield* other.append([ChangeLog.put("a", 1)])
      const errors = yield* Effect.all(
        [
          watch.open(ChangeLog.prefix("/config")),
          watch.open(ChangeLog.range("b", "a")),
          watch.open(ChangeLog.key("")),
          watch.open(ChangeLog.many()),
          watch.open(ChangeLog.key("a"), { buffer: -1 }),
          watch.open(ChangeLog.key("a"), { after: foreign }),
          watch.open(ChangeLog.key("a"), { after: foreign, snapshot: "first" }),
          stateless.open(ChangeLog.key("a"), { snapshot: "first" }),
          stateless.open(ChangeLog.key("a"), { previous: "include" })
        ].map((open) => Effect.flip(Effect.scoped(open)))
      )
      expect(errors.map(({ _tag }) => _tag)).toEqual([
        "InvalidSelector",
        "InvalidSelector",
        "InvalidSelector",
        "InvalidSelector",
        "InvalidOptions",
        "EpochChanged",
        "InvalidOptions",
        "ChangeLogError",
        "ChangeLogError"
      ])
      expect((yield* watch.health).followers).toBe(0)
    })
  )

  it.scoped("an event too large for the log is refused to its publisher", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp({}, { maxBytes: 100 })
      const error = yield* Effect.flip(watch.publish([ChangeLog.put("k".repeat(200), 1)]))
      expect(error).toMatchObject({ _tag: "ChangeLogError", reason: "TooLarge" })
    })
  )
})
