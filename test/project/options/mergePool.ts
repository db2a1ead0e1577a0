/** The options of catalogs of pools, of pools, and of replicas. */
import { Context, Effect } from "effect"
import * as MergePool from "../../../src/MergePool.js"
import { inCatalog, inSession } from "./datastore.js"
import {
  aFunction,
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

class Boards extends Context.Tag("test/options/MergePool")<Boards, MergePool.MergePools>() {}

const strategies = { title: MergePool.last<string>() }

const ofCatalog: WrongOf<MergePool.Options> = {
  ...inCatalog,
  ttl: durationsAbove0,
  closeDeadline: durations,
  onClosed: aFunction
}

const inPool: WrongOf<MergePool.OpenOptions> = {
  strategies: of(5, [], { title: "last" }, { title: undefined }, { title: { kind: "last" } }),
  id: of(5, "", "\ud800", "i".repeat(513)),
  kind: of(5, "", "\ud800"),
  ack: words,
  migrate: aFunction,
  start: words,
  ttl: durations,
  expiry: words,
  onLeave: words,
  maxRevisions: wholes,
  as: of(5, {}, { principal: 5 }, { principal: "p", client: 5 })
}

const inReplica: WrongOf<MergePool.ReplicaOptions> = {
  client: of(5, "", "short", "zzzzzzzzzzz"),
  maxUnsent: wholes
}

const catalog = (options: MergePool.Options = {}) =>
  Effect.flatMap(MergePool.memory(), (backend) => MergePool.make(backend, options))

const inServe: WrongOf<MergePool.ServeOptions> = {
  as: of(5, {}, { principal: 5 }, { principal: "p", client: 5 }),
  session: of(5, {}, null)
}

/** An opening fails with its own error, which names the option. */
const opened = (options: MergePool.OpenOptions) =>
  scoped(Effect.flatMap(catalog(), (pools) => pools.open(options))).pipe(
    Effect.mapError((error) =>
      error._tag === "OpenError" && error.option !== undefined
        ? new MergePool.InvalidOptions({ option: error.option, message: error.message })
        : error
    )
  )

export const mergePools: ReadonlyArray<Place> = [
  place<MergePool.Options>("MergePool.make", {}, ofCatalog, (options) => scoped(catalog(options))),
  place<MergePool.Options>("MergePool.makeDeferred", {}, ofCatalog, (options) =>
    scoped(MergePool.makeDeferred(MergePool.memory(), options))
  ),
  place<MergePool.Options>("MergePool.layer", {}, ofCatalog, (options) =>
    built(MergePool.layer(Boards, MergePool.memory(), options))
  ),
  place<MergePool.Options>("MergePool.layerMemory", {}, ofCatalog, (options) =>
    built(MergePool.layerMemory(Boards, options))
  ),
  place<MergePool.OpenOptions>("MergePools.open", { strategies }, inPool, opened),
  place<MergePool.SessionOptions>("MergePools.session", { client: "tab" }, inSession, (options) =>
    scoped(Effect.flatMap(catalog(), (pools) => pools.session(options)))
  ),
  place<MergePool.ServeOptions>("PoolHandle.serve", {}, inServe, (options) =>
    scoped(
      Effect.flatMap(
        Effect.flatMap(catalog(), (pools) => pools.open({ strategies })),
        (pool) => pool.serve(options)
      )
    )
  ),
  place<MergePool.ReplicaOptions>("MergePool.replica", {}, inReplica, (options) =>
    MergePool.replica(strategies, options)
  )
]
