/** Databases for owners: processes with clients of their own, what they save as owners, and another program beside them. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Context, Effect, identity, Queue, type Scope } from "effect"
import { StorageError } from "../../../src/Storage.js"
import { byDialect, clientExecutor } from "../../../src/sql/internal/client/client.js"
import {
  type Dialect,
  type Executor,
  plain,
  type Run,
  type Statement
} from "../../../src/sql/internal/dialect.js"
import type { Owner } from "../../../src/sql/internal/owner/holding.js"
import { type Owners, openOwners } from "../../../src/sql/internal/owner/owners.js"
import { sessionLocksOf } from "../../../src/sql/internal/owner/sessionLocks.js"
import { makeOwnersTable } from "../../../src/sql/internal/owner/table.js"
import { pgDialect } from "../../../src/sql/internal/pg/dialect.js"
import { sqliteDialect } from "../../../src/sql/internal/sqlite/dialect.js"
import { type Step, step, transaction } from "../../../src/sql/internal/transaction.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { pgSchema, sqliteFile, type TableDatabase } from "../../support/table/databases.js"

/** What owns something, and saves. */
export interface Process extends Owners {
  readonly dialect: Dialect
  /** Takes the next of its statements that has ended outside of a transaction. */
  readonly ended: Effect.Effect<Statement>
  /** How many of them have ended. */
  readonly count: () => number
  /** From now on none of its statements is sent, and none is answered. */
  readonly freeze: Effect.Effect<void>
  /** From now on each of its statements fails, until `reconnect`. */
  readonly disconnect: Effect.Effect<void>
  readonly reconnect: Effect.Effect<void>
  /** Saves as the owner: proves that it is, runs the body, commits. */
  readonly save: <A, E>(owner: Owner, body: (run: Step) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
}

/** A database for owners. */
export interface Place {
  readonly database: TableDatabase
  /** Another process. */
  readonly start: (doorbell?: object) => Effect.Effect<Process, unknown, Scope.Scope>
  /** Lets the lease of every owner be over, by the clock of the database. */
  readonly expire: Effect.Effect<unknown>
  /** The milliseconds until the lease is over, by the clock of the database. */
  readonly left: Effect.Effect<number>
}

const away = new StorageError({ kind: "Transient", outcome: "NotStored", message: "the database is away" })

const withFates = (executor: Executor) => {
  let fate: "pass" | "freeze" | "fail" = "pass"
  const run =
    (one: Run): Run =>
    (statement) =>
      Effect.suspend(() =>
        fate === "pass" ? one(statement) : fate === "freeze" ? Effect.never : Effect.fail(away)
      )
  const turn = (to: typeof fate) =>
    Effect.sync(() => {
      fate = to
    })
  return {
    executor: { run: run(executor.run), reserve: Effect.map(executor.reserve, run) } satisfies Executor,
    freeze: turn("freeze"),
    disconnect: turn("fail"),
    reconnect: turn("pass")
  }
}

const process = (database: TableDatabase, doorbell: object | undefined) =>
  Effect.gen(function* () {
    const client = Context.get(yield* database.client, SqlClient)
    const dialect = yield* byDialect<Dialect>(client, sqliteDialect, pgDialect)
    const { executor, ...fates } = withFates(clientExecutor(client))
    // The driver would wait in the only thread.
    if (dialect.name === "sqlite") yield* executor.run(plain("PRAGMA busy_timeout = 0"))
    const ended = yield* Queue.unbounded<Statement>()
    let count = 0
    const run: Run = (statement) =>
      Effect.ensuring(
        executor.run(statement),
        Effect.suspend(() => {
          count++
          return Queue.offer(ended, statement)
        })
      )
    const owners = yield* openOwners({
      dialect,
      executor: { ...executor, run },
      table: makeOwnersTable("t"),
      locks: sessionLocksOf(doorbell)
    })
    const one: Process = {
      ...owners,
      ...fates,
      dialect,
      ended: Queue.take(ended),
      count: () => count,
      save: (owner, body) =>
        transaction(dialect, executor.reserve, identity, (run) => {
          const one = step(dialect, run)
          return Effect.andThen(one(dialect.begin), Effect.andThen(owner.fence(one), body(one)))
        })
    }
    return one
  })

const nowOf = {
  sqlite: "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
  pg: "clock_timestamp()"
} as const

const leftOf = {
  sqlite: `until - ${nowOf.sqlite}`,
  pg: `extract(epoch FROM until - ${nowOf.pg}) * 1000`
} as const

const aSecond = { sqlite: "1000", pg: "interval '1 second'" } as const

const placeOf = (database: TableDatabase): Place => {
  const { dialect, sql } = database
  return {
    database,
    start: (doorbell) => process(database, doorbell),
    expire: sql(`UPDATE t_owners SET until = ${nowOf[dialect]} - ${aSecond[dialect]}`),
    left: Effect.map(sql(`SELECT ${leftOf[dialect]} AS millis FROM t_owners`), ([row]) => Number(row?.millis))
  }
}

/** Waits until a process has ended a statement with this text in it, and with this parameter if there is one. */
export const until = (process: Process, text: string, param?: unknown): Effect.Effect<void> =>
  Effect.flatMap(process.ended, (ended) =>
    ended.text.includes(text) && (param === undefined || ended.params.includes(param))
      ? Effect.void
      : until(process, text, param)
  )

/** A place in a schema of the server. */
export const pgPlace = (server: string) =>
  Effect.map(pgSchema(server), (database) => ({ ...placeOf(database), database }))

export const places: ReadonlyArray<
  readonly [name: string, place: Effect.Effect<Place, unknown, Scope.Scope>]
> = [
  ["SQLite", Effect.map(sqliteFile, placeOf)],
  ...databaseUrls().map(({ name, url }) => [`Postgres, ${name}`, pgPlace(url)] as const)
]
