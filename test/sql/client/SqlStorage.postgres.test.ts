/** SqlStorage over a PgClient of the caller's. What both ways to Postgres share is in PgStorage.test.ts. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { Column } from "../../../src/Storage.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { ownSchema } from "../../support/postgres/tables.js"

const table = { table: "t", columns: { id: Column.integer }, id: "id" } as const

describe.each(databaseUrls())("SqlStorage over a PgClient, $name", ({ url: server }) => {
  it.scopedLive("keeps no connection of a save or load that was interrupted at any moment", () =>
    Effect.gen(function* () {
      const url = Redacted.make(yield* ownSchema(server))
      yield* Effect.gen(function* () {
        const storage = yield* SqlStorage.make(table)
        // More interruptions than the pool has connections: one that is lost by each of them would leave none.
        for (let turns = 0; turns < 8; turns++) {
          for (const call of [
            Effect.asVoid(storage.save([{ id: turns }])),
            Effect.asVoid(storage.load({}))
          ]) {
            const fiber = yield* Effect.fork(call)
            for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow()
            yield* Fiber.interrupt(fiber)
          }
        }
        yield* Effect.timeout(storage.save([{ id: 100 }]), "10 seconds")
        expect((yield* storage.load({})).map(({ id }) => id)).toContain(100)
      }).pipe(Effect.provide(PgClient.layer({ url, maxConnections: 4 })))
    })
  )
})
