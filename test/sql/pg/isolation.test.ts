/** Databases whose default isolation is stricter than that of a new one: what writers do at the same time is done. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Effect, Layer, Redacted } from "effect"
import { put } from "../../../src/ChangeLog.js"
import { Column } from "../../../src/Storage.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as SqlTier from "../../../src/sql/SqlTier.js"
import * as Table from "../../../src/Table.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, ownSchema } from "../../support/postgres/tables.js"

const count = 12

/** Does something so many times at once. */
const atOnce = <A, E, R>(one: (n: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(Arr.range(1, count), one, { concurrency: "unbounded" })

/** A schema of a server where every transaction begins as `isolation` unless it has its own. */
const strict = (server: string, isolation: string) =>
  Effect.map(ownSchema(server), (own) => {
    const url = new URL(own)
    const options = url.searchParams.get("options") ?? ""
    url.searchParams.set("options", `${options} -c default_transaction_isolation=${isolation}`)
    return url.href
  })

const clientOf = (url: string) => Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 6 }))

const columns = { id: Column.text, n: Column.integer }
const rows = Table.define({ name: "rows", columns, id: "id" })

// The rules are the server's, and the same in all of its versions.
for (const { name, url: server } of databaseUrls().slice(0, 1)) {
  describe.each(["repeatable\\ read", "serializable"])(`${name}, %s by default`, (isolation) => {
    it.scopedLive.each(["none", "latest"] as const)("appends at once are all done, with state %s", (state) =>
      Effect.gen(function* () {
        const url = yield* strict(server, isolation)
        const context = yield* clientOf(url)
        const logs = [
          yield* PgChangeLog.make<number>({ url, table: "log", state }),
          yield* PgChangeLog.make<number>({ url, table: "log", state }),
          yield* Effect.provide(SqlChangeLog.make<number>({ table: "log", state }), context)
        ]
        const log = logs[2]!
        yield* Effect.all(
          [
            ...logs.map((log) => atOnce((n) => log.append([put("/a", n)]))),
            atOnce((n) => SqlChangeLog.transact((transaction) => transaction.append(log, [put("/a", n)])))
          ],
          { concurrency: "unbounded" }
        ).pipe(Effect.provide(context))
        expect((yield* log.head).head.seq).toBe(count * 4)
      })
    )

    it.scopedLive("saves at once of the same records are all done, with and without a log", () =>
      Effect.gen(function* () {
        const url = yield* strict(server, isolation)
        const toEntry = ({ id }: { readonly id: string }) => ({ changes: [put(id, 1)] })
        for (const log of [undefined, { table: "log", toEntry }]) {
          const table = log === undefined ? "plain" : "logged"
          const open = PgStorage.make({ url, table, columns, id: "id", log })
          const storages = yield* Effect.all([open, open])
          const saved = yield* atOnce((n) =>
            storages[n % 2]!.save(Arr.makeBy(20, (i) => ({ id: `${i % 10} ${Math.floor(n / 2)}`, n })))
          )
          expect(saved.length).toBe(count)
          expect((yield* storages[0].load({})).length).toBe(10 * (count / 2 + 1))
        }
      })
    )

    it.scopedLive("writes at once to the same row of a table, and of a tier, are all done", () =>
      Effect.gen(function* () {
        const context = yield* clientOf(yield* strict(server, isolation))
        yield* Effect.gen(function* () {
          const table = yield* SqlTable.make(rows, { log: { table: "log" } })
          const written = yield* atOnce((n) => table.write([Table.Write.replace({ id: "a", n })]))
          expect(written.flat().map(({ _tag }) => _tag)).toEqual(Arr.replicate("Written", count))
          const tier = yield* SqlTier.make({ table: "tier" })
          const store = yield* tier.open("a")
          yield* atOnce((n) => store.put([{ key: "k", value: `${n}` }]))
        }).pipe(Effect.provide(context))
      })
    )

    it.scopedLive("what fails again leaves no open transaction on a connection of the client", () =>
      Effect.gen(function* () {
        const url = yield* strict(server, isolation)
        const sql = yield* openClient(url)
        const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))
        const log = yield* Effect.provide(SqlChangeLog.make<number>({ table: "log" }), context)
        yield* sql(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END $$`)
        yield* sql("CREATE TRIGGER fail BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION fail()")
        expect(yield* Effect.flip(log.append([put("/a", 1)]))).toMatchObject({ outcome: "NotStored" })
        expect((yield* log.head).head.seq).toBe(0)
      })
    )
  })
}
