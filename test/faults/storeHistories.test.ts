/**
 * Clients in three processes that write the same stores on a real Postgres, while their sessions are killed and their
 * connections cut: one order explains what they were answered, and each operation acts once.
 */
import * as v8 from "node:v8"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, type Scope } from "effect"
import fc from "fast-check"
import * as Datastore from "../../src/Datastore.js"
import * as SqlDatastore from "../../src/sql/SqlDatastore.js"
import {
  type Plans,
  plansOf,
  type Sent,
  type Store,
  sendAgain,
  type World
} from "../laws/datastore/clients.js"
import { checkOrder, isLinearizable } from "../laws/datastore/history.js"
import { type Item, isAlike } from "../laws/datastore/model.js"
import { tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { ensure } from "../support/laws/ensure.js"
import { holdsSeeded, runs, seededTimeout } from "../support/laws/laws.js"
import { cutting, killing } from "../support/postgres/cutting.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { type Child, startChild } from "../support/processes/childProcess.js"
import type { HistorySetting } from "./processes/historyChild.js"

const processes = [0, 1, 2]

/** Of each client of the first store; in a long run they are 1,000 together. */
const operations = Math.min(runs(10), 167)

/** What the clients of each process do to a store. */
const store = (clients: number, operations: number): fc.Arbitrary<ReadonlyArray<Plans>> =>
  fc.tuple(...processes.map(() => plansOf(clients, operations)))

/** Eight operations: all of their orders can be searched. */
const few: fc.Arbitrary<ReadonlyArray<Plans>> = store(1, 3).map((plans) =>
  plans.map((one, process) => (process === 2 ? one.map((operations) => operations.slice(1)) : one))
)

const samples = fc.record({
  stores: fc.tuple(store(2, operations), few, few, few),
  /** Connections are cut after so many chunks of bytes, one after the other. */
  cuts: fc.array(fc.integer({ min: 50, max: 200 }), { minLength: 20, maxLength: 20 }),
  /** All sessions are killed after so many more revisions of the first store. */
  kills: fc.array(fc.integer({ min: 3, max: 15 }), { minLength: 20, maxLength: 20 })
})

type Sample = typeof samples extends fc.Arbitrary<infer A> ? A : never

const opened = (url: string): Effect.Effect<ReadonlyArray<Store>, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 3 }))
    const backend = yield* Effect.provide(SqlDatastore.make({ table: "kept", poll: "10 millis" }), context)
    const catalog = yield* Datastore.make(backend)
    return yield* Effect.forEach([0, 1, 2, 3], (index) =>
      catalog.open<Item>({ id: `board ${index}`, kind: "permanent" })
    )
  })

/** What the clients of all processes sent to a store, and were answered. */
const worldOf = (children: ReadonlyArray<Child>, store: Store, index: number): World => {
  const beginning = `history ${index} `
  const worlds = children.map(({ lines }) => {
    const line = lines.find((line) => line.startsWith(beginning)) ?? ""
    return v8.deserialize(Buffer.from(line.slice(beginning.length), "base64")) as Pick<
      World,
      "calls" | "sent"
    >
  })
  const calls = worlds.flatMap(({ calls }) => calls)
  const sent: Array<Sent> = worlds.flatMap(({ sent }) => sent)
  return { stores: [store], calls, sent, now: 0 }
}

const check = (world: World, isSmall: boolean) =>
  Effect.gen(function* () {
    const store = world.stores[0]!
    const before = yield* store.snapshot({ read: "latest" })
    const state = checkOrder(world.calls, before.seq)
    ensure(isAlike(before.rows, [...state.rows.values()]), "K1: a snapshot is what the last revision left")
    if (isSmall) ensure(isLinearizable(world.calls), "K1: some order explains few operations")
    yield* sendAgain(world, store)
    ensure(
      isAlike(yield* store.snapshot({ read: "latest" }), before),
      "K2: what is sent again to another process changes nothing"
    )
    return world.calls.length
  })

const play = (server: string, script: string, { cuts, kills, stores }: Sample) =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const name = `clients of ${new URL(url).searchParams}`.slice(0, 60)
    const mine = yield* opened(url)
    const started = yield* Effect.forEach(
      processes,
      (index) =>
        Effect.gen(function* () {
          const proxy = yield* tcpProxy(Number(new URL(url).port))
          const plans = stores.map((one) => one[index] ?? [])
          const setting: HistorySetting = { url: throughProxy(url, proxy), name, index, plans }
          const child = yield* startChild(script, JSON.stringify(setting))
          yield* child.said("ready")
          return { proxy, child }
        }),
      { concurrency: "unbounded" }
    )
    const children = started.map(({ child }) => child)
    const killed = yield* killing(url, name, mine[0]!.follow(), kills)
    const cut = cutting(
      cuts,
      started.map(({ proxy }) => proxy)
    )
    for (const child of children) child.kill("SIGUSR2")
    yield* Effect.forEach(children, (child) => child.said("history", stores.length), {
      concurrency: "unbounded"
    })
    cut.end()
    const counts = yield* Effect.forEach(mine, (store, index) =>
      check(worldOf(children, store, index), index > 0)
    )
    process.stdout.write(`${counts} operations, ${killed()} times killed, ${cut.count()} connections cut\n`)
  })

describe.each(databaseUrls().slice(0, 1))(
  "K1, K2: clients of stores in three processes, $name",
  ({ url }) => {
    it.scopedLive(
      "see one order of what they do, each operation once, though sessions are killed and connections cut",
      () =>
        Effect.gen(function* () {
          const script = yield* bundled("test/faults/processes/historyChild.ts")
          yield* holdsSeeded(
            "K1 of processes",
            samples,
            1,
            (sample) => Effect.runPromise(Effect.scoped(play(url, script, sample))),
            10
          )
        }),
      seededTimeout
    )
  }
)
