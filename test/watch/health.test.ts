import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Watch from "../../src/Watch.js"
import { scenario, settled } from "../support/time/turn.js"
import { jumps, wallClock } from "../support/time/wallClock.js"
import { brief } from "../support/watch/frames.js"
import { flakyLog, logOf, setUp, taking } from "../support/watch/watches.js"

describe("progress and health", () => {
  it.scoped("an idle watcher gets its position, once for each heartbeat", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp({ heartbeat: "10 seconds" })
      const watcher = yield* watch.open(ChangeLog.key("a"))
      yield* watcher.take
      for (let i = 0; i < 3; i++) yield* put("b", i)
      const next = yield* Effect.fork(watcher.take)
      yield* TestClock.adjust("11 seconds")
      expect(brief(yield* Fiber.join(next))).toBe("progress 3")
    })
  )

  it.scoped("progress stands behind the events, and uses up no buffer", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp({ heartbeat: "10 seconds" })
      const watcher = yield* watch.open(ChangeLog.key("a"), { buffer: 1, policy: "cancel" })
      yield* put("a", 1)
      for (let i = 0; i < 5; i++) {
        yield* TestClock.adjust("11 seconds")
        yield* (yield* watch.open(ChangeLog.key("x"))).take
      }
      expect(yield* taking(watcher, 3)).toEqual(["synced 0", "1: a=1", "progress 1"])
    })
  )

  it.scoped("a watcher that has fallen behind gets no progress that it has not made", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp({ heartbeat: "10 seconds" })
      const watcher = yield* watch.open(ChangeLog.key("a"), { buffer: 1 })
      const others = Effect.scoped(Effect.flatMap(watch.open(ChangeLog.key("x")), ({ take }) => take))
      yield* put("a", 1)
      yield* others
      yield* TestClock.adjust("11 seconds")
      yield* others
      for (const value of [2, 3]) yield* put("a", value)
      yield* others
      const polled = [watcher.unsafePoll(), watcher.unsafePoll(), watcher.unsafePoll()]
      expect(polled.map((frame) => frame && brief(frame))).toEqual(["synced 0", "1: a=1", undefined])
      expect(yield* taking(watcher, 3)).toEqual(["2: a=2", "3: a=3", "progress 3"])
    })
  )

  scenario("what is known of the log is as old as the question, however late the answer is", function* () {
    const log = yield* logOf()
    let millis = 0
    const late = <A, E>(call: Effect.Effect<A, E>) =>
      Effect.tap(call, () => (millis === 0 ? Effect.void : Effect.sleep(millis)))
    const slow: typeof log = { ...log, head: late(log.head), read: (options) => late(log.read(options)) }
    const watch = yield* Watch.make<number>(slow, { heartbeat: "10 seconds" })
    const watcher = yield* watch.open(ChangeLog.key("a"))
    yield* settled
    expect(yield* watcher.health).toMatchObject({ silentFor: 0, headAge: 0 })
    millis = 300
    // A ring.
    yield* log.append([ChangeLog.put("b", 1)])
    yield* TestClock.adjust(300)
    expect(yield* watcher.health).toMatchObject({ silentFor: 0, headAge: 300 })
    // A heartbeat.
    yield* TestClock.adjust("12 seconds")
    const beaten = yield* watcher.health
    expect(beaten.silentFor).toBeLessThan(4_000)
    expect(beaten.headAge - beaten.silentFor).toBe(300)
    // A reader that asks.
    const synced = yield* Effect.fork(Effect.zipRight(Effect.fork(watcher.takeAll), watcher.synced))
    yield* TestClock.adjust(1_000)
    yield* Fiber.join(synced)
    const asked = yield* watcher.health
    expect(asked.silentFor).toBeLessThan(1_000)
    expect(asked.headAge - asked.silentFor).toBe(300)
    millis = 0
  })

  scenario("a log that returns less than its head is asked again later and later", function* () {
    const log = yield* logOf()
    for (const value of [1, 2]) yield* log.append([ChangeLog.put("a", value)])
    let reads = 0
    let lags = true
    // It ends by itself, so that one that is asked without an end fails by the number.
    const behind: typeof log = {
      ...log,
      read: (options) =>
        Effect.suspend(() => (lags && ++reads < 100 ? Effect.succeed([]) : log.read(options)))
    }
    const watch = yield* Watch.make<number>(behind)
    const watcher = yield* watch.open(ChangeLog.key("a"), {
      after: ChangeLog.start((yield* log.head).head.epoch)
    })
    yield* settled
    expect(reads).toBeLessThan(5)
    expect(Option.getOrThrow((yield* watch.health).cause)).toMatchObject({ reason: "Unavailable" })
    lags = false
    const taken = yield* Effect.fork(taking(watcher, 3))
    yield* TestClock.adjust("3 seconds")
    expect(yield* Fiber.join(taken)).toEqual(["1: a=1", "2: a=2", "synced 2"])
  })

  it.scoped("a follow begins also where nothing can be interrupted, as in a server's handlers", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const watcher = yield* Effect.uninterruptible(watch.open(ChangeLog.key("a"), { snapshot: "first" }))
      yield* put("a", 1)
      expect(yield* taking(watcher, 3)).toEqual(["snapshot 0: ", "synced 0", "1: a=1"])
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

  it.scoped("a log that does not answer makes the state Suspect, with its cause until it answers", () =>
    Effect.gen(function* () {
      const { flaky, go } = yield* flakyLog
      const watch = yield* Watch.make(flaky, { heartbeat: "20 seconds" })
      const watcher = yield* watch.open(ChangeLog.key("a"))
      const states = Effect.map(Effect.all([watch.health, watcher.health]), ([{ state, cause }, of]) => [
        state,
        of.state,
        Option.getOrUndefined(Option.map(cause, ({ message }) => message))
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
      const { flaky, go, log } = yield* flakyLog
      const watch = yield* Watch.make(
        { ...log, read: (options) => (options.after.seq === 0 ? flaky : log).read(options) },
        { heartbeat: "0 seconds" }
      )
      const { epoch } = yield* log.append([ChangeLog.put("a", 1)])
      const behind = yield* watch.open(ChangeLog.key("a"), { after: ChangeLog.start(epoch) })
      go("away")
      yield* TestClock.adjust("1 second")
      expect(Option.isSome((yield* watch.health).cause)).toBe(true)
      yield* log.compact(1)
      go("back")
      yield* TestClock.adjust("3 seconds")
      expect(yield* watch.health).toMatchObject({ watchers: 0, cause: Option.none() })
      expect((yield* Effect.flip(behind.take)).reason).toBe("Compacted")
    })
  )

  it.scoped("the cap on watchers is a typed refusal", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp({ maxWatchers: 2 })
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

describe("a watch whose log fails for good", () => {
  const refused = new ChangeLog.ChangeLogError({ reason: "Invalid", message: "a row cannot be read" })
  const dead = new Error("dead")
  const faults: {
    readonly [what: string]: readonly [Effect.Effect<never, ChangeLog.ChangeLogError>, unknown, object]
  } = {
    "when it refuses to be read has failed, says why, and begins no follow any more": [
      Effect.fail(refused),
      refused,
      refused
    ],
    "when it dies has failed, says why, and begins no follow any more": [
      Effect.die(dead),
      dead,
      { _tag: "ChangeLogError", reason: "Unavailable", cause: dead }
    ]
  }
  for (const [what, [fault, cause, trouble]] of Object.entries(faults)) {
    scenario(what, function* () {
      const log = yield* logOf()
      let isBroken = false
      const read: typeof log.read = (options) => (isBroken ? fault : log.read(options))
      const watch = yield* Watch.make({ ...log, read }, { heartbeat: "10 seconds" })
      const watchers = yield* Effect.replicateEffect(watch.open(ChangeLog.key("a")), 2)
      isBroken = true
      yield* watch.publish([ChangeLog.put("a", 1)])
      yield* settled
      for (const { take } of watchers) {
        yield* take
        expect(yield* Effect.flip(take)).toMatchObject({ reason: "Failed", cause })
      }
      const failed = { state: "Failed", watchers: 0, cause: { _tag: "Some", value: trouble } }
      expect(yield* watch.health).toMatchObject(failed)
      isBroken = false
      // It stays so, whatever the log answers later.
      yield* TestClock.adjust("1 minute")
      expect(yield* watch.health).toMatchObject(failed)
      for (const snapshot of ["none", "first"] as const) {
        expect(yield* Effect.flip(watch.open(ChangeLog.key("a"), { snapshot }))).toMatchObject({
          _tag: "WatchRefused",
          reason: "Log",
          cause
        })
      }
      expect((yield* watch.publish([ChangeLog.put("a", 2)])).seq).toBe(2)
      yield* watch.close
      expect(yield* watch.health).toMatchObject({ ...failed, state: "Closed" })
    })
  }

  scenario("in what one watcher has yet to read ends that watcher alone", function* () {
    const log = yield* logOf()
    const { epoch } = (yield* log.head).head
    const read: typeof log.read = (options) =>
      options.after.seq === 0 && options.limit > 1 ? Effect.fail(refused) : log.read(options)
    const watch = yield* Watch.make({ ...log, read }, { heartbeat: 0 })
    yield* log.append([ChangeLog.put("a", 1)])
    const live = yield* watch.open(ChangeLog.key("a"))
    const behind = yield* watch.open(ChangeLog.key("a"), { after: ChangeLog.start(epoch) })
    expect(yield* Effect.flip(behind.take)).toMatchObject({
      reason: "Failed",
      cause: refused,
      cursor: { seq: 0 }
    })
    yield* log.append([ChangeLog.put("a", 2)])
    expect(yield* taking(live, 2)).toEqual(["synced 1", "2: a=2"])
    expect(yield* watch.health).toMatchObject({ state: "Live", cause: Option.none() })
  })

  it.effect("one whose scope has ended is closed", () =>
    Effect.gen(function* () {
      const log = yield* logOf()
      const watch = yield* Effect.scoped(Watch.make(log))
      expect(yield* watch.health).toMatchObject({ state: "Closed", cause: Option.none() })
      expect(yield* Effect.flip(Effect.scoped(watch.open(ChangeLog.key("a"))))).toMatchObject({
        reason: "Closed"
      })
    })
  )
})
