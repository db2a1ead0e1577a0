/** Permanent pools that serve clients of an exchange: what clients hold when saves wait, fail, or are lost with a process. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, TestClock } from "effect"
import * as MergePool from "../../src/MergePool.js"
import { scripted, withLogs } from "../support/datastore/backends.js"
import { type Exchanged, exchanged } from "../support/mergePool/exchanged.js"
import { opened, shownIn } from "../support/mergePool/permanent.js"
import { scenario, settled } from "../support/time/turn.js"
import { title, vote } from "./pools.js"

const ticks = Effect.andThen(TestClock.adjust(200), settled)

const refusedOf = ({ actions }: Exchanged) =>
  actions.flatMap((each) => (each._tag === "Refused" ? [each.reason] : []))

const endsOf = ({ actions }: Exchanged) =>
  actions.flatMap((each) => (each._tag === "Ended" ? [each.reason] : []))

/** What serves the pool that is open now. */
const switching = (first: MergePool.PoolHandle) => {
  let pool = first
  return {
    serve: (options?: MergePool.ServeOptions) => pool.serve(options),
    use: (next: MergePool.PoolHandle) => {
      pool = next
    }
  }
}

const all: ReadonlyArray<MergePool.Action> = ["open", "read", "write", "subscribe"]

describe("a permanent pool that serves an exchange", () => {
  scenario("answers the merges of a client in their order, whatever becomes of them", function* () {
    const backend = yield* MergePool.memory()
    const { pool } = yield* opened(backend, {}, { quotas: { operationsPerSecond: 2 } })
    const ann = yield* exchanged(pool, "ann")
    yield* ann.connect()
    yield* ticks
    for (let n = 0; n < 4; n++) yield* ann.edit(vote(`row ${n}`))
    yield* ticks
    expect([ann.client.phase(), ann.client.unsent(), endsOf(ann)]).toEqual(["Live", [], []])
    expect(refusedOf(ann)).toEqual(["QuotaExceeded", "QuotaExceeded"])
    expect(ann.client.hash()).toBe(yield* pool.hash())
  })

  scenario("begins a client anew with what its snapshot has, when that was read", function* () {
    const backend = yield* MergePool.memory()
    let isLate = false
    let ringNow = (): void => {}
    // What other processes write is read late; a snapshot is not.
    const late = withLogs(backend, (log) => ({
      read: (query) => Effect.suspend(() => (isLate ? Effect.succeed([]) : log.read(query))),
      doorbell: (ring) => {
        ringNow = ring
        return log.doorbell(ring)
      }
    }))
    const authorize = () => ({ actions: all, view: ({ row }: MergePool.PoolCell) => row !== "secret" })
    const here = yield* opened(late, {}, { authorize, name: "here" })
    const there = yield* opened(backend, {}, { name: "there" })
    const ann = yield* exchanged(here.pool, "ann")
    const server = yield* exchanged(there.pool, "server")
    yield* ann.connect()
    yield* server.connect()
    yield* ticks
    isLate = true
    yield* server.edit(title("a", "by another process"))
    yield* ticks
    yield* here.pools.revoke("ann")
    yield* ticks
    expect(ann.shown()).toEqual({})
    isLate = false
    ringNow()
    for (let n = 0; n < 4; n++) yield* ticks
    expect(ann.client.phase()).toBe("Live")
    expect(ann.shown()).toEqual({ a: { title: "by another process" } })
    expect(endsOf(ann)).toEqual([])
  })

  scenario("leaves an edit with its client whose save has no known outcome", function* () {
    const { backend, hold, release } = yield* scripted
    const { pool, pools } = yield* opened(backend)
    const line = switching(pool)
    const ann = yield* exchanged(line, "ann")
    yield* ann.connect()
    yield* ticks
    hold()
    yield* ann.edit(vote("a"))
    yield* ticks
    yield* pools.closeWithin(0)
    yield* settled
    expect([refusedOf(ann), ann.client.unsent().length]).toEqual([[], 1])
    yield* release
    const next = yield* opened(backend)
    line.use(next.pool)
    yield* ann.connect({ as: ann.as })
    yield* ticks
    expect([ann.shown(), ann.client.unsent(), refusedOf(ann)]).toEqual([{ a: { votes: 1 } }, [], []])
    expect(ann.client.hash()).toBe(yield* next.pool.hash())
  })

  scenario("shows what `get` has to a client that comes while its backend is away", function* () {
    const { backend, hold, release } = yield* scripted
    const { pool } = yield* opened(backend, { ack: "memory" })
    const ann = yield* exchanged(pool, "ann")
    const bob = yield* exchanged(pool, "bob")
    const cat = yield* exchanged(pool, "cat")
    yield* ann.connect()
    yield* cat.connect()
    yield* ticks
    hold()
    yield* ann.edit(title("a", "answered"))
    yield* ticks
    yield* bob.connect()
    yield* bob.edit(vote("a"))
    yield* ticks
    expect([bob.client.phase(), bob.shown()]).toEqual(["Syncing", { a: { title: "answered", votes: 1 } }])
    expect(yield* shownIn(pool, "a")).toEqual({ title: "answered", votes: 1 })
    expect([cat.client.phase(), cat.shown()]).toEqual(["Live", {}])
    yield* release
    yield* ticks
    for (const { client } of [ann, bob, cat]) {
      expect([client.phase(), client.unsent(), client.hash()]).toEqual(["Live", [], yield* pool.hash()])
    }
  })

  scenario("ends a client that begins while the pool ends as the pool has ended", function* () {
    const memory = yield* MergePool.memory()
    const gate = yield* Deferred.make<void>()
    let isSlow = false
    const slow = withLogs(memory, ({ head }) => ({
      head: Effect.suspend(() => (isSlow ? Effect.andThen(Deferred.await(gate), head) : head))
    }))
    const { pool } = yield* opened(slow, {}, { authorize: () => ({ actions: all }) })
    const ann = yield* exchanged(pool, "ann")
    isSlow = true
    yield* Effect.fork(ann.connect())
    yield* settled
    yield* pool.end
    yield* settled
    yield* Deferred.succeed(gate, undefined)
    yield* settled
    expect(endsOf(ann)).toEqual(["Ended"])
  })

  scenario(
    "brings clients back to what was kept, when the process has ended before it was stored",
    function* () {
      const { backend, hold, release } = yield* scripted
      const { pool, pools } = yield* opened(backend, { ack: "memory" })
      const line = switching(pool)
      const ann = yield* exchanged(line, "ann")
      const bob = yield* exchanged(line, "bob")
      yield* ann.connect()
      yield* bob.connect()
      yield* ann.edit(title("a", "kept"))
      yield* ticks
      hold()
      yield* ann.edit(title("b", "lost"))
      yield* ticks
      expect(ann.client.unsent()).toEqual([])
      const { unsaved } = yield* pools.closeWithin(0)
      expect(unsaved).toHaveLength(1)
      yield* release
      const next = yield* opened(backend, { ack: "memory" })
      line.use(next.pool)
      for (const client of [ann, bob]) yield* client.connect({ as: client.as })
      for (let n = 0; n < 4; n++) yield* ticks
      const hash = yield* next.pool.hash()
      expect([ann.client.hash(), bob.client.hash()]).toEqual([hash, hash])
      expect([ann.client.phase(), bob.client.phase()]).toEqual(["Live", "Live"])
      expect(bob.shown()).toEqual(ann.shown())
    }
  )
})
