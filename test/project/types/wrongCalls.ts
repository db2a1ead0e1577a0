/**
 * Calls that do not compile, never executed. The words behind each mark are in the compiler's message, which
 * `wrongCalls.test.ts` reads.
 */
import { Context, Effect, Schema } from "effect"
import {
  ChangeLog,
  Datastore,
  LiveTable,
  MergePool,
  Projection,
  Recorder,
  Storage,
  Table,
  Tier,
  Watch
} from "effect-recorder"
import * as HttpAudit from "effect-recorder/platform/HttpAudit"
import * as WatchSse from "effect-recorder/platform/WatchSse"
import * as PgDoorbell from "effect-recorder/sql/PgDoorbell"
import * as SqlChangeLog from "effect-recorder/sql/SqlChangeLog"
import * as SqliteWorker from "effect-recorder/sql/SqliteWorker"
import * as FaultStorage from "effect-recorder/testing/FaultStorage"
import * as FaultTable from "effect-recorder/testing/FaultTable"

const columns = { id: Storage.Column.uuid, actor: Storage.Column.text }
const keys = Table.define({ name: "keys", columns, id: "id" })
const counts = Projection.define({
  name: "counts",
  events: Projection.events({ Counted: Schema.Null }),
  state: Schema.Number,
  initial: 0,
  apply: (count) => count + 1
})

class Audit extends Context.Tag("Audit")<Audit, Recorder.OfTable<typeof columns>>() {}
class Lines extends Context.Tag("Lines")<
  Lines,
  Recorder.Recorder<string, Storage.MemoryQuery<string>, ReadonlyArray<string>>
>() {}
class Changes extends Context.Tag("Changes")<Changes, Watch.Watch<string>>() {}
class Keys extends Context.Tag("Keys")<Keys, LiveTable.Of<typeof keys>>() {}
class Pools extends Context.Tag("Pools")<Pools, MergePool.MergePools>() {}
class Boards extends Context.Tag("Boards")<Boards, Datastore.Datastores>() {}
class Counts extends Context.Tag("Counts")<Counts, Projection.Of<typeof counts>>() {}

declare const log: ChangeLog.ChangeLog<string>
declare const events: ChangeLog.ChangeLog<Projection.EventValue>
declare const table: Table.Table<typeof keys>
declare const backend: Datastore.Backend

const storage = SqliteWorker.make({ filename: "doors.db", table: "doors", columns, id: "id" })
declare const toEntry: (line: string) => ChangeLog.Entry<string>
const bell = PgDoorbell.make({ url: "postgres://localhost" })

export const wrong = [
  // An Effect, where what it makes is wanted
  // @ts-expect-error yield* it, and pass what it makes, or pass the Effect to makeDeferred or layer
  () => Recorder.make(storage),
  // @ts-expect-error yield* it, and pass what it makes, or pass the Effect to makeDeferred or layer
  () => Recorder.make(Audit),
  // @ts-expect-error yield* it, and pass what it makes, or pass the Effect to layer
  () => Watch.make(ChangeLog.make<string>()),
  // @ts-expect-error yield* it, and pass what it makes, or pass the Effect to makeDeferred or layer
  () => LiveTable.make(Table.memory(keys)),
  // @ts-expect-error yield* it, and pass what it makes, or pass the Effect to makeDeferred or layer
  () => Datastore.make(Datastore.memory()),
  // @ts-expect-error yield* it, and pass what it makes, or pass the Effect to makeDeferred or layer
  () => MergePool.make(MergePool.memory()),
  // @ts-expect-error yield* it, and pass what it makes
  () => Projection.make(counts, ChangeLog.make<Projection.EventValue>({ keys: "indexed" })),
  // @ts-expect-error yield* it, and pass what it makes
  () => Projection.layer(Counts, counts, ChangeLog.make<Projection.EventValue>({ keys: "indexed" })),
  // @ts-expect-error yield* it, and pass what it makes
  () => ChangeLog.asStorage(ChangeLog.make<string>(), toEntry),
  // @ts-expect-error yield* it, and pass what it makes
  () => ChangeLog.withLog(storage, { log, toEntry: () => ({ changes: [] }) }),
  // @ts-expect-error yield* it, and pass what it makes
  () => Table.make(keys, Effect.succeed({})),
  // @ts-expect-error yield* it, and pass what it makes
  () => WatchSse.make(Watch.make(log)),
  // @ts-expect-error yield* it, and pass what it makes
  () => HttpAudit.make(Recorder.make(Storage.memory<HttpAudit.Entry>())),
  // @ts-expect-error yield* it, and pass what it makes
  () => FaultStorage.make(storage),
  // @ts-expect-error yield* it, and pass what it makes
  () => FaultTable.make(Table.memory(keys)),

  // The same in options
  // @ts-expect-error yield* it, and pass what it makes
  () => ChangeLog.withLog(Storage.memory<string>(), { log: ChangeLog.make<string>(), toEntry }),
  // @ts-expect-error yield* it, and pass what it makes
  () => Table.memory(keys, { log: ChangeLog.make<Table.TableChange>() }),
  // @ts-expect-error yield* it, and pass what it makes
  () => LiveTable.make(table, { tier: Tier.memory() }),
  // @ts-expect-error yield* it, and pass what it makes
  () => LiveTable.make(table, { target: Table.memory(keys) }),
  // @ts-expect-error yield* it, and pass what it makes
  () => Projection.make(counts, events, { tier: Tier.memory() }),
  // @ts-expect-error yield* it, and pass what it makes
  () => SqlChangeLog.make<string>({ table: "log", doorbell: bell }),

  // What is there already, where an Effect that makes it is wanted
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => Recorder.makeDeferred(Storage.memory<string>()),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => Recorder.layer(Lines, Storage.memory<string>()),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => Watch.layer(Changes, log),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => LiveTable.makeDeferred(table),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => LiveTable.layer(Keys, table),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => Datastore.makeDeferred(backend),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => Datastore.layer(Boards, backend),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => MergePool.makeDeferred(backend),
  // @ts-expect-error this is not an Effect: pass Effect.succeed of it
  () => MergePool.layer(Pools, backend),

  // A table without its columns
  // @ts-expect-error this recorder is of a table: pass its { columns, id } as the second argument
  () => Recorder.layerMemory(Audit),
  // @ts-expect-error missing the following properties from type 'MemoryOptions
  () => Recorder.layerMemory(Audit, { name: "audit" })
]

export const right = [
  () => Recorder.layerMemory(Audit, { columns, id: "id" }),
  () => Recorder.layerMemory(Lines),
  () => Recorder.layerMemory(Lines, { name: "lines" }),
  () => Recorder.layer(Audit, storage),
  () => Recorder.layer(Lines, Effect.succeed(Storage.memory<string>()))
]
