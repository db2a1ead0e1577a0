/**
 * A process that writes to stores, in stores.test.ts. Of each it reports `answered <store> <client> <n> <seq>` for each
 * operation, and `saw <store> <client> <n> <seq>` for each revision that a subscriber of it was given. It reports `stopping`
 * before it stops itself as SIGSTOP does, and `ended <reason> <n>` with how many operations were handed back.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted, Stream } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import { report } from "../../support/processes/report.js"

export type Ack = "memory" | "flushed"

export interface StoreSetting {
  /** Of Postgres; else a file of SQLite. */
  readonly url?: string
  readonly filename?: string
  /** The stores, each of which is called as it answers. */
  readonly stores: ReadonlyArray<Ack>
  readonly clients: ReadonlyArray<string>
  /** Also how long a session of Postgres may do nothing in a transaction. */
  readonly lease: number
  /** It stops itself after so many answers, if above 0. */
  readonly stopsAfter: number
}

export interface Item {
  readonly id: string
  readonly client: string
  readonly n: number
}

const given = JSON.parse(process.argv[2] ?? "{}") as StoreSetting

const client: Layer.Layer<SqlClient> =
  given.url === undefined
    ? Layer.orDie(SqliteClient.layer({ filename: given.filename ?? "" }))
    : Layer.orDie(PgClient.layer({ url: Redacted.make(given.url), maxConnections: 3 }))

const reported = (line: string) => Effect.sync(() => report(line))

let answers = 0

/** It has the one connection of SQLite meanwhile: a transaction under way would lock the file for all. */
const stop = Effect.scoped(
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* sql.reserve
    yield* reported("stopping")
    process.kill(process.pid, "SIGSTOP")
  })
)

const write = (ack: Ack, store: Datastore.StoreHandle<Item>, client: string) =>
  Effect.gen(function* () {
    for (let n = 1; ; n++) {
      const as = { principal: "child", client, n }
      const { seq } = yield* store.set({ id: `${client} ${n}`, client, n }, { as })
      yield* reported(`answered ${ack} ${client} ${n} ${seq}`)
      if (++answers === given.stopsAfter) yield* stop
      // What is answered in memory leaves time to what waits for commits.
      if (ack === "memory") yield* Effect.sleep(2)
    }
  })

const follow = (ack: Ack, store: Datastore.StoreHandle<Item>) =>
  Stream.runForEach(store.follow(), (frame) =>
    frame._tag !== "Events"
      ? Effect.void
      : Effect.forEach(frame.events, (event) =>
          event._tag === "Put"
            ? reported(`saw ${ack} ${event.value.data.client} ${event.value.data.n} ${event.value.seq}`)
            : Effect.void
        )
  )

const main = Effect.gen(function* () {
  const backend = yield* SqlDatastore.make({
    table: "kept",
    lease: given.lease,
    lockTimeout: given.lease,
    poll: "1 second"
  })
  const stores = yield* Datastore.make(backend)
  const writing = Effect.forEach(
    given.stores,
    (ack) =>
      Effect.gen(function* () {
        const store = yield* stores.open<Item>({ id: ack, kind: "permanent", ack })
        yield* Effect.fork(Effect.ignore(follow(ack, store)))
        yield* Effect.forEach(given.clients, (client) => write(ack, store, client), {
          concurrency: "unbounded"
        })
      }),
    { concurrency: "unbounded" }
  )
  const error = yield* Effect.flip(writing)
  const { unsaved } = yield* stores.close
  yield* reported(`ended ${"reason" in error ? error.reason : error._tag} ${unsaved.length}`)
})

Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(client))).then(
  () => process.exit(0),
  (error) => {
    report(`failed ${String(error)}`)
    process.exit(1)
  }
)
