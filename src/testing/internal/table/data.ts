/** The laws of ids and values: what every table keeps, and what none may take. */
import { Effect } from "effect"
import type { ColumnType } from "../../../internal/columns/columns.js"
import { type AnyDefinition, Column, define, Query, Write, type WriteResult } from "../../../Table.js"
import { ensure, unless } from "../calls.js"
import type { Trial } from "../law.js"
import { sameData } from "../sameData.js"
import { badValues, draw, hardValues, likeIds, randomRow, valuesOfOtherTypes } from "../values.js"
import { brief, numbers, plainLaw, rowOf, tableLaw, thing, trialOf, uuid } from "./fixture.js"
import type { TableLaw, TableSubject } from "./subject.js"

const { nullable } = Column

/** A column of each type, all of them nullable. */
const values = define({
  name: "every_type",
  columns: {
    id: Column.uuid,
    text: nullable(Column.text),
    uuid: nullable(Column.uuid),
    integer: nullable(Column.integer),
    bigint: nullable(Column.bigint),
    real: nullable(Column.real),
    boolean: nullable(Column.boolean),
    timestamp: nullable(Column.timestamp),
    json: nullable(Column.json),
    bytes: nullable(Column.bytes)
  },
  id: "id"
})

const types: ReadonlyArray<ColumnType> = [
  "text",
  "uuid",
  "integer",
  "bigint",
  "real",
  "boolean",
  "timestamp",
  "json",
  "bytes"
]

/** A table with ids of this type. They have the type of texts here, so that one body tries all of them. */
const withIds = (type: "text" | "integer" | "bigint") =>
  define({
    name: `${type}_ids`,
    columns: { id: Column[type] as typeof Column.text, n: Column.integer },
    id: "id"
  })

/** Rows with these ids are rows of their own, for every call. */
const keepsApart = (
  trial: Trial<TableSubject>,
  type: "text" | "integer" | "bigint",
  given: ReadonlyArray<unknown>
) =>
  Effect.gen(function* () {
    const { get, getMany, holds, write } = yield* trialOf(trial, withIds(type))
    // They are ids of the definition's real type.
    const ids = given as ReadonlyArray<string>
    const all = (what: string, writes: ReadonlyArray<Write<ReturnType<typeof withIds>>>) =>
      Effect.flatMap(write(writes), (results) =>
        unless(problemOf(results, "Changed", `${what} of an id of type ${type}`))
      )
    const rows = ids.map((id, n) => ({ id, n }))
    yield* all(
      "an insert",
      rows.map((row) => Write.insert(row))
    )
    yield* holds(rows, `after inserts of ids of type ${type}`)
    const many = yield* getMany(ids)
    yield* ensure(sameData(many, rows), `reading ids of type ${type} finds other rows`)
    yield* all(
      "a patch",
      ids.map((id, n) => Write.patch(id, { n: n + 100 }))
    )
    for (const [n, id] of ids.entries()) {
      const row = yield* get(id)
      yield* ensure(row?.n === n + 100, `the patch of an id of type ${type} is not there`)
    }
    yield* all(
      "a delete",
      ids.slice(1).map((id) => Write.delete(id))
    )
    yield* holds([{ ...rows[0], n: 100 }], `after deletes of ids of type ${type}`)
  })

/** Which outcome is not the expected one. */
const problemOf = <D extends AnyDefinition>(
  results: ReadonlyArray<WriteResult<D>>,
  expected: string,
  what: string
): string | undefined => {
  const wrong = results.find((result) => brief(result) !== expected)
  return wrong === undefined ? undefined : `${what} ended with ${brief(wrong)}, and must end with ${expected}`
}

const ids: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B26",
      name: "one-uuid-in-two-spellings",
      group: "ids",
      statement: "A uuid in upper case is the same id as in lower case, for every call.",
      advice: "Bring uuids into lower case before they are compared"
    },
    ({ get, getMany, holds, insert, write }) =>
      Effect.gen(function* () {
        const upper = uuid(1).toUpperCase()
        yield* insert(thing(1, { id: upper }))
        const results = yield* write([
          Write.insert(thing(1, { note: "again" })),
          Write.patch(upper, { n: 2 }),
          Write.patch(uuid(1), { note: "x" })
        ])
        const seen = results.map(brief).join(", ")
        yield* ensure(seen === "Unchanged, Changed, Changed", `writes of one uuid end with ${seen}`)
        yield* holds([thing(1, { n: 2, note: "x" })], "after writes of one uuid in two spellings")
        yield* ensure((yield* get(upper))?.n === 2, "a uuid in upper case finds no row")
        const many = yield* getMany([upper, uuid(1)])
        yield* ensure(
          many.every((row) => row?.id === uuid(1)),
          "two spellings of a uuid find different rows"
        )
        yield* write([Write.delete(upper)])
        yield* holds([], "after a delete of a uuid in upper case")
      })
  ),
  plainLaw(
    {
      id: "B27",
      name: "like-ids-are-others",
      group: "ids",
      statement: "Text ids that differ by case, or by a space at the end, are different ids.",
      advice: "Compare text ids by their bytes: a collation without case writes to the wrong row"
    },
    (trial) => keepsApart(trial, "text", [...likeIds, "é", "e\u0301", "a/b", "😀"])
  ),
  plainLaw(
    {
      id: "B28",
      name: "ids-of-every-type",
      group: "ids",
      statement: "Whole numbers up to the edges of their types are ids.",
      advice: "Use a type of 64 bits, and read it as number or bigint"
    },
    (trial) =>
      Effect.andThen(
        keepsApart(trial, "integer", hardValues.integer),
        keepsApart(trial, "bigint", hardValues.bigint)
      )
  )
]

const kept: ReadonlyArray<TableLaw> = [
  plainLaw(
    {
      id: "B29",
      name: "keeps-values",
      group: "data",
      statement: "Values of every type, at the edges of what it keeps, are read back, by each kind of write.",
      advice:
        "Check how values of that type are encoded and decoded; -0 is kept as 0, an empty text is no NULL"
    },
    (trial) =>
      Effect.gen(function* () {
        const { done, holds, table } = yield* trialOf(trial, values)
        for (const type of types) {
          const hard = [...hardValues[type], null, ...(type === "real" ? [-0] : [])]
          const row = (n: number) => ({ id: uuid(n), [type]: hard[n % hard.length] })
          const rows = hard.map((_, n) => row(n))
          yield* done(...rows.map((row) => Write.insert(row)))
          yield* holds(rows, `after inserts of values of type ${type}`)
          const patched = yield* done(
            ...rows.map(({ id }, n) => Write.patch(id, { [type]: hard[(n + 1) % hard.length] }))
          )
          const next = rows.map(({ id }, n) => ({ ...row(n + 1), id }))
          yield* holds(next, `after patches of values of type ${type}`)
          yield* ensure(
            patched.every((result) => rowOf(result) !== undefined),
            `a patch of a value of type ${type} has no row`
          )
          yield* done(...rows.map((row) => Write.replace(row)))
          yield* holds(rows, `after replaces of values of type ${type}`)
          yield* Effect.mapError(table.deleteAll, String)
        }
      })
  ),
  plainLaw(
    {
      id: "B30",
      name: "random-rows",
      group: "data",
      statement: "Random rows of every type are read back as a table in memory reads them back.",
      advice: "Check how values are encoded and decoded; the same seed draws the same rows"
    },
    (trial) =>
      Effect.gen(function* () {
        const { done, holds } = yield* trialOf(trial, values)
        const by = draw(trial.seed)
        const random = (n: number) =>
          // It has values of the columns of this definition alone.
          randomRow(values.columns, types, { id: uuid(n) }, by) as { readonly id: string }
        const count = Math.min(trial.samples, 200)
        const rows = numbers(count).map(random)
        yield* done(...rows.map((row) => Write.insert(row)))
        yield* holds(rows, `with the seed ${trial.seed}, after inserts`)
        const others = numbers(count).map(random)
        yield* done(...others.map((row) => Write.replace(row)))
        yield* holds(others, `with the seed ${trial.seed}, after replaces`)
      })
  ),
  plainLaw(
    {
      id: "B31",
      name: "conditions-of-every-type",
      group: "data",
      statement:
        "A condition on a column of any type that has an order finds its value, in reads and in writes.",
      advice: "Encode the values of conditions as those of rows"
    },
    (trial) =>
      Effect.gen(function* () {
        const { count, done, insert, write } = yield* trialOf(trial, values)
        for (const type of types) {
          if (type === "json") continue
          const value = hardValues[type].at(-1)
          const id = uuid(types.indexOf(type))
          // The value is of the type of its column, which has its name.
          const when = Query.eq(type, value) as never
          yield* insert({ id, [type]: value })
          const seen = yield* count(when)
          yield* ensure(
            seen === 1,
            `a condition on a column of type ${type} counts ${seen} rows instead of 1`
          )
          yield* done(Write.patch(id, { [type]: hardValues[type][0] }, when))
          const conflict = yield* write([Write.delete(id, when)])
          yield* unless(
            problemOf(conflict, "WriteRefused Conflict", `a delete with another value of type ${type}`)
          )
        }
      })
  ),
  plainLaw(
    {
      id: "B32",
      name: "refuses-bad-values",
      group: "data",
      statement: "A value that no table can keep is refused as Invalid, and nothing of its write is done.",
      advice: "Make the table by `Table.make`, which checks every write before the source gets it"
    },
    (trial) =>
      Effect.gen(function* () {
        const { holds, insert, write } = yield* trialOf(trial, values)
        const row = { id: uuid(1), integer: 1 }
        yield* insert(row)
        for (const type of types) {
          const bad = Object.values(badValues).flatMap(
            (byType: { readonly [T in ColumnType]?: ReadonlyArray<unknown> }) => byType[type] ?? []
          )
          for (const value of [...bad, ...valuesOfOtherTypes(type)]) {
            const results = yield* write([
              Write.insert({ id: uuid(2), [type]: value }),
              Write.replace({ id: uuid(1), [type]: value }),
              Write.patch(uuid(1), { [type]: value })
            ])
            yield* unless(
              problemOf(results, "WriteRefused Invalid", `a write of a bad value of type ${type}`)
            )
          }
        }
        yield* holds([row], "after refused writes")
      })
  ),
  plainLaw(
    {
      id: "B33",
      name: "answers-are-own",
      group: "data",
      statement: "Rows belong to their callers: who changes what it wrote or read changes no row.",
      advice: "Copy rows on the way in and out: their dates, bytes and json too"
    },
    (trial) =>
      Effect.gen(function* () {
        const { done, get, getMany, list } = yield* trialOf(trial, values)
        const mutable = () => ({
          id: uuid(1),
          timestamp: new Date(5),
          bytes: new Uint8Array([1]),
          json: { list: [1] }
        })
        const spoil = (row: object | undefined | null) => {
          const { bytes, json, timestamp } = (row ?? {}) as Partial<ReturnType<typeof mutable>>
          timestamp?.setTime(6)
          bytes?.set([2])
          json?.list.push(2)
        }
        const isWhole = (when: string) =>
          Effect.flatMap(get(uuid(1)), (row) => {
            const { bytes, json, timestamp } = row ?? {}
            const { id: _, ...expected } = mutable()
            return ensure(sameData({ bytes, json, timestamp }, expected), `a row has changed by ${when}`)
          })
        for (const make of [Write.insert, Write.replace]) {
          const row = mutable()
          const [result] = yield* done(make(row))
          spoil(row)
          yield* isWhole("a change of the row that was written")
          spoil(rowOf(result))
          yield* isWhole("a change of the row of an outcome")
        }
        const fields = mutable()
        const { id: _, ...patch } = fields
        yield* done(Write.patch(uuid(1), patch))
        spoil(fields)
        yield* isWhole("a change of the fields of a patch")
        const [first, second] = yield* getMany([uuid(1), uuid(1)])
        spoil(first)
        yield* ensure(sameData(second?.json, { list: [1] }), "two answers of one call share a value")
        spoil((yield* list())[0])
        spoil(yield* get(uuid(1)))
        yield* isWhole("a change of rows that were read")
      })
  )
]

export const lawsOfData: ReadonlyArray<TableLaw> = [...ids, ...kept]
