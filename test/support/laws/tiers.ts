/** This library's own tiers as subjects of their laws. */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Persistence from "@effect/experimental/Persistence"
import { KeyValueStore } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted, type Scope } from "effect"
import * as PersistenceTier from "../../../src/platform/PersistenceTier.js"
import * as SqlTier from "../../../src/sql/SqlTier.js"
import * as Tier from "../../../src/Tier.js"
import type { Place, Subject } from "../../../src/testing/TierLaws.js"
import { ownSchema } from "../postgres/tables.js"
import { tempFile } from "../sqlite/sqlite.js"
import { tempDir } from "../tempDir.js"
import { passingClock } from "../time/passing.js"
import { oncePerFile } from "./oncePerFile.js"

/** The tier, with its calls on this clock. */
const onClock = (
  tier: Tier.Tier,
  timed: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
) => ({
  open: (namespace: string) =>
    Effect.map(
      timed(tier.open(namespace)),
      (store): Tier.Store => ({
        get: (keys) => timed(store.get(keys)),
        put: (entries) => timed(store.put(entries)),
        remove: (keys) => timed(store.remove(keys)),
        clear: timed(store.clear)
      })
    )
})

/** A place whose time can be let pass. */
export const timedPlace = (place: Place): Effect.Effect<Place> =>
  Effect.map(passingClock, ({ clock, pass }) => ({
    ...place,
    open: Effect.map(place.open, (tier) => onClock(tier, Effect.withClock(clock))),
    pass
  }))

/** A tier in memory. */
export const memorySubject: Subject = {
  name: "Tier.memory",
  place: Effect.flatMap(Tier.memory(), (tier) => timedPlace({ open: Effect.succeed(tier) })),
  capabilities: { order: "compared", ttl: "kept", faults: "none" }
}

/** Places in one database, made once for the tests of a file: each is a table of its own. */
const tables = <E>(
  name: string,
  make: Effect.Effect<Effect.Effect<SqlClient, E, Scope.Scope>, unknown, Scope.Scope>
): Subject => {
  const once = oncePerFile(
    Effect.flatMap(make, (connect) => Effect.map(connect, (client) => ({ client, connect })))
  )
  let table = 0
  return {
    name,
    place: Effect.flatMap(once, ({ client, connect }) => {
      const options = { table: `tier ${++table}` }
      // A client of its own for each further tier would take most of the time: two of them are enough to be several.
      let opened = 0
      const open = Effect.suspend(() => (opened++ % 2 === 0 ? Effect.succeed(client) : connect)).pipe(
        Effect.flatMap((client) => Effect.provideService(SqlTier.make(options), SqlClient, client))
      )
      return timedPlace({ open, fail: client`DROP TABLE ${client(options.table)}` })
    }),
    capabilities: { order: "compared", ttl: "kept", faults: "on demand" }
  }
}

const clientOf = <E>(layer: Layer.Layer<SqlClient, E>): Effect.Effect<SqlClient, E, Scope.Scope> =>
  Effect.flatMap(Layer.build(layer), (context) => Effect.provide(SqlClient, context))

/** A tier in a SQLite file. */
export const sqliteSubject = (): Subject =>
  tables(
    "SqlTier over a SqliteClient",
    Effect.map(tempFile, (filename) => clientOf(SqliteClient.layer({ filename })))
  )

/** A tier on a Postgres server. */
export const pgSubject = (name: string, server: string): Subject =>
  tables(
    `SqlTier over a PgClient, ${name}`,
    Effect.map(ownSchema(server), (url) =>
      clientOf(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))
    )
  )

/** The `BackingPersistence` of `@effect/experimental` over the files of a folder. */
export const filesIn = (folder: string): Layer.Layer<Persistence.BackingPersistence, unknown> =>
  Persistence.layerKeyValueStore.pipe(
    Layer.provide(KeyValueStore.layerFileSystem(folder)),
    Layer.provide(NodeContext.layer)
  )

/** Makes a tier over what a layer gives. */
export const tierOver = <E>(layer: Layer.Layer<Persistence.BackingPersistence, E>) =>
  Effect.flatMap(Layer.build(layer), (context) => Effect.provide(PersistenceTier.make, context))

/** Tiers over two of the backends of `@effect/experimental`. */
export const persistenceSubjects: ReadonlyArray<Subject> = [
  {
    name: "PersistenceTier over files",
    place: Effect.flatMap(tempDir, (outside) => {
      const folder = path.join(outside, "store")
      const fail = Effect.promise(async () => {
        await fs.rename(folder, path.join(outside, "away"))
        await fs.writeFile(folder, "a file in the place of the folder")
      })
      return timedPlace({ open: tierOver(filesIn(folder)), fail })
    }),
    capabilities: { order: "ignored", ttl: "kept", faults: "on demand" }
  },
  {
    name: "PersistenceTier over memory",
    place: Effect.flatMap(Layer.build(Persistence.layerMemory), (context) =>
      timedPlace({ open: Effect.provide(PersistenceTier.make, context) })
    ),
    capabilities: { order: "ignored", ttl: "kept", faults: "none" }
  }
]
