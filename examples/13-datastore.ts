/**
 * Shares the seats of a hall: two readers follow them while two clients take the same one, and the second is refused.
 *
 * Run: `npm run examples -- 13`. Prints who got the seat, as a client that was refused and as a reader see it.
 */
import assert from "node:assert/strict"
import { Effect, Fiber, Option, Stream } from "effect"
import { Datastore, type Watch } from "effect-recorder"

interface Seat {
  readonly id: string
  readonly guest: string
}

/** The seats of a frame: all of them in a snapshot, then those that change. */
const seatsOf = (frame: Watch.Frame<Datastore.Row<Seat>>): ReadonlyArray<Seat> => {
  if (frame._tag === "Snapshot") return frame.entries.map(({ value }) => value.data)
  if (frame._tag !== "Events") return []
  return frame.events.flatMap((event) => (event._tag === "Put" ? [event.value.data] : []))
}

const program = Effect.gen(function* () {
  const stores = yield* Datastore.make(yield* Datastore.memory())
  const hall = yield* stores.open<Seat>({ id: "hall" })
  const free = yield* hall.set({ id: "1A", guest: "" })

  const guest = hall.follow().pipe(
    Stream.mapConcat(seatsOf),
    Stream.map((seat) => seat.guest),
    Stream.takeUntil((name) => name !== ""),
    Stream.runLast
  )
  const readers = yield* Effect.fork(Effect.all([guest, guest], { concurrency: 2 }))

  // Both clients expect the seat as they have seen it. The second is refused, and gets what is there.
  yield* hall.set({ id: "1A", guest: "Ada" }, { expect: free.seq })
  const refused = yield* Effect.flip(hall.set({ id: "1A", guest: "Bob" }, { expect: free.seq }))
  assert(refused._tag === "WriteError" && refused.reason === "Conflict")
  assert.deepEqual(refused.row?.data, { id: "1A", guest: "Ada" })
  yield* Effect.log(`Bob is refused: ${refused.message}`)

  const shown = yield* Fiber.join(readers)
  assert.deepEqual(shown, [Option.some("Ada"), Option.some("Ada")])
  yield* Effect.log("both readers show Ada")
})

await Effect.runPromise(Effect.scoped(program))
