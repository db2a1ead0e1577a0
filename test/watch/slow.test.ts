import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { brief } from "../support/watch/frames.js"
import { setUp, taking } from "../support/watch/watches.js"

describe("a slow watcher", () => {
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

  scenario("resync: several that read on at once are each delivered what they have not had", function* () {
    const { put, watch } = yield* setUp()
    const one = yield* watch.open(ChangeLog.key("a"), { buffer: 2 })
    const other = yield* watch.open(ChangeLog.key("a"), { buffer: 4 })
    for (let i = 1; i <= 6; i++) yield* put("a", i)
    yield* settled
    const polled = (watcher: typeof one, count: number) =>
      Array.from({ length: count }, () => watcher.unsafePoll()).map((frame) => frame && brief(frame))
    // Both have room before either of them reads on.
    expect(polled(one, 3)).toEqual(["synced 0", "1: a=1", "2: a=2"])
    expect(polled(other, 5)).toEqual(["synced 0", "1: a=1", "2: a=2", "3: a=3", "4: a=4"])
    yield* settled
    expect(polled(other, 3)).toEqual(["5: a=5", "6: a=6", undefined])
    expect(yield* taking(one, 4)).toEqual(["3: a=3", "4: a=4", "5: a=5", "6: a=6"])
  })

  it.scoped("resync: what it reads on from the log comes before what is committed meanwhile", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 4 })
      const others = Effect.scoped(Effect.flatMap(watch.open(ChangeLog.key("x")), ({ take }) => take))
      for (let i = 1; i <= 5; i++) yield* put("a", i)
      yield* others
      // One frame is too little room to read on.
      expect(yield* taking(slow, 2)).toEqual(["synced 0", "1: a=1"])
      yield* put("a", 6)
      yield* others
      expect(yield* taking(slow, 5)).toEqual(["2: a=2", "3: a=3", "4: a=4", "5: a=5", "6: a=6"])
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

  it.scoped("conflate: gives up nothing for an event behind a Synced", () =>
    Effect.gen(function* () {
      const { log, put, watch } = yield* setUp()
      const { head } = yield* log.head
      yield* put("a", 1)
      const follow = { after: head, buffer: 1, policy: "conflate" } as const
      const slow = yield* watch.open(ChangeLog.key("a"), follow)
      const others = Effect.scoped(Effect.flatMap(watch.open(ChangeLog.key("x")), ({ take }) => take))
      yield* others
      for (let i = 2; i <= 10; i++) yield* put("a", i)
      yield* others
      const frames = Chunk.toReadonlyArray(yield* slow.takeAll).map(brief)
      expect(frames.slice(0, 2)).toEqual(["1: a=1", "synced 1"])
      expect(frames.at(-1)).toBe("10: a=10")
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

  it.scoped("block: holds up the publishers, and nothing is lost", () =>
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

  it.scoped("block: a watcher that ends lets the others on", () =>
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

describe("a watcher that blocks and is full", () => {
  const world = Effect.gen(function* () {
    const { watch } = yield* setUp()
    const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 1, policy: "block" })
    const other = yield* watch.open(ChangeLog.key("a"))
    const publishing = Effect.forEach([1, 2], (i) => watch.publish([ChangeLog.put("a", i)]))
    const writer = yield* started(publishing)
    expect(writer.unsafePoll()).toBe(null)
    expect([other.unsafePoll(), other.unsafePoll()].map((frame) => frame && brief(frame))).toEqual([
      "synced 0",
      "1: a=1"
    ])
    expect(other.unsafePoll()).toBe(undefined)
    return { other, slow, writer }
  })

  scenario("holds up the others until it has room", function* () {
    const { other, slow, writer } = yield* world
    expect(yield* taking(slow, 2)).toEqual(["synced 0", "1: a=1"])
    yield* Fiber.join(writer)
    expect(yield* taking(other, 1)).toEqual(["2: a=2"])
  })

  scenario("lets a publish go on when it ends and no other follows", function* () {
    const { other, slow, writer } = yield* world
    yield* other.cancel
    expect(writer.unsafePoll()).toBe(null)
    yield* slow.cancel
    yield* Fiber.join(writer)
  })

  scenario("holds up no publish any more when it ends", function* () {
    const { other, slow, writer } = yield* world
    yield* slow.cancel
    yield* Fiber.join(writer)
    expect(yield* taking(other, 1)).toEqual(["2: a=2"])
  })
})

describe("a reader without a fiber that waits", () => {
  scenario(
    "is called once for a frame and for the end, and learns of the end behind the frames",
    function* () {
      const { put, watch } = yield* setUp()
      const watcher = yield* watch.open(ChangeLog.key("a"))
      let calls = 0
      const onReady = () => {
        calls++
      }
      watcher.unsafeWhenReady(onReady)
      expect([calls, brief(watcher.unsafePoll()!)]).toEqual([1, "synced 0"])
      const stop = watcher.unsafeWhenReady(onReady)
      stop()
      yield* put("a", 1)
      yield* settled
      expect([calls, brief(watcher.unsafePoll()!), watcher.unsafePoll()]).toEqual([1, "1: a=1", undefined])
      watcher.unsafeWhenReady(onReady)
      yield* put("a", 2)
      yield* put("a", 3)
      yield* settled
      expect(calls).toBe(2)
      yield* watcher.cancel
      expect(watcher.unsafeEnded()).toBe(undefined)
      expect([brief(watcher.unsafePoll()!), brief(watcher.unsafePoll()!)]).toEqual(["2: a=2", "3: a=3"])
      expect(watcher.unsafeEnded()).toMatchObject({ reason: "Closed", cursor: { seq: 3 } })
      watcher.unsafeWhenReady(onReady)
      expect(calls).toBe(3)
    }
  )
})

describe("a publish that waits for a watcher that blocks", () => {
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
      expect((yield* watch.health).watchers).toBe(0)
    })
  )

  it.scoped("a slow watcher ends with Compacted behind what was buffered", () =>
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

  it.scoped("autoResnapshot: it gets a gap and a snapshot, with what it held and is gone", () =>
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

  it.scoped("a renewed epoch ends watchers with EpochChanged, and the cursor is refused", () =>
    Effect.gen(function* () {
      const { log, put, watch } = yield* setUp()
      const cursor = yield* put("a", 1)
      const watcher = yield* watch.open(ChangeLog.key("a"))
      const lasting = yield* watch.open(ChangeLog.key("a"), { autoResnapshot: "on" })
      yield* log.renewEpoch
      expect((yield* Effect.flip(Effect.zipRight(watcher.take, watcher.take))).reason).toBe("EpochChanged")
      expect((yield* taking(lasting, 3)).slice(2)).toEqual(["snapshot 0: a=1"])
      yield* put("a", 2)
      expect(yield* taking(lasting, 2)).toEqual(["synced 0", "1: a=2"])
      expect(yield* Effect.flip(watch.open(ChangeLog.key("a"), { after: cursor }))).toMatchObject({
        _tag: "EpochChanged"
      })
    })
  )
})
