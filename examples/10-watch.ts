/**
 * Stores orders and watches them: the recorder saves each order as a revision of a change log, and a watch delivers
 * the revisions to its watchers. A watcher that was cancelled resumes after its last revision.
 *
 * Run: `npm run examples -- 10`. Prints the frames of both watchers: a snapshot, its end, and events.
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

  // Delivers the present state, then every later event: without a gap in between, and nothing twice.
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

  // The watcher is cancelled, and another one resumes after the last revision that was delivered.
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
