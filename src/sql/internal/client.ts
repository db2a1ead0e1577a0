/** Backends over clients of @effect/sql. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import type { Dialect, Executor, Run, Table } from "./dialect.js"
import type { Backend } from "./sqlStorage.js"

/**
 * Runs statements on connections that are reserved for them, so that they never join a transaction of the calling
 * fiber.
 */
export const clientExecutor = (client: SqlClient): Executor => {
  const reserve = Effect.map(
    client.reserve,
    (connection): Run =>
      ({ params, text }) =>
        connection.executeRaw(text, params)
  )
  return { reserve, run: (statement) => Effect.scoped(Effect.flatMap(reserve, (run) => run(statement))) }
}

/** A backend over a client, with an executor of its own where the client's reserved connections do not do. */
export const clientBackend = (
  client: SqlClient,
  dialect: Dialect,
  table: Table,
  executor: Executor = clientExecutor(client)
): Backend => {
  const insert = dialect.insert(table)
  return {
    dialect,
    executor,
    beside: ({ params, text }) => client.unsafe(text, params).raw,
    insert: (rows) => executor.run(insert(rows)),
    compile: (fragment) => client`${fragment}`.compile()
  }
}
