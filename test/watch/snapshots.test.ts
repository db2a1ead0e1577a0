/** Snapshots of watchers: what they hold, and whom it holds up when one of them is slow, hangs or fails. */
import { TransactionConnection } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Watch from "../../src/Watch.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { brief, writing } from "../support/watch/frames.js"
import { away, logOf, setUp, taking } from "../support/watch/watches.js"

type Log = ChangeLog.ChangeLog<number>
type Snapshots = NonNullable<Watch.Options<number>["snapshots"]>

/** A watch whose snapshots come from a script, which may use those of the log. */
const scripted = (script: (log: Log) => Snapshots, options: Watch.Options<number> = {}) =>
  Effect.gen(function* () {
    const log = yield* logOf()
    const watch = yield* Watch.make(log, { heartbeat: 0, ...options, snapshots: script(log) })
    return { log, watch, ...writing(log) }
  })

const ofLog =
  (log: Log): Snapshots =>
  (selector) =>
    Effect.orDie(log.snapshot(selector))

const rest = (watcher: Watch.Watcher<number>): ReadonlyArray<string> => {
  const frames: Array<string> = []
  for (let frame = watcher.unsafePoll(); frame !== undefined; frame = watcher.unsafePoll()) {
    frames.push(brief(frame))
  }
  return frames
}

/** Watchers who have told what they were told, and cannot read on: only a snapshot helps them. */
const lose = (
  { log, watch }: { readonly log: Log; readonly watch: Watch.Watch<number> },
  count = 1,
  follow: Watch.FollowOptions<number> = {}
) =>
  Effect.gen(function* () {
    const open = watch.open(ChangeLog.prefix("k/"), { buffer: 1, autoResnapshot: "on", ...follow })
    const lost = yield* Effect.replicateEffect(open, count)
    for (const value of [1, 2, 3]) yield* log.append([ChangeLog.put("k/a", value)])
    yield* settled
    yield* log.compact(3)
    for (const watcher of lost) expect(rest(watcher)).toEqual(["synced 0", "1: k/a=1"])
    yield* settled
    return lost as [Watch.Watcher<number>, ...Array<Watch.Watcher<number>>]
  })

const big = (event: ChangeLog.Event<number>): boolean => event._tag === "Put" && event.value > 1

describe("a predicate and a snapshot", () => {
  it.scoped("the entries that it does not take are left out, and it sees them as puts", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      for (const [key, value] of Object.entries({ "k/a": 1, "k/b": 2, "k/c": 3 })) yield* put(key, value)
      const seen: Array<ChangeLog.Event<number>> = []
      const where = (event: ChangeLog.Event<number>) => {
        seen.push(event)
        return big(event)
      }
      const watcher = yield* watch.open(ChangeLog.prefix("k/"), { where, snapshot: "first" })
      expect(yield* taking(watcher, 2)).toEqual(["snapshot 3: k/b=2, k/c=3", "synced 3"])
      expect(seen).toMatchObject([1, 2, 3].map((n) => ({ _tag: "Put", value: n, revision: { seq: n } })))
    })
  )

  scenario("a snapshot in the middle too: what was not delivered is not reported as gone", function* () {
    const { log, put, remove, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.prefix("k/"), {
      buffer: 1,
      autoResnapshot: "on",
      where: ({ key }) => !key.startsWith("k/of another/")
    })
    yield* put("k/of another/x", 1)
    yield* put("k/a", 2)
    for (const value of [3, 4]) yield* put("k/b", value)
    yield* put("k/of another/y", 5)
    yield* remove("k/of another/x")
    yield* remove("k/a")
    yield* settled
    yield* log.compact(7)
    expect(rest(watcher)).toEqual(["synced 0", "2: k/a=2"])
    yield* settled
    expect(rest(watcher)).toEqual(["gap 3-7 Compacted", "snapshot 7: k/b=4 without k/a", "synced 7"])
  })

  const thrower = (event: ChangeLog.Event<number>): boolean => {
    if (event._tag === "Put" && event.value === 3) throw new Error("no")
    return true
  }

  scenario("one that throws on an entry ends its watcher alone", function* () {
    const { put, watch } = yield* setUp()
    const other = yield* watch.open(ChangeLog.prefix("k/"))
    yield* put("k/a", 3)
    const first = yield* watch.open(ChangeLog.prefix("k/"), { where: thrower, snapshot: "first" })
    expect(yield* Effect.flip(first.take)).toMatchObject({
      reason: "Failed",
      cause: new Error("no"),
      cursor: { seq: 0 }
    })
    expect((yield* watch.health).watchers).toBe(1)
    yield* put("k/a", 4)
    expect(yield* taking(other, 3)).toEqual(["synced 0", "1: k/a=3", "2: k/a=4"])
  })

  scenario("one that throws on an entry of a later snapshot ends its watcher alone", function* () {
    const world = yield* setUp()
    const other = yield* world.watch.open(ChangeLog.prefix("k/"))
    const [lost] = yield* lose(world, 1, { where: thrower })
    expect(yield* Effect.flip(lost.take)).toMatchObject({ reason: "Failed", message: "its predicate threw" })
    expect((yield* taking(other, 4)).slice(2)).toEqual(["2: k/a=2", "3: k/a=3"])
  })
})

describe("a watcher that waits for a snapshot", () => {
  const no = new Error("no")
  const refused = new ChangeLog.ChangeLogError({ reason: "NoState", message: "no state" })
  const faults: { readonly [what: string]: readonly [Snapshots, unknown] } = {
    "fails for good": [() => Effect.fail(refused), refused],
    dies: [() => Effect.die(no), no],
    throws: [
      () => {
        throw no
      },
      no
    ],
    "interrupts itself": [() => Effect.interrupt, expect.anything()],
    "gives nothing": [() => Effect.succeed(undefined as never), expect.any(TypeError)]
  }
  for (const [what, [snapshots, cause]] of Object.entries(faults)) {
    scenario(`ends as Failed when its source ${what}; no other notices`, function* () {
      const world = yield* scripted(() => snapshots)
      const other = yield* world.watch.open(ChangeLog.prefix("k/"))
      const [lost] = yield* lose(world)
      expect(yield* Effect.flip(lost.take)).toMatchObject({ reason: "Failed", cause })
      yield* world.put("k/a", 4)
      expect((yield* taking(other, 5)).slice(3)).toEqual(["3: k/a=3", "4: k/a=4"])
      expect(yield* world.watch.health).toMatchObject({ state: "Live", watchers: 1 })
    })
  }

  scenario("is behind, with the cause, while its source is away, and live when it is back", function* () {
    let isAway = true
    const world = yield* scripted(
      (log) => (selector) => Effect.suspend(() => (isAway ? Effect.fail(away) : ofLog(log)(selector)))
    )
    const other = yield* world.watch.open(ChangeLog.prefix("k/"))
    const [lost] = yield* lose(world)
    yield* TestClock.adjust("1 minute")
    expect(yield* lost.health).toMatchObject({
      state: "Behind",
      cause: Option.some(away),
      cursor: { seq: 1 }
    })
    expect(yield* world.watch.health).toMatchObject({ state: "Live", behind: 1, cause: Option.none() })
    yield* world.put("k/b", 4)
    expect((yield* taking(other, 5)).slice(3)).toEqual(["3: k/a=3", "4: k/b=4"])
    isAway = false
    yield* TestClock.adjust("3 seconds")
    expect(rest(lost)).toEqual(["gap 2-4 Compacted", "snapshot 4: k/a=3, k/b=4", "synced 4"])
    expect(yield* lost.health).toMatchObject({ state: "Live", cause: Option.none() })
  })

  /** A source that hangs, and tells when it is interrupted. */
  const hanging = Effect.gen(function* () {
    const interrupted = yield* Deferred.make<void>()
    const snapshots: Snapshots = () =>
      Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
    return { interrupted: Deferred.await(interrupted), snapshots }
  })

  scenario("holds up no other while its source hangs, and its cancel ends the wait", function* () {
    const { interrupted, snapshots } = yield* hanging
    const world = yield* scripted(() => snapshots)
    const other = yield* world.watch.open(ChangeLog.prefix("k/"))
    const [lost] = yield* lose(world)
    yield* TestClock.adjust("1 hour")
    expect(yield* lost.health).toMatchObject({ state: "Behind", buffered: 0 })
    yield* world.put("k/a", 4)
    expect((yield* taking(other, 5)).slice(3)).toEqual(["3: k/a=3", "4: k/a=4"])
    expect(yield* taking(yield* world.watch.open(ChangeLog.key("x")), 1)).toEqual(["synced 4"])
    yield* lost.cancel
    yield* interrupted
    expect(yield* Effect.flip(lost.take)).toMatchObject({ reason: "Closed", cursor: { seq: 1 } })
  })

  scenario("is ended at once by the end of the watch, and its source is interrupted", function* () {
    const { interrupted, snapshots } = yield* hanging
    const scope = yield* Scope.make()
    const world = yield* Scope.extend(
      scripted(() => snapshots),
      scope
    )
    const [lost] = yield* lose(world)
    yield* Scope.close(scope, Exit.void)
    yield* interrupted
    expect((yield* Effect.flip(lost.take)).reason).toBe("Closed")
  })

  scenario("does not wait for many whose source hangs", function* () {
    let asked = 0
    const world = yield* scripted(
      (log) => (selector) => (++asked <= 20 ? Effect.never : ofLog(log)(selector))
    )
    const lost = yield* lose(world, 21)
    yield* TestClock.adjust("3 seconds")
    expect(lost.filter((watcher) => rest(watcher).length === 3).length).toBe(1)
  })

  scenario("shares its source with few at once", function* () {
    let now = 0
    let most = 0
    const world = yield* scripted((log) => (selector) => {
      most = Math.max(most, ++now)
      const taken = Effect.zipRight(Effect.sleep("100 millis"), ofLog(log)(selector))
      return Effect.ensuring(
        taken,
        Effect.sync(() => now--)
      )
    })
    const lost = yield* lose(world, 50)
    yield* TestClock.adjust("1 second")
    expect(lost.filter((watcher) => rest(watcher).length === 3).length).toBe(50)
    expect(most).toBe(8)
  })

  scenario("holds one snapshot, however often it cannot read on before it takes anything", function* () {
    const { log, put, watch } = yield* setUp()
    const lost = yield* watch.open(ChangeLog.prefix("k/"), { autoResnapshot: "on", buffer: 2 })
    for (let i = 1; i <= 5; i++) {
      const { seq } = yield* put("k/a", i)
      yield* put("k/b", i)
      yield* log.compact(seq + 1)
      yield* settled
    }
    expect(rest(lost)).toEqual(["synced 0", "gap 1-10 Compacted", "snapshot 10: k/a=5, k/b=5", "synced 10"])
  })
})

describe("a source of snapshots whose revisions the log cannot go on from", () => {
  const at =
    (revision: ChangeLog.Revision): Snapshots =>
    () =>
      Effect.succeed({ revision, entries: [] })
  const cases: {
    readonly [what: string]: readonly [(log: Log) => Effect.Effect<ChangeLog.Revision>, string]
  } = {
    "ends its watcher when it is of what is gone, after some more tries": [
      (log) => Effect.map(Effect.orDie(log.head), ({ head }) => ({ ...head, seq: 1 })),
      "Compacted"
    ],
    "ends its watcher when it is of another epoch, after some more tries": [
      () => Effect.succeed({ epoch: "another", seq: 3, tag: 0 }),
      "EpochChanged"
    ],
    "ends its watcher when it is of what is not there yet, after some more tries": [
      (log) => Effect.map(Effect.orDie(log.head), ({ head }) => ({ ...head, seq: 99 })),
      "EpochChanged"
    ],
    "ends its watcher when it is of a number of another history, after some more tries": [
      (log) => Effect.map(Effect.orDie(log.head), ({ head }) => ({ ...head, tag: head.tag + 1 })),
      "EpochChanged"
    ]
  }
  for (const [what, [revisionOf, reason]] of Object.entries(cases)) {
    scenario(what, function* () {
      let asked = 0
      const world = yield* scripted((log) => (selector) => {
        asked++
        return Effect.flatMap(revisionOf(log), (revision) => at(revision)(selector))
      })
      const [lost] = yield* lose(world)
      yield* TestClock.adjust("10 seconds")
      expect(yield* Effect.flip(lost.take)).toMatchObject({ reason })
      expect(asked).toBe(6)
      const opened = yield* Effect.either(world.watch.open(ChangeLog.prefix("k/"), { snapshot: "first" }))
      expect(opened).toMatchObject({ _tag: "Left", left: { _tag: reason } })
    })
  }

  scenario("but one that is only older is read on from: nothing is left out", function* () {
    const log = yield* ChangeLog.make<number>()
    let taken: ChangeLog.Snapshot<number> = { revision: ChangeLog.start(""), entries: [] }
    const watch = yield* Watch.make(log, { heartbeat: 0, snapshots: () => Effect.succeed(taken) })
    const world = { log, watch }
    const ahead = yield* watch.open(ChangeLog.key("x"))
    yield* log.append([ChangeLog.put("k/a", 0)])
    const { head } = yield* log.head
    taken = { revision: head, entries: [{ key: "k/a", value: 0, revision: head }] }
    for (const value of [1, 2]) yield* log.append([ChangeLog.put("k/a", value)])
    yield* settled
    expect(rest(ahead)).toEqual(["synced 0"])
    const first = yield* watch.open(ChangeLog.prefix("k/"), { snapshot: "first" })
    expect(yield* taking(first, 4)).toEqual(["snapshot 1: k/a=0", "2: k/a=1", "3: k/a=2", "synced 3"])
    taken = { ...taken, revision: (yield* log.head).head }
    const before = (yield* log.head).head.seq
    const open = watch.open(ChangeLog.prefix("k/"), { buffer: 1, autoResnapshot: "on" })
    const slow = yield* open
    for (const value of [3, 4, 5]) yield* log.append([ChangeLog.put("k/a", value)])
    yield* settled
    taken = { ...taken, revision: (yield* log.read({ after: taken.revision, limit: 2 }))[1]!.revision }
    yield* world.log.compact(before + 2)
    expect(rest(slow)).toEqual(["synced 3", "4: k/a=3"])
    yield* settled
    expect(yield* taking(slow, 4)).toEqual(["gap 5-5 Compacted", "snapshot 5: k/a=0", "6: k/a=5", "synced 6"])
  })
})

describe("a follow that begins", () => {
  scenario(
    "with a snapshot that hangs holds up nobody, and is refused when the watch is closed",
    function* () {
      const world = yield* scripted(() => () => Effect.never)
      const opening = yield* started(
        Effect.flip(world.watch.open(ChangeLog.prefix("k/"), { snapshot: "first" }))
      )
      const other = yield* world.watch.open(ChangeLog.prefix("k/"))
      yield* world.put("k/a", 1)
      expect(yield* taking(other, 2)).toEqual(["synced 0", "1: k/a=1"])
      yield* world.watch.close
      expect(yield* Fiber.join(opening)).toMatchObject({ _tag: "WatchRefused", reason: "Closed" })
    }
  )

  scenario("with a snapshot that hangs interrupts it when the follow ends", function* () {
    const interrupted = yield* Deferred.make<void>()
    const world = yield* scripted(
      () => () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
    )
    const opening = yield* started(world.watch.open(ChangeLog.prefix("k/"), { snapshot: "first" }))
    yield* Fiber.interrupt(opening)
    yield* Deferred.await(interrupted)
    expect((yield* world.watch.health).watchers).toBe(0)
  })

  scenario("where the log hangs holds up no other", function* () {
    const log = yield* logOf()
    const { epoch } = (yield* log.head).head
    const watch = yield* Watch.make({
      ...log,
      read: (options) => (options.after.seq === 0 && options.limit === 1 ? Effect.never : log.read(options))
    })
    const other = yield* watch.open(ChangeLog.key("a"))
    yield* started(watch.open(ChangeLog.key("a"), { after: ChangeLog.start(epoch) }))
    yield* log.append([ChangeLog.put("a", 1)])
    expect(yield* taking(other, 2)).toEqual(["synced 0", "1: a=1"])
  })

  scenario(
    "while others write misses nothing and repeats nothing, however long its snapshot takes",
    function* () {
      const world = yield* scripted(
        (log) => (selector) => Effect.zipLeft(ofLog(log)(selector), Effect.sleep("1 second"))
      )
      const other = yield* world.watch.open(ChangeLog.prefix("k/"))
      yield* world.put("k/a", 1)
      const opening = yield* started(world.watch.open(ChangeLog.prefix("k/"), { snapshot: "first" }))
      for (const value of [2, 3]) yield* world.put("k/a", value)
      yield* settled
      yield* TestClock.adjust("1 second")
      const watcher = yield* Fiber.join(opening)
      yield* world.put("k/a", 4)
      const frames = ["snapshot 1: k/a=1", "2: k/a=2", "3: k/a=3", "synced 3", "4: k/a=4"]
      expect(yield* taking(watcher, 5)).toEqual(frames)
      expect(rest(watcher)).toEqual([])
      expect(rest(other).length).toBe(5)
    }
  )

  it.scoped("does not look at the log from within the transaction of its caller", () =>
    Effect.gen(function* () {
      const log = yield* logOf()
      const inside: Array<boolean> = []
      const noted = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.flatMap(Effect.serviceOption(TransactionConnection), (found) => {
          inside.push(Option.isSome(found))
          return effect
        })
      const watch = yield* Watch.make({
        ...log,
        head: noted(log.head),
        read: (options) => noted(log.read(options)),
        snapshot: (selector) => noted(log.snapshot(selector))
      })
      const { head } = yield* log.head
      const key = ChangeLog.key("a")
      yield* Effect.all([
        watch.open(key),
        watch.open(key, { after: head }),
        watch.open(key, { snapshot: "first" })
      ]).pipe(Effect.provideService(TransactionConnection, [undefined as never, 0]))
      expect(inside.length).toBeGreaterThan(3)
      expect(inside).not.toContain(true)
    })
  )

  it.scoped("is refused for the cap before it takes a snapshot, and when the place is gone meanwhile", () =>
    Effect.gen(function* () {
      let asked = 0
      const world = yield* scripted(
        (log) => (selector) =>
          Effect.zipRight(
            Effect.sync(() => asked++),
            ofLog(log)(selector)
          ),
        {
          maxWatchers: 1
        }
      )
      const open = Effect.either(world.watch.open(ChangeLog.key("a"), { snapshot: "first" }))
      const both = yield* Effect.all([open, open], { concurrency: 2 })
      expect(both.map(({ _tag }) => _tag).sort()).toEqual(["Left", "Right"])
      const before = asked
      expect(yield* open).toMatchObject({ left: { reason: "Full" } })
      expect(asked).toBe(before)
    })
  )
})
