/**
 * What every storage of tables must do beyond the storage laws, which they keep in test/testing: one suite for memory,
 * SQLite, SQLite in a thread, and Postgres. What only a database can do is in sqlTable.suite.ts.
 */
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, type Scope, Stream } from "effect"
import fc from "fast-check"
import {
  ColumnError,
  InvalidQuery,
  memory,
  Query,
  StorageError,
  type TableStorage
} from "../../../src/Storage.js"
import { holdsEffect } from "../../support/laws/laws.js"
import { oncePerFile } from "../../support/laws/oncePerFile.js"
import { batch, columns, type Everything, plainRow, query, readBack, row } from "../../support/laws/rows.js"

type All = typeof columns

/** Gives a storage of an empty table with every type of column, each time; the one before is not used any more. */
export type MakeEmpty = Effect.Effect<TableStorage<All>>

const uuid = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`

const all = (storage: TableStorage<All>) => storage.load({ orderBy: [Query.asc("id")] })

const byId = (rows: ReadonlyArray<Everything>) => [...rows].sort((a, b) => (a.id < b.id ? -1 : 1))

const reference = Effect.orDie(memory({ columns, id: "id" }))

/** The rows of a query, page by page, as a caller pages: each page begins behind the last row of the one before. */
const byPages = (storage: TableStorage<All>, whole: Query<All>, size: number) =>
  Effect.gen(function* () {
    const found: Array<Everything> = []
    for (;;) {
      const last = found.at(-1)
      const page = yield* storage.load({
        ...whole,
        limit: size,
        ...(last === undefined ? {} : { after: last })
      })
      found.push(...page)
      if (page.length < size) return found
    }
  })

const bad: Readonly<Record<string, (good: Everything) => unknown>> = {
  "no object": () => "a string",
  null: () => null,
  "a missing id": ({ id: _, ...rest }) => rest,
  "an invalid uuid": (good) => ({ ...good, id: "1234" }),
  "a missing value": ({ text: _, ...rest }) => rest,
  "a number for text": (good) => ({ ...good, text: 5 }),
  "U+0000 in text": (good) => ({ ...good, text: "a\0b" }),
  "a lone surrogate": (good) => ({ ...good, text: "a\ud800b" }),
  NaN: (good) => ({ ...good, real: Number.NaN }),
  "an infinity": (good) => ({ ...good, real: Number.POSITIVE_INFINITY }),
  "a fraction for an integer": (good) => ({ ...good, integer: 1.5 }),
  "an unsafe integer": (good) => ({ ...good, integer: 2 ** 53 }),
  "a number for a bigint": (good) => ({ ...good, bigint: 1 }),
  "a bigint beyond int64": (good) => ({ ...good, bigint: 2n ** 63n }),
  "an invalid date": (good) => ({ ...good, timestamp: new Date(Number.NaN) }),
  "a date after 9999": (good) => ({ ...good, timestamp: new Date(253_402_300_800_000) }),
  "a date before 0001": (good) => ({ ...good, timestamp: new Date(-62_135_596_800_001) }),
  "a text for a date": (good) => ({ ...good, timestamp: "2024-01-01" }),
  "U+0000 in a json key": (good) => ({ ...good, json: { "a\0": 1 } }),
  "a function in json": (good) => ({ ...good, json: { f: () => 1 } }),
  "an array for bytes": (good) => ({ ...good, bytes: [1] }),
  "an unknown column": (good) => ({ ...good, extra: 1 }),
  "a getter that throws": (good) =>
    Object.defineProperty({ ...good }, "text", {
      enumerable: true,
      get() {
        throw new Error("no")
      }
    })
}

const malformed: ReadonlyArray<readonly [part: string, query: unknown]> = [
  ["query", null],
  ["query", "all"],
  ["order_by", { order_by: [] }],
  ["where", { where: null }],
  ["where", { where: { op: "like", column: "text", value: "a" } }],
  ["where", { where: Query.eq("nope", 1) }],
  ["where", { where: Query.eq("toString", "x") }],
  ["where", { where: Query.eq("text", 1) }],
  ["where", { where: Query.eq("text", null) }],
  ["where", { where: Query.eq("text", "\0") }],
  ["where", { where: Query.eq("integer", "1") }],
  ["where", { where: Query.eq("json", {}) }],
  ["where", { where: Query.startsWith("id", "0") }],
  [
    "where",
    {
      where: Query.in(
        "integer",
        Array.from({ length: 1001 }, (_, i) => i)
      )
    }
  ],
  ["where", { where: Query.between("integer", 1, Number.NaN) }],
  ["where", { where: { op: "and", conditions: Query.eq("integer", 1) } }],
  ["where", { where: Query.not({ op: "in", column: "integer" }) }],
  ["where", { where: Query.and(...Array.from({ length: 501 }, () => Query.isNull("maybeText"))) }],
  ["orderBy", { orderBy: "text" }],
  ["orderBy", { orderBy: [Query.asc("nope")] }],
  ["orderBy", { orderBy: [Query.asc("json")] }],
  ["orderBy", { orderBy: [{ column: "text", direction: "up" }] }],
  ["orderBy", { orderBy: [Query.asc("text"), Query.desc("text")] }],
  ["limit", { limit: -1 }],
  ["limit", { limit: 1.5 }],
  ["limit", { limit: "10" }],
  ["page", { limit: 1, page: 0 }],
  ["page", { limit: 1, page: 1.5 }],
  ["page", { limit: 1, page: "1" }],
  ["page", { limit: 2, page: 2 ** 52 + 1 }],
  ["page", { page: 1 }],
  ["page", { limit: 1, page: 1, after: { id: uuid(1) } }],
  ["after", { after: "x" }],
  ["after", { after: {} }],
  ["after", { orderBy: [Query.asc("text")], after: { id: uuid(1) } }],
  ["after", { orderBy: [Query.asc("maybeText")], after: { id: uuid(1) } }],
  ["after", { orderBy: [Query.asc("integer")], after: { id: uuid(1), integer: "1" } }]
]

// The edges of each type of column are laws: src/testing/internal/values.ts.
const edges: Readonly<Record<string, Partial<Everything>>> = {
  "a text of 1 MiB, in json too": { text: "x".repeat(2 ** 20), json: { text: "ü".repeat(2 ** 20) } },
  "-0": { real: -0, integer: -0, maybeReal: -0, maybeInteger: -0 },
  "bytes that view a part of a buffer": { bytes: new Uint8Array([1, 2, 3, 0, 255]).subarray(1, 4) },
  // As under a test runner that has a realm for each file.
  "values of another realm": runInNewContext(`({
    timestamp: new Date(1234567890123),
    bytes: new Uint8Array([0, 1, 2, 255]).subarray(1),
    json: { list: [1, { a: null }], text: "x" }
  })`),
  "a Buffer": { bytes: Buffer.from("some bytes"), maybeBytes: Buffer.alloc(5_000, 7) }
}

/** The suite over one kind of storage. */
export const storageSuite = (name: string, open: Effect.Effect<MakeEmpty, unknown, Scope.Scope>): void => {
  describe(name, () => {
    const empty = Effect.flatten(oncePerFile(open))

    it.live("reads back what was saved, of every type", () =>
      Effect.gen(function* () {
        const storage = yield* empty
        const saved = new Map<string, Everything>()
        yield* holdsEffect(batch(8), 40, (rows) =>
          Effect.gen(function* () {
            const fresh = rows.filter(({ id }) => !saved.has(readBack({ ...plainRow(id) }).id))
            expect(yield* storage.save(rows)).toEqual({ duplicates: rows.length - fresh.length })
            for (const one of fresh) saved.set(readBack(one).id, readBack(one))
            const ids = rows.map(({ id }) => id)
            const found = yield* storage.load({ where: Query.in("id", ids), orderBy: [Query.asc("id")] })
            expect(found).toEqual(byId(ids.map((id) => saved.get(id.toLowerCase())!)))
          })
        )
      })
    )

    for (const [edge, over] of Object.entries(edges)) {
      it.live(`reads back ${edge}`, () =>
        Effect.gen(function* () {
          const storage = yield* empty
          const record = plainRow(uuid(1), over)
          yield* storage.save([record])
          const [found] = yield* all(storage)
          expect(found).toEqual({
            ...readBack(record),
            bytes: new Uint8Array(record.bytes),
            maybeBytes: found!.maybeBytes
          })
          if (record.maybeBytes) expect(Buffer.compare(found!.maybeBytes!, record.maybeBytes)).toBe(0)
          expect(found!.bytes.constructor).toBe(Uint8Array)
        })
      )
    }

    it.live(
      "sets bad records aside by their place, with a reason that holds no data, and stores nothing",
      () =>
        Effect.gen(function* () {
          const storage = yield* empty
          const good = [1, 2, 3, 4].map((n) => plainRow(uuid(n)))
          for (const [what, spoil] of Object.entries(bad)) {
            for (const places of [[0], [2], [4], [0, 1, 4]]) {
              const records: Array<Everything> = []
              for (let at = 0, next = 0; records.length < 4 + places.length; at++) {
                // The storages take unknown input from JavaScript callers.
                if (places.includes(at)) records.push(spoil(plainRow(uuid(100 + at))) as Everything)
                else records.push(good[next++]!)
              }
              const error = yield* Effect.flip(storage.save(records))
              expect(error, what).toBeInstanceOf(StorageError)
              expect(error, what).toMatchObject({ kind: "Poison", outcome: "NotStored" })
              expect(
                error.bad?.map(({ index }) => index),
                what
              ).toEqual(places.filter((at) => at < records.length))
              for (const { cause } of error.bad ?? []) expect(cause).toBeInstanceOf(ColumnError)
            }
          }
          expect(yield* all(storage)).toEqual([])
          expect(yield* storage.save(good)).toEqual({ duplicates: 0 })
        })
    )

    it.live("stores a record once and counts the others of its id as duplicates", () =>
      Effect.gen(function* () {
        const storage = yield* empty
        const first = plainRow("AAAAAAAA-0000-7000-8000-000000000001", { text: "first" })
        const again = plainRow(first.id.toLowerCase(), { text: "second" })
        expect(yield* storage.save([first, again, first])).toEqual({ duplicates: 2 })
        expect(yield* storage.save([plainRow(uuid(2)), again])).toEqual({ duplicates: 1 })
        expect(yield* storage.save([first, again])).toEqual({ duplicates: 2 })
        expect((yield* all(storage)).map(({ text }) => text)).toEqual(["", "first"])
      })
    )

    it.live("saves batches of every size up to its largest, and none", () =>
      Effect.gen(function* () {
        const storage = yield* empty
        let next = 0
        for (const size of [0, 1, 2, 7, 8, 9, 10, 11, 100, 101, 999, storage.maxBatch ?? 1000]) {
          const rows = Array.from({ length: size }, () => plainRow(uuid(next++), { integer: next }))
          expect(yield* storage.save(rows)).toEqual({ duplicates: 0 })
        }
        const found = yield* all(storage)
        expect(found.map(({ integer }) => integer)).toEqual(Array.from({ length: next }, (_, i) => i + 1))
      })
    )

    it.live("answers every query as the memory table does, by pages too", () =>
      Effect.gen(function* () {
        const storage = yield* empty
        const same = yield* reference
        const rows = fc.sample(row, { seed: 5, numRuns: 60 })
        yield* storage.save(rows)
        yield* same.save(rows)
        yield* holdsEffect(fc.tuple(query, fc.integer({ min: 1, max: 7 })), 60, ([asked, size]) =>
          Effect.gen(function* () {
            const expected = yield* same.load(asked)
            expect(yield* storage.load(asked)).toEqual(expected)
            expect(Chunk.toReadonlyArray(yield* Stream.runCollect(storage.query(asked)))).toEqual(expected)
            const { limit: _, page: __, ...unlimited } = asked
            expect(yield* byPages(storage, unlimited, size)).toEqual(yield* same.load(unlimited))
          })
        )
      })
    )

    it.live("streams more rows than a page holds, once each and in order, and stops at the limit", () =>
      Effect.gen(function* () {
        const storage = yield* empty
        const rows = Array.from({ length: 1700 }, (_, n) =>
          plainRow(uuid(n), { maybeInteger: n % 3 === 0 ? null : n % 2, integer: n })
        )
        for (const part of [rows.slice(0, 900), rows.slice(900)]) yield* storage.save(part)
        const ids = (asked: Query<All>) =>
          Effect.map(Stream.runCollect(storage.query(asked)), (found) => [...found].map(({ id }) => id))
        for (const orderBy of [
          [],
          [Query.desc("maybeInteger")],
          [Query.asc("maybeInteger"), Query.desc("integer")]
        ]) {
          const expected = (yield* storage.load({ orderBy })).map(({ id }) => id)
          expect(new Set(expected).size).toBe(1700)
          expect(yield* ids({ orderBy })).toEqual(expected)
          expect(yield* ids({ orderBy, limit: 1000 })).toEqual(expected.slice(0, 1000))
          expect(yield* ids({ orderBy, limit: 501 })).toEqual(expected.slice(0, 501))
        }
        expect(yield* ids({ limit: 0 })).toEqual([])
        const expected = (yield* storage.load({})).map(({ id }) => id)
        expect(yield* ids({ limit: 700, page: 2 })).toEqual(expected.slice(700, 1400))
        expect(yield* ids({ limit: 700, page: 3 })).toEqual(expected.slice(1400))
      })
    )

    it.live("deletes what is before a value, in batches, and nothing else", () =>
      Effect.gen(function* () {
        const storage = yield* empty
        const rows = Array.from({ length: 25 }, (_, n) =>
          plainRow(uuid(n), { timestamp: new Date(1000 * n), maybeInteger: n % 5 === 0 ? null : n })
        )
        yield* storage.save(rows)
        expect(yield* storage.prune({ column: "timestamp", before: new Date(10_000), batchSize: 3 })).toBe(10)
        expect((yield* all(storage)).map(({ id }) => id)).toEqual(rows.slice(10).map(({ id }) => id))
        expect(yield* storage.prune({ column: "timestamp", before: new Date(10_000) })).toBe(0)
        expect(yield* storage.prune({ column: "maybeInteger", before: 1000 })).toBe(12)
        expect((yield* all(storage)).map(({ maybeInteger }) => maybeInteger)).toEqual([null, null, null])
        expect(yield* storage.prune({ column: "id", before: uuid(11), batchSize: 1 })).toBe(1)
      })
    )

    it.live("refuses malformed queries, typed", () =>
      Effect.gen(function* () {
        const storage = yield* empty
        for (const [part, asked] of malformed) {
          // As untyped callers may ask.
          const error = yield* Effect.flip(storage.load(asked as Query<All>))
          expect(error, JSON.stringify(asked)).toBeInstanceOf(InvalidQuery)
          expect(error).toMatchObject({ part })
          expect(yield* Effect.flip(Stream.runDrain(storage.query(asked as Query<All>)))).toEqual(error)
        }
        const prunes = [
          {},
          { column: "nope", before: 1 },
          { column: "integer", before: "x" },
          { column: "json", before: 1 }
        ]
        for (const options of [...prunes, { column: "integer", before: 1, batchSize: 0 }]) {
          expect(yield* Effect.flip(storage.prune(options as never))).toBeInstanceOf(InvalidQuery)
        }
      })
    )
  })
}
