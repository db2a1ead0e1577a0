/** The laws of many writes in one call. */
import { Effect } from "effect"
import { memory, Query, Write, type WriteResult } from "../../../Table.js"
import { ensure, unless } from "../calls.js"
import { sameData } from "../sameData.js"
import { type Draw, draw } from "../values.js"
import { brief, isOutcome, numbers, rowOf, type Things, tableLaw, thing, things, uuid } from "./fixture.js"
import type { TableLaw } from "./subject.js"

/** A write of one of a few rows; few of them write all rows, are refused, or are not valid. */
const randomWrite = (by: Draw): Write<Things> => {
  const id = by.below(6)
  const value = by.below(3)
  const note = by.of([null, "a", "b"])
  const when = by.of([undefined, undefined, Query.eq("n", value), Query.isNull("note")])
  switch (by.below(10)) {
    case 0:
    case 1:
    case 2:
      return Write.insert(thing(id, { n: value, note }))
    case 3:
    case 4:
      return Write.replace(thing(id, { n: value, note }))
    case 5:
    case 6:
      return Write.patch(uuid(id), by.of([{ n: value }, { note }, { n: value, note }]), when)
    case 7:
      return Write.patch(uuid(id), {})
    case 8:
      return Write.delete(uuid(id), when)
    default:
      return by.below(2) === 0 ? Write.deleteAll : Write.delete(uuid(id))
  }
}

/** Whether an outcome may stand for the one of a table in memory, which knows exactly whether something has changed. */
const isLike = (
  write: Write<Things>,
  seen: WriteResult<Things> | undefined,
  expected: WriteResult<Things>
): boolean => {
  const mayChange = write._tag === "Replace" || write._tag === "Patch"
  const same =
    brief(seen) === brief(expected) ||
    (mayChange && brief(seen) === "Changed" && brief(expected) === "Unchanged")
  return same && sameData(rowOf(seen), rowOf(expected))
}

export const lawsOfBatches: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B19",
      name: "one-outcome-each",
      group: "batches",
      statement: "A call returns one outcome for each write, in the order of the writes.",
      advice: "Find the outcome of a write by its id; a statement returns rows in any order"
    },
    ({ holds, insert, write }) =>
      Effect.gen(function* () {
        yield* insert(thing(3), thing(4), thing(5))
        const writes = [
          Write.delete(uuid(5)),
          Write.insert(thing(1)),
          Write.patch(uuid(4), { n: 40 }),
          Write.insert(thing(3, { n: 30 })),
          Write.patch(uuid(9), { n: 90 }),
          Write.replace(thing(2)),
          Write.delete(uuid(8))
        ]
        const results = yield* write(writes)
        const expected = [
          "Changed",
          "Changed",
          "Changed",
          "Unchanged",
          "WriteRefused Missing",
          "Changed",
          "Unchanged"
        ]
        yield* ensure(
          results.length === writes.length,
          `${writes.length} writes have ${results.length} outcomes`
        )
        for (const [at, outcome] of expected.entries()) {
          yield* isOutcome(results[at], outcome, `the ${writes[at]?._tag} at position ${at}`)
        }
        const seen = results.map((result) => rowOf(result)?.n ?? "-").join(" ")
        yield* ensure(seen === "- 1 40 3 - 2 -", `the rows of the outcomes are ${seen}`)
        yield* holds([thing(1), thing(2), thing(3), thing(4, { n: 40 })], "after writes of every kind")
        yield* ensure((yield* write([])).length === 0, "no writes have outcomes")
      })
  ),
  tableLaw(
    {
      id: "B20",
      name: "refused-spares-neighbours",
      group: "batches",
      statement: "A write that is refused, at any position, leaves the others of its call as they are.",
      advice: "Refuse a write by its outcome; do not fail or roll back the whole call"
    },
    ({ holds, insert, write }) =>
      Effect.gen(function* () {
        const refused: ReadonlyArray<readonly [reason: string, write: Write<Things>]> = [
          ["Missing", Write.patch(uuid(99), { n: 1 })],
          ["Conflict", Write.patch(uuid(98), { n: 1 }, Query.eq("n", -1))],
          ["Conflict", Write.delete(uuid(98), Query.eq("n", -1))],
          ["Invalid", Write.insert({ ...thing(97), note: "\0" })],
          ["Invalid", Write.patch(uuid(98), {})],
          ["Invalid", Write.patch(uuid(98), { n: "one" as unknown as number })],
          ["Invalid", Write.delete("no uuid")]
        ]
        const expected = [thing(98)]
        yield* insert(thing(98))
        for (const [at, [reason, bad]] of refused.entries()) {
          const rows = [0, 1, 2].map((n) => thing(3 * at + n))
          const writes: Array<Write<Things>> = rows.map((row) => Write.insert(row))
          writes.splice(at % 4, 0, bad)
          const results = yield* write(writes)
          for (const [n, result] of results.entries()) {
            const outcome = n === at % 4 ? `WriteRefused ${reason}` : "Changed"
            yield* isOutcome(result, outcome, `position ${n} of a call with a ${bad._tag} that is ${reason}`)
          }
          expected.push(...rows)
          yield* holds(expected, `after a call with a ${bad._tag} that is ${reason}`)
        }
      })
  ),
  tableLaw(
    {
      id: "B21",
      name: "order-of-an-id",
      group: "batches",
      statement: "Writes of one id in one call are done in their order, each upon the one before.",
      advice: "Do the second write of an id in another statement, after the first one"
    },
    ({ holds, write }) =>
      Effect.gen(function* () {
        const results = yield* write([
          Write.insert(thing(1)),
          Write.insert(thing(2)),
          Write.patch(uuid(1), { n: 10 }, Query.eq("n", 1)),
          Write.patch(uuid(1), { note: "x" }, Query.eq("n", 10)),
          Write.delete(uuid(2)),
          Write.insert(thing(2, { n: 20 })),
          Write.replace(thing(1, { n: 100 })),
          Write.patch(uuid(1), { n: 101 }, Query.eq("n", 10))
        ])
        const seen = results.map(brief).join(", ")
        yield* ensure(
          seen === `${"Changed, ".repeat(7)}WriteRefused Conflict`,
          `writes of the same ids end with ${seen}`
        )
        const rows = results.map((result) => rowOf(result)?.n ?? "-").join(" ")
        yield* ensure(rows === "1 2 10 10 - 20 100 -", `their rows are ${rows}`)
        yield* holds([thing(1, { n: 100 }), thing(2, { n: 20 })], "after writes of the same ids")
      })
  ),
  tableLaw(
    {
      id: "B22",
      name: "delete-all-in-its-place",
      group: "batches",
      statement: "A DeleteAll removes what the writes before it have written, and nothing of those after it.",
      advice: "Do it alone, between the writes before and after it"
    },
    ({ holds, insert, write }) =>
      Effect.gen(function* () {
        yield* insert(thing(0))
        const results = yield* write([Write.insert(thing(1)), Write.deleteAll, Write.insert(thing(2))])
        for (const [at, result] of results.entries()) yield* isOutcome(result, "Changed", `position ${at}`)
        yield* holds([thing(2)], "after a DeleteAll between two inserts")
      })
  ),
  tableLaw(
    {
      id: "B23",
      name: "many-writes",
      group: "batches",
      statement: "A call may have more writes than a statement takes: all of them are done.",
      advice: "Name a smaller `maxBatch`: the table splits calls by it"
    },
    ({ count, done, get, table }) =>
      Effect.gen(function* () {
        const many = Math.min(2 * table.maxBatch + 1, 2_500)
        yield* done(...numbers(many).map((n): Write<Things> => Write.insert(thing(n))))
        yield* ensure((yield* count()) === many, `${many} inserts left ${yield* count()} rows`)
        yield* done(...numbers(many).map((n): Write<Things> => Write.patch(uuid(n), { n: n + 1 })))
        const seen = yield* count(Query.eq("n", 0))
        yield* ensure(seen === 0, `${many} patches left ${seen} rows as they were`)
        const last = yield* get(uuid(many - 1))
        yield* ensure(last?.n === many, `the last of ${many} patches was not done`)
        yield* done(...numbers(many).map((n): Write<Things> => Write.delete(uuid(n))))
        yield* ensure((yield* count()) === 0, `${many} deletes left ${yield* count()} rows`)
      })
  ),
  tableLaw(
    {
      id: "B24",
      name: "as-if-one-by-one",
      group: "batches",
      statement: "Random writes, in calls of any size, end as they end in a table in memory, with its rows.",
      advice: "Find the law of the write that is broken too; the same seed draws the same writes"
    },
    ({ holds, samples, seed, write }) =>
      Effect.gen(function* () {
        const by = draw(seed)
        const model = yield* Effect.orDie(memory(things))
        for (let sample = 0; sample < samples; sample += 5) {
          const writes = numbers(1 + by.below(20)).map(() => randomWrite(by))
          const expected = yield* model.write(writes)
          const results = yield* write(writes)
          const at = writes.findIndex(
            (given, n) => !isLike(given, results[n], expected[n] as WriteResult<Things>)
          )
          yield* unless(
            at < 0
              ? undefined
              : `with the seed ${seed}, the ${writes[at]?._tag} at position ${at} ended with ${brief(results[at])} instead of ${brief(expected[at])}, or with another row`
          )
          yield* holds((yield* Effect.orDie(model.list())).value, `with the seed ${seed}`)
        }
      })
  ),
  tableLaw(
    {
      id: "B25",
      name: "unique-is-refused",
      group: "batches",
      statement: "A write that breaks a unique constraint is refused as Unique, and spares its neighbours.",
      needs: ["unique tag"],
      advice: "Find the write at fault when a statement breaks a constraint, and do the others without it"
    },
    ({ holds, insert, write }) =>
      Effect.gen(function* () {
        yield* insert(thing(1), thing(2))
        const taken = "tag 1"
        const results = yield* write([
          Write.insert(thing(3)),
          Write.insert(thing(4, { tag: taken })),
          Write.patch(uuid(2), { tag: taken }),
          Write.insert(thing(5)),
          Write.replace(thing(6, { tag: taken }))
        ])
        const seen = results.map(brief).join(", ")
        const unique = "WriteRefused Unique"
        yield* ensure(
          seen === ["Changed", unique, unique, "Changed", unique].join(", "),
          `writes of which three have the tag of another row end with ${seen}`
        )
        yield* holds(
          [1, 2, 3, 5].map((n) => thing(n)),
          "after writes that break a unique constraint"
        )
      })
  )
]
