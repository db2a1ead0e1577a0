/** Tiers in databases, beyond the laws of tiers, which they keep in test/testing. */
import { createHash } from "node:crypto"
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, type Scope } from "effect"
import type { Run } from "../../src/sql/internal/dialect.js"
import { sqliteDialect } from "../../src/sql/internal/sqlite/dialect.js"
import { gentleCheckpoint, openSqlite } from "../../src/sql/internal/sqlite/open.js"
import { sqlSource } from "../../src/sql/internal/tier/source.js"
import { makeTierTable } from "../../src/sql/internal/tier/table.js"
import * as SqlTier from "../../src/sql/SqlTier.js"
import * as Tier from "../../src/Tier.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { ownSchema } from "../support/postgres/tables.js"
import { tempFile } from "../support/sqlite/sqlite.js"
import { passingClock } from "../support/time/passing.js"

type Connect = Effect.Effect<SqlClient, unknown, Scope.Scope>

const clientOf = <E>(layer: Layer.Layer<SqlClient, E>): Connect =>
  Effect.flatMap(Layer.build(layer), (context) => Effect.provide(SqlClient, context))

interface Place {
  readonly name: string
  /** Gives ways to clients of one database. */
  readonly connect: Effect.Effect<Connect, unknown, Scope.Scope>
}

const places: ReadonlyArray<Place> = [
  {
    name: "SQLite",
    connect: Effect.map(tempFile, (filename) => clientOf(SqliteClient.layer({ filename })))
  },
  ...databaseUrls().map(
    ({ name, url }): Place => ({
      name,
      connect: Effect.map(ownSchema(url), (url) =>
        clientOf(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))
      )
    })
  )
]

const tierOf = (client: SqlClient) =>
  Effect.provideService(SqlTier.make({ table: "tier" }), SqlClient, client)

const opened = (client: SqlClient, namespace = "a") =>
  Effect.flatMap(tierOf(client), (tier) => tier.open(namespace))

const entries = (count: number, ttl?: Duration.DurationInput): ReadonlyArray<Tier.Entry> =>
  Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: `v${n}`, ttl }))

for (const { connect, name } of places) {
  describe(`SqlTier over ${name}`, () => {
    it.scopedLive("refuses a table that does not fit, and names the statement that helps", () =>
      Effect.gen(function* () {
        const client = yield* Effect.flatten(connect)
        yield* client`CREATE TABLE tier (namespace text NOT NULL, key text NOT NULL, value text NOT NULL,
          PRIMARY KEY (namespace, key))`
        const error = yield* Effect.flip(opened(client))
        expect(error).toMatchObject({ _tag: "TierError", reason: "Unavailable" })
        expect(error.message).toContain('ALTER TABLE "tier" ADD COLUMN "epoch"')
      })
    )

    it.scopedLive("creates its table once, when many open it at once", () =>
      Effect.gen(function* () {
        const open = yield* connect
        const clients = yield* Effect.forEach([0, 1, 2], () => open)
        const stores = yield* Effect.forEach([...clients, ...clients], (client) => opened(client), {
          concurrency: "unbounded"
        })
        yield* stores[0]!.put(entries(1))
        expect(yield* stores[5]!.get(["k0"])).toEqual(["v0"])
      })
    )

    it.scopedLive("deletes expired entries of all namespaces behind puts, at most once a second", () =>
      Effect.gen(function* () {
        const client = yield* Effect.flatten(connect)
        const { clock, pass } = yield* passingClock
        const timed = Effect.withClock(clock)
        const tier = yield* tierOf(client)
        const [one, other] = [yield* tier.open("one"), yield* tier.open("other")]
        const rows = Effect.map(client`SELECT key FROM tier`, (found) => found.length)
        yield* timed(one.put(entries(10, "1 minute")))
        yield* pass(Duration.minutes(1))
        expect(yield* timed(one.get(["k0"]))).toEqual([undefined])
        expect(yield* rows).toBe(10)
        yield* timed(other.put([{ key: "a", value: "1", ttl: "1 millis" }]))
        expect(yield* rows).toBe(1)
        yield* pass(Duration.millis(1))
        yield* timed(other.put([{ key: "b", value: "1" }]))
        expect(yield* rows).toBe(2)
        yield* pass(Duration.seconds(1))
        yield* timed(one.put([{ key: "c", value: "1" }]))
        expect(yield* rows).toBe(2)
      })
    )

    it.scopedLive("takes no long key for a key that looks like its hash", () =>
      Effect.gen(function* () {
        const client = yield* Effect.flatten(connect)
        const long = "k".repeat(1_025)
        const looks = `sha256:${createHash("sha256").update(long).digest("hex")}`
        const keys = [long, looks, "k".repeat(1_024)]
        const store = yield* opened(client)
        yield* store.put(keys.map((key, n) => ({ key, value: `${n}` })))
        expect(yield* store.get(keys)).toEqual(["0", "1", "2"])
        yield* store.remove([looks])
        expect(yield* store.get(keys)).toEqual(["0", undefined, "2"])
      })
    )
  })
}

for (const { connect, name } of places.slice(1)) {
  describe(`SqlTier over ${name}, inside of its caller's transaction`, () => {
    it.scopedLive(
      "is no part of it: what was put stays when it rolls back, and nothing uncommitted is read",
      () =>
        Effect.gen(function* () {
          const client = yield* Effect.flatten(connect)
          const store = yield* opened(client)
          yield* store.put([{ key: "k", value: "committed" }])
          const inside = Effect.gen(function* () {
            yield* client`UPDATE tier SET value = 'uncommitted'`
            const seen = yield* store.get(["k"])
            yield* store.put([{ key: "other", value: "put inside" }])
            return yield* Effect.fail(seen)
          })
          expect(yield* Effect.flip(client.withTransaction(inside))).toEqual(["committed"])
          expect(yield* store.get(["k", "other"])).toEqual(["committed", "put inside"])
        })
    )
  })
}

describe("SqlTier", () => {
  it.scoped("needs one statement for any number of keys", () =>
    Effect.gen(function* () {
      const { run } = yield* openSqlite(":memory:", gentleCheckpoint)
      const seen: Array<string> = []
      const counting: Run = (statement) =>
        Effect.suspend(() => {
          seen.push(statement.text.split(" ")[0] ?? "")
          return run(statement)
        })
      const table = makeTierTable({ table: "tier", schema: undefined })
      const executor = { run: counting, reserve: Effect.succeed(run) }
      const store = yield* Tier.make(sqlSource(sqliteDialect, table, executor)).open("a")
      const many = entries(5_000)
      yield* store.put(many)
      expect((yield* store.get(many.map(({ key }) => key))).at(-1)).toBe("v4999")
      yield* store.remove(many.map(({ key }) => key))
      expect(yield* store.get(["k0", "k4999"])).toEqual([undefined, undefined])
      // The second one deletes what has expired.
      expect(seen).toEqual(["INSERT", "DELETE", "SELECT", "DELETE", "SELECT"])
    })
  )

  it.scoped("fails as TooLarge or Invalid when a value alone is refused, and as Unavailable otherwise", () =>
    Effect.gen(function* () {
      const { run } = yield* openSqlite(":memory:", gentleCheckpoint)
      const codes: ReadonlyArray<readonly [code: string, reason: Tier.TierError["reason"]]> = [
        ["SQLITE_TOOBIG", "TooLarge"],
        ["SQLITE_CONSTRAINT_TRIGGER", "Invalid"],
        ["SQLITE_CORRUPT", "Unavailable"],
        ["SQLITE_CANTOPEN", "Unavailable"]
      ]
      for (const [code, reason] of codes) {
        const failing: Run = () => Effect.fail(Object.assign(new Error("secret"), { code }))
        const table = makeTierTable({ table: "tier", schema: undefined })
        const executor = { run: failing, reserve: Effect.succeed(run) }
        const store = yield* Tier.make(sqlSource(sqliteDialect, table, executor)).open("a")
        const error = yield* Effect.flip(store.put(entries(1)))
        expect(error, code).toMatchObject({ _tag: "TierError", reason })
      }
    })
  )
})
