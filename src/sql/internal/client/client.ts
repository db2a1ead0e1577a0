/** Backends over clients of @effect/sql. */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Exit, Fiber, Scope } from "effect"
import { InvalidOptions } from "../../../internal/options.js"
import type { Dialect, Executor, Run, Table } from "../dialect.js"
import { inReadCommitted } from "../pg/isolation.js"
import { pgLog } from "../pg/log.js"
import { sqliteLog } from "../sqlite/log.js"
import type { StorageBackend } from "../storage/outbox.js"
import { preparingAnew } from "./preparing.js"

/**
 * Reserves a connection, and gives it back when the scope ends. A reservation that is interrupted while it waits goes
 * on by itself and gives its connection back at once: @effect/sql-pg has no way to withdraw one, and would keep the
 * connection out of its pool for good.
 */
export const reserveConnection = (client: SqlClient): Effect.Effect<Connection, SqlError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const reservation = yield* Scope.make()
      const reserving = yield* Effect.forkDaemon(Scope.extend(client.reserve, reservation))
      const giveBack = Scope.close(reservation, Exit.void)
      const connection = yield* Effect.onError(restore(Fiber.join(reserving)), () =>
        Effect.forkDaemon(Effect.zipRight(Fiber.await(reserving), giveBack))
      )
      yield* Scope.addFinalizer(scope, giveBack)
      return connection
    })
  )

/** Gives what fits the client's database. */
export const byDialect = <A>(client: SqlClient, sqlite: A, pg: A): Effect.Effect<A, InvalidOptions> =>
  client.onDialectOrElse({
    sqlite: () => Effect.succeed(sqlite),
    pg: () => Effect.succeed(pg),
    orElse: () =>
      Effect.fail(
        new InvalidOptions({ option: "client", message: "must be a client of SQLite or of Postgres" })
      )
  })

/** Runs statements on a connection, whatever transaction the calling fiber is in. */
export const runOn =
  (connection: Connection): Run =>
  ({ params, text }) =>
    connection.executeRaw(text, params)

/**
 * Runs statements on connections that are reserved for them, so that they never join a transaction of the calling
 * fiber.
 */
export const clientExecutor = (client: SqlClient): Executor => {
  const anew = preparingAnew()
  const reserve = Effect.map(reserveConnection(client), (connection) => anew(runOn(connection)))
  return inReadCommitted({
    reserve,
    run: (statement) => Effect.scoped(Effect.flatMap(reserve, (run) => run(statement)))
  })
}

/** A backend over a client, with an executor of its own where the client's reserved connections do not do. */
export const clientBackend = (
  client: SqlClient,
  dialect: Dialect,
  table: Table,
  executor: Executor = clientExecutor(client)
): StorageBackend => {
  const insert = dialect.insert(table)
  return {
    dialect,
    executor,
    read: preparingAnew()(({ params, text }) => client.unsafe(text, params).raw),
    insert: (rows) => executor.run(insert(rows)),
    logStatements: dialect.name === "pg" ? pgLog : sqliteLog,
    compile: (fragment) => client`${fragment}`.compile()
  }
}
