/**
 * Provides a recorder as a layer, like any other service: over a file in production, in memory in tests.
 *
 * Run: `npm run examples -- 05`. Prints that file and memory returned the same records.
 */
import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { Id, Recorder, Storage } from "effect-recorder"
import * as SqliteStorage from "effect-recorder/sql/SqliteStorage"

const columns = {
  id: Storage.Column.uuid,
  what: Storage.Column.text,
  detail: Storage.Column.nullable(Storage.Column.json)
}
/** What is loaded: `detail` may be `null`. What is saved may leave it out. */
type Row = Storage.RowOf<typeof columns>

class Audit extends Context.Tag("Audit")<Audit, Recorder.OfTable<typeof columns>>() {}

/** A service that records its actions. */
class Orders extends Context.Tag("Orders")<
  Orders,
  { readonly place: (item: string) => Effect.Effect<void> }
>() {
  static readonly layer = Layer.effect(
    Orders,
    Effect.gen(function* () {
      const audit = yield* Audit
      const nextId = yield* Id.makeUuid7
      return {
        place: (item) => Effect.asVoid(audit.save({ id: nextId(), what: "order placed", detail: { item } }))
      }
    })
  )
}

const program = Effect.gen(function* () {
  const orders = yield* Orders
  yield* Effect.forEach(["apples", "pears"], orders.place)
  const audit = yield* Audit
  return yield* audit.load({ orderBy: [Storage.Query.asc("id")] })
})

const run = <E>(audit: Layer.Layer<Audit, E>) =>
  Effect.runPromise(Effect.provide(program, Layer.provideMerge(Orders.layer, audit)))

// In production: a file. The layer is built at once; the file opens in the background, and closes with the scope.
const folder = await mkdtemp(join(tmpdir(), "orders-"))
const stored = await run(
  Recorder.layer(
    Audit,
    SqliteStorage.make({ filename: join(folder, "audit.db"), table: "audit", columns, id: "id" }),
    { name: "orders" }
  )
)
await rm(folder, { recursive: true })

// In a test: memory, with the same checks, queries and results.
const tested = await run(Recorder.layerMemory(Audit, { columns, id: "id" }))

const details = (rows: ReadonlyArray<Row>) => rows.map(({ detail }) => detail)
assert.deepEqual(details(stored), [{ item: "apples" }, { item: "pears" }])
assert.deepEqual(details(tested), details(stored))
console.log(`the same ${tested.length} records from the file and from memory`)
