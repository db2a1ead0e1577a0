/**
 * A database that is there and cannot store: locked, deadlocked, changed, or full, under load.
 *
 * The kinds of these failures are in pg/errors and sqlite/errors. An interrupted statement is cancelled on the server
 * (pg/pool).
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Logger, Option } from "effect"
import { StorageError } from "../../src/Storage.js"
import { SqlFailure } from "../../src/sql/internal/errors.js"
import * as SqlStorage from "../../src/sql/SqlStorage.js"
import { tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"
import { openClient } from "../support/postgres/tables.js"
import {
  columns,
  pgTarget,
  type Target,
  trailTable,
  type UnderLoad,
  underLoad
} from "../support/recorder/underLoad.js"
import { status } from "../support/recorder/watching.js"
import { mayMount, smallDisk } from "../support/sqlite/smallDisk.js"
import { openPlain, tempFile } from "../support/sqlite/sqlite.js"

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

const quiet = Logger.remove(Logger.defaultLogger)

/**
 * Waits until the recorder is kept from its storage by a failure with this code; by default for more attempts than
 * one of unknown kind gets before its batch is taken apart.
 */
const degradedBy = (recorder: UnderLoad["recorder"], code: string, attempts = 7) =>
  status(recorder, "Degraded", ({ attempt, cause }) => {
    const error = Option.getOrUndefined(cause)
    const failure = error instanceof StorageError ? error.cause : undefined
    return attempt >= attempts && failure instanceof SqlFailure && failure.code === code
  })

describe("locks on PostgreSQL", () => {
  it.scopedLive(
    "hold every save until its lock_timeout",
    () =>
      Effect.gen(function* () {
        const target = yield* pgTarget(server.url, { settings: ["lock_timeout=50"] })
        const { finish, progress, recorder } = yield* underLoad(target)
        const locker = yield* openClient(target.url)
        for (let round = 0; round < 2; round++) {
          yield* progress(20)
          yield* locker("BEGIN")
          yield* locker("LOCK TABLE trail")
          yield* degradedBy(recorder, "55P03")
          yield* locker("ROLLBACK")
        }
        yield* progress()
        yield* finish("lock_timeout")
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "hold every save until the recorder's own time-out: what was given up never comes after its retry",
    () =>
      Effect.gen(function* () {
        const target = yield* pgTarget(server.url)
        const { finish, progress, recorder } = yield* underLoad(target, { saveTimeout: "300 millis" })
        const locker = yield* openClient(target.url)
        yield* progress(20)
        yield* locker("BEGIN")
        yield* locker("LOCK TABLE trail")
        const { cause } = yield* status(recorder, "Degraded", ({ attempt }) => attempt >= 3)
        expect(Option.getOrThrow(cause)).toMatchObject({ kind: "Transient", outcome: "Unknown" })
        yield* locker("ROLLBACK")
        yield* progress()
        const { duplicates, retries } = yield* finish("a lock beyond saveTimeout")
        expect(retries).toBeGreaterThanOrEqual(3)
        expect(duplicates).toBe(0)
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "deadlock with another writer, and the recorder is the victim",
    () =>
      Effect.gen(function* () {
        const proxy = yield* tcpProxy(server.port)
        // It looks for a deadlock first, so it is the one who is sent back.
        const target = yield* pgTarget(server.url, {
          via: (url) => throughProxy(url, proxy),
          settings: ["deadlock_timeout=200ms"]
        })
        const { finish, next, progress, recorder } = yield* underLoad(target)
        const other = yield* openClient(target.url)
        yield* other("SET deadlock_timeout = '1min'")
        const insert = (id: number) => other("INSERT INTO trail (id, note) VALUES ($1, 'mine')", [id])
        const victim = yield* Effect.fork(degradedBy(recorder, "40P01", 1))
        // The other one may be the first at both records; then nobody is sent back, and it is tried again.
        for (let round = 0; round < 20 && victim.unsafePoll() === null; round++) {
          yield* progress()
          const [first, second] = [next(), next()]
          const marker = `round ${round} of the deadlock`
          const sent = yield* Deferred.make<void>()
          proxy.follow({
            fromClient: (bytes) => {
              if (bytes.includes(marker)) Deferred.unsafeDone(sent, Effect.void)
              return "pass"
            }
          })
          yield* other("BEGIN")
          yield* insert(second.id)
          expect(yield* recorder.saveAll([{ ...first, note: marker }, second])).toBe(true)
          yield* Deferred.await(sent)
          yield* insert(first.id)
          yield* other("ROLLBACK")
          yield* recorder.flush
        }
        expect(victim.unsafePoll()).not.toBe(null)
        yield* progress()
        yield* finish("deadlock")
      }).pipe(Effect.provide(quiet)),
    60_000
  )
})

describe("a table of PostgreSQL that changes under the recorder", () => {
  it.scopedLive(
    "loses a column and gets it back",
    () =>
      Effect.gen(function* () {
        const target = yield* pgTarget(server.url)
        const { finish, progress, recorder } = yield* underLoad(target)
        yield* progress(20)
        yield* target.sql("ALTER TABLE trail DROP COLUMN note")
        yield* degradedBy(recorder, "42703")
        yield* target.sql("ALTER TABLE trail ADD COLUMN note text NOT NULL DEFAULT ''")
        yield* progress(20)
        yield* finish("a column dropped")
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "is dropped and made again",
    () =>
      Effect.gen(function* () {
        const target = yield* pgTarget(server.url)
        const sql = yield* openClient(target.url)
        const ids = "SELECT id::int FROM archive ORDER BY seq"
        const { finish, progress, recorder } = yield* underLoad({
          storage: target.storage,
          stored: Effect.zipWith(sql(ids), target.stored, (before, after) => [
            ...before.map(({ id }) => Number(id)),
            ...after
          ])
        })
        yield* progress(20)
        // What the drop takes is no matter of the recorder: it is kept elsewhere.
        for (const statement of [
          "BEGIN",
          "LOCK TABLE trail",
          "CREATE TABLE archive AS TABLE trail",
          "DROP TABLE trail",
          "COMMIT"
        ]) {
          yield* sql(statement)
        }
        yield* degradedBy(recorder, "42P01")
        yield* sql(`CREATE TABLE trail ${trailTable}`)
        yield* progress(20)
        yield* finish("a table dropped and made again")
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "gets a NOT NULL column that no record has: nothing is set aside, and all is stored once that is mended",
    () =>
      Effect.gen(function* () {
        const target = yield* pgTarget(server.url)
        const { finish, progress, recorder } = yield* underLoad(target)
        yield* progress(20)
        yield* target.sql(`ALTER TABLE trail ADD COLUMN who text NOT NULL DEFAULT ''`)
        yield* progress()
        yield* target.sql("ALTER TABLE trail ALTER COLUMN who DROP DEFAULT")
        yield* degradedBy(recorder, "23502")
        expect((yield* recorder.stats).setAside).toBe(0)
        yield* target.sql("ALTER TABLE trail ALTER COLUMN who SET DEFAULT 'nobody'")
        yield* progress()
        yield* finish("a NOT NULL column", "in any order")
      }).pipe(Effect.provide(quiet)),
    60_000
  )
})

const mounts = mayMount()

describe("a disk that is full", () => {
  if (mounts) {
    it.scopedLive(
      "PostgreSQL, a tablespace on a tmpfs of 6 MiB: the recorder waits for room",
      () =>
        Effect.gen(function* () {
          const folder = path.join(path.dirname(server.dataDir), "small")
          const disk = yield* smallDisk(folder, 6, server.dataDir)
          const ballast = path.join(disk, "ballast")
          fs.writeFileSync(ballast, Buffer.alloc(5 * 2 ** 20))
          const sql = yield* openClient(server.url)
          yield* sql(`CREATE TABLESPACE small LOCATION '${disk}'`)
          yield* Effect.addFinalizer(() => sql("DROP TABLESPACE small"))
          const target = yield* pgTarget(server.url, { tablespace: "small" })
          const { finish, progress, recorder } = yield* underLoad(target)
          yield* degradedBy(recorder, "53100")
          fs.rmSync(ballast)
          yield* progress()
          yield* finish("disk full, PostgreSQL")
        }).pipe(Effect.scoped, Effect.provide(quiet)),
      60_000
    )
  }

  const instead = mounts ? "" : " (no tmpfs for PostgreSQL can be mounted here)"

  it.scopedLive(
    `SQLite, a file with a max_page_count: the recorder waits for room${instead}`,
    () =>
      Effect.gen(function* () {
        const filename = yield* tempFile
        const context = yield* Layer.build(SqliteClient.layer({ filename }))
        const sql = yield* Effect.provide(SqlClient.SqlClient, context)
        const storage = yield* Effect.provide(SqlStorage.make({ table: "trail", columns, id: "id" }), context)
        const db = yield* openPlain(filename)
        const stored: Target["stored"] = Effect.sync(
          () => db.prepare("SELECT id FROM trail ORDER BY rowid").pluck().all() as ReadonlyArray<number>
        )
        yield* sql.unsafe("PRAGMA max_page_count = 50")
        const { finish, progress, recorder } = yield* underLoad({ storage, stored })
        yield* degradedBy(recorder, "SQLITE_FULL")
        yield* sql.unsafe("PRAGMA max_page_count = 100000")
        yield* progress()
        yield* finish("disk full, SQLite")
      }).pipe(Effect.provide(quiet)),
    60_000
  )
})
