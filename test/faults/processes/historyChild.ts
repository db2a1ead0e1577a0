/**
 * A process whose clients write stores that other processes write too, in storeHistories.test.ts. It reports `ready`, begins at
 * SIGUSR2, and reports `history <index> <what was sent and answered>` of each store.
 */
import * as v8 from "node:v8"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import { type Plans, runClients, type World } from "../../laws/datastore/clients.js"
import type { Item } from "../../laws/datastore/model.js"
import { report } from "../../support/processes/report.js"

export interface HistorySetting {
  readonly url: string
  readonly name: string
  /** The number of the process. */
  readonly index: number
  /** What its clients do, by store. */
  readonly plans: ReadonlyArray<Plans>
}

const given = JSON.parse(process.argv[2] ?? "{}") as HistorySetting

const client = PgClient.layer({
  url: Redacted.make(given.url),
  maxConnections: 3,
  applicationName: given.name
})

/** A world by the monotonic time of the machine, which its processes share. */
const worldOf = (store: Datastore.StoreHandle<Item>): World => ({
  stores: [store],
  calls: [],
  sent: [],
  get now() {
    return Number(process.hrtime.bigint() / 1000n)
  },
  set now(_) {}
})

const main = Effect.gen(function* () {
  const begun = new Promise<void>((resolve) => process.once("SIGUSR2", () => resolve()))
  const backend = yield* SqlDatastore.make({ table: "kept", poll: "1 second", lockTimeout: "1 second" })
  const catalog = yield* Datastore.make(backend)
  const stores = yield* Effect.forEach(given.plans, (_, index) =>
    catalog.open<Item>({ id: `board ${index}`, kind: "permanent" })
  )
  report("ready")
  yield* Effect.promise(() => begun)
  yield* Effect.forEach(
    stores,
    (store, index) =>
      Effect.gen(function* () {
        const world = worldOf(store)
        const plans = given.plans[index]!
        yield* runClients(world, plans, given.index * plans.length)
        const { calls, sent } = world
        report(`history ${index} ${v8.serialize({ calls, sent }).toString("base64")}`)
      }),
    { concurrency: "unbounded" }
  )
})

Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(Layer.orDie(client)))).then(
  () => process.exit(0),
  (error) => {
    report(`failed ${String(error)}`)
    process.exit(1)
  }
)
