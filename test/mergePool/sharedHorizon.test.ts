/** The horizon of a pool that several processes write, and removals that are merged while it is raised. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, TestClock } from "effect"
import * as MergePool from "../../src/MergePool.js"
import { exchanged } from "../support/mergePool/exchanged.js"
import { editorOf, opened, shownIn, ticked } from "../support/mergePool/permanent.js"
import { followed, keysOf, strategies } from "../support/mergePool/served.js"
import { scenario, settled } from "../support/time/turn.js"
import { vote } from "./pools.js"

/**
 * Two processes, of which `here` raises the horizon by the removals that it knows, while `there` merges an older removal of
 * the row "x", whose marker stays stored behind that.
 */
const passed = Effect.gen(function* () {
  const memory = yield* MergePool.memory()
  const held = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  const slow: MergePool.Backend = {
    ...memory,
    save: (batch, token) =>
      Effect.andThen(
        Effect.andThen(Deferred.succeed(held, undefined), Deferred.await(gate)),
        memory.save(batch, token)
      )
  }
  const away = yield* MergePool.replica(strategies)
  const { patch } = yield* Effect.scoped(
    Effect.gen(function* () {
      const { pool } = yield* opened(memory, {}, { name: "before" })
      const ann = yield* editorOf(pool, "ann")
      yield* ann.title("x", "one")
      yield* ann.vote("x", 2)
      yield* ann.title("a", "one")
      yield* ann.remove("a")
      yield* away.receive(yield* pool.state())
      return yield* away.remove("x")
    })
  )
  yield* TestClock.adjust("2 hours")
  const here = yield* opened(slow, {}, { name: "here", janitorInterval: "1 second" })
  const there = yield* opened(memory, {}, { name: "there", janitorInterval: "1 day" })
  // A test that fails leaves nothing that its catalogs would wait for.
  yield* Effect.addFinalizer(() => Deferred.succeed(gate, undefined))
  yield* TestClock.adjust(1_100)
  yield* Deferred.await(held)
  const as = { principal: "away", client: away.client }
  expect((yield* ticked(there.pool.merge(patch, { as }))).rows.map(([key]) => key)).toEqual(["x"])
  yield* Deferred.succeed(gate, undefined)
  yield* TestClock.adjust(100)
  return { memory, here, there }
})

describe("an old removal that was merged while the horizon was raised", () => {
  scenario("is held by no process, nor by one that begins", function* () {
    const { here, memory, there } = yield* passed
    const { horizon, rows } = yield* here.pool.state()
    expect([horizon === "", rows]).toEqual([false, []])
    expect(yield* there.pool.state()).toEqual({ horizon, rows })
    const next = yield* opened(memory, {}, { name: "next" })
    expect(yield* next.pool.state()).toEqual({ horizon, rows })
    const hash = yield* here.pool.hash()
    expect([yield* there.pool.hash(), yield* next.pool.hash()]).toEqual([hash, hash])
    expect((yield* here.pools.stats).removals).toBe(0)
  })

  scenario("keeps no client from coming up to date", function* () {
    const { here, there } = yield* passed
    for (const { pool } of [here, there]) {
      const late = yield* exchanged(pool, "late")
      yield* late.connect()
      yield* TestClock.adjust(100)
      yield* settled
      expect([late.client.phase(), late.client.hash()]).toEqual(["Live", yield* pool.hash()])
    }
  })

  scenario("takes nothing away of what is written over it", function* () {
    const { here, there } = yield* passed
    const late = yield* exchanged(there.pool, "late")
    yield* late.connect()
    yield* settled
    yield* late.edit(vote("x", 5))
    yield* TestClock.adjust(100)
    yield* settled
    expect([late.client.unsent(), late.shown()]).toEqual([[], { x: { votes: 5 } }])
    expect(yield* shownIn(there.pool, "x")).toEqual({ votes: 5 })
    expect(yield* shownIn(here.pool, "x")).toEqual({ votes: 5 })
  })

  scenario("is taken away by the next round, with its key", function* () {
    const { here, there } = yield* passed
    expect(keysOf((yield* followed(here.pool)).frames)).toEqual(["/", "x/"])
    yield* TestClock.adjust("1 second")
    expect(keysOf((yield* followed(here.pool)).frames)).toEqual(["/"])
    expect(yield* there.pool.hash()).toBe(yield* here.pool.hash())
  })

  scenario("is taken away by a process that has only loaded it", function* () {
    const { memory, there } = yield* passed
    const next = yield* opened(memory, {}, { name: "next", janitorInterval: "300 millis" })
    yield* TestClock.adjust(400)
    expect(keysOf((yield* followed(next.pool)).frames)).toEqual(["/"])
    expect(yield* there.pool.hash()).toBe(yield* next.pool.hash())
  })
})
