/**
 * Two copies of a list of proposals are edited while they are cut apart. Joined, both hold the same, and no vote is lost.
 *
 * Run: `npm run examples -- 14`. Prints what both copies hold.
 */
import assert from "node:assert/strict"
import { Effect, Option } from "effect"
import { MergePool } from "effect-recorder"

const strategies = {
  title: MergePool.last<string>(),
  votes: MergePool.counter,
  labels: MergePool.set<string>()
}

const program = Effect.gen(function* () {
  const ada = yield* MergePool.replica(strategies)
  const bob = yield* MergePool.replica(strategies)
  yield* ada.edit("park", { title: { _tag: "Set", value: "A park" }, votes: { _tag: "Increment", by: 1 } })
  yield* bob.receive(yield* ada.state)

  // Nothing passes between them here.
  yield* ada.edit("park", {
    votes: { _tag: "Increment", by: 1 },
    labels: { _tag: "Add", members: ["green"] }
  })
  yield* bob.edit("park", {
    votes: { _tag: "Increment", by: 1 },
    labels: { _tag: "Add", members: ["cheap"] }
  })

  yield* bob.receive(yield* ada.state)
  yield* ada.receive(yield* bob.state)
  for (const copy of [ada, bob]) {
    const park = Option.getOrThrow(yield* copy.get("park"))
    assert.deepEqual(
      [park.get("title"), park.get("votes"), park.get("labels")],
      ["A park", 3, ["cheap", "green"]]
    )
    yield* Effect.log(`${park.get("votes")} votes, ${park.get("labels")}`)
  }
})

await Effect.runPromise(program)
