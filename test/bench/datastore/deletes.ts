/** What a store remembers of very many records that were deleted. */
import { Effect } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import { type Bench, collect } from "../support/bench.js"
import { turn, using } from "../support/recorders.js"

interface Item {
  readonly id: string
  readonly n: number
}

const step = 500

const heap = async (): Promise<number> => {
  await turn()
  collect()
  return process.memoryUsage().heapUsed / 1e6
}

/** Sets and deletes records of ever new keys. */
const setAndDelete = (store: Datastore.StoreHandle<Item>, from: number, count: number) =>
  Effect.gen(function* () {
    for (let at = from; at < from + count; at += step) {
      const items = Array.from({ length: step }, (_, i) => ({ id: `item-${at + i}`, n: at + i }))
      yield* store.batch(items.map((item) => Datastore.set(item)))
      for (const { id } of items) yield* store.delete(id)
    }
  })

const opened = Effect.gen(function* () {
  const stores = yield* Datastore.make(yield* Datastore.memory())
  return yield* stores.open<Item>()
})

/** The heap after the log has filled, and after a million deletes more. */
export const deletes = (bench: Bench): Promise<void> =>
  using(opened, async (store) => {
    const count = bench.quick ? 100_000 : 1_000_000
    const first = 20_000
    await Effect.runPromise(setAndDelete(store, 0, first))
    const before = await heap()
    const start = performance.now()
    await Effect.runPromise(setAndDelete(store, first, count))
    const seconds = (performance.now() - start) / 1000
    const after = await heap()
    bench.figure("heap when the log is full", [before], "MB")
    bench.figure(`heap after ${count.toLocaleString("en-US")} deletes more`, [after], "MB")
    bench.figure("each record set in a batch and deleted by itself", [(seconds * 1e6) / count], "us")
    bench.ratio("the heap after the deletes to that of a full log", [after], [before], { atMost: 1.1 })
  })
