/** The laws of reading. */
import { Effect } from "effect"
import { memory, Query } from "../../../Table.js"
import { ensure, unless } from "../calls.js"
import { type Draw, draw } from "../values.js"
import { numbers, rowsDiffer, type Thing, type Things, tableLaw, thing, things, uuid } from "./fixture.js"
import type { TableLaw } from "./subject.js"

const notes = ["", "a", "ab", "b", "B", "é", "😀", "\uffff"]

/** Things whose values repeat. */
export const randomThings = (by: Draw, count: number): ReadonlyArray<Thing> =>
  numbers(count).map((i) =>
    thing(i, { n: by.below(5), note: by.below(4) === 0 ? null : by.of(notes), tag: `tag ${i}` })
  )

type Where = NonNullable<Query<Things["columns"]>["where"]>

const randomCondition = (by: Draw, depth: number): Where => {
  switch (by.below(depth > 0 ? 10 : 7)) {
    case 0:
      return Query.eq("n", by.below(5))
    case 1:
      return by.of([Query.lt, Query.gte, Query.ne])("note", by.of(notes))
    case 2:
      return Query.between("n", by.below(3), by.below(6))
    case 3:
      return Query.in(
        "id",
        numbers(by.below(6)).map(() => uuid(by.below(30)))
      )
    case 4:
      return Query.startsWith("note", by.of(notes))
    case 5:
      return Query.isNull("note")
    case 6:
      return Query.in("note", [by.of(notes), by.of(notes)])
    case 7:
      return Query.not(randomCondition(by, depth - 1))
    case 8:
      return Query.and(...numbers(by.below(3)).map(() => randomCondition(by, depth - 1)))
    default:
      return Query.or(...numbers(by.below(3)).map(() => randomCondition(by, depth - 1)))
  }
}

const randomQuery = (by: Draw): Query<Things["columns"]> => {
  const way = () => by.of([Query.asc, Query.desc])
  const limit = by.below(12)
  return {
    ...(by.below(4) === 0 ? {} : { where: randomCondition(by, 2) }),
    orderBy: by.of([[], [way()("n")], [way()("note"), way()("n")], [way()("id")], [way()("n"), way()("id")]]),
    ...by.of([{}, { limit }, { limit, page: 1 + by.below(4) }])
  }
}

export const lawsOfReading: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B1",
      name: "empty-at-first",
      group: "reading",
      statement: "A new table has no rows.",
      advice: "Let `place` make it empty"
    },
    ({ count, get, holds, stream }) =>
      Effect.gen(function* () {
        yield* holds([], "at first")
        yield* ensure((yield* count()) === 0, "the count of a new table is not 0")
        yield* ensure((yield* get(uuid(1))) === undefined, "a new table has a row")
        yield* ensure((yield* stream()).length === 0, "the stream of a new table has rows")
      })
  ),
  tableLaw(
    {
      id: "B2",
      name: "all-reads-agree",
      group: "reading",
      statement: "A row that was written is in get, getMany, list, stream and count.",
      advice: "Answer all reads from the same rows, those of the last acknowledged write"
    },
    ({ count, get, getMany, holds, insert, stream }) =>
      Effect.gen(function* () {
        const rows = [0, 1, 2].map((n) => thing(n))
        yield* insert(...rows)
        yield* holds(rows, "after three inserts")
        yield* unless(rowsDiffer(things, yield* stream(), rows))
        yield* ensure((yield* count()) === 3, "the count of three rows is not 3")
        for (const row of rows) yield* unless(rowsDiffer(things, [(yield* get(row.id)) ?? {}], [row]))
        const many = yield* getMany(rows.map(({ id }) => id))
        yield* unless(
          rowsDiffer(
            things,
            many.map((row) => row ?? {}),
            rows
          )
        )
      })
  ),
  tableLaw(
    {
      id: "B3",
      name: "each-id-is-answered",
      group: "reading",
      statement: "getMany answers each id in order: also one that has no row, and one that is there twice.",
      advice: "Find the rows by their ids, and answer by the ids that were requested"
    },
    ({ getMany, insert }) =>
      Effect.gen(function* () {
        yield* insert(thing(1), thing(2))
        const asked = [2, 9, 1, 2, 8, 2]
        const seen = yield* getMany(asked.map(uuid))
        const ids = seen.map((row) => row?.n ?? "-").join(" ")
        yield* ensure(ids === "2 - 1 2 - 2", `the ids ${asked.join(" ")} are answered by ${ids}`)
        yield* ensure((yield* getMany([])).length === 0, "no ids are answered by rows")
      })
  ),
  tableLaw(
    {
      id: "B4",
      name: "queries-as-in-memory",
      group: "reading",
      statement: "Conditions, orders, limits, pages and places select what they select in a table in memory.",
      advice: "Compare text by code point, order NULL before every value, and end each order with the id"
    },
    ({ count, insert, list, samples, seed, stream }) =>
      Effect.gen(function* () {
        const by = draw(seed)
        const model = yield* Effect.orDie(memory(things))
        const rows = randomThings(by, 30)
        yield* insert(...rows)
        yield* model.write(rows.map((row) => ({ _tag: "Insert", row })))
        for (let sample = 0; sample < samples; sample++) {
          const query = randomQuery(by)
          const expected = (yield* Effect.orDie(model.list(query))).value
          const when = `the query ${JSON.stringify(query)} of the seed ${seed}`
          const wrong = (seen: ReadonlyArray<Thing>) => {
            const differs = rowsDiffer(things, seen, expected)
            return unless(differs && `${when} selects ${differs}`)
          }
          yield* wrong(yield* list(query))
          if (sample % 5 === 0) yield* wrong(yield* stream(query))
          const counted = yield* count(query.where)
          const all = (yield* Effect.orDie(model.count(query.where))).value
          yield* ensure(counted === all, `${when} counts ${counted} instead of ${all}`)
        }
      })
  ),
  tableLaw(
    {
      id: "B5",
      name: "pages-join",
      group: "reading",
      statement: "Pages by number, and pages that begin after a row, join to the whole list.",
      advice: "Pass by `offset` rows, or begin behind the place `after`, in the order of the whole list"
    },
    ({ insert, list, seed }) =>
      Effect.gen(function* () {
        yield* insert(...randomThings(draw(seed), 23))
        for (const orderBy of [[], [Query.desc("n")], [Query.asc("note")], [Query.desc("note")]]) {
          const whole = yield* list({ orderBy })
          const byNumber: Array<Thing> = []
          for (let page = 1; page <= 5; page++) byNumber.push(...(yield* list({ orderBy, limit: 5, page })))
          const afterRows: Array<Thing> = []
          for (;;) {
            const after = afterRows.at(-1)
            const page = yield* list({ orderBy, limit: 5, ...(after === undefined ? {} : { after }) })
            afterRows.push(...page.slice(0, 23))
            if (page.length < 5 || afterRows.length > 23) break
          }
          const order = JSON.stringify(orderBy)
          for (const [way, joined] of Object.entries({ number: byNumber, place: afterRows })) {
            const differs = rowsDiffer(things, joined, whole)
            yield* unless(differs && `pages by ${way} of the order ${order} have ${differs}`)
          }
        }
      })
  ),
  tableLaw(
    {
      id: "B6",
      name: "streams-all",
      group: "reading",
      statement: "A stream has each row of the list once, in its order, however many there are.",
      advice: "Begin each page right behind the last row of the one before"
    },
    ({ insert, stream }) =>
      Effect.gen(function* () {
        const rows = numbers(603).map((n) => thing(n))
        yield* insert(...rows)
        const differs = rowsDiffer(
          things,
          yield* stream({ orderBy: [Query.desc("id")] }),
          [...rows].reverse()
        )
        yield* unless(differs && `a stream of ${rows.length} rows has ${differs}`)
      })
  )
]
