/**
 * Three promises, and when to use which:
 *
 * - `unsafeSave`, `save`: "accepted". Nobody waits. For what must not cost the request anything.
 * - `saveDurable`: "committed". The request waits for the commit, however long that takes.
 * - `saveDurable` with a time-out, a mandatory save: "committed, or the request fails". After a time-out the record
 *   may be stored or not: try again with the same id, and it is stored once.
 */
import assert from "node:assert/strict"
import { Effect } from "effect"
import { Id, Recorder, Storage } from "effect-recorder"

const columns = { id: Storage.Column.uuid, what: Storage.Column.text }

/** A database that can be away: its saves are committed, but their answers do not come. */
const makeDatabase = Effect.gen(function* () {
  const memory = yield* Storage.memory({ columns, id: "id" })
  const answers = yield* Effect.makeLatch(true)
  const save: typeof memory.save = (batch) => Effect.zipLeft(memory.save(batch), answers.await)
  return { answers, memory, storage: { ...memory, save } }
})

const program = Effect.gen(function* () {
  const { answers, memory, storage } = yield* makeDatabase
  const recorder = yield* Recorder.make(storage, { saveTimeout: "200 millis" })
  const record = Effect.map(Id.uuid7, (id) => ({ id, what: "paid" }))

  // Committed when it returns. Requests that wait at the same time share a commit.
  const payments = yield* Effect.replicateEffect(record, 64)
  yield* Effect.forEach(payments, recorder.saveDurable, { concurrency: "unbounded" })
  assert.equal(memory.records.length, 64)
  const commits = (yield* recorder.stats).saves
  assert.ok(commits <= 4)

  // The database goes away. Who does not wait does not notice.
  yield* answers.close
  assert.equal(recorder.unsafeSave(yield* record), true)

  // Who must know gets an answer in time, and says so to its client.
  const payment = yield* record
  const mandatory = recorder.saveDurable(payment).pipe(Effect.timeout("50 millis"))
  const error = yield* Effect.flip(mandatory)
  assert.equal(error._tag, "TimeoutException")

  // The client tries again, with the same id, when the database is back.
  yield* answers.open
  yield* recorder.saveDurable(payment)
  const { stats } = yield* recorder.close
  assert.deepEqual([stats.accepted, stats.stored], [67, 67])
  assert.equal(memory.records.length, 66)
  console.log(`64 payments in ${commits} commit(s); the one that was tried twice is stored once`)
})

await Effect.runPromise(Effect.scoped(program))
