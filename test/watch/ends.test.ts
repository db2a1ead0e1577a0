/** How the owner of a log ends a watch, or one of its watchers. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Scope, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Watch from "../../src/Watch.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { logOf, setUp, taking } from "../support/watch/watches.js"

const all = ChangeLog.prefix("")

describe("a watch that its owner ends", () => {
  for (const reason of ["Expired", "Ended", "Failed"] as const) {
    scenario(`delivers what is committed, ends every watcher as ${reason}, and refuses others`, function* () {
      const { put, watch } = yield* setUp()
      const one = yield* watch.open(all)
      const waits = yield* started(Effect.flip(Effect.forever(one.take)))
      const other = yield* watch.open(all)
      yield* put("a", 1)
      yield* watch.end(reason, "the owner's words", "the owner's cause")
      const expected = {
        reason,
        message: "the owner's words",
        cause: "the owner's cause",
        cursor: { seq: 1 }
      }
      expect(yield* Fiber.join(waits)).toMatchObject(expected)
      expect(yield* taking(other, 2)).toEqual(["synced 0", "1: a=1"])
      expect(yield* Effect.flip(other.take)).toMatchObject(expected)
      expect(yield* Effect.flip(other.synced)).toMatchObject(expected)
      const refused = yield* Effect.flip(watch.open(all))
      expect(refused).toMatchObject({ _tag: "WatchRefused", reason: "Ended", ended: reason })
      expect((yield* watch.health).watchers).toBe(0)
    })
  }

  scenario("ends once: the first of close and end holds", function* () {
    const closed = yield* setUp()
    const one = yield* closed.watch.open(all)
    yield* closed.watch.close
    yield* closed.watch.end("Expired", "too late")
    expect(yield* Effect.flip(Effect.forever(one.take))).toMatchObject({ reason: "Closed" })
    expect(yield* Effect.flip(closed.watch.open(all))).toMatchObject({ reason: "Closed" })

    const log = yield* logOf()
    const scope = yield* Scope.make()
    const watch = yield* Scope.extend(Watch.make(log), scope)
    const other = yield* watch.open(all)
    yield* Effect.all([watch.end("Expired", "first"), watch.end("Ended", "second"), watch.close], {
      concurrency: 3
    })
    yield* watch.end("Ended", "third")
    expect(yield* Effect.flip(Effect.forever(other.take))).toMatchObject({
      reason: "Expired",
      message: "first"
    })
    expect(yield* Effect.flip(watch.open(all))).toMatchObject({ reason: "Ended", ended: "Expired" })
  })

  scenario("ends as the first of its ends, also if that was interrupted", function* () {
    const log = yield* logOf()
    const watch = yield* Watch.make({ ...log, read: () => Effect.never })
    const one = yield* watch.open(all)
    yield* taking(one, 1)
    yield* log.append([ChangeLog.put("a", 1)])
    yield* settled
    const first = yield* started(watch.end("Expired", "first"))
    yield* Fiber.interrupt(first)
    const second = yield* started(watch.end("Ended", "second"))
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(second)
    expect(yield* Effect.flip(one.take)).toMatchObject({ reason: "Expired", message: "first" })
  })

  scenario("waits neither for a watcher without room nor for a snapshot", function* () {
    const log = yield* logOf()
    const watch = yield* Watch.make(log, { snapshots: () => Effect.never })
    let version = 1
    const full = yield* watch.open(all, { buffer: 1 })
    const waiting = yield* watch.open(all, { view: { version: () => version, visible: () => () => true } })
    yield* taking(waiting, 1)
    version++
    yield* watch.recheck
    for (const value of [1, 2, 3]) yield* log.append([ChangeLog.put("a", value)])
    yield* settled
    expect((yield* waiting.health).state).toBe("Behind")
    yield* watch.end("Expired", "over")
    expect(yield* taking(full, 2)).toEqual(["synced 0", "1: a=1"])
    expect(yield* Effect.flip(full.take)).toMatchObject({ reason: "Expired", cursor: { seq: 1 } })
    expect(yield* Effect.flip(waiting.take)).toMatchObject({ reason: "Expired", cursor: { seq: 0 } })
  })
})

describe("a watcher that its owner ends", () => {
  scenario("gets one end, behind what waits, and no other watcher does", function* () {
    const { put, watch } = yield* setUp()
    const one = yield* watch.open(all)
    const other = yield* watch.open(all)
    yield* put("a", 1)
    yield* settled
    yield* one.end("Ended", "unsubscribed")
    yield* one.cancel
    yield* watch.end("Expired", "over")
    expect(yield* taking(one, 2)).toEqual(["synced 0", "1: a=1"])
    expect(yield* Effect.flip(one.take)).toMatchObject({ reason: "Ended", message: "unsubscribed" })
    expect(yield* Effect.flip(Effect.forever(other.take))).toMatchObject({ reason: "Expired" })
  })
})
