/**
 * Saves records without waiting, queries them, and closes the recorder.
 *
 * Run: `npm run examples -- 01`. Prints how many records were stored by how many bulk saves, and those of alice.
 */
import assert from "node:assert/strict"
import { Effect } from "effect"
import { Recorder, Storage } from "effect-recorder"

const program = Effect.gen(function* () {
  const recorder = yield* Recorder.make(Storage.memory<string>())
  recorder.unsafeSave("alice opened the door")
  recorder.unsafeSave("bob closed the door")
  recorder.unsafeSave("alice left")
  const alice = yield* recorder.load((line) => line.startsWith("alice"))
  assert.deepEqual(alice, ["alice opened the door", "alice left"])
  const { stats } = yield* recorder.close
  assert.deepEqual([stats.accepted, stats.stored, stats.saves], [3, 3, 1])
  console.log(`${stats.stored} records in ${stats.saves} bulk save; alice: ${alice.join(", ")}`)
})

await Effect.runPromise(Effect.scoped(program))
