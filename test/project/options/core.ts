/** The core's options, and those of watches. */
import { HttpServerRequest } from "@effect/platform"
import { Context, Effect, Layer, Schema, type Scope, Stream } from "effect"
import * as Actor from "../../../src/Actor.js"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { InvalidQuery } from "../../../src/internal/columns/query.js"
import type { Parts } from "../../../src/internal/liveTable/targets.js"
import { InvalidOptions } from "../../../src/internal/options.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as Projection from "../../../src/Projection.js"
import * as WatchSse from "../../../src/platform/WatchSse.js"
import * as Recorder from "../../../src/Recorder.js"
import * as Storage from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"
import * as Tier from "../../../src/Tier.js"
import * as Watch from "../../../src/Watch.js"
import {
  aBound,
  aFunction,
  aSchedule,
  aText,
  built,
  durations,
  durationsAbove0,
  of,
  type Place,
  place,
  scoped,
  type WrongOf,
  wholes,
  words
} from "./wrong.js"

export const storage = Storage.memory<string>()
export const columns = { id: Storage.Column.text, detail: Storage.Column.nullable(Storage.Column.json) }
export type Columns = typeof columns

export const keys = Table.define({ name: "keys", columns, id: "id" })
type Keys = typeof keys
const source: Table.Source<Table.AnyDefinition> = {
  list: () => Effect.succeed({ value: [] }),
  getMany: () => Effect.succeed({ value: [] }),
  count: () => Effect.succeed({ value: 0 }),
  write: () => Effect.succeed([])
}

type ActorOptions = Actor.Options<string, string, void>

const anActor: Pick<ActorOptions, "acquire" | "onBatch" | "report"> = {
  acquire: Effect.succeed("a resource"),
  onBatch: () => Effect.void,
  report: () => undefined
}

const aLog = Effect.runSync(ChangeLog.make<string>())

const inActor: WrongOf<ActorOptions> = {
  acquire: of(5),
  onBatch: aFunction,
  prepare: aFunction,
  maxBatchSize: wholes,
  resourceMaxBatchSize: aFunction,
  linger: durations,
  limit: aFunction,
  onTimeout: aFunction,
  bound: aBound,
  onDropped: aFunction,
  onRefused: aFunction,
  onFailed: aFunction,
  onTick: aFunction,
  report: aFunction,
  closeDeadline: durations,
  onScopeClosed: aFunction,
  name: aText
}

const inRecorder: WrongOf<Recorder.Options<string>> = {
  name: aText,
  maxBatchSize: wholes,
  linger: durations,
  saveTimeout: durationsAbove0,
  loadTimeout: durationsAbove0,
  retry: aSchedule,
  onFatal: words,
  deadLetters: aFunction,
  maxHeld: of("many", -1, 1.5),
  bound: aBound,
  closeDeadline: durations,
  onClosed: aFunction
}

class Tag extends Context.Tag("test/options/Recorder")<
  Tag,
  Recorder.Recorder<string, Storage.MemoryQuery<string>, ReadonlyArray<string>>
>() {}

class Rows extends Context.Tag("test/options/Table")<
  Rows,
  Recorder.Recorder<Storage.NewRowOf<Columns>, Storage.Query<Columns>, ReadonlyArray<Storage.RowOf<Columns>>>
>() {}

class LiveKeys extends Context.Tag("test/options/LiveTable")<LiveKeys, LiveTable.Of<Keys>>() {}

const events = ChangeLog.make<Projection.EventValue>({ keys: "indexed" })
const counts = Projection.define({
  name: "counts",
  events: Projection.events({ Counted: Schema.Null }),
  state: Schema.Number,
  initial: 0,
  apply: (count) => count + 1
})

class Counts extends Context.Tag("test/options/Projection")<Counts, Projection.Of<typeof counts>>() {}

const inProjection: WrongOf<Projection.Options> = {
  name: of(5, "", "n".repeat(200)),
  tier: of(5, {}),
  tierTimeout: durationsAbove0,
  prefetch: words,
  slots: of("many", -1, 1.5),
  snapshotEvery: wholes,
  maxStateBytes: wholes
}

/** Calls of a live table refuse what they are given as `InvalidQuery`. */
const asOptions = <A, E>(call: Effect.Effect<A, E | InvalidQuery>) =>
  Effect.mapError(call, (error) =>
    error instanceof InvalidQuery ? new InvalidOptions({ option: error.part, message: error.message }) : error
  )

const inLiveTable: WrongOf<LiveTable.Options<Keys>> = {
  name: aText,
  target: of(5, {}),
  targetLag: durations,
  changes: of(5, {}),
  history: of("many", -1, 1.5),
  tier: of(5, {}),
  tierTimeout: durationsAbove0,
  ttl: durations,
  absentTtl: durations,
  staleWhileRevalidate: durations,
  grace: durations,
  graceBackoff: durations,
  softTimeout: durations,
  hardTimeout: durationsAbove0,
  writeTimeout: durationsAbove0,
  doubt: durations,
  maxEntries: wholes,
  maxBytes: wholes,
  sizeOf: aFunction,
  sample: of("many", -0.1, 1.1, Number.NaN),
  minInterval: durations,
  refresh: durationsAbove0,
  closeDeadline: durations,
  onClosed: aFunction
}

export const inColumns: WrongOf<Omit<Storage.MemoryOptions<Columns>, "table">> = {
  columns: of(5, {}),
  id: of(5, "detail", "another")
}

export const core: ReadonlyArray<Place> = [
  place<ActorOptions>("Actor.make", anActor, inActor, (options) =>
    scoped(Actor.make<string, string, void>(() => options))
  ),
  place<Recorder.Options<string>>("Recorder.make", {}, inRecorder, (options) =>
    scoped(Recorder.make(storage, options))
  ),
  place<Recorder.Options<string>>("Recorder.makeDeferred", {}, inRecorder, (options) =>
    scoped(Recorder.makeDeferred(Effect.succeed(storage), options))
  ),
  place<Recorder.Options<string>>("Recorder.layer", {}, inRecorder, (options) =>
    built(Recorder.layer(Tag, Effect.succeed(storage), options))
  ),
  place<Recorder.Options<string>>("Recorder.layerMemory", {}, inRecorder, (options) =>
    built(Recorder.layerMemory(Tag, options))
  ),
  place<Recorder.Options<Storage.NewRowOf<Columns>> & Storage.MemoryOptions<Columns>>(
    "Recorder.layerMemory with columns",
    { columns, id: "id" },
    { ...inRecorder, ...inColumns, table: aText },
    (options) => built(Recorder.layerMemory(Rows, options))
  ),
  place<ChangeLog.Options<string>>(
    "ChangeLog.make",
    {},
    { state: words, keys: words, maxRevisions: wholes, maxBytes: wholes, sizeOf: aFunction },
    ChangeLog.make
  ),
  place<ChangeLog.WithLogOptions<string, string>>(
    "ChangeLog.withLog",
    { log: aLog, toEntry: () => ({ changes: [] }) },
    { log: of(5, {}), toEntry: aFunction },
    (options) => ChangeLog.withLog(storage, options)
  ),
  place<Storage.MemoryOptions<Columns>>(
    "Storage.memory",
    { columns, id: "id" },
    { ...inColumns, table: aText },
    Storage.memory<Columns>
  ),
  place<Tier.MemoryOptions>("Tier.memory", {}, { maxEntries: wholes }, Tier.memory),
  {
    ...place<Table.AnyDefinition>(
      "the definition of Table.make",
      keys,
      { name: of(5, "", "a/b"), columns: of(5, {}), id: of(5, "detail", "nope") },
      (definition) => Table.make(definition, source)
    ),
    takesOthers: true
  },
  place<Table.MemoryOptions>("Table.memory", {}, { log: of(5, {}) }, (options) =>
    Table.memory(keys, options)
  ),
  place<LiveTable.Options<Keys>>("LiveTable.make", {}, inLiveTable, (options) =>
    scoped(Effect.flatMap(Table.memory(keys), (table) => LiveTable.make(table, options)))
  ),
  place<LiveTable.Options<Keys>>("LiveTable.makeDeferred", {}, inLiveTable, (options) =>
    scoped(LiveTable.makeDeferred(Table.memory(keys), options))
  ),
  place<LiveTable.Options<Keys>>("LiveTable.layer", {}, inLiveTable, (options) =>
    built(LiveTable.layer(LiveKeys, Table.memory(keys), options))
  ),
  place<LiveTable.Options<Keys>>("LiveTable.layerMemory", {}, inLiveTable, (options) =>
    built(LiveTable.layerMemory(LiveKeys, keys, options))
  ),
  ...(["invalidate", "expire"] as const).map((call) => ({
    ...place<Pick<Parts, "ids" | "tag">>(
      `the target of LiveTable.${call}`,
      {},
      { ids: of(5, "k1", {}), tag: of(5, {}) },
      (target) =>
        scoped(
          Effect.flatMap(
            LiveTable.makeDeferred<Keys, never, never>(Effect.never, { closeDeadline: 0 }),
            (live) => asOptions(live[call](target as LiveTable.Target<Keys>))
          )
        )
    ),
    takesOthers: true as const
  })),
  place<Projection.Options>("Projection.make", {}, inProjection, (options) =>
    scoped(Effect.flatMap(events, (log) => Projection.make(counts, log, options)))
  ),
  place<Projection.DecideOptions>(
    "Projection.decide",
    {},
    { id: of(5, "", "i".repeat(5_000)), attempts: wholes },
    (options) =>
      scoped(
        Effect.flatMap(events, (log) =>
          Effect.flatMap(Projection.make(counts, log), ({ decide }) => decide("a", () => [], options))
        )
      )
  ),
  place<Projection.Options>("Projection.layer", {}, inProjection, (options) =>
    built(Layer.unwrapEffect(Effect.map(events, (log) => Projection.layer(Counts, counts, log, options))))
  )
]

const inWatch: WrongOf<Watch.Options<string>> = {
  name: aText,
  maxWatchers: wholes,
  heartbeat: durations,
  snapshots: aFunction,
  closeDeadline: durations
}

const inFollow: WrongOf<Watch.FollowOptions<string>> = {
  after: of(5),
  back: of("many", -1, 1.5, Number.NaN),
  snapshot: words,
  view: of(5, {}, { version: () => 0 }, { version: 0, visible: () => undefined }),
  where: aFunction,
  buffer: wholes,
  policy: words,
  previous: words,
  autoResnapshot: words
}

const { buffer, policy, previous } = inFollow
const { after: _, back: __, ...inServe } = inFollow

const log = ChangeLog.make<string>({ state: "latest" })
const all = ChangeLog.prefix("")

export const aRequest = HttpServerRequest.fromWeb(new Request("http://localhost/"))

class Changes extends Context.Tag("test/options/Watch")<Changes, Watch.Watch<string>>() {}

const watching = <A, E>(use: (watch: Watch.Watch<string>) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(Effect.flatMap(Effect.flatMap(log, Watch.make), use))

export const watches: ReadonlyArray<Place> = [
  place<Watch.Options<string>>("Watch.make", {}, inWatch, (options) =>
    scoped(Effect.flatMap(log, (log) => Watch.make(log, options)))
  ),
  place<Watch.Options<string>>("Watch.layer", {}, inWatch, (options) =>
    built(Watch.layer(Changes, log, options))
  ),
  place<Watch.FollowOptions<string>>("Watch.open", {}, inFollow, (options) =>
    watching((watch) => watch.open(all, options))
  ),
  place<Watch.FollowOptions<string>>("Watch.follow", {}, inFollow, (options) =>
    watching((watch) => Stream.runHead(watch.follow(all, options)))
  ),
  place<Pick<Watch.FollowOptions<string>, "buffer" | "policy" | "previous">>(
    "Watch.register",
    {},
    { buffer, policy, previous },
    (options) => watching((watch) => watch.register("a key", options))
  ),
  place<WatchSse.Options<string, string>>(
    "WatchSse.make",
    {},
    { schema: of(5), heartbeat: durations, retry: durations, stallTimeout: durations },
    (options) => watching((watch) => WatchSse.make(watch, options))
  ),
  place<WatchSse.ServeOptions<string>>(
    "WatchSse.serve",
    {},
    { ...inServe, policy: of(5, "block") },
    (options) =>
      watching((watch) =>
        Effect.flatMap(WatchSse.make(watch), ({ serve }) =>
          Effect.provideService(serve(all, options), HttpServerRequest.HttpServerRequest, aRequest)
        )
      )
  )
]
