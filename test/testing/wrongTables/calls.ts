/** Wrong in what many writes, calls at the same time, and interrupted calls do. */
import { Effect, Fiber, Option } from "effect"
import { StorageError } from "../../../src/Storage.js"
import type * as Table from "../../../src/Table.js"
import {
  type Any,
  type AnyWrite,
  answering,
  doing,
  type Row,
  rewriting,
  rightly,
  type Wrong
} from "./right.js"

const failed = new StorageError({ kind: "Unknown", outcome: "NotStored", message: "the call was given up" })

const reordering = (
  name: string,
  first: (write: AnyWrite) => boolean,
  breaks: ReadonlyArray<string>
): Wrong => ({
  name,
  breaks,
  table: (right) => ({
    ...right,
    write: (writes, batch) =>
      Effect.gen(function* () {
        const places = writes.map((_, at) => at)
        const order = [
          ...places.filter((at) => first(writes[at] as AnyWrite)),
          ...places.filter((at) => !first(writes[at] as AnyWrite))
        ]
        const results = yield* right.write(
          order.map((at) => writes[at] as AnyWrite),
          batch
        )
        return places.map((at) => results[order.indexOf(at)] ?? failed)
      })
  })
})

export const wrongBatches: ReadonlyArray<Wrong> = [
  answering(
    "has no outcome for a delete of no row",
    (results) =>
      results.filter(
        (result) => !("change" in result && result.change === "Unchanged" && Option.isNone(result.row))
      ),
    ["one-outcome-each", "as-if-one-by-one"]
  ),
  {
    name: "gives up a call at its first refused write",
    breaks: ["refused-spares-neighbours", "one-outcome-each", "as-if-one-by-one", "unique-is-refused"],
    table: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.gen(function* () {
          const results: Array<Table.WriteResult<Any>> = []
          for (const write of writes) {
            const refused = results.at(-1)?._tag
            results.push(
              refused === "WriteRefused" || refused === "StorageError"
                ? failed
                : yield* rightly(right, write, batch ?? "")
            )
          }
          return results
        })
    })
  },
  reordering("does deletes first", ({ _tag }) => _tag === "Delete", ["order-of-an-id", "as-if-one-by-one"]),
  reordering("does a DeleteAll first", ({ _tag }) => _tag === "DeleteAll", [
    "delete-all-in-its-place",
    "as-if-one-by-one"
  ]),
  {
    name: "does the first 40 writes of a statement, and acknowledges all",
    breaks: ["many-writes"],
    source: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.map(right.write(writes.slice(0, 40), batch), (results) =>
          writes.map((_, at) => results[at] ?? (results[0] as (typeof results)[number]))
        )
    })
  },
  {
    name: "does not know that the tag is unique",
    breaks: ["unique-is-refused"],
    source: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.map(right.write(writes, batch), (results) =>
          results.map((result) =>
            result._tag === "WriteRefused" && result.reason === "Unique" ? failed : result
          )
        )
    })
  }
]

const changedValues = (row: Row, change: (value: unknown) => unknown): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, name === "id" ? value : change(value)])
  )

const changing =
  (change: (value: unknown) => unknown) =>
  (write: AnyWrite): AnyWrite => {
    if (write._tag === "Patch") return { ...write, fields: changedValues(write.fields, change) }
    return "row" in write ? { ...write, row: changedValues(write.row, change) } : write
  }

export const wrongValues: ReadonlyArray<Wrong> = [
  rewriting(
    "keeps an empty text as NULL",
    changing((value) => (value === "" ? null : value)),
    ["keeps-values", "random-rows"]
  ),
  {
    name: "reads a bigint id by way of a number",
    breaks: ["ids-of-every-type"],
    table: (right) => ({
      ...right,
      getMany: (ids) =>
        right.getMany(ids.map((id) => (typeof id === "bigint" ? BigInt.asIntN(64, BigInt(Number(id))) : id)))
    })
  },
  doing(
    "keeps NaN as NULL",
    (right, write, batch) =>
      rightly(right, changing((value) => (Number.isNaN(value) ? null : value))(write), batch),
    ["refuses-bad-values"]
  ),
  {
    name: "returns the row that it has returned before",
    breaks: ["answers-are-own"],
    table: (right) => {
      const known = new Map<unknown, unknown>()
      return {
        ...right,
        get: (id) =>
          Effect.map(right.get(id), (read) => {
            const kept = known.get(id) ?? read.value
            known.set(id, kept)
            return { ...read, value: kept }
          }),
        write: (writes, batch) => {
          known.clear()
          return right.write(writes, batch)
        }
      }
    }
  }
]

/** The row of an id now, with a turn after it. */
const before = (
  right: { readonly get: (id: unknown) => Effect.Effect<{ readonly value: unknown }, unknown> },
  id: unknown
) =>
  Effect.tap(
    Effect.map(right.get(id), ({ value }) => Option.getOrUndefined(value as Option.Option<Row>)),
    Effect.yieldNow()
  )

export const wrongConcurrency: ReadonlyArray<Wrong> = [
  doing(
    "judges the condition of a patch before the patch",
    (right, write, batch) =>
      Effect.gen(function* () {
        if (write._tag !== "Patch" || write.when === undefined) return yield* rightly(right, write, batch)
        const when = { op: "and", conditions: [{ op: "eq", column: "id", value: write.id }, write.when] }
        const { value } = yield* right.count(when as never)
        return yield* rightly(right, value === 1 ? { ...write, when: undefined } : write, batch)
      }),
    ["one-patch-wins"]
  ),
  doing(
    "looks for the row before it inserts one",
    (right, write, batch) =>
      Effect.gen(function* () {
        if (write._tag !== "Insert") return yield* rightly(right, write, batch)
        const row = yield* before(right, write.row.id)
        return yield* rightly(right, row === undefined ? { ...write, _tag: "Replace" } : write, batch)
      }),
    ["one-insert-wins"]
  ),
  doing(
    "patches by a replace of the row that it has read",
    (right, write, batch) =>
      Effect.gen(function* () {
        if (write._tag !== "Patch" || write.when !== undefined) return yield* rightly(right, write, batch)
        const row = yield* before(right, write.id)
        return yield* rightly(
          right,
          row === undefined ? write : { _tag: "Replace", row: { ...row, ...write.fields } },
          batch
        )
      }),
    ["nothing-is-lost"]
  ),
  doing(
    "sets one column after the other",
    (right, write, batch) =>
      Effect.gen(function* () {
        if (write._tag !== "Patch" || write.when !== undefined) return yield* rightly(right, write, batch)
        const results = yield* Effect.forEach(Object.entries(write.fields), ([name, value]) =>
          rightly(right, { ...write, fields: { [name]: value } }, batch)
        )
        return results.at(-1) ?? (yield* rightly(right, write, batch))
      }),
    ["rows-are-whole"]
  ),
  doing(
    "shows a patch while its condition is judged",
    (right, write, batch) =>
      Effect.gen(function* () {
        if (write._tag !== "Patch" || write.when === undefined) return yield* rightly(right, write, batch)
        const row = yield* before(right, write.id)
        const result = yield* rightly(right, write, batch)
        if (row === undefined || result._tag !== "WriteRefused") return result
        yield* rightly(right, { ...write, when: undefined }, batch)
        yield* Effect.yieldNow()
        yield* rightly(right, { _tag: "Replace", row }, batch)
        return result
      }),
    ["refused-is-never-seen", "one-patch-wins"]
  ),
  { name: "keeps the rows of each handle apart", breaks: ["handles-see-each-other"], apart: true },
  {
    name: "goes on with a write when its caller is interrupted",
    breaks: ["nothing-after-interruption"],
    table: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.flatMap(Effect.forkDaemon(Effect.delay(right.write(writes, batch), "1 millis")), Fiber.join)
    })
  },
  {
    name: "takes 50 ms for a write, and goes on with it behind its interruption",
    breaks: ["nothing-after-interruption"],
    table: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.flatMap(Effect.forkDaemon(Effect.delay(right.write(writes, batch), "50 millis")), Fiber.join)
    })
  },
  {
    name: "keeps its lock when a write is interrupted",
    breaks: ["free-after-interruption"],
    source: (right) => {
      const lock = Effect.unsafeMakeSemaphore(1)
      return {
        ...right,
        write: (writes, batch) =>
          lock
            .take(1)
            .pipe(
              Effect.andThen(Effect.yieldNow()),
              Effect.andThen(right.write(writes, batch)),
              Effect.tap(lock.release(1))
            )
      }
    }
  }
]
