/** Values of another realm, as Jest and Node's `vm` make them, in the parts that keep values of their callers. */
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Datastore from "../../src/Datastore.js"
import * as LiveTable from "../../src/LiveTable.js"
import * as MergePool from "../../src/MergePool.js"
import * as Projection from "../../src/Projection.js"
import { Column, memory } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"

const columns = { id: Column.text, at: Column.timestamp, content: Column.bytes, detail: Column.json }
const files = Table.define({ name: "files", columns, id: "id" })
const foreign: Table.NewRow<typeof files> = runInNewContext(
  '({ id: "a", at: new Date(5), content: new Uint8Array([1, 2]), detail: { tags: ["x"] } })'
)
const row = { id: "a", at: new Date(5), content: new Uint8Array([1, 2]), detail: { tags: ["x"] } }

const tagged = Projection.define({
  name: "tagged",
  events: Projection.events({ Tagged: Schema.Struct({ tags: Schema.Array(Schema.String) }) }),
  state: Schema.Array(Schema.String),
  initial: [],
  apply: (state, { data }) => [...state, ...data.tags]
})

/** What each part gives of the row, or of its detail. */
const parts: { readonly [part: string]: Effect.Effect<{ readonly [name: string]: unknown }, unknown> } = {
  "a storage": Effect.scoped(
    Effect.gen(function* () {
      const storage = yield* memory({ columns, id: "id" })
      yield* storage.save([foreign])
      return (yield* storage.load({}))[0] as typeof row
    })
  ),
  "a live table": Effect.scoped(
    Effect.gen(function* () {
      const live = yield* LiveTable.make(yield* Table.memory(files))
      yield* live.insert(foreign)
      const { value } = yield* live.get("a")
      return Option.getOrThrow(value)
    })
  ),
  "a live table by its condition": Effect.scoped(
    Effect.gen(function* () {
      const live = yield* LiveTable.make(yield* Table.memory(files))
      yield* live.insert(row)
      const { value } = yield* live.list({ where: Table.Query.lte("at", foreign.at) })
      return value[0] as typeof row
    })
  ),
  "a projection": Effect.scoped(
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<Projection.EventValue>({ keys: "indexed" })
      const { decide, project } = yield* Projection.make(tagged, log)
      yield* decide("a", () => [{ kind: "Tagged", data: foreign.detail as { tags: Array<string> } }])
      return { detail: { tags: Option.getOrThrow(yield* project("a")) } }
    })
  ),
  "a store": Effect.scoped(
    Effect.gen(function* () {
      const stores = yield* Datastore.make(yield* Datastore.memory())
      const store = yield* stores.open({ id: "files" })
      const detail = foreign.detail
      yield* store.set({ id: "a", detail })
      return Option.getOrThrow(yield* store.get("a")).data as { readonly detail: unknown }
    })
  ),
  "a replica of a pool": Effect.gen(function* () {
    const fields = { detail: MergePool.last<unknown>() }
    const [one, other] = yield* Effect.all([MergePool.replica(fields), MergePool.replica(fields)])
    yield* one.edit("a", { detail: { _tag: "Set", value: foreign.detail } })
    yield* other.receive(yield* one.state)
    return { detail: Option.getOrThrow(yield* other.get("a")).get("detail") }
  })
}

describe("a value of another realm is kept as one of this realm", () => {
  it("is of no class of this realm", () => {
    expect(foreign.at instanceof Date).toBe(false)
    expect(foreign.content instanceof Uint8Array).toBe(false)
  })

  it.effect.each(Object.keys(parts))("by %s", (part) =>
    Effect.map(parts[part]!, (kept) => {
      expect(row).toMatchObject(kept)
      expect(kept.detail).toEqual(row.detail)
    })
  )
})
