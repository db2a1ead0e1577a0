/**
 * Starts an app before its database is up: records are queued until then, and stored in order.
 *
 * Run: `npm run examples -- 03`. Prints a warning for the refused connection, the recorder's states, and how many
 * records were stored.
 */
import assert from "node:assert/strict"
import { Effect, Ref } from "effect"
import { Recorder, Storage } from "effect-recorder"

/** A database that refuses the first two connections. */
const connect = Effect.gen(function* () {
  const attempts = yield* Ref.make(0)
  return Effect.gen(function* () {
    const attempt = yield* Ref.updateAndGet(attempts, (n) => n + 1)
    yield* Effect.sleep("20 millis")
    if (attempt < 3) {
      const message = `connection refused (attempt ${attempt})`
      return yield* new Storage.StorageError({ kind: "Transient", outcome: "NotStored", message })
    }
    return Storage.memory<number>()
  })
})

const program = Effect.gen(function* () {
  // Returns at once. If the connection fails, it is tried again, as a save that fails is.
  const recorder = yield* Recorder.makeDeferred(yield* connect)
  for (let n = 0; n < 10_000; n++) recorder.unsafeSave(n)
  const before = yield* recorder.status
  assert.equal(before._tag, "Starting")
  assert.equal((yield* recorder.stats).pending, 10_000)

  // A query runs in its turn: after all the saves that were made before it.
  const answer = yield* Effect.fork(recorder.load(undefined))
  yield* recorder.ready
  const records = yield* answer
  assert.deepEqual(
    records,
    Array.from({ length: 10_000 }, (_, n) => n)
  )
  const { stats } = yield* recorder.close
  console.log(`${before._tag}, then running: ${stats.stored} records in order, in ${stats.saves} bulk saves`)
})

await Effect.runPromise(Effect.scoped(program))
