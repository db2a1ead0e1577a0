/** How the ends of stores and pools reach those who follow them, when a log does not answer and when the catalog is closed. */
import { describe, expect } from "@effect/vitest"
import { Effect, Fiber, Stream, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import * as MergePool from "../../src/MergePool.js"
import { scripted, withLogs } from "../support/datastore/backends.js"
import { exchanged } from "../support/mergePool/exchanged.js"
import { strategies } from "../support/mergePool/served.js"
import { scenario, settled, started } from "../support/time/turn.js"

/** A backend whose logs are not read while `isSilent`. */
const silent = Effect.map(MergePool.memory(), (backend) => {
  const state = { isSilent: false }
  const made = withLogs(backend, (log) => ({
    read: (query) => Effect.suspend(() => (state.isSilent ? Effect.never : log.read(query)))
  }))
  return { backend: made, state }
})

/** Follows until the end, and answers with its reason. */
const endOf = (follow: Stream.Stream<unknown, MergePool.FollowEnded>) =>
  Effect.fork(
    Effect.match(Stream.runDrain(follow), {
      onFailure: ({ _tag, ...error }) => `${_tag} ${"reason" in error ? error.reason : ""}`,
      onSuccess: () => "over"
    })
  )

const ids = ["a", "b", "c"]

interface Followed {
  readonly follows: ReadonlyArray<Stream.Stream<unknown, MergePool.FollowEnded>>
  readonly closeWithin: (millis: number) => Effect.Effect<unknown>
}

const storesOf = (backend: MergePool.Backend) =>
  Effect.gen(function* () {
    const { closeWithin, open } = yield* Datastore.make(backend)
    const stores = yield* Effect.forEach(ids, (id) => open({ id, kind: "permanent" }))
    return { closeWithin, follows: stores.map((store) => store.follow()) }
  })

const poolsOf = (backend: MergePool.Backend) =>
  Effect.gen(function* () {
    const { closeWithin, open } = yield* MergePool.make(backend)
    const pools = yield* Effect.forEach(ids, (id) => open({ id, kind: "permanent", strategies }))
    return { closeWithin, follows: pools.map((pool) => pool.follow()) }
  })

const closedEnds = ["StoreEnded Closed", "StoreEnded Closed", "StoreEnded Closed"]

describe("the ends of pools and stores", () => {
  scenario("reach everybody when the catalog is closed without a deadline to speak of", function* () {
    const pools = yield* MergePool.make(yield* MergePool.memory())
    const followers = []
    const clients = []
    for (const id of ["a", "b", "c"]) {
      const pool = yield* pools.open({ id, strategies })
      const client = yield* exchanged(pool, "ann")
      yield* client.connect()
      clients.push(client)
      followers.push(yield* endOf(pool.follow()))
    }
    yield* settled
    yield* pools.closeWithin(0)
    yield* settled
    expect(yield* Effect.forEach(followers, Fiber.join)).toEqual(closedEnds)
    expect(clients.map(({ client }) => client.phase())).toEqual(["Ended", "Ended", "Ended"])
  })

  for (const [things, openAll] of [
    ["stores", storesOf],
    ["pools", poolsOf]
  ] as const) {
    scenario(`come within one deadline, however many logs of ${things} do not answer`, function* () {
      const { backend, state } = yield* silent
      const { closeWithin, follows }: Followed = yield* openAll(backend)
      const followers = yield* Effect.forEach(follows, endOf)
      yield* settled
      state.isSilent = true
      const closing = yield* started(closeWithin(1000))
      yield* TestClock.adjust(999)
      expect(closing.unsafePoll()).toBeNull()
      yield* TestClock.adjust(101)
      yield* settled
      expect(closing.unsafePoll()).not.toBeNull()
      expect(yield* Effect.forEach(followers, Fiber.join)).toEqual(closedEnds)
    })
  }

  scenario("are held up by no other log that does not answer, and hastened by a close", function* () {
    const { backend, state } = yield* silent
    const pools = yield* MergePool.make(backend)
    const stored = yield* pools.open({ id: "stored", kind: "permanent", strategies })
    const temporary = yield* pools.open({ id: "temporary", strategies })
    const held = yield* endOf(stored.follow())
    const follower = yield* endOf(temporary.follow())
    yield* settled
    state.isSilent = true
    yield* stored.end
    yield* temporary.end
    yield* settled
    expect(yield* Fiber.join(follower)).toBe("StoreEnded Ended")
    expect(held.unsafePoll()).toBeNull()
    yield* pools.closeWithin(0)
    expect(yield* Fiber.join(held)).toBe("StoreEnded Ended")
  })

  scenario("come behind what was accepted just before", function* () {
    const { backend, hold, release } = yield* scripted
    const pools = yield* MergePool.make(backend)
    const pool = yield* pools.open({ id: "board", kind: "permanent", ack: "memory", strategies })
    const seen: Array<string> = []
    const follower = yield* Effect.fork(
      Effect.exit(
        Stream.runForEach(pool.follow(), (frame) =>
          Effect.sync(() => {
            if (frame._tag === "Events") seen.push(...frame.events.map(({ key }) => key))
          })
        )
      )
    )
    yield* settled
    const replica = yield* MergePool.replica(strategies)
    const { patch } = yield* replica.edit("row", { title: { _tag: "Set", value: "last" } })
    hold()
    yield* pool.merge(patch)
    yield* pool.end
    yield* TestClock.adjust(5000)
    expect(follower.unsafePoll()).toBeNull()
    yield* release
    yield* Fiber.join(follower)
    expect(seen).toHaveLength(1)
  })
})
