/** What followers of a pool get: one revision for each tick, and the last value always. */
import { describe, expect } from "@effect/vitest"
import { Effect, Stream, TestClock } from "effect"
import { board, clientOf, cursorOf, deltasOf, followed, shownBy } from "../support/mergePool/served.js"
import { scenario, settled } from "../support/time/turn.js"

describe("a tick", () => {
  scenario("makes one revision and one delta for each member of 10,000 merges", function* () {
    const { pool, pools } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    const members = [yield* followed(pool), yield* followed(pool)]
    yield* ann.title("a", "first")
    yield* settled
    for (let i = 1; i <= 10_000; i++) yield* ann.title(`row ${i % 3}`, `title ${i}`)
    yield* settled
    expect(members.map((member) => deltasOf(member).length)).toEqual([1, 1])
    yield* TestClock.adjust(49)
    yield* settled
    expect(members.map((member) => deltasOf(member).length)).toEqual([1, 1])
    yield* TestClock.adjust(1)
    yield* settled
    for (const member of members) {
      const [, delta, ...more] = deltasOf(member)
      expect(more).toEqual([])
      expect(delta?.length).toBe(3)
      expect(shownBy(member.frames)).toEqual([
        'a/title="first"',
        'row 0/title="title 9999"',
        'row 1/title="title 10000"',
        'row 2/title="title 9998"'
      ])
    }
    expect(yield* pools.stats).toMatchObject({ ticks: 2, applied: 10_001, cells: 10_001 })
  })

  scenario("begins with the first change, which comes at once, also after a pause", function* () {
    const { pool } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    const member = yield* followed(pool)
    for (const value of ["one", "two", "three"]) {
      yield* ann.title("a", value)
      yield* settled
      expect(shownBy(member.frames)).toEqual([`a/title="${value}"`])
      yield* TestClock.adjust(50)
    }
  })

  scenario("of more than 1 MiB makes several revisions, which hold all of it", function* () {
    const { pool } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    const member = yield* followed(pool)
    yield* ann.title("first", "")
    for (let i = 0; i < 12; i++) yield* ann.title(`row ${i}`, String(i).repeat(100_000))
    yield* TestClock.adjust(50)
    yield* settled
    expect(deltasOf(member).length).toBeGreaterThan(2)
    expect(shownBy(member.frames).length).toBe(13)
  })

  scenario("delivers what is larger than its log, one cell for each revision", function* () {
    const { pool } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    const labels = Array.from({ length: 40 }, (_, i) => `${i}`.repeat(50_000))
    for (const label of labels) yield* ann.edit("a", { labels: { _tag: "Add", members: [label] } })
    yield* TestClock.adjust(50)
    const member = yield* followed(pool)
    expect(shownBy(member.frames)).toHaveLength(1)
    expect(yield* Effect.flip(Effect.andThen(pool.end, pool.touch))).toMatchObject({ reason: "Ended" })
  })
})

describe("a member that is slow", () => {
  scenario("gets the last form of each cell, and no more waits for it than there are cells", function* () {
    const { pool } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    const fast = yield* followed(pool)
    const pull = yield* Stream.toPull(pool.follow({ buffer: 4 }))
    const taken = Array.from(yield* pull)
    for (let n = 0; n < 60; n++) {
      yield* ann.title(`row ${n % 3}`, `${n}`)
      yield* TestClock.adjust(50)
    }
    yield* settled
    expect(deltasOf(fast).length).toBe(60)
    while (!shownBy(taken).includes('row 2/title="59"')) taken.push(...(yield* pull))
    expect(deltasOf({ ...fast, frames: taken }).length).toBeLessThan(12)
    expect(shownBy(taken)).toEqual(shownBy(fast.frames))
  })
})

describe("J8: the last value", () => {
  for (const how of ["is ended", "is closed", "expires"] as const) {
    scenario(`comes within a tick before a pool that ${how}`, function* () {
      const { pool, pools } = yield* board({}, { ttl: 20 })
      const ann = yield* clientOf(pool, "ann")
      const member = yield* followed(pool)
      yield* ann.title("a", "first")
      yield* ann.title("a", "last")
      if (how === "is ended") yield* pool.end
      if (how === "is closed") yield* pools.close
      if (how === "expires") yield* TestClock.adjust(21)
      const reason = { "is ended": "Ended", "is closed": "Closed", expires: "Expired" }[how]
      expect(yield* member.end).toMatchObject({ _tag: "StoreEnded", reason })
      expect(shownBy(member.frames)).toEqual(['a/title="last"'])
      expect(yield* Effect.flip(ann.title("a", "late"))).toMatchObject({ _tag: "StoreEnded", reason })
      expect(yield* Effect.flip(pool.hash())).toMatchObject({ reason })
    })
  }

  scenario("comes to a member that resumes within the tick", function* () {
    const { pool, pools } = yield* board()
    const ann = yield* clientOf(pool, "ann")
    const first = yield* followed(pool, { as: ann.as })
    yield* ann.title("a", "first")
    yield* settled
    yield* ann.title("a", "second")
    yield* pools.unsubscribeAll(ann.client)
    expect(yield* first.end).toMatchObject({ _tag: "WatchEnded", reason: "Closed" })
    yield* ann.title("a", "last")
    const again = yield* followed(pool, { as: ann.as, after: cursorOf(first) })
    yield* TestClock.adjust(50)
    yield* settled
    expect(again.frames.map(({ _tag }) => _tag)).toEqual(["Synced", "Events"])
    expect(shownBy(again.frames)).toEqual(['a/title="last"'])
  })
})
