/** The laws of single writes. */
import { Effect } from "effect"
import { type Condition, Query, Write } from "../../../Table.js"
import { ensure, unless } from "../calls.js"
import {
  isOutcome,
  isRow,
  rowOf,
  rowsDiffer,
  type TableTrial,
  type Things,
  tableLaw,
  thing,
  things,
  uuid
} from "./fixture.js"
import type { TableLaw } from "./subject.js"

/** Does one write, and returns its outcome. */
const one = ({ write }: TableTrial<Things>, given: Write<Things>) =>
  Effect.map(write([given]), ([result]) => result)

const rows: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B7",
      name: "insert-adds",
      group: "writing",
      statement: "An insert adds its row, and returns it whole: with null for what it leaves out.",
      advice: "Return the row as it is read back"
    },
    (trial) =>
      Effect.gen(function* () {
        const result = yield* one(trial, Write.insert({ id: uuid(1), n: 1 }))
        yield* isOutcome(result, "Changed", "an insert")
        yield* isRow(rowOf(result), { ...thing(1), tag: null }, "the outcome of an insert")
        yield* trial.holds([{ ...thing(1), tag: null }], "after an insert")
      })
  ),
  tableLaw(
    {
      id: "B8",
      name: "existing-wins",
      group: "writing",
      statement: "An insert of an id that has a row changes nothing, and returns that row.",
      advice: "Do nothing on a known id (ON CONFLICT DO NOTHING), and return the row that is there"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { note: "first" }))
        const result = yield* one(trial, Write.insert(thing(1, { note: "second", n: 7 })))
        yield* isOutcome(result, "Unchanged", "an insert of a known id")
        yield* isRow(rowOf(result), thing(1, { note: "first" }), "the outcome of an insert of a known id")
        yield* trial.holds([thing(1, { note: "first" })], "after an insert of a known id")
      })
  ),
  tableLaw(
    {
      id: "B9",
      name: "replace-adds",
      group: "writing",
      statement: "A replace of an id without a row adds its row.",
      advice: "Insert the row if there is none with its id"
    },
    (trial) =>
      Effect.gen(function* () {
        const result = yield* one(trial, Write.replace(thing(1)))
        yield* isOutcome(result, "Changed", "a replace")
        yield* isRow(rowOf(result), thing(1), "the outcome of a replace")
        yield* trial.holds([thing(1)], "after a replace of an id without a row")
      })
  ),
  tableLaw(
    {
      id: "B10",
      name: "replace-drops-absent",
      group: "writing",
      statement: "A replace sets the whole row: what it leaves out is null afterwards.",
      advice: "Write every column of the row, NULL for those that are left out"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { note: "first" }), thing(2))
        const result = yield* one(trial, Write.replace({ id: uuid(1), n: 5 }))
        const expected = thing(1, { n: 5, tag: null })
        yield* isOutcome(result, "Changed", "a replace")
        yield* isRow(rowOf(result), expected, "the outcome of a replace")
        yield* trial.holds([expected, thing(2)], "after a replace that leaves columns out")
      })
  ),
  tableLaw(
    {
      id: "B11",
      name: "patch-sets-some",
      group: "writing",
      statement: "A patch sets its columns of one row, leaves all others, and returns the whole row.",
      advice: "Update by the id, and only the columns that the patch has"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { note: "first" }), thing(2, { note: "other" }))
        const result = yield* one(trial, Write.patch(uuid(1), { n: 5 }))
        const expected = thing(1, { note: "first", n: 5 })
        yield* isOutcome(result, "Changed", "a patch")
        yield* isRow(rowOf(result), expected, "the outcome of a patch")
        yield* trial.holds([expected, thing(2, { note: "other" })], "after a patch")
      })
  ),
  tableLaw(
    {
      id: "B12",
      name: "patch-needs-a-row",
      group: "writing",
      statement: "A patch of an id without a row is refused as Missing, and adds none.",
      advice: "Update, and refuse the patch if no row was updated; do not upsert"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* isOutcome(
          yield* one(trial, Write.patch(uuid(1), { n: 5 })),
          "WriteRefused Missing",
          "a patch of no row"
        )
        const conditional = Write.patch(uuid(1), { n: 5 }, Query.eq("n", 1))
        yield* isOutcome(
          yield* one(trial, conditional),
          "WriteRefused Missing",
          "a conditional patch of no row"
        )
        yield* trial.holds([], "after patches of no row")
      })
  ),
  tableLaw(
    {
      id: "B13",
      name: "null-is-not-absent",
      group: "writing",
      statement: "A patch with null sets NULL; a property that is undefined leaves its column as it is.",
      advice: "Keep null and undefined apart: an undefined property counts as absent"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { note: "first" }))
        const kept = yield* one(trial, Write.patch(uuid(1), { n: 2, note: undefined, tag: null }))
        yield* isRow(rowOf(kept), thing(1, { n: 2, note: "first", tag: null }), "a patch with undefined")
        const nulled = yield* one(trial, Write.patch(uuid(1), { note: null }))
        yield* isRow(rowOf(nulled), thing(1, { n: 2, tag: null }), "a patch with null")
        yield* trial.holds([thing(1, { n: 2, tag: null })], "after patches with null and undefined")
      })
  )
]

const conditions: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B14",
      name: "condition-of-a-patch",
      group: "writing",
      statement: "A patch is done if the row meets its condition, and else refused as Conflict.",
      advice: "Put the condition into the WHERE of the statement; one that NULL leaves open is not met"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1))
        const patch = (n: number, when: Condition<Things["columns"]>) =>
          one(trial, Write.patch(uuid(1), { n }, when))
        yield* isOutcome(yield* patch(2, Query.eq("n", 1)), "Changed", "a patch whose condition is met")
        yield* isOutcome(
          yield* patch(3, Query.eq("n", 1)),
          "WriteRefused Conflict",
          "a patch whose condition is not met"
        )
        yield* isOutcome(
          yield* patch(4, Query.ne("note", "a")),
          "WriteRefused Conflict",
          "a patch whose condition NULL leaves open"
        )
        yield* isOutcome(
          yield* patch(5, Query.and(Query.isNull("note"), Query.startsWith("tag", "tag"))),
          "Changed",
          "a patch whose conditions are met"
        )
        yield* trial.holds([thing(1, { n: 5 })], "after conditional patches")
      })
  ),
  tableLaw(
    {
      id: "B15",
      name: "delete-is-idempotent",
      group: "writing",
      statement: "A delete removes its row and no other; without a row it changes nothing, and succeeds.",
      advice: "Delete by the id, and answer Unchanged if there was no row"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1), thing(2))
        const first = yield* one(trial, Write.delete(uuid(1)))
        yield* isOutcome(first, "Changed", "a delete")
        yield* isRow(rowOf(first), undefined, "the outcome of a delete")
        yield* isOutcome(yield* one(trial, Write.delete(uuid(1))), "Unchanged", "a delete of no row")
        yield* trial.holds([thing(2)], "after deletes")
      })
  ),
  tableLaw(
    {
      id: "B16",
      name: "condition-of-a-delete",
      group: "writing",
      statement: "A delete whose condition the row does not meet is refused as Conflict.",
      advice: "Judge the condition in the statement; without a row the delete changes nothing, and succeeds"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1))
        const remove = (n: number, id = uuid(1)) => one(trial, Write.delete(id, Query.eq("n", n)))
        yield* isOutcome(yield* remove(2), "WriteRefused Conflict", "a delete whose condition is not met")
        yield* trial.holds([thing(1)], "after a refused delete")
        yield* isOutcome(yield* remove(2, uuid(9)), "Unchanged", "a conditional delete of no row")
        yield* isOutcome(yield* remove(1), "Changed", "a delete whose condition is met")
        yield* trial.holds([], "after a conditional delete")
      })
  ),
  tableLaw(
    {
      id: "B17",
      name: "delete-all",
      group: "writing",
      statement: "A DeleteAll removes all rows; of an empty table it changes nothing.",
      advice: "Delete without a condition, and answer Unchanged if no row was there"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1), thing(2), thing(3))
        yield* isOutcome(yield* one(trial, Write.deleteAll), "Changed", "a DeleteAll")
        yield* trial.holds([], "after a DeleteAll")
        yield* isOutcome(yield* one(trial, Write.deleteAll), "Unchanged", "a DeleteAll of an empty table")
        yield* trial.insert(thing(1))
        yield* trial.holds([thing(1)], "after an insert behind a DeleteAll")
      })
  ),
  tableLaw(
    {
      id: "B18",
      name: "writes-by-name",
      group: "writing",
      statement: "insert, replace, patch, delete and deleteAll do what write does with one of these.",
      advice: "Make them of write, and fail with its WriteRefused or StorageError"
    },
    ({ holds, table }) =>
      Effect.gen(function* () {
        const failing = <A, E>(what: string, call: Effect.Effect<A, E>) =>
          Effect.mapError(call, (error) => `${what} failed with ${String(error)}`)
        const insert = yield* failing("insert", table.insert(thing(1)))
        const replace = yield* failing("replace", table.replace(thing(2)))
        const patch = yield* failing("patch", table.patch(uuid(1), { note: "p" }, Query.eq("n", 1)))
        for (const [result, row] of [
          [insert, thing(1)],
          [replace, thing(2)],
          [patch, thing(1, { note: "p" })]
        ] as const) {
          yield* unless(rowsDiffer(things, [rowOf(result) ?? {}], [row]))
        }
        const refused = yield* Effect.either(table.patch(uuid(9), { n: 1 }))
        yield* ensure(
          refused._tag === "Left" && refused.left._tag === "WriteRefused",
          "a patch of no row is not refused"
        )
        yield* failing("delete", table.delete(uuid(2), Query.eq("n", 2)))
        yield* holds([thing(1, { note: "p" })], "after writes by name")
        yield* failing("deleteAll", table.deleteAll)
        yield* holds([], "after deleteAll")
      })
  )
]

export const lawsOfWriting: ReadonlyArray<TableLaw> = [...rows, ...conditions]
