/**
 * A process that writes to a store, in stores.test.ts. It reports `answered <n> <seq>` for each operation, `saw <seq>` for each
 * revision that a subscriber of it was given, `stopping` before it stops itself as SIGSTOP does, and `ended <reason> <n>` with
 * how many operations were handed back.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted, Stream } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import { report } from "../../support/processes/report.js"

export interface StoreSetting {
  /** Of Postgres; else a file of SQLite. */
  readonly url?: string
  readonly filename?: string
  readonly ack: "memory" | "flushed"
  readonly lease: number
  /** It stops itself after so many answers, if above 0. */
  readonly stopsAfter: number
}

const given = JSON.parse(process.argv[2] ?? "{}") as StoreSetting

const client: Layer.Layer<SqlClient> =
  given.url === undefined
    ? Layer.orDie(SqliteClient.layer({ filename: given.filename ?? "" }))
    : Layer.orDie(PgClient.layer({ url: Redacted.make(given.url), maxConnections: 3 }))

const reported = (line: string) => Effect.sync(() => report(line))

const main = Effect.gen(function* () {
  const backend = yield* SqlDatastore.make({ table: "kept", lease: given.lease, poll: "1 second" })
  const stores = yield* Datastore.make(backend)
  const store = yield* stores.open<{ id: string; by: string; n: number }>({
    id: "board",
    kind: "permanent",
    ack: given.ack
  })
  const following = Stream.runForEach(store.follow(), (frame) =>
    frame._tag === "Events" ? reported(`saw ${frame.revision.seq}`) : Effect.void
  )
  yield* Effect.fork(Effect.ignore(following))
  const writing = Effect.gen(function* () {
    for (let n = 1; ; n++) {
      const as = { principal: "child", client: "one", n }
      const { seq } = yield* store.set({ id: `k${n % 20}`, by: "child", n }, { as })
      yield* reported(`answered ${n} ${seq}`)
      if (n === given.stopsAfter) {
        yield* reported("stopping")
        process.kill(process.pid, "SIGSTOP")
      }
      if (n % 50 === 0) yield* Effect.sleep(1)
    }
  })
  const error = yield* Effect.flip(writing)
  const { unsaved } = yield* stores.close
  yield* reported(`ended ${error.reason} ${unsaved.length}`)
})

Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(client))).then(
  () => process.exit(0),
  (error) => {
    report(`failed ${String(error)}`)
    process.exit(1)
  }
)
