/**
 * Chooses between the three kinds of save:
 *
 * - `unsafeSave`, `save`: accepted. The request does not wait for the storage.
 * - `saveDurable`: committed. The request waits for the commit, however long that takes.
 * - `saveDurable` with a time-out: committed, or the request fails. After a time-out the record may be stored or not:
 *   try again with the same id, and it is stored once.
 *
 * Run: `npm run examples -- 06`. Prints how many commits 64 waiting payments shared, and that a payment that was saved
 * twice is stored once.
 */
import assert from "node:assert/strict"
import { Effect } from "effect"
import { Id, Recorder, Storage } from "effect-recorder"

const columns = { id: Storage.Column.uuid, invoice: Storage.Column.text }

/** A database whose connection can break: it commits the saves, but its answers do not arrive. */
const makeDatabase = Effect.gen(function* () {
  const memory = yield* Storage.memory({ columns, id: "id" })
  const answers = yield* Effect.makeLatch(true)
  const save: typeof memory.save = (batch) => Effect.zipLeft(memory.save(batch), answers.await)
  return { answers, memory, storage: { ...memory, save } }
})

const program = Effect.gen(function* () {
  const { answers, memory, storage } = yield* makeDatabase
  const recorder = yield* Recorder.make(storage, { saveTimeout: "200 millis" })
  const record = Effect.map(Id.uuid7, (id) => ({ id, invoice: "2026-117" }))

  // Committed when it returns. Requests that wait at the same time share a commit.
  const payments = yield* Effect.replicateEffect(record, 64)
  yield* Effect.forEach(payments, recorder.saveDurable, { concurrency: "unbounded" })
  assert.equal(memory.records.length, 64)
  const commits = (yield* recorder.stats).saves
  assert.ok(commits <= 4)

  // The database becomes unavailable. A save that does not wait is accepted all the same.
  yield* answers.close
  assert.equal(recorder.unsafeSave(yield* record), true)

  // A mandatory save fails in time, and the request can report it to its client.
  const payment = yield* record
  const mandatory = recorder.saveDurable(payment).pipe(Effect.timeout("50 millis"))
  const error = yield* Effect.flip(mandatory)
  assert.equal(error._tag, "TimeoutException")

  // The client tries again with the same id when the database is available again.
  yield* answers.open
  yield* recorder.saveDurable(payment)
  const { stats } = yield* recorder.close
  assert.deepEqual([stats.accepted, stats.stored], [67, 67])
  assert.equal(memory.records.length, 66)
  console.log(`64 payments in ${commits} commit(s); the one that was tried twice is stored once`)
})

await Effect.runPromise(Effect.scoped(program))
