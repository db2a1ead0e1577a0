/** A live table and the log of its table: own events, foreign ones, and revisions (rules 11, 13). */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import { makeMemorySource } from "../../src/internal/table/memory.js"
import * as LiveTable from "../../src/LiveTable.js"
import { Query } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { freshnessOf, idsOf, type Key, key, keys, stateOf } from "../support/liveTable/keys.js"
import { scenario, settled, started } from "../support/time/turn.js"

const active = { where: Query.eq("state", "active") }

/** A live table that follows the log of its master, whose replies wait for a latch that is open at first. */
const followed = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  const source = yield* makeMemorySource(keys, log)
  const foreign = yield* Table.make(keys, source)
  const replies = yield* Effect.makeLatch(true)
  const master = yield* Table.make(keys, {
    ...source,
    write: (writes, batch) => Effect.tap(source.write(writes, batch), replies.await)
  })
  const changes = yield* Watch.make(log)
  yield* foreign.insert(key("k1", "old"))
  const live = yield* LiveTable.make(master, { changes, sample: 0, closeDeadline: 0 })
  yield* live.ready
  yield* TestClock.adjust(1_000)
  expect((yield* live.health).state).toBe("Live")
  return { live, foreign, replies }
}).pipe(Effect.orDie)

const revisionOf = ({ revision }: LiveTable.Answer<unknown> | Table.Written<typeof keys>) =>
  Option.getOrThrow(revision)

describe("a live table that follows the log of its table", () => {
  scenario(
    "invalidates by an own event that comes before its reply, and serves the write then",
    function* () {
      const { live, replies } = yield* followed
      yield* live.get("k1")
      yield* live.list(active)
      yield* replies.close
      const write = yield* started(live.patch("k1", { state: "active" }))
      yield* TestClock.adjust(100)
      // The reply is late, and the event was delivered.
      expect(write.unsafePoll()).toBe(null)
      expect(stateOf(yield* live.get("k1"))).toBe("active")
      expect(idsOf(yield* live.list(active))).toBe("k1")
      yield* replies.open
      yield* Fiber.join(write)
      expect(stateOf(yield* live.get("k1"))).toBe("active")
      expect(idsOf(yield* live.list(active))).toBe("k1")
    }
  )

  scenario("keeps what an own write has stored when its event comes after the reply", function* () {
    const { live } = yield* followed
    yield* live.patch("k1", { state: "new" })
    yield* TestClock.adjust(100)
    const answer: LiveTable.Answer<Option.Option<Key>> = live.unsafeGet("k1")!
    expect([stateOf(answer), freshnessOf(answer)]).toEqual(["new", "Fresh"])
  })

  scenario(
    "drops what foreign writes have changed when the log delivers them, and nothing else",
    function* () {
      const { foreign, live } = yield* followed
      yield* live.insert(key("k2", "old"))
      yield* live.getMany(["k1", "k2"])
      yield* foreign.patch("k1", { state: "active" })
      yield* TestClock.adjust(100)
      expect(live.unsafeGet("k1")).toBe(undefined)
      expect(freshnessOf(live.unsafeGet("k2")!)).toBe("Fresh")
      expect(stateOf(yield* live.get("k1"))).toBe("active")
    }
  )

  scenario("waits with atLeast until the log has delivered the revision, or asks the master", function* () {
    const { foreign, live } = yield* followed
    yield* live.get("k1")
    const written = yield* foreign.patch("k1", { state: "new" })
    const answer = yield* live.get("k1", { atLeast: revisionOf(written) })
    expect(stateOf(answer)).toBe("new")
    expect(revisionOf(answer).seq).toBeGreaterThanOrEqual(revisionOf(written).seq)
    const own = yield* live.patch("k1", { state: "newer" })
    expect(stateOf(yield* live.get("k1", { atLeast: revisionOf(own) }))).toBe("newer")
    const future = { ...revisionOf(own), epoch: "another" }
    const other = yield* started(live.get("k1", { atLeast: future, wait: 50 }))
    yield* TestClock.adjust(50)
    expect(stateOf(yield* Fiber.join(other))).toBe("newer")
    yield* settled
  })
})
