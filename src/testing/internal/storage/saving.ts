/** The laws that hold when nothing goes wrong: saving, loading, acknowledgement. */
import { Effect } from "effect"
import { ensure, unless } from "../calls.js"
import { difference, sameData } from "../sameData.js"
import { holds, idsOf, loads, makeFixture, records, sameRecords } from "./fixture.js"
import { type Law, law } from "./subject.js"

/** The greatest batch that this storage may get from a recorder with the default options. */
const maxBatchOf = ({ maxBatch = 1000 }: { readonly maxBatch?: number }): number =>
  maxBatch >= 1 ? Math.min(Math.floor(maxBatch), 1000) : 1

const saving: ReadonlyArray<Law> = [
  law(
    {
      id: "S1",
      name: "empty-at-first",
      group: "saving",
      statement: "A new place holds nothing.",
      advice: "Give every place its own file, table or map, and let `place` make it empty"
    },
    (trial) =>
      Effect.flatMap(makeFixture(trial), (fixture) =>
        Effect.zipRight(
          holds(trial, fixture, [], "before any save"),
          loads(trial, fixture, [], "before any save")
        )
      )
  ),
  law(
    {
      id: "S2",
      name: "one-record",
      group: "saving",
      statement: "A record that was saved alone is held and loaded.",
      advice: "Let `save` store every record of its batch before it succeeds"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const one = records(trial, 0, 1)
        yield* fixture.save(one)
        yield* holds(trial, fixture, one, "after one save")
        yield* loads(trial, fixture, one, "after one save")
      })
  ),
  law(
    {
      id: "S3",
      name: "whole-batch",
      group: "saving",
      statement: "Every record of a batch is held once, and loaded.",
      advice: "Store the whole batch, its first and its last record too"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batch = records(trial, 0, 37)
        yield* fixture.save(batch)
        yield* holds(trial, fixture, batch, "after a batch of 37")
        yield* loads(trial, fixture, batch, "after a batch of 37")
      })
  ),
  law(
    {
      id: "S4",
      name: "empty-batch",
      group: "saving",
      statement: "Saving no records succeeds and changes nothing.",
      advice: "Return at once from `save([])`: many drivers fail on a statement without rows"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save([])
        yield* holds(trial, fixture, [], "after an empty batch")
        yield* fixture.save(records(trial, 0, 2))
        yield* fixture.save([])
        yield* holds(trial, fixture, records(trial, 0, 2), "after an empty batch")
      })
  ),
  law(
    {
      id: "S5",
      name: "greatest-batch",
      group: "saving",
      statement: "The greatest batch that a recorder sends is stored whole.",
      advice:
        "Name a smaller `maxBatch`, or split the batch: some drivers write nothing, silently, over their limit"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const size = maxBatchOf(fixture.storage)
        const batch = records(trial, 0, size)
        yield* fixture.save(batch)
        yield* holds(trial, fixture, batch, `after a batch of ${size}`)
      })
  ),
  law(
    {
      id: "S6",
      name: "batches-add-up",
      group: "saving",
      statement: "A later batch takes nothing away from the earlier ones.",
      advice: "Add to what is held: never write the place anew from one batch"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        let next = 0
        for (const size of [1, 2, 3, 5, 8, 1]) {
          yield* fixture.save(records(trial, next, next + size))
          next += size
          yield* holds(trial, fixture, records(trial, 0, next), `after ${next} records`)
        }
        yield* loads(trial, fixture, records(trial, 0, next), `after ${next} records`)
      })
  ),
  law(
    {
      id: "S7",
      name: "records-unchanged",
      group: "saving",
      statement: "Saving leaves the records as they are.",
      advice: "Copy a record before you add to it: its saver may still hold it"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batch = records(trial, 0, 5)
        yield* fixture.save(batch)
        const changed = batch.findIndex((record, i) => !sameData(record, trial.subject.record(i)))
        yield* ensure(changed < 0, `the record at position ${changed} is another one after its save`)
      })
  ),
  law(
    {
      id: "S8",
      name: "saves-when-run",
      group: "saving",
      statement: "Calling `save` does nothing until the effect that it returns is run.",
      advice: "Start the work inside of the effect, with Effect.suspend or Effect.tryPromise"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        fixture.storage.save(records(trial, 0, 2))
        yield* fixture.save(records(trial, 2, 3))
        yield* holds(trial, fixture, records(trial, 2, 3), "after a save that was never run")
      })
  ),
  law(
    {
      id: "S9",
      name: "properties-are-valid",
      group: "saving",
      statement:
        "`maxBatch`, where it is named, is a whole number above 0, and the capabilities name `prepare`.",
      advice:
        "Leave `maxBatch` out when there is no limit, and name in the capabilities whether there is a `prepare`"
    },
    (trial) =>
      Effect.flatMap(makeFixture(trial), ({ storage: { maxBatch, prepare } }) =>
        Effect.zipRight(
          ensure(
            maxBatch === undefined || (Number.isInteger(maxBatch) && maxBatch > 0),
            `maxBatch is ${maxBatch}`
          ),
          ensure(
            (prepare !== undefined) === (trial.subject.capabilities.prepares === "yes"),
            `the storage has ${prepare === undefined ? "no" : "a"} prepare, and the capabilities name the opposite`
          )
        )
      )
  )
]

const loading: ReadonlyArray<Law> = [
  law(
    {
      id: "S10",
      name: "same-data",
      group: "loading",
      statement: "A record is loaded with the data that it was saved with.",
      advice: "Check what encodes and decodes the records"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(records(trial, 0, 10))
        yield* sameRecords(trial, yield* fixture.load, records(trial, 0, 10))
      })
  ),
  law(
    {
      id: "S11",
      name: "load-changes-nothing",
      group: "loading",
      statement: "Loading takes nothing away: the next load and another reader see the same.",
      advice: "Answer from what is held, and leave it there"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batch = records(trial, 0, 6)
        yield* fixture.save(batch)
        const first = idsOf(trial, yield* fixture.load)
        const second = idsOf(trial, yield* fixture.load)
        const differs = difference(second, first)
        yield* unless(differs && `a second load differs from the first one: ${differs}`)
        yield* holds(trial, fixture, batch, "after two loads")
      })
  ),
  law(
    {
      id: "S12",
      name: "result-is-a-snapshot",
      group: "loading",
      statement: "What was loaded does not change by later saves.",
      advice: "Give each load an array of its own"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(records(trial, 0, 4))
        const loaded = yield* fixture.load
        const before = loaded.length
        yield* fixture.save(records(trial, 4, 8))
        yield* ensure(
          loaded.length === before,
          `a result of ${before} records has ${loaded.length} after another save`
        )
      })
  )
]

const acknowledgement: ReadonlyArray<Law> = [
  law(
    {
      id: "S13",
      name: "acknowledged-means-committed",
      group: "acknowledgement",
      statement: "In the moment in which a save succeeds, another reader sees the whole batch.",
      advice: "Succeed only after the commit: a buffer, a forked write or a cache is none"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const { save } = fixture.storage
        for (const [from, to] of [
          [0, 1],
          [1, 9],
          [9, 10]
        ] as const) {
          const seen = yield* fixture.peekAfter(Effect.suspend(() => save(records(trial, from, to).slice())))
          const differs = difference(seen, idsOf(trial, records(trial, 0, to)))
          yield* unless(differs && `in the moment in which a save succeeds, another reader sees ${differs}`)
        }
      })
  ),
  law(
    {
      id: "S14",
      name: "no-success-without-rows",
      group: "acknowledgement",
      statement: "Whatever the size of a batch, its save succeeds only when all its records were written.",
      advice: "Compare the number of rows written with the number sent, and fail when one is missing"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const greatest = maxBatchOf(fixture.storage)
        let next = 0
        for (const size of [greatest - 1, 2, Math.ceil(greatest / 2), 64, 1].filter((n) => n > 0)) {
          yield* fixture.save(records(trial, next, next + size))
          next += size
          yield* holds(trial, fixture, records(trial, 0, next), `after a batch of ${size}`)
        }
      })
  ),
  law(
    {
      id: "S15",
      name: "many-small-saves",
      group: "acknowledgement",
      statement: "Each of many small saves is there for itself: none waits for the next one.",
      advice: "Write in `save` and keep nothing back; the recorder makes the batches"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        for (let i = 0; i < 12; i++) {
          yield* fixture.save(records(trial, i, i + 1))
          yield* holds(trial, fixture, records(trial, 0, i + 1), `after save ${i + 1}`)
        }
      })
  )
]

export const lawsOfSaving: ReadonlyArray<Law> = [...saving, ...loading, ...acknowledgement]
