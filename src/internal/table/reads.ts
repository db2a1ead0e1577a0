/** The reads of a table over the functions of its source: checked before, and copied after. */
import { Effect, Option, Stream } from "effect"
import { type CheckedAnswer, compileCheckAnswer } from "../columns/checkAnswer.js"
import { checkCondition } from "../columns/checkCondition.js"
import { checkQuery, noIds } from "../columns/checkQuery.js"
import { compileNormalise } from "../columns/checkRow.js"
import { compileNormalId, type IdValue, isReason } from "../columns/ids.js"
import { pagesOf } from "../columns/pages.js"
import { type CheckedQuery, InvalidQuery } from "../columns/query.js"
import type { AnyRow } from "../columns/rowCodec.js"
import type { AnyDefinition, Id } from "../columns/writes.js"
import { earlier, type Revision } from "../log/events.js"
import type { Read, ReadError, Row, Source, Table } from "./contract.js"
import { calling, malformed, revisionOf } from "./errors.js"

type Reads<D extends AnyDefinition> = Pick<Table<D>, "list" | "stream" | "get" | "getMany" | "count">

const readOf = <A>(value: A, revision: Revision | undefined): Read<A> =>
  revision === undefined ? { value } : { value, revision }

const checkCount = (given: unknown): CheckedAnswer<number> =>
  Number.isSafeInteger(given) && (given as number) >= 0
    ? { _tag: "Answer", value: given as number }
    : { _tag: "Wrong", problem: "it returned no count" }

/** Makes the call of a read, whose answer is checked. */
const makeReading = (name: string) => {
  const answer = <A>(call: string, given: unknown, check: (value: unknown) => CheckedAnswer<A>) => {
    if (typeof given !== "object" || given === null || !("value" in given)) {
      return Effect.fail(malformed(name, call, "it returned no { value }"))
    }
    const { revision: named, value } = given as { readonly value: unknown; readonly revision?: unknown }
    const revision = revisionOf(named)
    if (named !== undefined && revision === undefined) {
      return Effect.fail(malformed(name, call, "its revision is none"))
    }
    const checked = check(value)
    return checked._tag === "Wrong"
      ? Effect.fail(malformed(name, call, checked.problem))
      : Effect.succeed(readOf(checked.value, revision))
  }
  return <A>(
    call: string,
    run: () => Effect.Effect<unknown, unknown>,
    check: (value: unknown) => CheckedAnswer<A>
  ): Effect.Effect<Read<A>, ReadError> =>
    Effect.flatMap(calling(name, run), (given) => answer(call, given, check))
}

/** Makes the reads by id, in calls of at most `maxBatch` ids. */
const makeGetMany = <D extends AnyDefinition>(
  { columns, id, name }: D,
  source: Source<D>,
  maxBatch: number
): Table<D>["getMany"] => {
  const normalId = compileNormalId(columns, id)
  const checks = compileCheckAnswer(columns, id)
  const reading = makeReading(name)

  const normal = (ids: ReadonlyArray<Id<D>>): Effect.Effect<ReadonlyArray<IdValue>, InvalidQuery> =>
    Effect.suspend(() => {
      if (!Array.isArray(ids)) return Effect.fail(noIds)
      const normal: Array<IdValue> = []
      for (const given of ids) {
        const one = normalId(given)
        if (isReason(one)) return Effect.fail(new InvalidQuery({ part: "id", message: one.message }))
        normal.push(one)
      }
      return Effect.succeed(normal)
    })

  const slice = (ids: ReadonlyArray<IdValue>) =>
    reading(
      "getMany",
      // An id in normal form is of the type of the id's column.
      () => source.getMany(ids as ReadonlyArray<Id<D>>),
      (given) => checks.byId(new Set(ids), given)
    )

  const all = (ids: ReadonlyArray<IdValue>) =>
    Effect.gen(function* () {
      const distinct = [...new Set(ids)]
      const found = new Map<IdValue, AnyRow>()
      let revision: Revision | undefined
      for (let from = 0; from < distinct.length; from += maxBatch) {
        const read = yield* slice(distinct.slice(from, from + maxBatch))
        revision = from === 0 ? read.revision : earlier(revision, read.revision)
        for (const [key, row] of read.value) found.set(key, row)
      }
      return { found, revision }
    })

  const copy = compileNormalise(columns)
  const answers = (ids: ReadonlyArray<IdValue>, found: ReadonlyMap<IdValue, AnyRow>) => {
    const given = new Set<IdValue>()
    return ids.map((key) => {
      const row = found.get(key)
      if (row === undefined) return Option.none()
      // Two answers of one call are not the same object either.
      const own = given.has(key) ? copy(row) : row
      given.add(key)
      // A checked row has the columns of the definition with their types.
      return Option.some(own as Row<D>)
    })
  }
  return (ids) =>
    Effect.flatMap(normal(ids), (ids) =>
      Effect.map(all(ids), ({ found, revision }) => readOf(answers(ids, found), revision))
    )
}

/** Makes the reads of a table. */
export const makeReads = <D extends AnyDefinition>(
  definition: D,
  source: Source<D>,
  maxBatch: number
): Reads<D> => {
  const { columns, id, name } = definition
  const checks = compileCheckAnswer(columns, id)
  const reading = makeReading(name)

  const list = (query: CheckedQuery) =>
    reading(
      "list",
      () => source.list(query),
      // A checked row has the columns of the definition with their types.
      (given) => checks.list(query, given) as CheckedAnswer<ReadonlyArray<Row<D>>>
    )

  const getMany = makeGetMany(definition, source, maxBatch)
  return {
    list: (query = {}) => Effect.flatMap(checkQuery(columns, id, query), list),
    stream: (query = {}) =>
      Stream.unwrap(
        Effect.map(checkQuery(columns, id, query), (checked) =>
          pagesOf(checked, (page) => Effect.map(list(page), ({ value }) => value))
        )
      ),
    get: (id) =>
      Effect.map(getMany([id]), ({ revision, value: [row = Option.none()] }) => readOf(row, revision)),
    getMany,
    count: (where) =>
      Effect.flatMap(
        where === undefined ? Effect.succeed(undefined) : checkCondition(columns, where),
        (where) => reading("count", () => source.count(where), checkCount)
      )
  }
}
