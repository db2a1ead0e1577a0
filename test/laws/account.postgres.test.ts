/**
 * The account as a property over Postgres. See account.test.ts.
 * Fails too when a save sends no ON CONFLICT: what was stored before a lost answer would be set aside.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import * as PgStorage from "../../src/sql/PgStorage.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { openClient, ownSchema, type Sql } from "../support/postgres/tables.js"
import { columns, taken } from "./account/backend.js"
import { accountLaw, type OpenTables } from "./account/suite.js"

const indexes = [{ name: "t_slot", columns: ["slot"], kind: "unique" }] as const

/** One pool for all schedules. `seq` keeps the order of storing, which Postgres itself does not. */
const tables = (server: string): OpenTables =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const client = yield* openClient(url)
    const one = yield* Effect.makeSemaphore(1)
    const sql: Sql = (text, params) => one.withPermits(1)(client(text, params))
    yield* sql(
      `CREATE TABLE t (seq bigint GENERATED ALWAYS AS IDENTITY, id text COLLATE "C" NOT NULL PRIMARY KEY,
       n bigint NOT NULL, slot bigint, note text NOT NULL)`
    )
    const storage = yield* PgStorage.make({ url, table: "t", columns, id: "id", indexes })
    yield* storage.save([taken])
    const held = "SELECT n::int FROM t WHERE n >= 0 AND starts_with(id, $1) ORDER BY seq"
    return (prefix) =>
      // The prefix keeps a statement apart that an earlier schedule gave up and the server has finished since.
      Effect.as(sql("DELETE FROM t WHERE n >= 0"), {
        storage,
        unique: true,
        prefix,
        peek: Effect.map(sql(held, [prefix]), (rows) => rows.map(({ n }) => n as number))
      })
  })

describe.each(databaseUrls())("the account, $name", ({ url }) => {
  accountLaw("Postgres", 300, tables(url))
})
