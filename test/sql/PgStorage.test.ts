import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Context, Effect, Either, Fiber, Layer, Redacted, Schedule, Stream } from "effect"
import { checkQuery } from "../../src/internal/columns/checkQuery.js"
import { Column, Query, StorageError } from "../../src/Storage.js"
import { pgDialect } from "../../src/sql/internal/pg/dialect.js"
import { sizeLimits } from "../../src/sql/internal/statementSize.js"
import { select } from "../../src/sql/internal/storage/renderQuery.js"
import { makeTable } from "../../src/sql/internal/storage/tableOptions.js"
import * as PgStorage from "../../src/sql/PgStorage.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { emptyPg, openClient, ownSchema, pgDatabase, type Sql, ways } from "../support/postgres/tables.js"
import { storageSuite } from "./storage/sqlStorage.suite.js"
import { tableSuite } from "./storage/sqlTable.suite.js"

const columns = {
  id: Column.integer,
  note: Column.nullable(Column.text),
  at: Column.nullable(Column.timestamp)
}

const records = (...ids: ReadonlyArray<number>) => ids.map((id) => ({ id, note: `${id}` }))

/** The storage's backends, by the name that it gives itself. */
const backends = (sql: Sql, condition = "true") =>
  Effect.map(
    sql(`SELECT pid FROM pg_stat_activity WHERE application_name = current_schema() AND ${condition}`),
    (rows) => rows.map(({ pid }) => pid)
  )

const setUp = (server: string) =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const [sql, locker] = yield* Effect.all([openClient(url), openClient(url)])
    const [schema] = yield* sql("SELECT current_schema() AS name")
    const indexes = [
      { name: "t_note", columns: ["note", "id"] },
      { name: "t_at", columns: ["at", "id"] }
    ] as const
    const table = { table: "t", columns, id: "id", indexes } as const
    const storage = yield* PgStorage.make({ ...table, url, applicationName: `${schema!.name}` })
    const ids = Effect.map(sql("SELECT id::int FROM t ORDER BY ctid"), (rows) => rows.map(({ id }) => id))
    return {
      url,
      sql,
      storage,
      table,
      ids,
      lock: Effect.zip(locker("BEGIN"), locker("LOCK TABLE t")),
      locker
    }
  })

for (const { name, url: server } of databaseUrls()) {
  for (const [kind, way] of Object.entries(ways)) {
    storageSuite(`${kind}, ${name}`, emptyPg(server, way))
    tableSuite(`${kind}, ${name}`, "t", pgDatabase(server, way))
  }

  describe(`PgStorage, ${name}`, () => {
    it.scopedLive("stores in the order of the batch", () =>
      Effect.gen(function* () {
        const { ids, storage } = yield* setUp(server)
        const order = Array.from({ length: 1000 }, (_, n) => (n * 733) % 1009)
        yield* storage.save(records(...order))
        expect(yield* ids).toEqual(order)
      })
    )

    it.scopedLive("reads and prunes outside of its caller's transaction", () =>
      Effect.gen(function* () {
        const { storage, url } = yield* setUp(server)
        yield* storage.save(records(1, 2, 3))
        const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))
        const client = Context.get(context, PgClient.PgClient)
        const read = Effect.map(Stream.runCollect(storage.query({})), Chunk.size)
        const inside = Effect.gen(function* () {
          yield* client`DELETE FROM t WHERE id = 3`
          // Inside the transaction there are 2 rows.
          expect(yield* read).toBe(3)
          yield* storage.prune({ column: "id", before: 2 })
        })
        yield* Effect.flip(client.withTransaction(Effect.andThen(inside, Effect.fail("rolled back"))))
        expect(yield* read).toBe(2)
      })
    )

    it.scopedLive("stores on after its backends were ended", () =>
      Effect.gen(function* () {
        const { ids, sql, storage } = yield* setUp(server)
        yield* storage.save(records(1))
        for (let id = 2; id < 6; id++) {
          for (const pid of yield* backends(sql)) yield* sql("SELECT pg_terminate_backend($1)", [pid])
          // The first attempt may meet a connection whose end is still on the way.
          const saved = Effect.retry(storage.save(records(id)), {
            times: 1,
            while: (error) => error.kind === "Transient"
          })
          expect(yield* saved).toEqual({ duplicates: 0 })
        }
        expect(yield* ids).toEqual([1, 2, 3, 4, 5])
      })
    )

    it.scopedLive("stops a save that is interrupted, and stores on over another connection", () =>
      Effect.gen(function* () {
        const { ids, lock, locker, sql, storage } = yield* setUp(server)
        yield* lock
        const fiber = yield* Effect.fork(storage.save(records(1)))
        const waiting = yield* Effect.repeat(backends(sql, "wait_event_type = 'Lock'"), {
          until: (pids) => pids.length === 1,
          schedule: Schedule.forever
        }).pipe(Effect.zipRight(backends(sql, "wait_event_type = 'Lock'")))
        yield* Fiber.interrupt(fiber)
        yield* Effect.repeat(backends(sql), {
          until: (pids) => !pids.includes(waiting[0]),
          schedule: Schedule.forever
        })
        yield* locker("ROLLBACK")
        expect(yield* ids).toEqual([])
        expect(yield* storage.save(records(2, 1))).toEqual({ duplicates: 0 })
        expect(yield* ids).toEqual([2, 1])
        expect(yield* backends(sql)).not.toContain(waiting[0])
      })
    )

    it.scopedLive(
      "takes a record that meets itself in another unique index for the duplicate that it is",
      () =>
        Effect.gen(function* () {
          const url = yield* ownSchema(server)
          const [sql, holder] = yield* Effect.all([openClient(url), openClient(url)])
          const [schema] = yield* sql("SELECT current_schema() AS name")
          const lock = "pg_advisory_lock_shared(hashtext(current_schema()))"
          yield* sql(`CREATE FUNCTION gate(note text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
          BEGIN PERFORM ${lock}; PERFORM ${lock.replace("lock", "unlock")}; RETURN note; END $$`)
          yield* sql("CREATE TABLE t (id bigint NOT NULL, note text, at timestamptz)")
          // Postgres writes the older index first: both inserts wait there, before either has written its id.
          yield* sql("CREATE UNIQUE INDEX t_gate ON t (gate(note))")
          yield* sql("CREATE UNIQUE INDEX t_id ON t (id)")
          const open = PgStorage.make({
            table: "t",
            columns,
            id: "id",
            url,
            applicationName: `${schema!.name}`
          })
          const [one, other] = yield* Effect.all([open, open])
          yield* holder("SELECT pg_advisory_lock(hashtext(current_schema()))")
          const saves = yield* Effect.forEach([one, other], (storage) =>
            Effect.fork(storage.save(records(1)))
          )
          yield* Effect.repeat(backends(sql, "wait_event = 'advisory'"), {
            until: (pids) => pids.length === 2,
            schedule: Schedule.forever
          })
          yield* holder("SELECT pg_advisory_unlock(hashtext(current_schema()))")
          const ends = yield* Effect.forEach(saves, Fiber.join)
          expect(ends.map(({ duplicates }) => duplicates).sort()).toEqual([0, 1])
          expect(yield* sql("SELECT id::int FROM t")).toEqual([{ id: 1 }])
          const clash = yield* Effect.flip(one.save([{ id: 2, note: "1" }]))
          expect(clash).toMatchObject({ kind: "Poison", cause: { constraint: "t_gate" } })
        })
    )

    it.scopedLive("fails at once and typed when it cannot be opened", () =>
      Effect.gen(function* () {
        const { table, url } = yield* setUp(server)
        const wrongPassword = Object.assign(new URL(url), { password: "wrong" }).href
        const nobodyThere = Object.assign(new URL(url), { port: "1" }).href
        for (const [over, kind, says] of [
          [{ url: wrongPassword }, "Fatal", "check the username and the password"],
          [{ url: nobodyThere }, "Transient", "check the host and the port"],
          [{ schema: "no_such_schema" }, "Fatal", 'schema "no_such_schema" does not exist']
        ] as const) {
          const opened = Effect.flip(PgStorage.make({ ...table, url, ...over }))
          const error = yield* Effect.timeout(opened, "5 seconds")
          expect(error).toBeInstanceOf(StorageError)
          expect(error).toMatchObject({ kind, outcome: "NotStored" })
          expect(error.message).toContain(says)
        }
      })
    )

    it.scopedLive("reads by its indexes, in either direction and from any place", () =>
      Effect.gen(function* () {
        const { sql, table: options } = yield* setUp(server)
        const table = Effect.runSync(
          makeTable(
            {
              schema: undefined,
              ...options,
              indexes: options.indexes.map((index) => ({ ...index, kind: "plain" }))
            },
            sizeLimits
          )
        )
        yield* sql("SET enable_seqscan = off")
        yield* sql("SET enable_bitmapscan = off")
        for (const orderBy of [
          [Query.asc("note")],
          [Query.desc("note")],
          [Query.asc("at")],
          [Query.desc("at")],
          [Query.asc("id")],
          [Query.desc("id")]
        ] as const) {
          for (const after of [undefined, { id: 5, note: "a", at: new Date(0) }]) {
            const query = { orderBy, limit: 10, ...(after === undefined ? {} : { after }) }
            const checked = Either.getOrThrow(checkQuery(columns, "id", query))
            const { params, text } = Either.getOrThrow(select(pgDialect, table, checked, undefined))
            const plan = yield* sql(`EXPLAIN ${text}`, params)
            const lines = plan.map((row) => row["QUERY PLAN"]).join("\n")
            expect(lines).toMatch(/Index (Only )?Scan/)
            expect(lines).not.toMatch(/Sort/)
          }
        }
      })
    )

    it.scopedLive("compares text by code point in a table with another collation", () =>
      Effect.gen(function* () {
        const { sql, table, url } = yield* setUp(server)
        yield* sql(`CREATE TABLE other (id bigint PRIMARY KEY, note varchar, at timestamp(3) with time zone)`)
        const storage = yield* PgStorage.make({ ...table, indexes: [], table: "other", url })
        const notes = ["b", "B", "a", "_", "é", "😀", "\ufffd"]
        yield* storage.save(notes.map((note, id) => ({ id, note })))
        const found = yield* storage.load({ orderBy: [Query.asc("note")] })
        expect(found.map(({ note }) => note)).toEqual(["B", "_", "a", "b", "é", "\ufffd", "😀"])
      })
    )
  })
}
