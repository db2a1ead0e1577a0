/** A process that writes to a permanent store which others write to as well: so many rows at each message. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted, Scope } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"

const [url] = process.argv.slice(2)

const opened = Effect.gen(function* () {
  const stores = yield* Datastore.make(yield* SqlDatastore.make({ table: "shared" }))
  return yield* stores.open<{ readonly id: string; readonly n: number }>({ id: "board", kind: "permanent" })
})

// The client lives as long as the process.
const held = Effect.flatMap(Layer.build(PgClient.layer({ url: Redacted.make(url ?? "") })), (context) =>
  Effect.provide(opened, context)
)
const store = await Effect.runPromise(Effect.flatMap(Scope.make(), (scope) => Scope.extend(held, scope)))

let n = 0

process.on("message", async (rows: number) => {
  for (let i = 0; i < rows; i++) store.unsafeSet({ id: `item-${n++ % 1000}`, n })
  await Effect.runPromise(store.flush)
  process.send?.("written")
})
process.send?.("ready")
