/** Tables over a client of SQLite or Postgres: outcomes, the log, and what reads say of it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import { holdsEffect } from "../../support/laws/laws.js"
import type { TableDatabase } from "../../support/table/databases.js"
import { following } from "../../support/watch/following.js"
import { id, type Keys, key, keys, logged, open, type Row, revisions, seen, setUp } from "./fixture.js"

const { Query, Write } = Table

/** Values that survive the way to every database and back, and JSON whose keys have one order there. */
const fields = fc.record(
  {
    tag: fc.constantFrom(null, "a", "é 😀", ""),
    n: fc.constantFrom(0, -1, Number.MAX_SAFE_INTEGER),
    big: fc.constantFrom(null, 2n ** 63n - 1n, -1n),
    real: fc.constantFrom(null, 0.1, -1e300),
    at: fc.constantFrom(null, new Date(0), new Date("2026-01-01T00:00:00.001Z")),
    detail: fc.constantFrom(null, { a: [1, "x"] }, [], "text"),
    bytes: fc.constantFrom(null, new Uint8Array([0, 255]), new Uint8Array())
  },
  { requiredKeys: [] }
)
const ids = fc.integer({ min: 0, max: 4 }).map(id)
const rows = fc.tuple(ids, fields).map(([id, over]): Row => ({ n: 7, ...over, id }))
const when = fc.option(
  fc.constantFrom(
    Query.eq("n", 0),
    Query.isNull("tag"),
    Query.not(Query.eq("tag", "a")),
    Query.gte("at", new Date(1)),
    Query.or(Query.eq("big", -1n), Query.startsWith("tag", "é"))
  ),
  { nil: undefined }
)
const write: fc.Arbitrary<Table.Write<Keys>> = fc.oneof(
  { weight: 4, arbitrary: rows.map((row) => Write.insert(row)) },
  { weight: 4, arbitrary: rows.map((row) => Write.replace(row)) },
  {
    weight: 8,
    arbitrary: fc.tuple(ids, fields, when).map(([id, of, when]) => Write.patch(id, of, when))
  },
  { weight: 4, arbitrary: fc.tuple(ids, when).map(([id, when]) => Write.delete(id, when)) },
  { weight: 1, arbitrary: fc.constant(Write.deleteAll) }
)

/** Of every database. */
export const tableSuite = (
  name: string,
  database: Effect.Effect<TableDatabase, unknown, Scope.Scope>
): void => {
  describe(name, () => {
    it.scopedLive("does the same writes as a table in memory, and logs the same changes", () =>
      Effect.gen(function* () {
        const context = yield* (yield* database).client
        const table = yield* open(context, { log: { table: "log" } })
        const log = yield* Effect.provide(SqlChangeLog.make<Table.TableChange>({ table: "log" }), context)
        const calls = fc.array(fc.array(write, { minLength: 1, maxLength: 8 }), {
          minLength: 1,
          maxLength: 5
        })
        yield* holdsEffect(calls, 8, (calls) =>
          Effect.gen(function* () {
            const memoryLog = yield* ChangeLog.make<Table.TableChange>()
            const memory = yield* Table.memory(keys, { log: memoryLog })
            yield* table.deleteAll
            const { head } = yield* log.head
            yield* log.compact(head.seq)
            for (const [n, writes] of calls.entries()) {
              const expected = yield* memory.write(writes, `call ${n}`)
              const found = yield* table.write(writes, `call ${n}`)
              const plain = (result: Table.WriteResult<Keys>) =>
                result._tag === "Written"
                  ? { ...result, revision: Option.isSome(result.revision) }
                  : { ...result, cause: undefined }
              expect(found.map(plain)).toEqual(expected.map(plain))
              expect((yield* table.list()).value).toEqual((yield* memory.list({})).value)
            }
            expect(yield* logged(log)).toEqual(yield* logged(memoryLog))
          })
        )
      })
    )

    it.scopedLive("has one outcome for each write of a call, and logs the changes as one revision", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database)
        const reader = yield* following(log)
        yield* table.write([1, 2, 3, 4].map((n) => Write.insert(key(n))))
        const results = yield* table.write(
          [
            Write.insert(key(1, { n: 10 })),
            Write.replace(key(2, { n: 20 })),
            Write.patch(id(3), { tag: "three" }, Query.eq("n", 3)),
            Write.patch(id(4), { tag: "four" }, Query.eq("n", 3)),
            Write.patch(id(5), { n: 1 }),
            Write.replace(key(6)),
            Write.delete(id(7)),
            Write.insert(key(8))
          ],
          "mixed"
        )
        expect(seen(results)).toEqual([
          "Unchanged 1",
          "Changed 20",
          "Changed 3",
          "Conflict",
          "Missing",
          "Changed 6",
          "Unchanged none",
          "Changed 8"
        ])
        expect(revisions(results)).toEqual([undefined, 2, 2, "none", "none", 2, undefined, 2])
        const [, second] = yield* logged(log)
        expect(second?.map(([key, value]) => [key, value?.op, value?.columns, value?.batch])).toEqual([
          [`keys/${id(2)}`, "Updated", ["n"], "mixed"],
          [`keys/${id(3)}`, "Updated", ["tag"], "mixed"],
          [`keys/${id(6)}`, "Inserted", undefined, "mixed"],
          [`keys/${id(8)}`, "Inserted", undefined, "mixed"]
        ])
        // The doorbell has rung for it, in this process.
        yield* Effect.timeout(reader.until(2), "10 seconds")
        // What changes nothing is no revision.
        const same = yield* table.write([Write.insert(key(1)), Write.patch(id(3), { tag: "three" })])
        expect(seen(same)).toEqual(["Unchanged 1", "Unchanged 3"])
        expect((yield* log.head).head.seq).toBe(2)
      })
    )

    it.scopedLive("says with every read which revision it holds, also without a row", () =>
      Effect.gen(function* () {
        const { context, log, table } = yield* setUp(database)
        const reads = Effect.all([
          table.get(id(1)),
          table.getMany([id(1), id(2)]),
          table.list({ where: Query.eq("n", 1) }),
          table.list({ where: Query.eq("n", 99) }),
          table.count(),
          table.count(Query.eq("n", 99))
        ])
        const heads = Effect.map(reads, (all) => all.map(({ revision }) => revision))
        for (const write of [Write.insert(key(1)), Write.delete(id(1))]) {
          yield* table.write([write])
          const { head } = yield* log.head
          expect(yield* heads).toEqual(Array.from({ length: 6 }, () => head))
        }
        const silent = yield* Effect.provide(SqlTable.make({ ...keys, name: "silent" }), context)
        expect(yield* silent.list()).toEqual({ value: [] })
        expect(yield* silent.count()).toEqual({ value: 0 })
      })
    )

    it.scopedLive("knows a uuid in two spellings", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database)
        const [upper, lower] = [
          "ABCDEF00-0000-7000-8000-00000000000A",
          "abcdef00-0000-7000-8000-00000000000a"
        ]
        yield* table.insert(key(1, { id: upper }))
        expect(seen([yield* table.insert(key(2, { id: lower }))])).toEqual(["Unchanged 1"])
        const patched = yield* table.patch(upper, { n: 3 }, Query.eq("id", upper))
        expect(Option.getOrThrow(patched.row)).toMatchObject({ id: lower, n: 3 })
        expect(Option.getOrThrow((yield* table.get(upper)).value).n).toBe(3)
        yield* table.delete(upper)
        const found = (yield* logged(log)).flat().map(([key]) => key)
        expect(found).toEqual([1, 2, 3].map(() => `keys/${lower}`))
      })
    )

    it.scopedLive("lets one of several conditional patches win, each time", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(database)
        const others = yield* Effect.forEach([1, 2], () =>
          Effect.flatMap(db.client, (context) => open(context, { log: { table: "log" } }))
        )
        const tables = [table, ...others]
        yield* table.insert(key(1, { n: 0 }))
        for (let n = 0; n < 15; n++) {
          const results = yield* Effect.forEach(
            tables,
            (one) => one.write([Write.patch(id(1), { n: n + 1 }, Query.eq("n", n))]),
            { concurrency: "unbounded" }
          )
          expect(seen(results.flat()).sort()).toEqual([`Changed ${n + 1}`, "Conflict", "Conflict"])
        }
      })
    )

    it.scopedLive("deletes all rows in one change", () =>
      Effect.gen(function* () {
        const { log, table } = yield* setUp(database)
        yield* table.write([Write.insert(key(1)), Write.insert(key(2))])
        const results = yield* table.write([Write.deleteAll, Write.insert(key(3)), Write.deleteAll])
        expect(seen(results)).toEqual(["Changed none", "Changed 3", "Changed none"])
        expect((yield* table.deleteAll).change).toBe("Unchanged")
        expect((yield* logged(log)).map((events) => events.map(([key]) => key))).toEqual([
          [`keys/${id(1)}`, `keys/${id(2)}`],
          ["keys/"],
          [`keys/${id(3)}`],
          ["keys/"]
        ])
      })
    )

    it.scopedLive("takes tables of any name", () =>
      Effect.gen(function* () {
        const context = yield* (yield* database).client
        for (const name of ["locked", "it's new", "n", "given", "Größe"]) {
          const table = yield* Effect.provide(
            SqlTable.make({ ...keys, name }, { log: { table: "log" } }),
            context
          )
          yield* table.write([Write.insert(key(1)), Write.insert(key(2))])
          const patched = yield* table.write([Write.patch(id(1), { n: 3 }), Write.patch(id(2), { tag: "t" })])
          expect(seen(patched)).toEqual(["Changed 3", "Changed 2"])
          expect(seen([yield* table.deleteAll])).toEqual(["Changed none"])
          expect((yield* table.count()).value).toBe(0)
        }
      })
    )
  })
}
