/**
 * Orders are stored and followed: the recorder saves each one as a revision of a change log, a watch tells who is
 * interested. A watcher that was away resumes where it stood.
 */
import assert from "node:assert/strict"
import { Chunk, Effect, Stream } from "effect"
import { ChangeLog, Recorder, Watch } from "effect-recorder"

interface Order {
  readonly id: string
  readonly shop: string
  readonly status: "placed" | "paid"
}

const program = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Order>({ state: "latest" })
  const watch = yield* Watch.make(log)
  const orders = yield* Recorder.make(
    ChangeLog.asStorage(log, (order: Order) => ({
      changes: [ChangeLog.put(`/shops/${order.shop}/orders/${order.id}`, order)]
    }))
  )

  yield* orders.saveDurable({ id: "1", shop: "north", status: "placed" })

  // What is there now, and from there on everything that comes: no gap in between, and nothing twice.
  const selector = ChangeLog.prefix("/shops/north/")
  const watcher = yield* watch.open(selector, { snapshot: "first" })
  orders.unsafeSave({ id: "2", shop: "south", status: "placed" })
  orders.unsafeSave({ id: "1", shop: "north", status: "paid" })
  const frames = Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(watcher.frames, 3)))
  for (const frame of frames) yield* Effect.log(frame)
  assert.deepEqual(
    frames.map(({ _tag }) => _tag),
    ["Snapshot", "Synced", "Events"]
  )

  // It goes away, and comes again after the last revision that it was told.
  yield* watcher.cancel
  yield* orders.saveDurable({ id: "3", shop: "north", status: "placed" })
  const { cursor } = yield* watcher.health
  const missed = yield* Stream.runHead(watch.follow(selector, { after: cursor }))
  yield* Effect.log(missed)
  assert.equal(
    missed._tag === "Some" && missed.value._tag === "Events" && missed.value.events[0]?.key,
    "/shops/north/orders/3"
  )
})

await Effect.runPromise(Effect.scoped(program))
