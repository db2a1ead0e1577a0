/** The doorbell between processes. Polls are an hour apart here where a ring has to come from the server. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Queue, Scope, Stream } from "effect"
import { InvalidOptions, put } from "../../src/ChangeLog.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import * as PgDoorbell from "../../src/sql/PgDoorbell.js"
import { tcpProxy } from "../support/http/tcpProxy.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { openClient, ownSchema } from "../support/postgres/tables.js"

const never = { poll: "1 hour", pollWhileDown: "1 hour" } as const

/** Waits for a state. */
const until = ({ states }: PgDoorbell.PgDoorbell, tag: PgDoorbell.State["_tag"]) =>
  states.pipe(
    Stream.filter(({ _tag }) => _tag === tag),
    Stream.runHead,
    Effect.asVoid
  )

/** Listens, and gives what takes the next ring. */
const listening = (bell: PgDoorbell.PgDoorbell, feed: string, channel = "log") =>
  Effect.gen(function* () {
    const rings = yield* Queue.unbounded<void>()
    yield* bell.listen(channel, feed, () => rings.unsafeOffer(undefined))
    return {
      ring: Queue.take(rings),
      /** How many there were since the last time. */
      count: Effect.map(Queue.takeAll(rings), (all) => all.length)
    }
  })

/** A listening connection shows its process by its name. */
const backends = "SELECT pid FROM pg_stat_activity WHERE application_name = $1"

for (const { name, url: server } of databaseUrls()) {
  describe(`PgDoorbell, ${name}`, () => {
    it.scopedLive("rings for the commits of others, feed by feed, and not for other feeds and channels", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const [ours, theirs] = yield* Effect.all([
          PgDoorbell.make({ url, ...never }),
          PgDoorbell.make({ url, ...never })
        ])
        yield* Effect.all([until(ours, "Up"), until(theirs, "Up")])
        const a = yield* listening(ours, "a")
        const colon = yield* listening(ours, "a:b")
        const other = yield* listening(ours, "a", "other")
        // When the server listens.
        yield* Effect.all([a.ring, colon.ring, other.ring])
        const log = yield* PgChangeLog.make({ url, table: "log", feed: "a", doorbell: theirs })
        yield* log.append([put("/a", 1)])
        yield* a.ring
        yield* theirs.ring("log", "a:b", 1)
        yield* colon.ring
        expect(yield* a.count).toBe(0)
        expect(yield* other.count).toBe(0)
      })
    )

    it.scopedLive("sends one ring for many commits, the last one with the head", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const bell = yield* PgDoorbell.make({ url, ...never })
        const raw: Array<string> = []
        const last = yield* Deferred.make<void>()
        const other = yield* PgDoorbell.make({ url, ...never })
        yield* until(bell, "Up")
        yield* until(other, "Up")
        const log = yield* PgChangeLog.make({ url, table: "log", doorbell: bell })
        yield* other.listen("log", "main", () => {
          raw.push("ring")
          // A ring is a plain callback.
          Effect.runFork(
            Effect.flatMap(log.head, ({ head }) =>
              head.seq === 200 ? Deferred.succeed(last, undefined) : Effect.void
            )
          )
        })
        yield* Effect.forEach(Array.from({ length: 200 }), () => log.append([put("/a", 1)]), {
          concurrency: 20
        })
        yield* Deferred.await(last)
        expect(raw.length).toBeLessThan(100)
      })
    )

    it.scopedLive("sends what waits when it ends", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const ours = yield* PgDoorbell.make({ url, ...never })
        yield* until(ours, "Up")
        const feeds = yield* Effect.forEach(["a", "b"], (feed) => listening(ours, feed))
        yield* Effect.forEach(feeds, ({ ring }) => ring)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const theirs = yield* PgDoorbell.make({ url, ...never })
            yield* until(theirs, "Up")
            yield* theirs.ring("log", "a", 1)
            yield* feeds[0]!.ring
            // It would be sent some milliseconds later, with those that come until then.
            yield* theirs.ring("log", "b", 1)
          })
        )
        yield* Effect.timeout(feeds[1]!.ring, "10 seconds")
      })
    )

    it.scopedLive("sends what waits when it ends before it is up", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const ours = yield* PgDoorbell.make({ url, ...never })
        yield* until(ours, "Up")
        const feed = yield* listening(ours, "a")
        yield* feed.ring
        yield* Effect.scoped(
          Effect.flatMap(PgDoorbell.make({ url, ...never }), (theirs) => theirs.ring("log", "a", 1))
        )
        yield* Effect.timeout(feed.ring, "10 seconds")
      })
    )

    it.scopedLive("ends in time when its link is half-open", () =>
      Effect.gen(function* () {
        const url = new URL(yield* ownSchema(server))
        const proxy = yield* tcpProxy(Number(url.port))
        url.port = String(proxy.port)
        const scope = yield* Scope.make()
        const bell = yield* Scope.extend(PgDoorbell.make({ url: url.href, ...never }), scope)
        yield* until(bell, "Up")
        proxy.follow({ fromServer: () => "freeze", fromClient: () => "freeze" })
        yield* bell.ring("log", "a", 1)
        const closing = yield* Effect.forkDaemon(Scope.close(scope, Exit.void))
        yield* Effect.timeout(Fiber.join(closing), "6 seconds")
      })
    )

    // Each in a transaction of its own, they hold up the commits of all who notify.
    it.scopedLive("sends the rings of many feeds in one statement", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        let statements = 0
        const proxy = yield* tcpProxy(Number(new URL(url).port))
        proxy.follow({
          fromClient: (bytes) => {
            statements += bytes.toString("latin1").split("pg_notify").length - 1
            return "pass"
          }
        })
        const through = new URL(url)
        through.port = String(proxy.port)
        const [rung, heard] = yield* Effect.all([
          PgDoorbell.make({ url: through.href, ...never }),
          PgDoorbell.make({ url, ...never })
        ])
        yield* Effect.all([until(rung, "Up"), until(heard, "Up")])
        const feeds = Array.from({ length: 100 }, (_, n) => `feed "${n}": é`)
        const all = yield* Effect.forEach(feeds, (feed) => listening(heard, feed))
        yield* Effect.forEach(all, ({ ring }) => ring)
        yield* Effect.forEach(feeds, (feed) => rung.ring("log", feed, 1))
        yield* Effect.forEach(all, ({ ring }) => ring)
        expect(statements).toBeLessThanOrEqual(2)
      })
    )

    it.scopedLive("sends again the rings that were lost with its connection", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        let lost = 0
        const proxy = yield* tcpProxy(Number(new URL(url).port))
        proxy.follow({
          fromClient: (bytes) =>
            bytes.toString("latin1").includes("pg_notify") && lost++ === 0 ? "reset" : "pass"
        })
        const through = new URL(url)
        through.port = String(proxy.port)
        const [rung, heard] = yield* Effect.all([
          PgDoorbell.make({ url: through.href, ...never }),
          PgDoorbell.make({ url, ...never })
        ])
        yield* Effect.all([until(rung, "Up"), until(heard, "Up")])
        const [a, b] = yield* Effect.all([listening(heard, "a"), listening(heard, "b")])
        yield* Effect.all([a.ring, b.ring])
        yield* rung.ring("log", "a", 1)
        yield* rung.ring("log", "b", 1)
        yield* Effect.timeout(Effect.all([a.ring, b.ring]), "5 seconds")
        expect(lost).toBeGreaterThan(1)
      })
    )

    it.scopedLive("keeps a channel for as long as a log listens on it", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const bell = yield* PgDoorbell.make({ url, ...never })
        const sql = yield* openClient(url)
        yield* until(bell, "Up")
        const stays = yield* listening(bell, "f")
        yield* stays.ring
        const goes = yield* Effect.scoped(
          Effect.gen(function* () {
            const goes = yield* listening(bell, "f")
            yield* sql("SELECT pg_notify('log', 'f:1')")
            yield* Effect.all([stays.ring, goes.ring])
            return goes
          })
        )
        // Without a payload it is for everybody on the channel.
        yield* sql("SELECT pg_notify('log', '')")
        yield* stays.ring
        expect(yield* goes.count).toBe(0)
      })
    )

    it.scopedLive("is down when its backend is ended, up again by itself, and rings once then", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const applicationName = new URL(url).searchParams.get("options") ?? "doorbell"
        const bell = yield* PgDoorbell.make({ url, ...never, applicationName })
        const sql = yield* openClient(url)
        const a = yield* listening(bell, "a")
        const b = yield* listening(bell, "b")
        yield* Effect.all([a.ring, b.ring])
        for (let round = 0; round < 3; round++) {
          const [backend] = yield* sql(backends, [applicationName])
          yield* sql("SELECT pg_terminate_backend($1)", [backend?.pid])
          yield* Effect.all([a.ring, b.ring])
          expect(yield* bell.state).toEqual({ _tag: "Up" })
          expect([yield* a.count, yield* b.count]).toEqual([0, 0])
          yield* sql("SELECT pg_notify('log', 'b:1')")
          yield* b.ring
        }
      })
    )
  })
}

it.scopedLive("PgDoorbell refuses wrong options, and gives the cause while it is down", () =>
  Effect.gen(function* () {
    const wrong = [
      { url: "mysql://x" },
      { pingInterval: 0 },
      { pingTimeout: -1 },
      { poll: "50 days" },
      { port: 0 },
      { maxConnections: 2 }
    ]
    for (const options of wrong) {
      expect(yield* Effect.flip(PgDoorbell.make(options as PgDoorbell.PgDoorbellOptions))).toBeInstanceOf(
        InvalidOptions
      )
    }
    const bell = yield* PgDoorbell.make({ host: "127.0.0.1", port: 1, pollWhileDown: "5 millis" })
    const down = yield* bell.states.pipe(
      Stream.filter((state) => state._tag === "Down" && state.cause.includes("ECONNREFUSED")),
      Stream.runHead
    )
    expect(down._tag).toBe("Some")
    // It rings all the same.
    const a = yield* listening(bell, "a")
    yield* a.ring
    yield* a.ring
  })
)
