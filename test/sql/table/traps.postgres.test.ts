/** Traps of tables on a server: callers in transactions, races, crossed locks, lost connections. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Fiber, Option, Schedule } from "effect"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import type { Sql } from "../../support/postgres/tables.js"
import { pgSchema } from "../../support/table/databases.js"
import { id, key, keys, seen } from "./fixture.js"

const { Query, Write } = Table

const setUp = (server: string, settings?: string) =>
  Effect.gen(function* () {
    const db = yield* pgSchema(server, settings)
    const context = yield* db.client
    const open = (options: SqlTable.SqlTableOptions<(typeof keys)["columns"]> = {}) =>
      Effect.provide(SqlTable.make(keys, options), context)
    return { db, context, open, table: yield* open({ log: { table: "log" } }) }
  })

/** Waits until so many backends of the schema wait for a lock. */
const waiting = (sql: Sql, count: number) =>
  Effect.repeat(
    sql(
      "SELECT 1 FROM pg_stat_activity WHERE application_name = current_schema() AND wait_event_type = 'Lock'"
    ),
    { until: (rows) => rows.length === count, schedule: Schedule.forever }
  ).pipe(Effect.timeout("20 seconds"))

for (const { name, url: server } of databaseUrls()) {
  describe(`SqlTable, ${name}`, () => {
    it.scopedLive("is outside of its caller's transaction, whatever becomes of that", () =>
      Effect.gen(function* () {
        const { context, table } = yield* setUp(server)
        yield* table.insert(key(1))
        const body = Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`INSERT INTO keys (id, n) VALUES (${id(2)}, 2)`
          expect((yield* table.list()).value.map(({ n }) => n)).toEqual([1])
          expect((yield* table.count()).value).toBe(1)
          yield* table.insert(key(3))
          expect(yield* sql`SELECT n FROM keys WHERE id = ${id(3)}`).toHaveLength(1)
          return yield* Effect.fail("rolled back")
        })
        const failed = yield* Effect.provide(
          Effect.flatMap(SqlClient, (sql) => Effect.either(sql.withTransaction(body))),
          context
        )
        expect(failed).toEqual(Either.left("rolled back"))
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([1, 3])
      })
    )

    it.scopedLive("judges a condition by what was committed while it waited for the row", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(server)
        yield* table.write([Write.insert(key(1)), Write.insert(key(2))])
        const other = yield* db.program
        yield* other("BEGIN")
        yield* other(`UPDATE keys SET n = 5 WHERE id = '${id(1)}'`)
        const writes = [
          Write.patch(id(1), { tag: "won" }, Query.eq("n", 1)),
          Write.delete(id(2), Query.eq("n", 2))
        ]
        const fiber = yield* Effect.fork(table.write(writes))
        yield* waiting(db.sql, 1)
        yield* other("COMMIT")
        expect(seen(yield* Fiber.join(fiber))).toEqual(["Conflict", "Changed none"])
      })
    )

    it.scopedLive("returns the row that another transaction inserts first, and replaces it", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(server)
        const other = yield* db.program
        for (const [write, outcome] of [
          [Write.insert(key(1)), "Unchanged 5"],
          [Write.replace(key(2)), "Changed 2"]
        ] as const) {
          yield* other("BEGIN")
          yield* other(`INSERT INTO keys (id, n) VALUES ('${write.row.id}', 5)`)
          const fiber = yield* Effect.fork(table.write([write]))
          yield* waiting(db.sql, 1)
          yield* other("COMMIT")
          expect(seen(yield* Fiber.join(fiber))).toEqual([outcome])
        }
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([5, 2])
      })
    )

    it.scopedLive("locks rows in one order, whatever the order of the writes", () =>
      Effect.gen(function* () {
        // A deadlock would last for longer than the test.
        const { open, table } = yield* setUp(server, "-c deadlock_timeout=5min")
        const other = yield* open()
        const numbers = [1, 2, 3, 4, 5, 6]
        yield* table.write(numbers.map((n) => Write.insert(key(n))))
        const round = (n: number) =>
          Effect.all(
            [table, other].flatMap((one, at) =>
              [numbers, [...numbers].reverse()].map((order) =>
                one.write(order.map((i) => Write.patch(id(i), { n: 10 * n + at })))
              )
            ),
            { concurrency: "unbounded" }
          )
        for (let n = 1; n <= 8; n++) {
          for (const results of yield* round(n)) {
            expect(results.every(({ _tag }) => _tag === "Written")).toBe(true)
          }
          yield* Effect.all([table.write(numbers.map((i) => Write.insert(key(i)))), other.deleteAll], {
            concurrency: "unbounded"
          })
          yield* table.write(numbers.map((i) => Write.insert(key(i))))
        }
      })
    )

    it.scopedLive("adds rows in one order, whatever the order of the writes", () =>
      Effect.gen(function* () {
        // A deadlock would last for longer than the test.
        const { db, open, table } = yield* setUp(server, "-c deadlock_timeout=5min")
        const other = yield* open()
        const program = yield* db.program
        yield* program("BEGIN")
        yield* program(`INSERT INTO keys (id, n) VALUES ('${id(2)}', 0)`)
        const added = [1, 2, 3].map((i) => Write.insert(key(i)))
        const fibers = yield* Effect.forEach(
          [table.write(added), other.write([...added].reverse())],
          Effect.fork
        )
        // Each waits for the row in the middle, or for the other one.
        yield* waiting(db.sql, 2)
        yield* program("ROLLBACK")
        const results = yield* Effect.forEach(fibers, Fiber.join)
        expect(
          results.flat().filter((one) => one._tag === "Written" && one.change === "Changed")
        ).toHaveLength(3)
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([1, 2, 3])
      })
    )

    it.scopedLive("does not store what is interrupted while it waits", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(server)
        yield* table.insert(key(1))
        const other = yield* db.program
        yield* other("BEGIN")
        yield* other("SELECT 1 FROM keys FOR UPDATE")
        const fiber = yield* Effect.fork(table.patch(id(1), { n: 2 }))
        yield* waiting(db.sql, 1)
        yield* Fiber.interrupt(fiber)
        yield* waiting(db.sql, 0)
        yield* other("COMMIT")
        expect(Option.getOrThrow((yield* table.get(id(1))).value).n).toBe(1)
        expect(seen([yield* table.patch(id(1), { n: 3 })])).toEqual(["Changed 3"])
      })
    )

    it.scopedLive(
      "knows that nothing is stored while COMMIT was not sent, and not what became of a COMMIT",
      () =>
        Effect.gen(function* () {
          const { db, table } = yield* setUp(server)
          yield* table.write([Write.insert(key(1)), Write.insert(key(2))])
          yield* db.sql(
            `CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NEW; END $$`
          )
          yield* db.sql(
            `CREATE TRIGGER early BEFORE UPDATE ON keys FOR EACH ROW WHEN (NEW.n = 100) EXECUTE FUNCTION cut()`
          )
          yield* db.sql(
            `CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON keys DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW WHEN (NEW.n = 200) EXECUTE FUNCTION cut()`
          )
          const patches = (n: number) => [Write.patch(id(1), { n }), Write.patch(id(2), { tag: "t" })]
          const early = yield* table.write(patches(100))
          expect(seen(early)).toEqual(["Transient NotStored", "Transient NotStored"])
          const late = yield* table.write(patches(200))
          expect(seen(late)).toEqual(["Transient Unknown", "Transient Unknown"])
          const next = Effect.flatMap(table.write(patches(3)), (results) =>
            results.every(({ _tag }) => _tag === "Written")
              ? Effect.succeed(seen(results))
              : Effect.fail("again")
          )
          // The pool may have another connection that it does not know to be dead.
          expect(yield* Effect.retry(next, { times: 4 })).toEqual(["Changed 3", "Changed 2"])
        })
    )

    it.scopedLive("refuses alone what breaks a constraint that is checked at the COMMIT", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(server)
        yield* db.sql("ALTER TABLE keys ADD UNIQUE (tag) DEFERRABLE INITIALLY DEFERRED")
        const results = yield* table.write([
          Write.insert(key(1, { tag: "a" })),
          Write.insert(key(2, { tag: "a" })),
          Write.insert(key(3, { tag: "b" }))
        ])
        expect(seen(results)).toEqual(["Changed 1", "Unique", "Changed 3"])
        expect((yield* table.list()).value.map(({ n }) => n)).toEqual([1, 3])
      })
    )

    it.scopedLive("keeps the microseconds of a column that only a neighbour sets", () =>
      Effect.gen(function* () {
        const { db, table } = yield* setUp(server)
        yield* db.sql("ALTER TABLE keys ALTER COLUMN at TYPE timestamptz")
        yield* table.write([Write.insert(key(1, { at: new Date(0) })), Write.insert(key(2))])
        yield* db.sql(`UPDATE keys SET at = at + interval '5 microseconds' WHERE id = '${id(1)}'`)
        const results = yield* table.write([
          Write.patch(id(1), { n: 10, at: new Date(0) }),
          Write.patch(id(2), { at: new Date(1) })
        ])
        expect(seen(results)).toEqual(["Changed 10", "Changed 2"])
        const [found] = yield* db.sql(
          `SELECT (extract(microseconds FROM at))::int AS micros FROM keys WHERE id = '${id(1)}'`
        )
        expect(found).toEqual({ micros: 5 })
      })
    )
  })
}
