/** What the suites of tables in databases share: a definition, outcomes in short, and a table with its log. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { type Context, Effect, Option, type Scope } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import type { TableDatabase } from "../../support/table/databases.js"

const { Column } = Table

export const keys = Table.define({
  name: "keys",
  columns: {
    id: Column.uuid,
    tag: Column.nullable(Column.text),
    n: Column.integer,
    big: Column.nullable(Column.bigint),
    real: Column.nullable(Column.real),
    at: Column.nullable(Column.timestamp),
    detail: Column.nullable(Column.json),
    bytes: Column.nullable(Column.bytes)
  },
  id: "id"
})
export type Keys = typeof keys
export type Row = Table.NewRow<Keys>

export const id = (n: number) => `00000000-0000-7000-8000-00000000000${n.toString(16)}`
export const key = (n: number, over: Partial<Row> = {}): Row => ({ id: id(n), n, ...over })

const unique = [{ name: "keys_tag", columns: ["tag"], kind: "unique" }] as const

/** Outcomes in short: the change and `n` of the row, or the reason. */
export const seen = (results: ReadonlyArray<Table.WriteResult<Keys>>) =>
  results.map((result) => {
    if (result._tag === "Written") {
      return `${result.change} ${Option.match(result.row, { onNone: () => "none", onSome: ({ n }) => n })}`
    }
    return result._tag === "WriteRefused" ? result.reason : `${result.kind} ${result.outcome}`
  })

/** The revisions of outcomes, by their numbers. */
export const revisions = (results: ReadonlyArray<Table.WriteResult<Keys>>) =>
  results.map((result) =>
    result._tag === "Written" ? Option.getOrUndefined(Option.map(result.revision, ({ seq }) => seq)) : "none"
  )

/** What a log holds: of each revision the keys, the values, and the previous values of none. */
export const logged = (log: ChangeLog.ChangeLog<Table.TableChange>) =>
  Effect.flatMap(log.head, ({ floor }) =>
    Effect.map(log.read({ after: floor, limit: 1000 }), (all) =>
      all.map(({ events }) =>
        events.map((event) => [event.key, event._tag === "Put" ? event.value : undefined] as const)
      )
    )
  )

/** The table over a client. */
export const open = (
  context: Context.Context<SqlClient>,
  options: SqlTable.SqlTableOptions<Keys["columns"]> = {}
) => Effect.provide(SqlTable.make(keys, options), context)

/** A table with its log, and a unique column. */
export const setUp = (database: Effect.Effect<TableDatabase, unknown, Scope.Scope>) =>
  Effect.gen(function* () {
    const db = yield* database
    const context = yield* db.client
    const table = yield* open(context, { indexes: unique, log: { table: "log" } })
    // No poll finds what the table does not ring for.
    const changes = SqlChangeLog.make<Table.TableChange>({ table: "log", poll: "1 hour" })
    const log = yield* Effect.provide(changes, context)
    return { db, context, table, log }
  })
