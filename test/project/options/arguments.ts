/** The arguments that stand beside options: what each call fails with when it is given nothing. */
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Cause, Context, Effect, Layer, Schema, type Scope } from "effect"
import * as Actor from "../../../src/Actor.js"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as MergePool from "../../../src/MergePool.js"
import * as Projection from "../../../src/Projection.js"
import * as HttpAudit from "../../../src/platform/HttpAudit.js"
import * as WatchSse from "../../../src/platform/WatchSse.js"
import * as Recorder from "../../../src/Recorder.js"
import * as Storage from "../../../src/Storage.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import * as FaultStorage from "../../../src/testing/FaultStorage.js"
import * as FaultTable from "../../../src/testing/FaultTable.js"
import * as Watch from "../../../src/Watch.js"
import { keys, storage } from "./core.js"

/** What no type allows. */
type Nothing = never

interface Argument {
  readonly call: string
  readonly given: (nothing: Nothing) => Effect.Effect<unknown, unknown, Scope.Scope>
  /** A part of the error. */
  readonly error: { readonly [field: string]: unknown; readonly message?: RegExp }
}

const invalid = (option: string) => ({ _tag: "InvalidOptions", option })

const argument = (call: string, error: Argument["error"], given: Argument["given"]): Argument => ({
  call,
  error,
  given
})

const counts = Projection.define({
  name: "counts",
  events: Projection.events({ Counted: Schema.Null }),
  state: Schema.Number,
  initial: 0,
  apply: (count) => count + 1
})

type Counts = Projection.Of<typeof counts>

class Lines extends Context.Tag("test/arguments/Lines")<
  Lines,
  Recorder.Recorder<string, Storage.MemoryQuery<string>, ReadonlyArray<string>>
>() {}
class Changes extends Context.Tag("test/arguments/Changes")<Changes, Watch.Watch<string>>() {}
class Keys extends Context.Tag("test/arguments/Keys")<Keys, LiveTable.Of<typeof keys>>() {}
class Counted extends Context.Tag("test/arguments/Counted")<Counted, Counts>() {}
class Boards extends Context.Tag("test/arguments/Boards")<Boards, Datastore.Datastores>() {}
class Pools extends Context.Tag("test/arguments/Pools")<Pools, MergePool.MergePools>() {}

const build = <A, E>(layer: Layer.Layer<A, E>) => Layer.build(layer)
const log = ChangeLog.make<string>()
const events = ChangeLog.make<Projection.EventValue>({ keys: "indexed" })
const table = Table.memory(keys)
const source: Table.Source<typeof keys> = {
  list: () => Effect.succeed({ value: [] }),
  getMany: () => Effect.succeed({ value: [] }),
  count: () => Effect.succeed({ value: 0 }),
  write: () => Effect.succeed([])
}
const toEntry = (line: string): ChangeLog.Entry<string> => ({ changes: [ChangeLog.put("line", line)] })

const projecting = <A, E, R>(use: (projection: Counts) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(events, (log) => Effect.flatMap(Projection.make(counts, log), use))

const notProjected = { _tag: "ProjectionError", reason: "Refused" }

const recorders: ReadonlyArray<Argument> = [
  argument("Actor.make", invalid("define"), (nothing) => Actor.make(nothing)),
  argument("Recorder.make", invalid("storage"), (nothing) => Recorder.make(nothing)),
  argument("Recorder.makeDeferred", invalid("acquire"), (nothing) => Recorder.makeDeferred(nothing)),
  argument(
    "Recorder.makeDeferred of an Effect of it",
    { _tag: "RecorderFailed", message: /must be a Storage, not (null|undefined)/ },
    (nothing) => Effect.flatMap(Recorder.makeDeferred(Effect.succeed(nothing)), ({ ready }) => ready)
  ),
  argument("Recorder.layer", invalid("acquire"), (nothing) => build(Recorder.layer(Lines, nothing))),
  argument("the tag of Recorder.layer", invalid("tag"), (nothing) =>
    build(Recorder.layer(nothing as typeof Lines, Effect.succeed(Storage.memory<string>())))
  ),
  argument("the tag of Recorder.layerMemory", invalid("tag"), (nothing) =>
    build(Recorder.layerMemory(nothing as typeof Lines))
  ),
  argument("HttpAudit.make", invalid("recorder"), (nothing) => HttpAudit.make(nothing)),
  argument("FaultStorage.make", invalid("storage"), (nothing) => FaultStorage.make(nothing))
]

const logs: ReadonlyArray<Argument> = [
  argument("the save of ChangeLog.asStorage", { _tag: "StorageError", kind: "Fatal" }, (nothing) =>
    ChangeLog.asStorage(nothing, toEntry).save(["a line"])
  ),
  argument("the load of ChangeLog.asStorage", { _tag: "ChangeLogError", reason: "Invalid" }, (nothing) =>
    ChangeLog.asStorage(nothing, toEntry).load({ after: ChangeLog.start("e"), limit: 1 })
  ),
  argument("the entries of ChangeLog.asStorage", { _tag: "StorageError", kind: "Fatal" }, (nothing) =>
    Effect.flatMap(log, (log) => ChangeLog.asStorage(log, nothing).save(["a line"] as never))
  ),
  argument("ChangeLog.withLog", invalid("storage"), (nothing) =>
    Effect.flatMap(log, (log) => ChangeLog.withLog(nothing, { log, toEntry: () => ({ changes: [] }) }))
  ),
  argument("the log of ChangeLog.withLog", invalid("log"), (nothing) =>
    ChangeLog.withLog(storage, { log: nothing, toEntry })
  ),
  ...(["append", "commit", "read"] as const).map((call) =>
    argument(`${call} of a log`, { _tag: "ChangeLogError", reason: "Invalid" }, (nothing) =>
      Effect.flatMap(log, (log): Effect.Effect<unknown, unknown> => log[call](nothing))
    )
  ),
  argument("an entry of a log", { _tag: "ChangeLogError", reason: "Invalid" }, (nothing) =>
    Effect.flatMap(log, ({ commit }) => commit([nothing]))
  ),
  argument("the cursor of a log", { _tag: "ChangeLogError", reason: "Invalid" }, (nothing) =>
    Effect.flatMap(log, ({ read }) => read({ after: nothing, limit: 1 }))
  ),
  argument("the doorbell of a log", invalid("ring"), (nothing) =>
    Effect.flatMap(log, ({ doorbell }) => doorbell(nothing))
  ),
  argument("the doorbell of a log in a database", invalid("ring"), (nothing) =>
    Effect.flatMap(
      Effect.provide(SqlChangeLog.make({ table: "log" }), SqliteClient.layer({ filename: ":memory:" })),
      ({ doorbell }) => doorbell(nothing)
    )
  ),
  argument("the snapshot of a log", { _tag: "InvalidSelector" }, (nothing) =>
    Effect.flatMap(log, ({ snapshot }) => snapshot(nothing))
  ),
  argument("Watch.make", invalid("log"), (nothing) => Watch.make(nothing)),
  argument("Watch.layer", invalid("log"), (nothing) => build(Watch.layer(Changes, nothing))),
  argument("Watch.layer of an Effect of it", invalid("log"), (nothing) =>
    build(Watch.layer(Changes, Effect.succeed(nothing)))
  ),
  argument("the tag of Watch.layer", invalid("tag"), (nothing) =>
    build(Watch.layer(nothing as typeof Changes, log))
  ),
  ...(["open", "register"] as const).map((call) =>
    argument(`${call} of a watch`, { _tag: "InvalidSelector" }, (nothing) =>
      Effect.flatMap(
        Effect.flatMap(log, Watch.make),
        (watch): Effect.Effect<unknown, unknown, Scope.Scope> => watch[call](nothing)
      )
    )
  ),
  argument("end of a watch", invalid("reason"), (nothing) =>
    Effect.flatMap(Effect.flatMap(log, Watch.make), ({ end }) => end(nothing, "over"))
  ),
  argument("the message of the end of a watch", invalid("message"), (nothing) =>
    Effect.flatMap(Effect.flatMap(log, Watch.make), ({ end }) => end("Ended", nothing))
  ),
  argument("end of a watcher", invalid("reason"), (nothing) =>
    Effect.flatMap(Effect.flatMap(log, Watch.make), ({ open }) =>
      Effect.flatMap(open(ChangeLog.prefix("")), ({ end }) => end(nothing, "over"))
    )
  ),
  argument("publish of a watch", { _tag: "ChangeLogError", reason: "Invalid" }, (nothing) =>
    Effect.flatMap(Effect.flatMap(log, Watch.make), ({ publish }) => publish(nothing))
  ),
  argument("WatchSse.make", invalid("watch"), (nothing) => WatchSse.make(nothing))
]

/** Why what is made never comes up. */
const whyDown = <E, R>(
  made: Effect.Effect<{ readonly ready: Effect.Effect<void, Actor.ActorStopped> }, E, R>
) => Effect.flatMap(made, ({ ready }) => Effect.mapError(ready, ({ cause }) => Cause.squash(cause)))

const living = <A, E>(use: (live: LiveTable.Of<typeof keys>) => Effect.Effect<A, E>) =>
  Effect.flatMap(
    Effect.flatMap(table, (table) => LiveTable.make(table)),
    use
  )

const tables: ReadonlyArray<Argument> = [
  argument("the definition of Table.make", invalid("definition"), (nothing) => Table.make(nothing, source)),
  argument("the source of Table.make", invalid("source"), (nothing) => Table.make(keys, nothing)),
  argument("SqlTable.make", invalid("definition"), (nothing) =>
    Effect.provide(SqlTable.make(nothing), SqliteClient.layer({ filename: ":memory:" }))
  ),
  argument("Table.memory", invalid("definition"), (nothing) => Table.memory(nothing)),
  argument("LiveTable.make", invalid("master"), (nothing) => LiveTable.make(nothing)),
  argument("LiveTable.makeDeferred", invalid("acquire"), (nothing) => LiveTable.makeDeferred(nothing)),
  argument("LiveTable.makeDeferred of an Effect of it", invalid("master"), (nothing) =>
    whyDown(LiveTable.makeDeferred(Effect.succeed(nothing)))
  ),
  argument("LiveTable.layer", invalid("acquire"), (nothing) => build(LiveTable.layer(Keys, nothing))),
  argument("the tag of LiveTable.layer", invalid("tag"), (nothing) =>
    build(LiveTable.layer(nothing as typeof Keys, table))
  ),
  argument("LiveTable.layerMemory", invalid("definition"), (nothing) =>
    build(LiveTable.layerMemory(Keys, nothing))
  ),
  ...(["get", "getMany", "invalidate", "expire"] as const).map((call) =>
    argument(`${call} of a live table`, { _tag: "InvalidQuery" }, (nothing) =>
      living((live): Effect.Effect<unknown, unknown> => live[call](nothing))
    )
  ),
  ...(["insert", "replace", "delete", "stage"] as const).map((call) =>
    argument(`${call} of a live table`, { _tag: "WriteRefused" }, (nothing) =>
      living((live): Effect.Effect<unknown, unknown> => live[call](nothing))
    )
  ),
  argument("the statements of invalidateAfter", { _tag: "InvalidQuery", part: "statements" }, (nothing) =>
    living((live) => live.invalidateAfter("all", nothing))
  ),
  argument("FaultTable.make", invalid("table"), (nothing) => FaultTable.make(nothing))
]

const projections: ReadonlyArray<Argument> = [
  argument("the definition of Projection.make", invalid("definition"), (nothing) =>
    Effect.flatMap(events, (log) => Projection.make(nothing, log))
  ),
  argument("the schemas of its events", invalid("definition.events"), (nothing) =>
    Effect.flatMap(events, (log) =>
      Projection.make({ ...counts, events: Projection.events(nothing) } as never, log)
    )
  ),
  argument("the log of Projection.make", invalid("log"), (nothing) => Projection.make(counts, nothing)),
  argument("the log of Projection.layer", invalid("log"), (nothing) =>
    build(Projection.layer(Counted, counts, nothing))
  ),
  argument("the tag of Projection.layer", invalid("tag"), (nothing) =>
    Effect.flatMap(events, (log) => build(Projection.layer(nothing as typeof Counted, counts, log)))
  ),
  argument("the key of project", { _tag: "ProjectionError" }, (nothing) =>
    projecting(({ project }) => project(nothing))
  ),
  argument("the key of decide", { _tag: "ProjectionError" }, (nothing) =>
    projecting(({ decide }) => decide(nothing, () => []))
  ),
  argument("the decision of decide", invalid("decision"), (nothing) =>
    projecting(({ decide }) => decide("a", nothing))
  ),
  argument("what a decision returns", { _tag: "ProjectionError", reason: "Malformed" }, (nothing) =>
    projecting(({ decide }) => decide("a", () => nothing))
  ),
  argument("the revision of awaitApplied", { _tag: "NotApplied", reason: "Refused" }, (nothing) =>
    projecting(({ awaitApplied }) => awaitApplied(nothing, 0))
  ),
  argument("Projection.projectAll", notProjected, (nothing) => Projection.projectAll(nothing, "a")),
  argument("a projection of projectAll", notProjected, (nothing) => Projection.projectAll([nothing], "a")),
  argument("the key of projectAll", { _tag: "ProjectionError" }, (nothing) =>
    projecting((projection) => Projection.projectAll([projection], nothing))
  ),
  argument("Projection.frontier", invalid("log"), (nothing) => Projection.frontier(nothing)),
  argument("register of a frontier", { _tag: "RegisterRefused", reason: "NotProjection" }, (nothing) =>
    Effect.flatMap(Effect.flatMap(events, Projection.frontier), ({ register }) => register(nothing))
  )
]

const catalogs: ReadonlyArray<Argument> = [
  argument("Datastore.make", invalid("backend"), (nothing) => Datastore.make(nothing)),
  argument("Datastore.makeDeferred", invalid("acquire"), (nothing) => Datastore.makeDeferred(nothing)),
  argument("Datastore.makeDeferred of an Effect of it", invalid("backend"), (nothing) =>
    whyDown(Datastore.makeDeferred(Effect.succeed(nothing)))
  ),
  argument("Datastore.layer", invalid("acquire"), (nothing) => build(Datastore.layer(Boards, nothing))),
  argument("the tag of Datastore.layerMemory", invalid("tag"), (nothing) =>
    build(Datastore.layerMemory(nothing as typeof Boards))
  ),
  argument("MergePool.make", invalid("backend"), (nothing) => MergePool.make(nothing)),
  argument("MergePool.makeDeferred", invalid("acquire"), (nothing) => MergePool.makeDeferred(nothing)),
  argument("MergePool.makeDeferred of an Effect of it", invalid("backend"), (nothing) =>
    whyDown(MergePool.makeDeferred(Effect.succeed(nothing)))
  ),
  argument("MergePool.layer", invalid("acquire"), (nothing) => build(MergePool.layer(Pools, nothing))),
  argument("the tag of MergePool.layerMemory", invalid("tag"), (nothing) =>
    build(MergePool.layerMemory(nothing as typeof Pools))
  ),
  argument("MergePool.replica", invalid("strategies"), (nothing) => MergePool.replica(nothing))
]

export const calls: ReadonlyArray<Argument> = [...recorders, ...logs, ...tables, ...projections, ...catalogs]
