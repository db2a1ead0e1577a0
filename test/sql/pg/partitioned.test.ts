/** Tables that are partitioned: what cannot have a unique id is refused with advice that can be followed. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Column, StorageError } from "../../../src/Storage.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, ownSchema } from "../../support/postgres/tables.js"

const columns = { id: Column.text, at: Column.timestamp }
const options = { table: "t", columns, id: "id" } as const
const own = "id text NOT NULL, at timestamptz NOT NULL"
const byTime = 'it can have no unique key on ("id") alone; partition it BY RANGE ("id") instead'

const refused = [
  [`(${own}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`, `is partitioned by RANGE (at), so ${byTime}`],
  [`(${own}) PARTITION BY LIST (lower(id))`, `is partitioned by LIST (lower(id)), so ${byTime}`],
  [`(${own}) PARTITION BY RANGE (id)`, 'run: CREATE UNIQUE INDEX "t_unique_id" ON "t" ("id")'],
  [`(${own})`, 'run: CREATE UNIQUE INDEX "t_unique_id" ON "t" ("id")']
] as const

for (const { name, url: server } of databaseUrls()) {
  describe(`a partitioned table in ${name}`, () => {
    it.scopedLive("is refused without a unique id, with what can be done about it", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const sql = yield* openClient(url)
        for (const [definition, advice] of refused) {
          yield* sql(`CREATE TABLE t ${definition}`)
          const error = yield* Effect.flip(Effect.scoped(PgStorage.make({ ...options, url })))
          expect(error).toBeInstanceOf(StorageError)
          expect(error.message).toContain(advice)
          yield* sql("DROP TABLE t")
        }
        // The advice, followed.
        yield* sql(`CREATE TABLE t (${own}, PRIMARY KEY (id)) PARTITION BY RANGE (id)`)
        yield* sql("CREATE TABLE t_2026 PARTITION OF t FOR VALUES FROM ('a') TO ('b')")
        const storage = yield* PgStorage.make({ ...options, url })
        const rows = [{ id: "a1", at: new Date(0) }]
        expect(yield* storage.save(rows)).toEqual({ duplicates: 0 })
        expect(yield* storage.save(rows)).toEqual({ duplicates: 1 })
      })
    )
  })
}
