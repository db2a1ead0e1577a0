import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Watch from "../../src/Watch.js"
import { scenario, started } from "../support/time/turn.js"
import { brief } from "../support/watch/frames.js"
import { setUp, taking } from "../support/watch/watches.js"

describe("Watch.register", () => {
  it.scoped("delivers one key's changes from now on, in order", () =>
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
      expect((yield* watch.health).watchers).toBe(2)
      yield* one.release
      yield* one.release
      yield* Scope.close(scope, Exit.void)
      expect((yield* watch.health).watchers).toBe(0)
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
      expect((yield* watch.health).watchers).toBe(0)
    })
  )

  it.scoped("full: it is cancelled, what was buffered is delivered first, and others are not disturbed", () =>
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
      expect((yield* watch.health).watchers).toBe(1)
      // It resumes where it ended.
      const again = yield* watch.open(ChangeLog.key("a"), { after: ended.cursor })
      expect(yield* taking(again, 3)).toEqual(["3: a=3", "4: a=4", "synced 4"])
    })
  )
})

describe("Watch.follow", () => {
  it.scoped("a prefix gets the changes of its children, never those of a longer name", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const watcher = yield* watch.open(ChangeLog.prefix("/config/"))
      for (const key of ["/config", "/configextra", "/config/a", "/config/a/b", "/other/config/a"])
        yield* put(key, 1)
      expect(yield* taking(watcher, 3)).toEqual(["synced 0", "3: /config/a=1", "4: /config/a/b=1"])
    })
  )

  it.scoped("a range gets the changes from its beginning until before its end", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const watcher = yield* watch.open(ChangeLog.range("b", "d"))
      for (const key of ["a", "b", "c", "czz", "d"]) yield* put(key, 1)
      expect(yield* taking(watcher, 4)).toEqual(["synced 0", "2: b=1", "3: c=1", "4: czz=1"])
    })
  )

  it.scoped("many keys come in one stream, each event once, a revision whole", () =>
    Effect.gen(function* () {
      const { log, watch } = yield* setUp()
      const selector = ChangeLog.anyOf(
        ChangeLog.key("a/x"),
        ChangeLog.prefix("a/"),
        ChangeLog.range("b", "c")
      )
      const watcher = yield* watch.open(selector)
      yield* log.append([
        ChangeLog.put("a/x", 1),
        ChangeLog.put("z", 2),
        ChangeLog.put("b", 3),
        ChangeLog.remove("a/x")
      ])
      expect(yield* taking(watcher, 2)).toEqual(["synced 0", "1: a/x=1, b=3, -a/x"])
    })
  )

  it.scoped("a predicate filters inside of the selector", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const where = (event: ChangeLog.Event<number>) => event._tag === "Put" && event.value > 1
      const watcher = yield* watch.open(ChangeLog.key("a"), { where })
      for (const value of [1, 2, 3, 0]) yield* put("a", value)
      expect(yield* taking(watcher, 3)).toEqual(["synced 0", "2: a=2", "3: a=3"])
    })
  )

  it.scoped("a predicate that throws ends its watcher, and no other", () =>
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

  it.scoped("resumes after a revision, exclusive, and reports when it is live", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const cursor = yield* put("a", 1)
      yield* put("a", 2)
      yield* put("b", 3)
      const watcher = yield* watch.open(ChangeLog.key("a"), { after: cursor })
      expect(yield* taking(watcher, 2)).toEqual(["2: a=2", "synced 3"])
      yield* put("a", 4)
      expect(yield* taking(watcher, 1)).toEqual(["4: a=4"])
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
      const watcher = yield* watch.open(ChangeLog.prefix("k/"), { snapshot: "first" })
      yield* put("k/a", 6)
      expect(yield* taking(watcher, 3)).toEqual(["snapshot 5: k/a=2, k/b=1", "synced 5", "6: k/a=6"])
    })
  )

  it.scoped("reports that it is live on an empty set too", () =>
    Effect.gen(function* () {
      const { watch } = yield* setUp()
      const watcher = yield* watch.open(ChangeLog.prefix("none/"), { snapshot: "first" })
      expect(yield* taking(watcher, 2)).toEqual(["snapshot 0: ", "synced 0"])
    })
  )

  it.scoped("delivers the value before, when it is asked to", () =>
    Effect.gen(function* () {
      const { put, remove, watch } = yield* setUp()
      yield* put("a", 1)
      const watcher = yield* watch.open(ChangeLog.key("a"), { previous: "include" })
      const plain = yield* watch.open(ChangeLog.key("a"))
      yield* put("a", 2)
      yield* remove("a")
      yield* put("a", 3)
      const frames = yield* Effect.replicateEffect(watcher.take, 4)
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
    expect((yield* watch.health).watchers).toBe(0)
    const open = yield* watch.open(ChangeLog.key("a"))
    yield* watch.close
    const all = yield* Effect.flip(Stream.runDrain(open.frames))
    expect(all.reason).toBe("Closed")
    const refused = yield* Effect.flip(Stream.runDrain(watch.follow(ChangeLog.key("a"))))
    expect(refused).toMatchObject({ _tag: "WatchRefused", reason: "Closed" })
  })
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
          watch.open(ChangeLog.anyOf()),
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
      expect((yield* watch.health).watchers).toBe(0)
    })
  )

  it.scoped("an option that there is not is refused, and so is a value of another kind", () =>
    Effect.gen(function* () {
      const { log, watch } = yield* setUp()
      const refused: ReadonlyArray<readonly [Effect.Effect<unknown, unknown, Scope.Scope>, string, string]> =
        [
          [Watch.make(log, { hartbeat: 1 } as object), "hartbeat", "did you mean `heartbeat`?"],
          [Watch.make(log, { maxWatchers: 0 }), "maxWatchers", "must be a whole number above 0, not 0"],
          [Watch.make(log, { closeDeadline: -1 }), "closeDeadline", "must be a duration"],
          [Watch.make(log, { snapshots: 1 as never }), "snapshots", "must be a function"],
          [
            watch.open(ChangeLog.key("a"), { polici: "cancel" } as object),
            "polici",
            "did you mean `policy`?"
          ],
          [watch.open(ChangeLog.key("a"), { after: 7 as never }), "after", "must be a Revision of the log"],
          [watch.open(ChangeLog.key("a"), { policy: "wait" as never }), "policy", '"resync" or "conflate"'],
          [watch.register("a", { snapshot: "first" } as object), "snapshot", "there is no such option"]
        ]
      for (const [refusal, option, message] of refused) {
        const error = yield* Effect.flip(Effect.scoped(refusal))
        expect(error).toMatchObject({ _tag: "InvalidOptions", option })
        expect((error as Watch.InvalidOptions).message).toContain(message)
      }
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
