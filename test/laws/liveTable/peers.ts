/** Caches of Effect before the same master, used as their documentation has it: after a write, its key is invalidated. */
import { PersistedCache, Persistence } from "@effect/experimental"
import { Cache, Effect, Option, PrimaryKey, Schema } from "effect"
import type { Answer } from "../../../src/LiveTable.js"
import type * as Table from "../../../src/Table.js"
import { idsOf } from "./master.js"
import type { Items, Row, Write } from "./rows.js"
import type { Handle, Open } from "./world.js"

interface Peer {
  readonly get: (id: string) => Effect.Effect<Option.Option<Row>, unknown>
  readonly invalidate: (id: string) => Effect.Effect<void, unknown>
}

const answer = (value: Option.Option<Row>): Answer<Option.Option<Row>> => ({
  value,
  revision: Option.none(),
  freshness: { _tag: "Fresh" }
})

const handleOf = (master: Table.Table<Items>, { get, invalidate }: Peer): Handle =>
  ({
    get: (id: string) => Effect.map(get(id), answer),
    unsafeGet: () => undefined,
    write: (write: Write) =>
      Effect.tap(
        Effect.flatMap(master.write([write]), ([outcome]) =>
          outcome?._tag === "Written" ? Effect.succeed(outcome) : Effect.fail(outcome)
        ),
        () => Effect.forEach(idsOf([write]), invalidate)
      )
    // The simple schedules use nothing else.
  }) as unknown as Handle

const valueOf = (master: Table.Table<Items>, id: string): Effect.Effect<Option.Option<Row>, unknown> =>
  Effect.map(master.get(id), ({ value }) => value)

export const openCache: Open = (master) =>
  Effect.map(
    Cache.make({ capacity: 100, timeToLive: "1 hour", lookup: (id: string) => valueOf(master, id) }),
    (cache) => ({
      live: handleOf(master, { get: (id) => cache.get(id), invalidate: (id) => cache.invalidate(id) }),
      inside: undefined
    })
  )

class RowOf extends Schema.TaggedRequest<RowOf>()("RowOf", {
  failure: Schema.Unknown,
  success: Schema.Option(Schema.Struct({ id: Schema.String, g: Schema.String, n: Schema.Number })),
  payload: { id: Schema.String }
}) {
  [PrimaryKey.symbol]() {
    return this.id
  }
}

export const openPersistedCache: Open = (master) =>
  PersistedCache.make({
    storeId: "rows",
    lookup: ({ id }: RowOf) => valueOf(master, id),
    timeToLive: () => "1 hour"
  }).pipe(
    Effect.map((cache) => ({
      live: handleOf(master, {
        get: (id) => cache.get(new RowOf({ id })),
        invalidate: (id) => cache.invalidate(new RowOf({ id }))
      }),
      inside: undefined
    })),
    Effect.provide(Persistence.layerResultMemory)
  )
