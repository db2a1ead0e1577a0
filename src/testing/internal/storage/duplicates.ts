/** The laws of records that come again, and of other constraints that a record can break. */
import { Effect, Exit } from "effect"
import { ensure, failedWith } from "../calls.js"
import { likeIds } from "../values.js"
import { given, holds, isPoison, loads, makeFixture, numbered, records, refused } from "./fixture.js"
import { type Law, law } from "./subject.js"

const duplicates: ReadonlyArray<Law> = [
  law(
    {
      id: "S20",
      name: "again-is-once",
      group: "duplicates",
      statement: "A batch that is saved again is held once.",
      needs: ["duplicates ignored"],
      advice: "Ignore the ids that are held: a retry after a lost answer sends the same records again"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batch = records(trial, 0, 7)
        for (let time = 0; time < 3; time++) yield* fixture.save(batch)
        yield* holds(trial, fixture, batch, "after a batch that came three times")
        yield* loads(trial, fixture, batch, "after a batch that came three times")
      })
  ),
  law(
    {
      id: "S21",
      name: "known-among-new",
      group: "duplicates",
      statement: "A batch of known and new records stores the new ones.",
      needs: ["duplicates ignored"],
      advice: "Ignore duplicates one by one (ON CONFLICT (id) DO NOTHING): they must not abort the batch"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(numbered(trial, 1, 3))
        yield* fixture.save(numbered(trial, 0, 1, 2, 3, 4))
        yield* holds(trial, fixture, records(trial, 0, 5), "after known and new records in one batch")
      })
  ),
  law(
    {
      id: "S22",
      name: "twice-in-a-batch",
      group: "duplicates",
      statement: "A record that is twice in one batch is held once.",
      needs: ["duplicates ignored"],
      advice: "Look for duplicates inside of the batch too, not only among what is held"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(numbered(trial, 0, 1, 0, 2, 2))
        yield* holds(trial, fixture, records(trial, 0, 3), "after a batch with records in it twice")
      })
  ),
  law(
    {
      id: "S23",
      name: "duplicates-are-counted",
      group: "duplicates",
      statement: "The number of duplicates that a save reports, where it reports one, is right.",
      needs: ["duplicates ignored"],
      advice: "Return how many records of the batch were held already, or return nothing"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        for (const [batch, expected] of [
          [numbered(trial, 0, 1, 2), 0],
          [numbered(trial, 1, 3, 2, 4), 2],
          [numbered(trial, 0, 1, 2, 3, 4), 5],
          [numbered(trial, 5, 5), 1],
          [numbered(trial, 6), 0]
        ] as const) {
          const saved = yield* fixture.save(batch)
          const count = saved?.duplicates ?? expected
          yield* ensure(
            count === expected,
            `a batch of ${batch.length} with ${expected} duplicates reports ${count}`
          )
        }
      })
  ),
  law(
    {
      id: "S24",
      name: "first-one-stays",
      group: "duplicates",
      statement: "A record with a known id does not change the one that is held.",
      needs: ["duplicates ignored", "withText"],
      advice: "Do nothing on a known id: an update would change a record that was acknowledged"
    },
    (trial) =>
      Effect.gen(function* () {
        const withText = given(trial, "withText")
        const fixture = yield* makeFixture(trial)
        yield* fixture.save([withText(0, "first")])
        yield* fixture.save([withText(0, "second"), withText(1, "first"), withText(1, "second")])
        yield* loads(
          trial,
          fixture,
          [withText(0, "first"), withText(1, "first")],
          "after others with the same ids"
        )
      })
  ),
  law(
    {
      id: "S25",
      name: "like-ids-are-others",
      group: "duplicates",
      statement: "Ids that differ by case or by a space at the end are different ids.",
      needs: ["withId"],
      advice:
        "Compare ids by their bytes: a collation without case acknowledges records that are never stored"
    },
    (trial) =>
      Effect.gen(function* () {
        const withId = given(trial, "withId")
        const fixture = yield* makeFixture(trial)
        const batch = likeIds.map((id, i) => withId(i, id))
        yield* fixture.save(batch.slice(0, 3))
        yield* fixture.save(batch.slice(3))
        yield* holds(trial, fixture, batch, "after ids that differ by case or by a space")
      })
  )
]

const uniqueConstraints: ReadonlyArray<Law> = [
  law(
    {
      id: "S26",
      name: "clash-is-refused",
      group: "unique constraints",
      statement: "A record that breaks another unique constraint fails its save: it is no duplicate.",
      needs: ["clash"],
      advice:
        "Name the id as the target of ON CONFLICT: without one, every unique constraint swallows records"
    },
    (trial) =>
      Effect.gen(function* () {
        const clash = given(trial, "clash")
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(records(trial, 0, 1))
        yield* refused(fixture, [clash(1, 0)], "a record that breaks another unique constraint")
        yield* refused(
          fixture,
          [...numbered(trial, 2), clash(3, 0), ...numbered(trial, 4)],
          "a batch with a record in it that breaks another unique constraint"
        )
      })
  ),
  law(
    {
      id: "S27",
      name: "clash-in-a-batch",
      group: "unique constraints",
      statement: "Two records of one batch that clash with each other fail its save.",
      needs: ["clash"],
      advice: "Check constraints inside of the batch too"
    },
    (trial) =>
      Effect.gen(function* () {
        const clash = given(trial, "clash")
        const fixture = yield* makeFixture(trial)
        yield* refused(fixture, [...numbered(trial, 0), clash(1, 0)], "two records that clash")
      })
  ),
  law(
    {
      id: "S28",
      name: "clash-is-poison",
      group: "unique constraints",
      statement: "The failure of a record that breaks another constraint is a StorageError of kind Poison.",
      needs: ["clash"],
      advice: "Classify constraint violations as Poison: a retry cannot mend them, bisection finds the record"
    },
    (trial) =>
      Effect.gen(function* () {
        const clash = given(trial, "clash")
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(records(trial, 0, 1))
        const exit = yield* fixture.attempt([clash(1, 0)])
        yield* ensure(Exit.isSuccess(exit) || isPoison(exit), `it failed with ${failedWith(exit)}`)
      })
  )
]

export const lawsOfDuplicates: ReadonlyArray<Law> = [...duplicates, ...uniqueConstraints]
