/** All parts over one SQLite file, in one layer: a program that is ended under load, and the one that reads its file then. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as MergePool from "../../../src/MergePool.js"
import * as Projection from "../../../src/Projection.js"
import * as Recorder from "../../../src/Recorder.js"
import { Column, type Outcome } from "../../../src/Storage.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import * as Watch from "../../../src/Watch.js"

/** What was accepted and is handed back. */
export type HandedBack = ReadonlyArray<{ readonly n: number; readonly outcome: Outcome }>

const columns = { id: Column.integer, load: Column.text }
const prices = Table.define({ name: "prices", columns, id: "id" })

export const events = Projection.events({ counted: Schema.Struct({ n: Schema.Number }) })

const counts = Projection.define({
  name: "counts",
  events,
  state: Schema.Struct({ ns: Schema.Array(Schema.Number) }),
  initial: { ns: [] },
  incremental: "on",
  apply: ({ ns }, { data }) => ({ ns: [...ns, data.n] })
})

type Counted = Effect.Effect.Success<ReturnType<typeof makeCounts>>
const makeCounts = (log: ChangeLog.ChangeLog<Projection.EventValue>) => Projection.make(counts, log)

/** What a store holds. */
export interface Item {
  readonly id: string
  readonly n: number
}

/** What a pool holds. */
export const strategies = { n: MergePool.last<number>() }

export class Trail extends Context.Tag("Trail")<Trail, Recorder.OfTable<typeof columns>>() {}
export class Log extends Context.Tag("Log")<Log, ChangeLog.ChangeLog<Projection.EventValue>>() {}
export class Changes extends Context.Tag("Changes")<Changes, Watch.Watch<Projection.EventValue>>() {}
export class Prices extends Context.Tag("Prices")<Prices, LiveTable.Of<typeof prices>>() {}
export class Counts extends Context.Tag("Counts")<Counts, Counted>() {}
export class Stores extends Context.Tag("Stores")<Stores, Datastore.Datastores>() {}
export class Pools extends Context.Tag("Pools")<Pools, MergePool.MergePools>() {}
class Kept extends Context.Tag("Kept")<Kept, Datastore.Backend>() {}

export interface ProgramOptions {
  readonly filename: string
  /** Of each part, in milliseconds. */
  readonly closeDeadline: number
  /** Gets what a part hands back when it is closed by its scope. */
  readonly onClosed: (part: string, unsaved: HandedBack) => Effect.Effect<void>
}

const trailOf = ({ closeDeadline, onClosed }: ProgramOptions) =>
  Recorder.layer(Trail, SqlStorage.make({ table: "trail", columns, id: "id" }), {
    retry: Schedule.spaced("20 millis"),
    closeDeadline,
    onClosed: ({ unsaved }) =>
      onClosed(
        "trail",
        unsaved.map(({ outcome, record }) => ({ n: record.id, outcome }))
      )
  })

const makePrices = ({ closeDeadline, onClosed }: ProgramOptions) =>
  Effect.gen(function* () {
    const log = yield* SqlChangeLog.make<Table.TableChange>({ table: "price_changes" })
    const table = yield* SqlTable.make(prices, { log: { table: "price_changes" } })
    return yield* LiveTable.make(table, {
      changes: yield* Watch.make(log),
      closeDeadline,
      onClosed: ({ unsaved }) =>
        onClosed(
          "prices",
          unsaved.map(({ outcome, write }) => ({
            n: Number(write._tag === "Insert" ? write.row.id : Number.NaN),
            outcome
          }))
        )
    })
  })

const storesOf = ({ closeDeadline, onClosed }: ProgramOptions) =>
  Datastore.layer(Stores, Kept, {
    closeDeadline,
    onClosed: ({ unsaved }) =>
      onClosed(
        "stores",
        unsaved.flatMap(({ error, steps }) =>
          steps.map((step) => ({
            n: Number(step._tag === "Set" ? step.data.n : Number.NaN),
            outcome: error.outcome
          }))
        )
      )
  })

const makePools = ({ closeDeadline, onClosed }: ProgramOptions) =>
  Effect.gen(function* () {
    const { leases } = yield* Stores
    return yield* MergePool.make(yield* Kept, {
      leases,
      closeDeadline,
      onClosed: ({ unsaved }) =>
        onClosed(
          "pools",
          unsaved.flatMap(({ error, patch }) =>
            patch.rows.map(([key]) => ({ n: Number(key), outcome: error.outcome }))
          )
        )
    })
  })

/** The client, whose one connection all parts share. It never waits for a lock of its file. */
const clientOf = ({ filename }: ProgramOptions) =>
  Layer.tap(SqliteClient.layer({ filename }), (context) =>
    Effect.orDie(Context.get(context, SqlClient)`PRAGMA busy_timeout = 0`)
  )

export const program = (options: ProgramOptions) =>
  Layer.mergeAll(
    trailOf(options),
    Layer.scoped(Prices, makePrices(options)),
    Watch.layer(Changes, Log),
    Layer.scoped(Counts, Effect.flatMap(Log, makeCounts)),
    Layer.scoped(Pools, makePools(options))
  ).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Layer.scoped(Log, SqlChangeLog.make<Projection.EventValue>({ table: "events", keys: "indexed" })),
        storesOf(options)
      )
    ),
    // Another process waits so long for what this one owns when it could not give that up.
    Layer.provide(Layer.scoped(Kept, SqlDatastore.make({ table: "kept", lease: 500 }))),
    Layer.provide(clientOf(options))
  )
