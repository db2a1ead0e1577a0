import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Scope } from "effect"
import { InvalidOptions, StorageError } from "../../../src/Storage.js"
import type { Row } from "../../../src/sql/internal/dialect.js"
import type { PgConnectOptions } from "../../../src/sql/internal/pg/connectOptions.js"
import { pgDialect } from "../../../src/sql/internal/pg/dialect.js"
import { classifyPg } from "../../../src/sql/internal/pg/errors.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, openPool, ownSchema, type Sql } from "../../support/postgres/tables.js"

const plain = (text: string) => ({ text, params: [] })

const setting = (url: string, value: string) => {
  const own = new URL(url)
  own.searchParams.set("options", `${own.searchParams.get("options") ?? ""} -c ${value}`)
  return own.href
}

/** Asks again until it is so. */
const until = (question: Effect.Effect<boolean>) =>
  Effect.timeout(Effect.repeat(question, { until: (yes) => yes, schedule: Schedule.forever }), "10 seconds")

const isWaiting = (sql: Sql, pid: unknown) =>
  Effect.map(
    sql("SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'", [pid]),
    (rows) => rows.length === 1
  )

const isGone = (sql: Sql, pid: unknown) =>
  Effect.map(sql("SELECT 1 FROM pg_stat_activity WHERE pid = $1", [pid]), (rows) => rows.length === 0)

/** A pool over a schema with a table `t (n int)`, a client that can lock it, and one that looks. */
const setUp = (server: string) =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const [sql, locker] = yield* Effect.all([openClient(url), openClient(url)])
    yield* sql("CREATE TABLE t (n int)")
    const { executor } = yield* openPool({ url })
    const rows = (text: string) => Effect.map(executor.run(plain(text)), pgDialect.rows)
    const pid = Effect.map(rows("SELECT pg_backend_pid() AS pid"), ([row]) => row!.pid)
    const lock = Effect.zipRight(locker("BEGIN"), locker("LOCK TABLE t"))
    return { url, sql, executor, rows, pid, lock, unlock: locker("ROLLBACK") }
  })

for (const { name, url: server } of databaseUrls()) {
  describe(`the pool, ${name}`, () => {
    it.scopedLive("keeps one connection while statements succeed, or fail with ERROR", () =>
      Effect.gen(function* () {
        const { pid, rows } = yield* setUp(server)
        const first = yield* pid
        const error = yield* Effect.flip(rows("SELECT 1 / 0"))
        expect(classifyPg(error, false)).toMatchObject({
          kind: "Poison",
          outcome: "NotStored",
          code: "22012"
        })
        expect(yield* pid).toBe(first)
      })
    )

    it.scopedLive("destroys the connection of an interrupted statement and cancels it on the server", () =>
      Effect.gen(function* () {
        const { lock, pid, rows, sql, unlock } = yield* setUp(server)
        const first = yield* pid
        yield* lock
        const fiber = yield* Effect.fork(rows("INSERT INTO t VALUES (1)"))
        yield* until(isWaiting(sql, first))
        yield* Fiber.interrupt(fiber)
        // While the lock is still held: the server does not look at a socket while it waits for one.
        yield* until(isGone(sql, first))
        expect(yield* pid).not.toBe(first)
        yield* unlock
        expect(yield* rows("SELECT * FROM t")).toEqual([])
      })
    )

    it.scopedLive("is harmed by no interruption, whenever it comes", () =>
      Effect.gen(function* () {
        const { executor } = yield* setUp(server)
        const one = executor.run(plain("SELECT 1"))
        const interrupted = Effect.forEach(Array.from({ length: 60 }), (_, yields) =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(one)
            for (let i = 0; i < yields; i++) yield* Effect.yieldNow()
            yield* Fiber.interrupt(fiber)
          })
        )
        // They share the connections; a cancel request that is late would hit one of these.
        const others = Effect.forEach(Array.from({ length: 60 }), () => one)
        yield* Effect.all([interrupted, others, others], { concurrency: "unbounded" })
        // None is missing: more than the pool has, at once.
        const all = Effect.all(
          Array.from({ length: 20 }, () => one),
          { concurrency: "unbounded" }
        )
        expect((yield* all).length).toBe(20)
      })
    )

    it.scopedLive("leaves a connection alone that has answered before the interruption", () =>
      Effect.gen(function* () {
        const { executor, lock, pid, sql, unlock } = yield* setUp(server)
        const first = yield* pid
        yield* lock
        // A fiber that does not go on when its statement is answered.
        const tasks: Array<() => void> = []
        const held = {
          shouldYield: () => false as const,
          scheduleTask: (task: () => void) => tasks.push(task)
        }
        const fiber = yield* Effect.fork(Effect.withScheduler(executor.run(plain("SELECT 1")), held))
        yield* until(Effect.map(sql("SELECT 1"), () => tasks.length > 0))
        // Somebody else has the connection by now.
        const insert = yield* Effect.fork(executor.run(plain("INSERT INTO t VALUES (1)")))
        yield* until(isWaiting(sql, first))
        const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
        yield* until(
          Effect.map(sql("SELECT 1"), () => {
            for (const task of tasks.splice(0)) task()
            return fiber.unsafePoll() !== null
          })
        )
        yield* Fiber.join(interruption)
        yield* unlock
        expect(pgDialect.affected(yield* Fiber.join(insert))).toBe(1)
        expect(yield* pid).toBe(first)
      })
    )

    it.scopedLive("does not use a connection again whose backend was ended in a statement", () =>
      Effect.gen(function* () {
        const { lock, pid, rows, sql, unlock } = yield* setUp(server)
        const first = yield* pid
        yield* lock
        const fiber = yield* Effect.fork(Effect.flip(rows("INSERT INTO t VALUES (1)")))
        yield* until(isWaiting(sql, first))
        yield* sql("SELECT pg_terminate_backend($1)", [first])
        const failure = classifyPg(yield* Fiber.join(fiber), true)
        expect(failure).toMatchObject({ kind: "Transient", outcome: "Unknown", code: "57P01" })
        // At once, before the socket's end can have been seen.
        expect(yield* pid).not.toBe(first)
        yield* unlock
      })
    )

    it.scopedLive("loses at most one statement to a backend that was ended while idle", () =>
      Effect.gen(function* () {
        const { pid, sql } = yield* setUp(server)
        const first = yield* pid
        yield* sql("SELECT pg_terminate_backend($1)", [first])
        const next = yield* Effect.either(pid)
        if (next._tag === "Left") expect(classifyPg(next.left, true).kind).toBe("Transient")
        expect(yield* pid).not.toBe(first)
      })
    )

    it.scopedLive("connects anew when the server has become read-only", () =>
      Effect.gen(function* () {
        const { url } = yield* setUp(server)
        const { executor } = yield* openPool({ url: setting(url, "default_transaction_read_only=on") })
        const pid = Effect.map(executor.run(plain("SELECT pg_backend_pid() AS pid")), pgDialect.rows)
        const first = yield* pid
        const error = yield* Effect.flip(executor.run(plain("INSERT INTO t VALUES (1)")))
        expect(classifyPg(error, true)).toMatchObject({
          kind: "Transient",
          outcome: "NotStored",
          code: "25006"
        })
        expect(yield* pid).not.toEqual(first)
      })
    )

    it.scopedLive("prepares named statements, and gives names up where they do not survive", () =>
      Effect.gen(function* () {
        const { executor, rows, url } = yield* setUp(server)
        const names = rows("SELECT name, statement FROM pg_prepared_statements")
        const named = { name: "er_test", text: "SELECT $1::int AS n", params: [7] }
        const seven = Effect.map(executor.run(named), pgDialect.rows)
        expect(yield* seven).toEqual([{ n: 7 }])
        expect(yield* seven).toEqual([{ n: 7 }])
        expect(yield* names).toEqual([{ name: "er_test", statement: named.text }])
        // What a pooler does to a session between two statements.
        yield* rows("DEALLOCATE ALL")
        expect(yield* seven).toEqual([{ n: 7 }])
        expect(yield* seven).toEqual([{ n: 7 }])
        expect(yield* names).toEqual([])
        // Nor on another connection.
        yield* Effect.scoped(Effect.zipRight(executor.reserve, seven.pipe(Effect.zipRight(names)))).pipe(
          Effect.map((prepared) => expect(prepared).toEqual([]))
        )

        // The name is taken on a connection that it was never given to.
        const other = yield* openPool({ url })
        yield* other.executor.run(plain("PREPARE er_test AS SELECT 8"))
        const rowsOf = (result: unknown): ReadonlyArray<Row> => pgDialect.rows(result)
        expect(rowsOf(yield* other.executor.run(named))).toEqual([{ n: 7 }])
      })
    )

    it.scopedLive("refuses statements on a reserved connection that was interrupted", () =>
      Effect.gen(function* () {
        const { executor, lock, sql, unlock } = yield* setUp(server)
        yield* lock
        yield* Effect.scoped(
          Effect.gen(function* () {
            const run = yield* executor.reserve
            yield* run(plain("BEGIN"))
            const [row] = pgDialect.rows(yield* run(plain("SELECT pg_backend_pid() AS pid")))
            const fiber = yield* Effect.fork(run(plain("INSERT INTO t VALUES (1)")))
            yield* until(isWaiting(sql, row!.pid))
            yield* Fiber.interrupt(fiber)
            const error = yield* Effect.flip(run(plain("ROLLBACK")))
            expect(classifyPg(error, true).outcome).toBe("NotStored")
            yield* until(isGone(sql, row!.pid))
          })
        )
        yield* unlock
      })
    )

    it.scopedLive("ends within a bounded time while a statement hangs", () =>
      Effect.gen(function* () {
        const { lock, sql, unlock, url } = yield* setUp(server)
        yield* lock
        const scope = yield* Scope.make()
        const { executor } = yield* Scope.extend(openPool({ url, applicationName: "hangs" }), scope)
        const fiber = yield* Effect.fork(Effect.flip(executor.run(plain("INSERT INTO t VALUES (1)"))))
        yield* until(
          Effect.map(
            sql(
              "SELECT 1 FROM pg_stat_activity WHERE application_name = 'hangs' AND wait_event = 'relation'"
            ),
            (found) => found.length === 1
          )
        )
        yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
        expect(classifyPg(yield* Fiber.join(fiber), true)).toMatchObject({
          kind: "Transient",
          outcome: "Unknown"
        })
        const after = yield* Effect.flip(executor.run(plain("SELECT 1")))
        expect(classifyPg(after, true)).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
        yield* unlock
      })
    )

    it.scopedLive("fails typed on what is wrong with the server's address and the login", () =>
      Effect.gen(function* () {
        const right = new URL(server)
        const given = (
          over: Partial<Record<"hostname" | "port" | "username" | "password" | "pathname", string>>
        ) => Object.assign(new URL(server), over).href
        const wrong: ReadonlyArray<readonly [PgConnectOptions, StorageError["kind"], string, RegExp]> = [
          [{ url: given({ password: "wrong" }) }, "Fatal", "28P01", /check the username and the password/],
          [{ url: given({ username: "no_such_role" }) }, "Fatal", "28P01", /check the username/],
          [{ url: given({ pathname: "/no_such_database" }) }, "Fatal", "3D000", /create the database/],
          [{ url: given({ port: "1" }) }, "Transient", "ECONNREFUSED", /check the host and the port/],
          [{ url: given({ hostname: "no.such.host.invalid" }) }, "Transient", "ENOTFOUND", /check the host/],
          [
            { host: right.hostname, port: Number(right.port), username: "postgres", database: "postgres" },
            "Fatal",
            "",
            /check the password/
          ],
          [{ url: server, ssl: true }, "Fatal", "", /check the ssl option/]
        ]
        for (const [options, kind, code, says] of wrong) {
          const error = yield* Effect.flip(openPool(options))
          expect(error).toBeInstanceOf(StorageError)
          expect(error).toMatchObject({ kind, outcome: "NotStored" })
          expect(error.message).toMatch(says)
          expect(error.message).toContain(code)
          expect(error.message).not.toContain("wrong")
        }
      })
    )
  })
}

describe("the pool's options", () => {
  it.scoped("are checked before anything is opened", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [string, PgConnectOptions]> = [
        ["url", { url: "localhost:5432/x" }],
        ["url", { url: "postgres://a:50%@host:x/db" }],
        ["url", { url: "postgres://host/db?sslrootcert=/no/such/file" }],
        ["port", { port: 0 }],
        ["port", { port: 65_536 }],
        ["maxConnections", { maxConnections: 1 }],
        ["maxConections", { maxConections: 4 } as PgConnectOptions],
        ["url", { url: 5050 as unknown as string }],
        ["password", { password: 5050 as unknown as string }],
        ["pasword", { pasword: "5050" } as PgConnectOptions],
        ["connectTimeout", { connectTimeout: 0 }],
        ["connectTimeout", { connectTimeout: "forever" as "1 second" }]
      ]
      for (const [option, options] of wrong) {
        const error = yield* Effect.flip(openPool(options))
        expect(error, option).toBeInstanceOf(InvalidOptions)
        expect(error).toMatchObject({ option })
        expect(error.message).not.toMatch(/50%|5050/)
      }
    })
  )
})
