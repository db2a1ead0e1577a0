/** How long 1,000 subscribers of a store wait for an operation. */
import { Effect, Fiber, Stream } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import type { Bench } from "../support/bench.js"
import { turn, using } from "../support/recorders.js"
import { quantile } from "../support/statistics.js"

const subscribers = 1000
const perSecond = 100

interface Sent {
  readonly id: string
  readonly at: number
}

const opened = Effect.gen(function* () {
  const stores = yield* Datastore.make(yield* Datastore.memory())
  return yield* stores.open<Sent>()
})

/** Milliseconds from each operation to each subscriber; operations are sent at an even rate by the clock. */
const waits = async (store: Datastore.StoreHandle<Sent>, operations: number): Promise<Array<number>> => {
  const found: Array<number> = []
  let synced = 0
  const follow = Stream.runForEach(store.follow(), (frame) =>
    Effect.sync(() => {
      if (frame._tag === "Synced") synced++
      if (frame._tag !== "Events") return
      for (const event of frame.events)
        if (event._tag === "Put") found.push(performance.now() - event.value.data.at)
    })
  )
  const fibers = Array.from({ length: subscribers }, () => Effect.runFork(follow))
  while (synced < subscribers) await turn()
  const start = performance.now()
  for (let sent = 0; sent < operations; await turn()) {
    if (performance.now() - start < (sent * 1000) / perSecond) continue
    store.unsafeSet({ id: `item-${sent % 100}`, at: performance.now() })
    sent++
  }
  while (found.length < operations * subscribers) await turn()
  await Effect.runPromise(Fiber.interruptAll(fibers))
  return found
}

/** The 99th percentile of the waits, in each of some seconds. */
export const latency = async (bench: Bench): Promise<void> => {
  const samples: Array<number> = []
  for (let round = -1; round < Math.ceil(bench.pairs / 3); round++) {
    const found = await using(opened, (store) => waits(store, perSecond))
    if (round >= 0) samples.push(quantile(found, 0.99))
  }
  bench.limit(`1,000 subscribers, p99 at ${perSecond} operations/s`, samples, "ms", { atMost: 20 })
}
