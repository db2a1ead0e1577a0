/** What small merges cost, and what a pool holds of rows that are gone, beside TinyBase's MergeableStore. */
import { Clock, Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { clientOfBits, makeStamp } from "../../../src/internal/mergePool/stamp.js"
import * as MergePool from "../../../src/MergePool.js"
import { type Bench, type Case, collect, interleave, type Sample } from "../support/bench.js"
import { loadPeers, type Peers } from "../support/peers.js"

const strategies = { name: MergePool.last(), x: MergePool.last(), y: MergePool.last() }

const rows = 1_000
const rounds = 40

const valuesOf = (i: number, round: number) => ({ name: `row number ${i}`, x: i + round, y: 2 * i })

const fieldsOf = (i: number, round: number) => {
  const { name, x, y } = valuesOf(i, round)
  return {
    name: { _tag: "Set", value: name },
    x: { _tag: "Set", value: x },
    y: { _tag: "Set", value: y }
  } as const
}

/** Microseconds of processor time each, with what comes of it later. */
const processorTime = async (count: number, work: () => Promise<void>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { system, user } = process.cpuUsage(before)
  return (system + user) / count
}

const openPool = (opening: Partial<MergePool.OpenOptions> = {}, options: MergePool.Options = {}) =>
  Effect.gen(function* () {
    const pools = yield* MergePool.make(yield* MergePool.memory(), options)
    const pool = yield* pools.open({ strategies, ...opening })
    const replica = yield* MergePool.replica(strategies, { maxUnsent: 2 ** 30 })
    /** Makes the edits of a client, as its transport has parsed them. */
    const patches = (edits: Iterable<Effect.Effect<MergePool.Unsent, MergePool.MergeError>>) =>
      Effect.gen(function* () {
        const made: Array<MergePool.Patch> = []
        for (const edit of edits) {
          const { n, patch } = yield* edit
          made.push(JSON.parse(JSON.stringify(patch)))
          yield* replica.confirm(n)
        }
        return made
      })
    return { pools, pool, replica, patches, as: { principal: "bench", client: replica.client } }
  })

/** Merges of one row with 3 fields, while one member follows. */
const poolSample: Sample = () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { as, patches, pool, pools, replica } = yield* openPool()
      const keys = Array.from({ length: rows }, (_, i) => i)
      const last = `row-${rows - 1}/y`
      let seen = 0
      const synced = yield* Deferred.make<void>()
      const member = yield* Effect.fork(
        Stream.runForEach(pool.follow(), (frame) =>
          Effect.suspend(() => {
            if (frame._tag === "Events") seen += frame.events.filter(({ key }) => key === last).length
            return frame._tag === "Synced" ? Deferred.succeed(synced, undefined) : Effect.void
          })
        )
      )
      yield* Deferred.await(synced)
      const all = yield* patches(
        Array.from({ length: rounds }, (_, round) =>
          keys.map((i) => replica.edit(`row-${i}`, fieldsOf(i, round)))
        ).flat()
      )
      const spent = yield* Effect.promise(() =>
        processorTime(all.length, () =>
          Effect.runPromise(
            Effect.gen(function* () {
              for (const patch of all) yield* pool.merge(patch, { as })
              // Behind the last value.
              yield* pools.close
              yield* Fiber.await(member)
            })
          )
        )
      )
      if (seen === 0) throw new Error("the member got nothing")
      return spent
    }).pipe(Effect.scoped)
  )

const tinySample =
  (peers: Peers): Sample =>
  () => {
    const store = peers.makeTinyBase("one")
    let seen = 0
    store.listen(() => {
      seen++
    })
    return processorTime(rows * rounds, async () => {
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < rows; i++) store.setRow("rows", `row-${i}`, valuesOf(i, round))
      }
      if (seen === 0) throw new Error("the listener got nothing")
    })
  }

const gone = 200_000

/** Bytes of the heap that something holds once it is made. */
const heapOf = async <A>(make: () => Promise<A>): Promise<readonly [bytes: number, made: A]> => {
  collect()
  const before = process.memoryUsage().heapUsed
  const made = await make()
  collect()
  return [process.memoryUsage().heapUsed - before, made]
}

const client = clientOfBits(7n)

/** Adds rows, or removes them. */
const patchOf = (from: number, count: number, millis: number, isThere: boolean): MergePool.Patch => ({
  horizon: "",
  rows: Array.from({ length: count }, (_, i) => {
    const stamp = makeStamp(millis, i, client)
    const cells = Object.entries(valuesOf(from + i, 0)).map(([name, value]) => [name, stamp, value] as const)
    return [`row-${from + i}`, isThere ? "" : stamp, isThere ? cells : []] as const
  })
})

/** The clock of the machine, which can be set forward. */
const movableClock = () => {
  const real = Clock.make()
  let ahead = 0
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    sleep: (duration) => real.sleep(duration),
    unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis() + ahead,
    unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos() + BigInt(ahead) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => clock.unsafeCurrentTimeMillis()),
    currentTimeNanos: Effect.sync(() => clock.unsafeCurrentTimeNanos())
  }
  const forward = (millis: number) =>
    Effect.sync(() => {
      ahead += millis
    })
  return { clock, forward }
}

/** A pool whose rows were added and removed, when the horizon has passed. */
const forgotten = (gone: number) =>
  Effect.suspend(() => {
    const { clock, forward } = movableClock()
    return Effect.gen(function* () {
      const { pool } = yield* openPool({ ttl: "2 days" }, { janitorInterval: 20 })
      for (let from = 0; from < gone; from += 5_000) {
        for (const isThere of [true, false]) {
          yield* pool.merge(patchOf(from, 5_000, yield* Clock.currentTimeMillis, isThere))
          // Each is seen by those who follow.
          yield* Effect.sleep(60)
        }
      }
      yield* pool.hash()
      for (const minutes of [2, 61, 1]) {
        yield* forward(minutes * 60_000)
        yield* Effect.sleep(500)
      }
      return { pool, state: JSON.stringify(yield* pool.state()) }
    }).pipe(Effect.withClock(clock))
  })

const heap = async (bench: Bench, peers: Peers): Promise<void> => {
  const scope = await Effect.runPromise(Scope.make())
  // What is loaded and compiled on first use is no part of it.
  await Effect.runPromise(Effect.scoped(forgotten(5_000)))
  // The catalog lives on: it is what is measured.
  const [own, { state }] = await heapOf(() => Effect.runPromise(Scope.extend(forgotten(gone), scope)))
  const [other] = await heapOf(async () => {
    const store = peers.makeTinyBase("one")
    for (let i = 0; i < gone; i++) {
      store.setRow("rows", `row-${i}`, valuesOf(i, 0))
      store.delRow("rows", `row-${i}`)
    }
    return store
  })
  bench.figure("heap of a pool", [own / 2 ** 20], "MiB")
  bench.figure("heap of TinyBase", [other / 2 ** 20], "MiB")
  bench.limit("the full state", [state.length], "bytes", { atMost: 1024 })
  bench.ratio("the heap of a pool to that of TinyBase", [own], [other], { atMost: 0.1 })
  await Effect.runPromise(Scope.close(scope, Exit.void))
}

const run = async (bench: Bench): Promise<void> => {
  const peers = await loadPeers(bench.note)
  if (peers === undefined) return
  bench.heading("merges of one row with 3 fields, while one member follows; processor time each")
  const samples = await interleave({ rounds: bench.pairs }, { pool: poolSample, tinyBase: tinySample(peers) })
  bench.figure("a pool", samples.pool, "µs")
  bench.figure("setRow of TinyBase", samples.tinyBase, "µs")
  bench.ratio("the time of TinyBase to that of a pool", samples.tinyBase, samples.pool, { atLeast: 5 })
  bench.heading("200,000 rows added and removed, when the horizon has passed")
  await heap(bench, peers)
}

export const mergePoolSmall: Case = {
  name: "merge-pool-small",
  about: "small merges, and the heap of rows that are gone, to TinyBase's MergeableStore",
  run
}
