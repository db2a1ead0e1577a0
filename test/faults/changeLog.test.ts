/**
 * Change logs on a real Postgres whose listeners are killed, whose links are cut, that is restarted, and that many
 * write to at once: whoever follows sees every revision once, in one order.
 *
 * Where a test is about the doorbell there is no poll, so that only its rings lead to what was missed: it rings every
 * feed when it is up again, and its ping finds a link that is half-open (pg/doorbell). A commit locks the head of its
 * log (pg/log), and a cursor has the tag of its revision (log/events).
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Either, Exit, Fiber, Layer, Redacted, Schedule, Scope, Stream } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import * as PgDoorbell from "../../src/sql/PgDoorbell.js"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"
import { type Fate, tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"
import { openClient, ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { startChild } from "../support/processes/childProcess.js"
import { following } from "../support/watch/following.js"
import { expectGapFree, keysOf } from "../support/watch/histories.js"
import type { LogSetting } from "./logChild.js"

let server: PostgresServer
let script: string
// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())

beforeAll(async () => {
  server = await startPostgres({ settings: { max_connections: "150" } })
  script = await Effect.runPromise(Scope.extend(bundled("test/faults/logChild.ts"), scope))
}, 120_000)
afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await server?.stop()
})

const limit = "40 seconds"
const timeout = Duration.toMillis(limit) + 20_000

const never = { poll: "1 hour", pollWhileDown: "1 hour" } as const

const child = (setting: LogSetting) => startChild(script, JSON.stringify(setting))

/** All revisions of a child that writes alone. */
const expectAll = (seen: ReadonlyArray<ChangeLog.LoggedRevision<unknown>>, name: string, commits: number) => {
  expectGapFree(seen)
  const wanted = Array.from({ length: commits }, (_, n) => [`/${name}/${n + 1}/0`, `/${name}/${n + 1}/1`])
  expect(keysOf(seen)).toEqual(wanted.flat())
}

const until = ({ states }: PgDoorbell.PgDoorbell, tag: PgDoorbell.State["_tag"]) =>
  Stream.runHead(Stream.filter(states, ({ _tag }) => _tag === tag))

const commits = 200

/** A writer in another process, and a reader here that hears of it by this doorbell. */
const watched = (options: Partial<PgDoorbell.PgDoorbellOptions> = {}, via = (url: string) => url) =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server.url)
    const doorbell = yield* PgDoorbell.make({
      ...never,
      applicationName: "listener",
      ...options,
      url: via(url)
    })
    const log = yield* PgChangeLog.make({ url, table: "log", doorbell, connectTimeout: "500 millis" })
    yield* until(doorbell, "Up")
    const reader = yield* following(log)
    const writer = yield* child({ url, name: "w", commits, pause: 2, waits: 0, follows: 0 })
    yield* writer.said("ready")
    const finish = Effect.gen(function* () {
      yield* writer.said("done")
      yield* Effect.timeout(reader.until(2 * commits), limit)
      expectAll(reader.seen, "w", commits)
    })
    return { url, doorbell, log, reader, writer, finish }
  })

describe("a doorbell", () => {
  it.scopedLive(
    "whose backend is ended again and again: nothing is missed, nothing comes twice",
    () =>
      Effect.gen(function* () {
        const { doorbell, finish, reader, url } = yield* watched()
        const sql = yield* openClient(url)
        for (const seq of [20, 80, 160, 240, 320]) {
          yield* reader.until(seq)
          yield* sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listener'"
          )
          yield* until(doorbell, "Down")
        }
        yield* finish
      }),
    timeout
  )

  it.scopedLive(
    "whose link is cut: nothing is missed, nothing comes twice",
    () =>
      Effect.gen(function* () {
        const proxy = yield* tcpProxy(server.port)
        let cuts = 0
        let chunks = 0
        const sometimes = (): Fate =>
          ++chunks % 15 === 0 && ++cuts <= 6 ? (cuts % 2 === 0 ? "cut" : "reset") : "pass"
        proxy.follow({ fromServer: sometimes })
        const { finish } = yield* watched({ connectTimeout: "500 millis" }, (url) => throughProxy(url, proxy))
        yield* finish
        expect(cuts).toBeGreaterThan(3)
      }),
    timeout
  )

  it.scopedLive(
    "whose link is half-open: it finds out by its ping, and nothing is missed",
    () =>
      Effect.gen(function* () {
        const proxy = yield* tcpProxy(server.port)
        const via = (url: string) => throughProxy(url, proxy)
        const intervals = {
          pingInterval: "100 millis",
          pingTimeout: "200 millis",
          connectTimeout: "500 millis"
        } as const
        const { doorbell, finish, reader, writer } = yield* watched(intervals, via)
        for (const seq of [40, 200]) {
          yield* reader.until(seq)
          const down = yield* Effect.fork(until(doorbell, "Down"))
          proxy.follow({ fromServer: () => "freeze", fromClient: () => "freeze" })
          yield* Fiber.join(down)
          // The last time until nobody writes any more: only the rings when it is up lead to what there is.
          if (seq === 200) yield* writer.said("done")
          proxy.follow({})
          yield* until(doorbell, "Up")
        }
        yield* finish
      }),
    timeout
  )
})

describe("a log", () => {
  it.scopedLive(
    "whose server is restarted under its writers: every commit is there once, and followed once",
    () =>
      Effect.gen(function* () {
        // Last rings may be lost: the writer can end while its own doorbell is away.
        const { finish, reader } = yield* watched({ poll: "1 second", pollWhileDown: "100 millis" })
        yield* reader.until(40)
        yield* Effect.promise(() => server.restart("fast"))
        yield* reader.until(160)
        yield* Effect.promise(() => server.restart("immediate"))
        yield* finish
      }),
    timeout
  )

  it.scopedLive(
    "that nobody rings is found by the poll",
    () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server.url)
        const log = yield* PgChangeLog.make({ url, table: "log", poll: "20 millis" })
        const reader = yield* following(log)
        yield* child({ url, name: "w", commits: 20, pause: 1, waits: 0, follows: 0 })
        yield* Effect.timeout(reader.until(40), limit)
        expectAll(reader.seen, "w", 20)
      }),
    timeout
  )

  it.scopedLive(
    "of two processes is the same for both, with the same tags, in the same order",
    () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server.url)
        const each = 60
        const log = yield* PgChangeLog.make({ url, table: "log", doorbell: yield* PgDoorbell.make({ url }) })
        const [a, b] = yield* Effect.forEach(["a", "b"], (name) =>
          child({ url, name, commits: each, pause: 3, waits: 1, follows: 4 * each + 1 })
        )
        yield* Effect.all([a!.said("ready"), b!.said("ready")])
        yield* log.append([ChangeLog.put("/go", 1)])
        yield* Effect.timeout(Effect.all([a!.said("done"), b!.said("done")]), limit)
        const saw = (lines: ReadonlyArray<string>) => lines.filter((line) => line.startsWith("saw"))
        expect(saw(a!.lines)).toEqual(saw(b!.lines))
        expect(saw(a!.lines).length).toBe(4 * each + 1)
        const seqs = saw(a!.lines).map((line) => Number(line.split(" ")[1]))
        expect(seqs).toEqual(seqs.map((_, n) => n + 1))
        for (const name of ["a", "b"]) {
          const own = saw(a!.lines).flatMap((line) =>
            line.includes(`/${name}/`) ? [line.split(" ")[3]] : []
          )
          expect(own).toEqual(
            Array.from({ length: each }, (_, n) => [`/${name}/${n + 1}/0`, `/${name}/${n + 1}/1`]).flat()
          )
        }
        // They did write at the same time.
        const turns = saw(a!.lines).filter(
          (line, n, all) => line.includes("/a/") !== all[n + 1]?.includes("/a/")
        )
        expect(turns.length).toBeGreaterThan(10)
      }),
    timeout
  )

  it.scopedLive(
    "that is restored from a backup and uses numbers again is noticed as EpochChanged",
    () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server.url)
        const log = yield* PgChangeLog.make<number>({ url, table: "log" })
        const sql = yield* openClient(url)
        const append = (count: number) =>
          Effect.forEach(Array.from({ length: count }), (_, n) => log.append([ChangeLog.put("/a", n)]))
        const before = yield* append(5)
        yield* sql("CREATE TABLE backup AS SELECT * FROM log")
        yield* sql("CREATE TABLE backup_heads AS SELECT * FROM log_heads")
        const lost = yield* append(5)
        yield* sql(
          "BEGIN; TRUNCATE log, log_heads; INSERT INTO log SELECT * FROM backup; INSERT INTO log_heads SELECT * FROM backup_heads; COMMIT"
        )
        const read = (after: ChangeLog.Revision) => Effect.either(log.read({ after, limit: 10 }))
        // Numbers that are not used yet, and, after others have written, numbers that are used again.
        for (const after of lost)
          expect(Either.getLeft(yield* read(after))).toMatchObject({ value: { _tag: "EpochChanged" } })
        yield* append(7)
        for (const after of lost)
          expect(Either.getLeft(yield* read(after))).toMatchObject({ value: { _tag: "EpochChanged" } })
        // What the backup holds is the same history.
        for (const after of before) expect(Either.isRight(yield* read(after))).toBe(true)
        const epoch = yield* log.renewEpoch
        expect(Either.getLeft(yield* read(before[0]!))).toMatchObject({
          value: { _tag: "EpochChanged", epoch }
        })
      }),
    timeout
  )
})

describe("64 writers at once", () => {
  // Each of its commits goes one of these ways.
  const fates = ["commit", "commit", "commit", "roll back", "kill"] as const

  it.scopedLive(
    "with delays, rollbacks and kills, beside a transaction that is never ended: every commit is followed once",
    () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server.url)
        const options = { table: "log", lockTimeout: "30 seconds" } as const
        const watcher = yield* following(yield* PgChangeLog.make({ url, table: "log", poll: "20 millis" }))
        const sql = yield* openClient(url)
        const killing = yield* openClient(url)
        const one = yield* Effect.makeSemaphore(1)
        const kill = (pid: number) => one.withPermits(1)(killing("SELECT pg_terminate_backend($1)", [pid]))
        // It has written, and holds what an xmin horizon would stop at.
        yield* sql("CREATE TABLE idle (n int)")
        yield* sql("BEGIN; INSERT INTO idle VALUES (1)")
        const context = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 64 }))
        const log = yield* Effect.provide(SqlChangeLog.make(options), context)
        const committed = new Set<string>()
        const absent = new Set<string>()
        const tries = { commit: 0, "roll back": 0, kill: 0 }

        const once = (writer: number, n: number) =>
          Effect.gen(function* () {
            const client = yield* SqlClient
            // Drawn by the number, so that each run has the same ones.
            const fate = fates[(writer * 7 + n * 3) % fates.length]!
            const key = `/${writer}/${n}`
            tries[fate]++
            const body = (transaction: SqlChangeLog.Transaction) =>
              Effect.gen(function* () {
                const [row] = yield* client<{ pid: number }>`SELECT pg_backend_pid() AS pid`
                yield* transaction.append(log, [ChangeLog.put(key, n)])
                yield* Effect.sleep((writer * 5 + n) % 12)
                if (fate === "roll back") return yield* Effect.fail("rolled back" as const)
                // At some moment of what follows: before the head is asked for, while it is waited for, or later.
                if (fate === "kill") {
                  yield* Effect.forkDaemon(Effect.zipRight(Effect.sleep((writer + n) % 25), kill(row!.pid)))
                }
              })
            const done = yield* Effect.either(SqlChangeLog.transact(body))
            if (Either.isRight(done)) committed.add(key)
            else if (done.left === "rolled back") absent.add(key)
            else if (done.left._tag === "ChangeLogError" && done.left.outcome === "NotStored") absent.add(key)
          })
        const writer = (w: number) =>
          Effect.forEach(Array.from({ length: 10 }), (_, n) => once(w, n), { discard: true })
        yield* Effect.forEach(Array.from({ length: 64 }), (_, w) => writer(w), {
          concurrency: "unbounded"
        }).pipe(Effect.provide(context))
        const { head } = yield* Effect.retry(log.head, Schedule.recurs(5))
        yield* Effect.timeout(watcher.until(head.seq), limit)

        expectGapFree(watcher.seen)
        const keys = keysOf(watcher.seen)
        expect(watcher.seen[0]?.revision.seq).toBe(1)
        expect(keys.length).toBe(head.seq)
        expect(new Set(keys).size).toBe(keys.length)
        expect([...committed].filter((key) => !keys.includes(key))).toEqual([])
        expect(keys.filter((key) => absent.has(key))).toEqual([])
        expect(committed.size).toBeGreaterThan(tries.commit * 0.9)
        yield* Effect.log(
          `64 writers: ${committed.size} committed, ${absent.size} rolled back or refused, ` +
            `${640 - committed.size - absent.size} unknown, of which ${keys.length - committed.size} are there`
        )
      }),
    timeout
  )
})
