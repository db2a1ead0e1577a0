import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted } from "effect"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { ownSchema } from "../../support/postgres/tables.js"
import { tempFile } from "../../support/sqlite/sqlite.js"
import { type LoggedDatabase, outboxSuite } from "./outbox.suite.js"

const inFile = (make: typeof SqliteStorage.make) =>
  Effect.map(
    tempFile,
    (filename): LoggedDatabase => ({
      storage: (options) => make({ ...options, filename }),
      of: (options) => make({ ...options, filename }),
      log: (options) => SqliteChangeLog.make({ ...options, filename })
    })
  )

outboxSuite("SqliteStorage", inFile(SqliteStorage.make))
// Its threads take long to start, and SQLite stores in the same way with and without the state.
outboxSuite("SqliteWorker", inFile(SqliteWorker.make), ["latest"])

outboxSuite(
  "SqlStorage over a SqliteClient",
  Effect.gen(function* () {
    const filename = yield* tempFile
    const context = yield* Layer.build(SqliteClient.layer({ filename }))
    return {
      storage: (options) => Effect.provide(SqlStorage.make(options), context),
      of: (options) => Effect.provide(SqlStorage.make(options), context),
      log: (options) => Effect.provide(SqlChangeLog.make(options), context)
    }
  })
)

for (const { name, url: server } of databaseUrls()) {
  outboxSuite(
    `PgStorage, ${name}`,
    Effect.map(ownSchema(server), (url) => ({
      storage: (options) => PgStorage.make({ ...options, url }),
      of: (options) => PgStorage.make({ ...options, url }),
      log: (options) => PgChangeLog.make({ ...options, url })
    }))
  )
  outboxSuite(
    `SqlStorage over a PgClient, ${name}`,
    Effect.gen(function* () {
      const url = Redacted.make(yield* ownSchema(server))
      const context = yield* Layer.build(PgClient.layer({ url, maxConnections: 6 }))
      return {
        storage: (options) => Effect.provide(SqlStorage.make(options), context),
        of: (options) => Effect.provide(SqlStorage.make(options), context),
        log: (options) => Effect.provide(SqlChangeLog.make(options), context)
      }
    })
  )
}
