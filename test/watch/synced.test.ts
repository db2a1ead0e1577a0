import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Watch from "../../src/Watch.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { brief } from "../support/watch/frames.js"
import { away, flakyLog, logOf, setUp, taking } from "../support/watch/watches.js"

/** What a reader that waits has been answered: the number of the head, the end in a word, or that it waits. */
const outcomeOf = (
  fiber: Fiber.RuntimeFiber<ChangeLog.Revision, Watch.WatchEnded | ChangeLog.ChangeLogError>
): number | string => {
  const exit = fiber.unsafePoll()
  if (exit === null) return "waits"
  return Exit.match(exit, {
    onSuccess: ({ seq }) => seq,
    onFailure: (cause) =>
      cause._tag === "Fail" ? `${cause.error._tag} ${cause.error.reason}` : String(cause._tag)
  })
}

const pollAll = (watcher: Watch.Watcher<number>): ReadonlyArray<string> => {
  const taken: Array<string> = []
  for (let next = watcher.unsafePoll(); next !== undefined; next = watcher.unsafePoll())
    taken.push(brief(next))
  return taken
}

describe("synced", () => {
  scenario("completes with the head when its reader has taken everything that matches", function* () {
    const { put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"))
    yield* put("b", 1)
    yield* watcher.take
    const head = yield* put("b", 2)
    expect(yield* watcher.synced).toEqual(head)
  })

  scenario("reads the log also when no doorbell rang", function* () {
    const log = yield* logOf()
    const watch = yield* Watch.make({ ...log, doorbell: () => Effect.void }, { heartbeat: 0 })
    const watcher = yield* watch.open(ChangeLog.key("a"))
    yield* settled
    pollAll(watcher)
    yield* log.append([ChangeLog.put("a", 1)])
    yield* settled
    expect(pollAll(watcher)).toEqual([])
    const synced = yield* started(watcher.synced)
    expect(outcomeOf(synced)).toBe("waits")
    expect(pollAll(watcher)).toEqual(["1: a=1"])
    yield* settled
    expect(outcomeOf(synced)).toBe(1)
  })

  scenario("waits for what is buffered, and for nothing that is committed later", function* () {
    const { put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"))
    for (const value of [1, 2]) yield* put("a", value)
    const synced = yield* started(watcher.synced)
    yield* put("a", 3)
    yield* settled
    expect(yield* taking(watcher, 2)).toEqual(["synced 0", "1: a=1"])
    yield* settled
    expect(outcomeOf(synced)).toBe("waits")
    yield* watcher.take
    yield* settled
    expect(outcomeOf(synced)).toBe(2)
    expect(pollAll(watcher)).toEqual(["3: a=3"])
  })

  scenario("of one that is behind waits until it has read on from the log, and was taken", function* () {
    const { put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"), { buffer: 1 })
    for (let value = 1; value <= 5; value++) yield* put("a", value)
    const synced = yield* started(watcher.synced)
    yield* put("b", 6)
    yield* taking(watcher, 5)
    yield* settled
    expect(outcomeOf(synced)).toBe("waits")
    yield* watcher.take
    yield* settled
    expect(outcomeOf(synced)).toBe(5)
  })

  scenario("of one that is behind completes where nothing more matches", function* () {
    const { log, put, watch } = yield* setUp()
    const after = (yield* log.head).head
    for (let value = 1; value <= 3; value++) yield* put("b", value)
    const watcher = yield* watch.open(ChangeLog.key("a"), { after })
    const synced = yield* started(watcher.synced)
    expect(outcomeOf(synced)).toBe(3)
  })

  scenario("of one that blocks waits for its reader, and the publisher does too", function* () {
    const { watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"), { buffer: 1, policy: "block" })
    const publishing = Effect.forEach([1, 2], (value) => watch.publish([ChangeLog.put("a", value)]))
    const writer = yield* started(publishing)
    const synced = yield* started(watcher.synced)
    expect(yield* taking(watcher, 2)).toEqual(["synced 0", "1: a=1"])
    yield* settled
    expect(outcomeOf(synced)).toBe("waits")
    expect(yield* taking(watcher, 1)).toEqual(["2: a=2"])
    yield* Fiber.join(writer)
    yield* settled
    expect(outcomeOf(synced)).toBe(2)
  })

  scenario("of one that conflates: nothing before its head is replaced by what comes behind", function* () {
    const { put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.prefix(""), { buffer: 1, policy: "conflate" })
    yield* settled
    pollAll(watcher)
    for (let value = 1; value <= 3; value++) yield* put("a", value)
    yield* settled
    const first = yield* started(watcher.synced)
    for (let value = 4; value <= 9; value++) yield* put("a", value)
    yield* settled
    const second = yield* started(watcher.synced)
    for (let value = 10; value <= 15; value++) yield* put("a", value)
    yield* settled
    expect([outcomeOf(first), outcomeOf(second)]).toEqual(["waits", "waits"])
    expect(brief(watcher.unsafePoll()!)).toBe("3: a=3")
    yield* settled
    // What the second waits for was replaced: it needs what took its place.
    expect([outcomeOf(first), outcomeOf(second)]).toEqual([3, "waits"])
    for (let value = 16; value <= 20; value++) yield* put("a", value)
    yield* settled
    expect(brief(watcher.unsafePoll()!)).toBe("15: a=15")
    yield* settled
    expect(outcomeOf(second)).toBe(9)
    expect(pollAll(watcher).at(-1)).toBe("20: a=20")
  })

  scenario("of one that drops waits for the gap that announces it", function* () {
    const { put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"), { buffer: 1, policy: "drop-oldest" })
    for (let value = 1; value <= 2; value++) yield* put("a", value)
    const synced = yield* started(watcher.synced)
    yield* put("a", 3)
    yield* settled
    expect(yield* taking(watcher, 1)).toEqual(["synced 0"])
    yield* settled
    expect(outcomeOf(synced)).toBe("waits")
    expect(yield* taking(watcher, 1)).toEqual(["gap 1-2 Overflow"])
    yield* settled
    expect(outcomeOf(synced)).toBe(2)
  })

  scenario("fails with the end of its watcher, also one that has ended before", function* () {
    const { put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"))
    yield* put("a", 1)
    const synced = yield* started(watcher.synced)
    yield* watcher.cancel
    yield* settled
    expect(outcomeOf(synced)).toBe("WatchEnded Closed")
    expect(yield* Effect.flip(watcher.synced)).toMatchObject({ _tag: "WatchEnded", reason: "Closed" })
    // What was buffered is there.
    expect(yield* taking(watcher, 2)).toEqual(["synced 0", "1: a=1"])
  })

  scenario("fails when the watch is closed, although its log does not answer", function* () {
    const { flaky, go } = yield* flakyLog
    const watch = yield* Watch.make(flaky)
    const watcher = yield* watch.open(ChangeLog.key("a"))
    go("away")
    const synced = yield* started(watcher.synced)
    const closing = yield* started(watch.close)
    yield* TestClock.adjust("3 seconds")
    yield* Fiber.join(closing)
    expect(outcomeOf(synced)).not.toBe("waits")
  })

  scenario("fails when the history was renewed, and its watcher ends", function* () {
    const { log, put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"))
    yield* put("a", 1)
    const synced = yield* started(watcher.synced)
    yield* log.renewEpoch
    yield* settled
    expect(outcomeOf(synced)).toBe("WatchEnded EpochChanged")
  })

  scenario("completes in the new epoch, behind the snapshot that stands for the old one", function* () {
    const { log, put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"), { autoResnapshot: "on" })
    for (const value of [1, 2]) yield* put("a", value)
    const synced = yield* started(watcher.synced)
    yield* log.renewEpoch
    yield* put("a", 3)
    yield* settled
    expect(outcomeOf(synced)).toBe("waits")
    const { epoch } = (yield* log.head).head
    while (outcomeOf(synced) === "waits") {
      const frame = brief(yield* watcher.take)
      yield* settled
      expect(outcomeOf(synced)).toBe(frame === "snapshot 1: a=3" ? 1 : "waits")
    }
    expect((yield* Fiber.join(synced)).epoch).toBe(epoch)
  })

  scenario("waits for the snapshot of what is gone", function* () {
    const { log, put, watch } = yield* setUp()
    const watcher = yield* watch.open(ChangeLog.key("a"), { buffer: 1, autoResnapshot: "on" })
    for (let value = 1; value <= 4; value++) yield* put("a", value)
    yield* settled
    yield* log.compact(4)
    const synced = yield* started(watcher.synced)
    expect(yield* taking(watcher, 3)).toEqual(["synced 0", "1: a=1", "gap 2-4 Compacted"])
    yield* settled
    expect(outcomeOf(synced)).toBe("waits")
    expect(yield* taking(watcher, 1)).toEqual(["snapshot 4: a=4"])
    yield* settled
    expect(outcomeOf(synced)).toBe(4)
  })

  scenario("asks a log that does not answer again, until it does", function* () {
    const { flaky, go, log } = yield* flakyLog
    const watch = yield* Watch.make({ ...flaky, doorbell: () => Effect.void }, { heartbeat: 0 })
    const watcher = yield* watch.open(ChangeLog.key("a"))
    yield* settled
    pollAll(watcher)
    go("away")
    yield* log.append([ChangeLog.put("b", 1)])
    const synced = yield* started(watcher.synced)
    yield* TestClock.adjust("5 seconds")
    expect(outcomeOf(synced)).toBe("waits")
    expect((yield* watch.health).cause).toMatchObject({ value: away })
    go("back")
    yield* TestClock.adjust("3 seconds")
    expect(outcomeOf(synced)).toBe(1)
  })

  scenario("fails with another error of the log, and its watcher goes on", function* () {
    const { log, put } = yield* setUp()
    const broken = new ChangeLog.ChangeLogError({ reason: "Invalid", message: "broken" })
    let isBroken = false
    const head = Effect.suspend(() => (isBroken ? Effect.fail(broken) : log.head))
    const watch = yield* Watch.make({ ...log, head })
    const watcher = yield* watch.open(ChangeLog.key("a"))
    isBroken = true
    expect(yield* Effect.flip(watcher.synced)).toBe(broken)
    yield* put("a", 1)
    expect(yield* taking(watcher, 2)).toEqual(["synced 0", "1: a=1"])
  })

  scenario("is asked once for many, each after it began", function* () {
    const { log } = yield* setUp()
    let asked = 0
    const head = Effect.andThen(
      Effect.sync(() => asked++),
      Effect.andThen(Effect.sleep("1 second"), log.head)
    )
    const watch = yield* Watch.make({ ...log, head }, { heartbeat: 0 })
    const opening = yield* started(watch.open(ChangeLog.key("a")))
    yield* TestClock.adjust("1 second")
    const watcher = yield* Fiber.join(opening)
    yield* settled
    pollAll(watcher)
    asked = 0
    const many = yield* Effect.forEach(Array.from({ length: 50 }), () => started(watcher.synced))
    yield* log.append([ChangeLog.put("b", 1)])
    const late = yield* started(watcher.synced)
    yield* Fiber.interrupt(many[0]!)
    yield* TestClock.adjust("1 second")
    // The first began the question, the others came while it was asked.
    expect(asked).toBe(2)
    yield* TestClock.adjust("1 second")
    expect([asked, outcomeOf(many[49]!), outcomeOf(late)]).toEqual([2, 1, 1])
  })

  scenario("of one whose reader takes nothing delays no other", function* () {
    const { put, watch } = yield* setUp()
    const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 1 })
    const other = yield* watch.open(ChangeLog.key("a"))
    for (let value = 1; value <= 3; value++) yield* put("a", value)
    const waiting = yield* started(slow.synced)
    const synced = yield* started(other.synced)
    expect(pollAll(other)).toEqual(["synced 0", "1: a=1", "2: a=2", "3: a=3"])
    yield* settled
    expect([outcomeOf(waiting), outcomeOf(synced)]).toEqual(["waits", 3])
    yield* put("a", 4)
    yield* settled
    expect(pollAll(other)).toEqual(["4: a=4"])
    yield* Fiber.interrupt(waiting)
  })
})
