/** Whose matter a failure is, on SQLite. */
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer } from "effect"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import { sqliteDatabase } from "../../support/sqlite/sqlite.js"
import { blameSuite } from "./blame.suite.js"

blameSuite("SQLite", sqliteDatabase(SqliteStorage.make))
blameSuite("the SQLite worker", sqliteDatabase(SqliteWorker.make))
blameSuite(
  "SqlStorage over a SqliteClient",
  sqliteDatabase(({ filename, ...options }) =>
    Effect.flatMap(Effect.orDie(Layer.build(SqliteClient.layer({ filename }))), (context) =>
      Effect.provide(SqlStorage.make(options), context)
    )
  )
)
