/**
 * Serves a list of tasks that several browser windows share. It is stored in a SQLite file.
 *
 *   npm run tasks                                serves on port 3000 until SIGTERM or SIGINT, and prints a link for each
 *   npm run tasks -- --port 8080 --file my.db    on another port, and in another file
 */
import { parseArgs } from "node:util"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Console, Effect } from "effect"
import * as SqlDatastore from "effect-recorder/sql/SqlDatastore"
import { openTaskList } from "./people.js"
import { serve } from "./server.js"

const main = Effect.gen(function* () {
  const { values } = yield* Effect.try(() =>
    parseArgs({
      options: { port: { type: "string", default: "3000" }, file: { type: "string", default: "tasks.db" } }
    })
  )
  const database = SqliteClient.layer({ filename: values.file })
  yield* Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    // What is answered survives a power failure, too.
    yield* sql`PRAGMA synchronous = FULL`
    const list = yield* openTaskList(SqlDatastore.make({ table: "shared" }))
    const url = yield* serve(list, Number(values.port))
    yield* Console.log(`the tasks are in ${values.file}; open two of these:`)
    for (const { id, name, role } of list.links()) yield* Console.log(`  ${url}/#${id}  ${name}, ${role}`)
    return yield* Effect.never
  }).pipe(Effect.scoped, Effect.provide(database))
})

NodeRuntime.runMain(Effect.provide(main, NodeContext.layer))
