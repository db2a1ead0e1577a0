/** Options of reads and follows that are none: refused typed, before anything is read. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Option, Stream, TestClock } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import type { Table } from "../../src/Table.js"
import { errorOf, type Keys, key, keys, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { held, master } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

const old = [key("k1", "old")]

const revision = { epoch: "e", seq: 1, tag: 1 }

const otherKinds = [null, {}, [], Symbol("s"), () => 5]
const words = [...otherKinds, "", "CACHE", "master ", 5, 5n, Number.NaN, true]

/** For each option what it cannot be: another kind, then what is out of bounds. */
const wrong: { readonly [K in keyof Required<LiveTable.ReadOptions>]: ReadonlyArray<unknown> } = {
  wait: [...otherKinds, "soon", "", "-1 seconds", true, -1, -0.5, Number.NaN, Number.NEGATIVE_INFINITY, -1n],
  use: [...words, "allow"],
  stale: [...words, "include"],
  pending: [...words, "refuse"],
  tags: [null, {}, "tag", 5, 5n, true, [5], ["a", null], [["a"]]],
  atLeast: [
    ...otherKinds,
    "queued ",
    "",
    5,
    5n,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    true,
    { epoch: "e", seq: 1 },
    { seq: 1, tag: 1 },
    { ...revision, epoch: 5 },
    { ...revision, tag: "1" },
    ...[-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", 1n, null].map((seq) => ({ ...revision, seq }))
  ]
}

const records = [null, "cache", 5, [], true, { useCache: true }, { atleast: "queued" }]

/** All that take the options of a read. */
const reads = (live: LiveTable.Of<Keys>, options: LiveTable.ReadOptions) =>
  [
    ["get", live.get("k1", options)],
    ["get, not there", live.get("none", options)],
    ["getMany", live.getMany(["k1"], options)],
    ["getMany of none", live.getMany([], options)],
    ["list", live.list({}, options)],
    ["count", live.count(undefined, options)]
  ] as const

const follows = (live: LiveTable.Of<Keys>, options: LiveTable.FollowOptions) =>
  [
    ["follow", Stream.runDrain(live.follow("k1", options))],
    ["follow of a query", Stream.runDrain(live.follow({}, options))]
  ] as const

describe("a read or a follow with an option that is none", () => {
  for (const [option, values] of Object.entries(wrong)) {
    scenario(`fails as InvalidQuery, and names it: ${option}`, function* () {
      const { live, master } = yield* liveKeys({}, old)
      yield* live.getMany(["k1", "none"])
      yield* live.list()
      yield* live.count()
      const calls = () => (["getMany", "list", "count"] as const).map(master.count)
      const before = [calls(), live.unsafeStats()]
      for (const value of values) {
        const options = { [option]: value } as LiveTable.ReadOptions
        const isOfFollow = option === "pending" || option === "tags"
        for (const [call, read] of [...reads(live, options), ...(isOfFollow ? follows(live, options) : [])]) {
          const error = yield* errorOf<unknown, unknown>(read)
          expect(error, `${call}: ${String(value)}`).toMatchObject({ _tag: "InvalidQuery" })
          const { message, part } = error as { readonly part: string; readonly message: string }
          expect(part.replace(/\[.*/, "")).toBe(option)
          expect(message).toContain("must be")
        }
      }
      expect([calls(), live.unsafeStats()]).toEqual(before)
    })
  }

  scenario("fails as InvalidQuery for options that are no record, or with an unknown name", function* () {
    const { live } = yield* liveKeys({}, old)
    for (const given of records) {
      const options = given as LiveTable.ReadOptions
      for (const [call, read] of [...reads(live, options), ...follows(live, options)]) {
        const error = yield* errorOf<unknown, unknown>(read)
        expect(error, `${call}: ${JSON.stringify(given)}`).toMatchObject({ _tag: "InvalidQuery" })
      }
    }
    // They are options of reads.
    for (const [, follow] of follows(live, { use: "master" } as LiveTable.FollowOptions)) {
      expect(yield* errorOf<unknown, unknown>(follow)).toMatchObject({ _tag: "InvalidQuery", part: "use" })
    }
    expect(yield* errorOf<unknown, unknown>(live.getMany("k1" as never))).toMatchObject({
      _tag: "InvalidQuery",
      part: "id"
    })
  })

  scenario("fails before the master is up, and does not wait for it", function* () {
    const acquired = yield* Deferred.make<Table<Keys>>()
    const live = yield* Effect.orDie(LiveTable.makeDeferred(Deferred.await(acquired), { closeDeadline: 0 }))
    const options = { wait: Number.NaN }
    for (const [, read] of reads(live, options)) {
      expect(yield* errorOf<unknown, unknown>(read)).toMatchObject({ _tag: "InvalidQuery", part: "wait" })
    }
    yield* Deferred.succeed(acquired, (yield* Effect.orDie(master(keys))).table)
    yield* live.ready
  })
})

describe("options of reads at their bounds", () => {
  scenario(
    "are taken: no wait at all, one without end, all forms of a duration, an empty record",
    function* () {
      const { live } = yield* liveKeys({}, old)
      const waits = [0, 5n, "1 seconds", Duration.millis(5), Number.POSITIVE_INFINITY, [0, 5]] as const
      for (const wait of waits) {
        expect(stateOf(yield* live.get("k1", { wait: wait as Duration.DurationInput }))).toBe("old")
      }
      const undefinedOnes = { atLeast: undefined, wait: undefined, use: undefined, stale: undefined }
      for (const options of [{}, undefinedOnes, { tags: [] }, { pending: "omit", use: "cache" }] as const) {
        expect(stateOf(yield* live.get("k1", options))).toBe("old")
      }
      // Without a log only the master can show a revision.
      const start = { epoch: "e", seq: 0, tag: 0 }
      expect(stateOf(yield* live.get("k1", { atLeast: start, wait: Number.POSITIVE_INFINITY }))).toBe("old")
      expect(Option.isSome(yield* Stream.runHead(live.follow("k1", {})))).toBe(true)
    }
  )

  scenario("are as they were when the read began, though its caller changes them later", function* () {
    const { live, master } = yield* liveKeys({}, old)
    const latch = yield* Effect.makeLatch()
    const options: { use: "cache" | "master"; readonly tags: Array<string> } = { use: "master", tags: ["a"] }
    master.next("getMany", held(latch))
    const read = yield* started(live.get("k1", options))
    options.use = "cache"
    options.tags[0] = "b"
    yield* latch.open
    yield* Fiber.join(read)
    yield* TestClock.adjust(0)
    yield* live.invalidate({ tag: "b" })
    expect(live.unsafeGet("k1")).not.toBe(undefined)
    yield* live.invalidate({ tag: "a" })
    expect(live.unsafeGet("k1")).toBe(undefined)
  })
})
