/** Limits of a server and of the way to it, which no record is to blame for, or just one. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Option, Schedule } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { Column } from "../../src/Storage.js"
import * as PgStorage from "../../src/sql/PgStorage.js"
import { tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { runs } from "../support/laws/laws.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"
import { openClient } from "../support/postgres/tables.js"
import { expectBalance, numbers } from "../support/recorder/account.js"
import { pgTarget } from "../support/recorder/underLoad.js"
import { status } from "../support/recorder/watching.js"

let server: PostgresServer
beforeAll(async () => {
  // The least that it takes: 64 pages of 8 KiB.
  server = await startPostgres({ settings: { max_notify_queue_pages: "64" } })
})
afterAll(() => server?.stop())

const quiet = Logger.remove(Logger.defaultLogger)
const retry = Schedule.spaced("30 millis")
const rows = (count: number, note: string) => numbers(count).map((id) => ({ id, note }))

describe("the queue of notifications is full", () => {
  it.scopedLive(
    "so that a user's trigger fails every save: all is stored once it is read, and nothing set aside",
    () =>
      Effect.gen(function* () {
        const { sql, storage, stored, url } = yield* pgTarget(server.url)
        yield* sql(`CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_notify('trail', NEW.id::text); RETURN NEW; END $$`)
        yield* sql("CREATE TRIGGER told BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION told()")
        const listener = yield* openClient(url)
        yield* listener("LISTEN trail")
        // While its transaction is open it reads nothing, and nothing leaves the queue.
        yield* listener("BEGIN")
        yield* listener("SELECT 1")
        const filler = yield* openClient(url)
        // Until not even one of the trigger's own finds room.
        for (const length of [7000, 1]) {
          const fill = Effect.exit(filler(`SELECT pg_notify('trail', repeat('x', ${length}))`))
          while ((yield* fill)._tag === "Success");
        }
        const recorder = yield* Recorder.make(storage, { retry })
        yield* recorder.saveAll(rows(2000, "a note"))
        const { cause } = yield* status(recorder, "Degraded", ({ attempt }) => attempt >= 8)
        expect(Option.getOrThrow(cause)).toMatchObject({ kind: "Transient", cause: { code: "54000" } })
        expect(recorder.unsafeStats()).toMatchObject({ pending: 2000, setAside: 0 })
        yield* listener("COMMIT")
        // What has been read is freed by a sender, and none gets through, or by whoever asks how full the queue is.
        yield* listener("SELECT pg_notification_queue_usage()")
        yield* recorder.flush
        const { setAside, stats, unsaved } = yield* recorder.close
        expectBalance(stats)
        expect([setAside, unsaved]).toEqual([[], []])
        expect(yield* stored).toEqual(numbers(2000))
      }).pipe(Effect.provide(quiet)),
    60_000
  )
})

describe("a way to the server that breaks over large statements", () => {
  it.scopedLive(
    "lets the small ones through: the batch is halved, and the record set aside that cannot pass alone",
    () =>
      Effect.gen(function* () {
        const proxy = yield* tcpProxy(server.port)
        const target = yield* pgTarget(server.url, { via: (url) => throughProxy(url, proxy) })
        const most = 60_000
        let sent = 0
        let broken = 0
        proxy.follow({
          fromClient: (bytes) => {
            sent += bytes.length
            if (sent <= most) return "pass"
            sent = 0
            broken++
            return "reset"
          },
          fromServer: () => {
            sent = 0
            return "pass"
          }
        })
        const recorder = yield* Recorder.make(target.storage, { retry })
        const bad = { id: 500, note: "y".repeat(100_000) }
        const good = rows(200, "x".repeat(1000))
        yield* recorder.saveAll([...good.slice(0, 70), bad, ...good.slice(70)])
        // What comes later has something to compare with.
        yield* recorder.saveDurable({ id: 1000, note: "later" })
        yield* Effect.forEach(numbers(3, 1001), (id) => recorder.saveDurable({ id, note: "later" }))
        yield* recorder.flush
        const { setAside, stats, unsaved } = yield* recorder.close
        expectBalance(stats)
        expect(unsaved).toEqual([])
        expect(setAside.map(({ record }) => record.id)).toEqual([500])
        expect([...(yield* target.stored)].sort((a, b) => a - b)).toEqual([
          ...numbers(200),
          ...numbers(4, 1000)
        ])
        expect(broken).toBeGreaterThan(0)
      }).pipe(Effect.provide(quiet)),
    60_000
  )
})

// GiBs and minutes: what stands here in the small is shown in full by the long run.
describe.runIf(runs(1) > 1)("records as large as a server takes", () => {
  const open = Effect.gen(function* () {
    const { sql, url } = yield* pgTarget(server.url)
    yield* sql("CREATE TABLE large (id bigint PRIMARY KEY, one bytea NOT NULL, two bytea NOT NULL)")
    const large = { id: Column.integer, one: Column.bytes, two: Column.bytes }
    const storage = yield* PgStorage.make({ url, table: "large", columns: large, id: "id" })
    return { sql, storage }
  })

  it.scopedLive(
    "one of 1.35 GB is set aside, and what stands around it is stored",
    () =>
      Effect.gen(function* () {
        const { sql, storage } = yield* open
        const small = new Uint8Array(10)
        const recorder = yield* Recorder.make(storage)
        const huge = { id: 2, one: new Uint8Array(700_000_000), two: new Uint8Array(650_000_000) }
        yield* recorder.saveAll([{ id: 1, one: small, two: small }, huge, { id: 3, one: small, two: small }])
        yield* recorder.flush
        const { setAside, stats } = yield* recorder.close
        expect(setAside.map(({ record }) => record.id)).toEqual([2])
        expect(stats).toMatchObject({ stored: 2, retries: 0 })
        expect((yield* sql("SELECT id FROM large ORDER BY id")).map(({ id }) => Number(id))).toEqual([1, 3])
      }).pipe(Effect.provide(quiet)),
    600_000
  )

  it.scopedLive(
    "1,000 of 1.1 MB are stored",
    () =>
      Effect.gen(function* () {
        const { sql, storage } = yield* open
        const part = new Uint8Array(550_000).fill(7)
        const recorder = yield* Recorder.make(storage)
        yield* recorder.saveAll(numbers(1000).map((id) => ({ id, one: part, two: part })))
        yield* recorder.flush
        const { setAside, stats } = yield* recorder.close
        expect([setAside, stats.stored]).toEqual([[], 1000])
        const [found] = yield* sql("SELECT count(*)::int AS n FROM large WHERE length(one) = 550000")
        expect(found?.n).toBe(1000)
      }).pipe(Effect.provide(quiet)),
    600_000
  )
})
