/** The laws of order. */
import { Effect } from "effect"
import { succeeds, unless } from "../calls.js"
import { difference, disorder } from "../sameData.js"
import { given, holdsInOrder, idsOf, makeFixture, numbered } from "./fixture.js"
import { type Law, law } from "./subject.js"

/** Numbers that no order of the ids explains. */
const mixed = [5, 0, 7, 2, 9, 1, 8, 3]

export const lawsOfOrder: ReadonlyArray<Law> = [
  law(
    {
      id: "S16",
      name: "order-in-a-batch",
      group: "order",
      statement: "The records of a batch are held in its order.",
      needs: ["peeks in order"],
      advice:
        "Write the records one after the other as they come; a sort or a parallel write loses their order"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batch = numbered(trial, ...mixed)
        yield* fixture.save(batch)
        yield* holdsInOrder(trial, fixture, batch, "after one batch")
      })
  ),
  law(
    {
      id: "S17",
      name: "order-of-batches",
      group: "order",
      statement: "A later batch is held behind the earlier ones.",
      needs: ["peeks in order"],
      advice: "Append each batch: its place is behind what was committed before"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batches = [numbered(trial, 5, 6), numbered(trial, 0), numbered(trial, 3, 4), numbered(trial, 1)]
        for (const batch of batches) yield* fixture.save(batch)
        yield* holdsInOrder(trial, fixture, batches.flat(), "after four batches")
      })
  ),
  law(
    {
      id: "S18",
      name: "order-after-duplicates",
      group: "order",
      statement: "A duplicate keeps its place, and new records follow.",
      needs: ["peeks in order", "duplicates ignored"],
      advice: "Ignore what is held already; do not delete and insert it again"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(numbered(trial, 4, 2, 6))
        yield* fixture.save(numbered(trial, 6, 1, 4, 3))
        yield* holdsInOrder(trial, fixture, numbered(trial, 4, 2, 6, 1, 3), "after records that came again")
      })
  ),
  law(
    {
      id: "S19",
      name: "loads-in-order",
      group: "order",
      statement: "The query for everything is answered in the order of saving.",
      needs: ["loads in order"],
      advice: "Sort the answer by the order of saving, or name in the capabilities that it has none"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batch = numbered(trial, ...mixed)
        yield* fixture.save(batch.slice(0, 5))
        yield* fixture.save(batch.slice(5))
        const loaded = idsOf(trial, yield* fixture.load)
        const differs = disorder(loaded, idsOf(trial, batch))
        yield* unless(differs && `in what is loaded, ${differs}`)
      })
  ),
  law(
    {
      id: "S88",
      name: "pages-join",
      group: "order",
      statement: "The pages of a query join to its answer; behind the last one there is nothing.",
      needs: ["page"],
      advice: "Pass by `(page - 1) * limit` records of the whole order, then return at most `limit` of them"
    },
    (trial) =>
      Effect.gen(function* () {
        const page = given(trial, "page")
        const fixture = yield* makeFixture(trial)
        const batch = numbered(trial, ...mixed)
        yield* fixture.save(batch)
        const ask = (limit: number, nth: number) =>
          Effect.map(
            succeeds(
              trial,
              `loading page ${nth} of ${limit}`,
              Effect.suspend(() => fixture.storage.load(page(limit, nth)))
            ),
            (loaded) => idsOf(trial, loaded)
          )
        const whole = yield* ask(100, 1)
        yield* unless(difference(whole, idsOf(trial, batch)))
        for (const limit of [1, 3, 4]) {
          for (let nth = 1; nth <= Math.ceil(mixed.length / limit) + 1; nth++) {
            const expected = whole.slice((nth - 1) * limit, nth * limit)
            const seen = yield* ask(limit, nth)
            const differs = difference(seen, expected) ?? disorder(seen, expected)
            yield* unless(differs && `in page ${nth} of ${limit}, ${differs}`)
          }
        }
      })
  )
]
