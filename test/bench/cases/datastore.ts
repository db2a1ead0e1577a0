/** What an operation on a store costs beside the log and the watch that it stands on. */
import { Effect, Fiber, Stream } from "effect"
import * as Actor from "../../../src/Actor.js"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import * as Watch from "../../../src/Watch.js"
import { resumes } from "../datastore/bytes.js"
import { deletes } from "../datastore/deletes.js"
import { views } from "../datastore/dispatch.js"
import { latency } from "../datastore/latency.js"
import { permanent } from "../datastore/permanent.js"
import { type Bench, type Case, interleave, type Sample } from "../support/bench.js"
import { loadPeers } from "../support/peers.js"
import { turn, using } from "../support/recorders.js"

export interface Item {
  readonly id: string
  readonly text: string
  readonly n: number
}

const burst = 1000

const items: ReadonlyArray<Item> = Array.from({ length: burst }, (_, n) => ({
  id: `item-${n}`,
  text: "what is written about it",
  n
}))

const bursts = 20

/** Microseconds each of bursts; readers take what was written between them. */
export const each =
  (write: (item: Item) => unknown): Sample =>
  async () => {
    let spent = 0
    for (let i = 0; i < bursts; i++) {
      const start = performance.now()
      for (const item of items) write(item)
      spent += performance.now() - start
      for (let turns = 0; turns < 4; turns++) await turn()
    }
    return (spent * 1000) / (bursts * burst)
  }

/** Microseconds each of calls in one fiber. */
const awaited =
  (call: (item: Item) => Effect.Effect<unknown, unknown>): Sample =>
  async () => {
    const start = performance.now()
    await Effect.runPromise(
      Effect.gen(function* () {
        for (const item of items) yield* call(item)
      })
    )
    const spent = performance.now() - start
    for (let turns = 0; turns < 4; turns++) await turn()
    return (spent * 1000) / burst
  }

const parts = Effect.gen(function* () {
  const stores = yield* Datastore.make(yield* Datastore.memory())
  const store = yield* stores.open<Item>({ id: "bench" })
  const log = yield* ChangeLog.make<Item>({ state: "latest" })
  const watch = yield* Watch.make(log)
  const actor = yield* Actor.make<void, never, unknown>(() => ({
    name: "bench",
    acquire: Effect.void,
    onBatch: () => Effect.void,
    report: () => undefined
  }))
  return { store, log, watch, actor }
})

type Parts = Effect.Effect.Success<typeof parts>

/** Readers of a stream of frames, until they are stopped. */
const readers = async (
  count: number,
  frames: () => Stream.Stream<Watch.Frame<unknown>, unknown>
): Promise<() => Promise<void>> => {
  const fibers = Array.from({ length: count }, () => Effect.runFork(Stream.runDrain(frames())))
  await turn()
  return async () => {
    await Effect.runPromise(Fiber.interruptAll(fibers))
  }
}

const writing = async (bench: Bench, { actor, log, store, watch }: Parts): Promise<void> => {
  const stop = [
    await readers(1, () => store.follow()),
    await readers(1, () => watch.follow(ChangeLog.prefix("")))
  ]
  const plain = new Map<string, { readonly item: Item; readonly seq: number }>()
  const listeners = [(_: unknown) => {}]
  let seq = 0
  const peers = await loadPeers(bench.note)
  const tiny = peers?.makeTinyBase("bench")
  tiny?.listen(() => {})
  const bursts = await interleave(
    { rounds: bench.pairs, parts: 3, warmUps: 2 },
    {
      tiny: tiny === undefined ? () => 0 : each((item) => tiny.setRow("items", item.id, { ...item })),
      store: each(store.unsafeSet),
      log: each((item) => log.append.now?.([ChangeLog.put(item.id, item)])),
      floor: each((item) => {
        const row = { item, seq: ++seq }
        plain.delete(item.id)
        plain.set(item.id, row)
        for (const listener of listeners) listener(row)
      })
    }
  )
  bench.figure("unsafeSet in a burst of 1,000, one subscriber", bursts.store, "us")
  bench.figure("a Map, a counter and an array of callbacks", bursts.floor, "us")
  bench.ratio("the time of an append to a log with state to that of unsafeSet", bursts.log, bursts.store, {
    atLeast: 0.3
  })
  if (tiny !== undefined) {
    bench.figure("setRow of TinyBase's MergeableStore, one listener", bursts.tiny, "us")
    bench.ratio("the time of setRow of a MergeableStore to that of unsafeSet", bursts.tiny, bursts.store, {
      atLeast: 8
    })
  }
  const calls = await interleave(
    { rounds: bench.pairs, parts: 3, warmUps: 2 },
    {
      store: awaited((item) => store.set(item)),
      publish: awaited((item) => watch.publish([ChangeLog.put(item.id, item)])),
      ask: awaited(() => actor.ask(() => Effect.void))
    }
  )
  bench.ratio("the time of Watch.publish to that of an awaited set", calls.publish, calls.store, {
    atLeast: 0.3
  })
  bench.ratio("the time of an Actor.ask to that of an awaited set", calls.ask, calls.store, { atLeast: 3 })
  for (const end of stop) await end()
}

const subscribers = 1000

/** Microseconds until all subscribers have taken a change of one key, in bursts of 20. */
const delivered =
  (write: (item: Item) => unknown, taken: () => number): Sample =>
  async () => {
    const before = taken()
    const start = performance.now()
    for (let i = 0; i < 20; i++) write(items[i]!)
    while (taken() < before + 20 * subscribers) await turn()
    return ((performance.now() - start) * 1000) / 20
  }

const following = async (bench: Bench, { store, watch }: Parts): Promise<void> => {
  const counts = { store: 0, watch: 0, view: 0 }
  const counting = (name: keyof typeof counts, frames: Stream.Stream<Watch.Frame<unknown>, unknown>) =>
    Stream.tap(frames, (frame) =>
      Effect.sync(() => {
        if (frame._tag === "Events") counts[name]++
      })
    )
  const all = () => counting("watch", watch.follow(ChangeLog.prefix("")))
  const viewed = () => counting("view", watch.follow(ChangeLog.prefix(""), { view: () => true }))
  const stopStore = await readers(subscribers, () => counting("store", store.follow()))
  const publish = (item: Item) => Effect.runSync(watch.publish([ChangeLog.put(item.id, item)]))
  const stopPlain = await readers(subscribers, all)
  for (let turns = 0; turns < 50; turns++) await turn()
  const samples = await interleave(
    { rounds: bench.pairs, warmUps: 1 },
    {
      store: delivered(store.unsafeSet, () => counts.store),
      watch: delivered(publish, () => counts.watch)
    }
  )
  bench.ratio("1,000 subscribers: the time of a watch to that of a store", samples.watch, samples.store, {
    atLeast: 0.8
  })
  await stopStore()
  await stopPlain()
  const time = async (frames: typeof all, taken: () => number): Promise<ReadonlyArray<number>> => {
    const stop = await readers(subscribers, frames)
    for (let turns = 0; turns < 50; turns++) await turn()
    const { one } = await interleave({ rounds: bench.pairs, warmUps: 1 }, { one: delivered(publish, taken) })
    await stop()
    return one
  }
  const without = await time(all, () => counts.watch)
  const withView = await time(viewed, () => counts.view)
  bench.ratio("1,000 follows with a view that matches all to follows without", withView, without, {
    atMost: 2
  })
}

export const datastore: Case = {
  name: "datastore",
  about: "operations on a store to appends, publishes and asks; its subscribers to those of a watch",
  run: async (bench) => {
    await using(parts, async (made) => {
      await writing(bench, made)
      await following(bench, made)
    })
    bench.heading("From an operation to its subscribers")
    await latency(bench)
    await views(bench)
    bench.heading("Bytes of server-sent events, and what is remembered")
    await resumes(bench)
    await deletes(bench)
    bench.heading("Permanent stores")
    await permanent(bench)
  }
}
