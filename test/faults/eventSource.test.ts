/**
 * Clients that follow a log over HTTP while their connections are cut and their server is restarted: every event is
 * told once and in order, over any number of reconnects. The client is an EventSource that is not ours.
 */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Scope } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as WatchSse from "../../src/platform/WatchSse.js"
import * as Watch from "../../src/Watch.js"
import { describeInChromium } from "../support/http/chromium.js"
import {
  type Client,
  type Connect,
  chromiumEventSource,
  eventSource,
  type Received
} from "../support/http/eventSource.js"
import { firstBytes, listen, portOf, send } from "../support/http/http.js"
import { type Fate, tcpProxy } from "../support/http/tcpProxy.js"
import { writing } from "../support/watch/frames.js"

const options: WatchSse.Options<unknown, unknown> = { retry: "20 millis", heartbeat: "50 millis" }

/** A server whose every path follows the log. */
const serving = <V>(log: ChangeLog.ChangeLog<V>, port = 0, follow: WatchSse.ServeOptions<V> = {}) =>
  Effect.gen(function* () {
    const watch = yield* Watch.make(log)
    // A request that comes when the routes are gone, but the server listens, is never answered and holds it up:
    // what takes time to close stands before the server.
    const server = yield* listen(port)
    const gone = yield* Deferred.make<void>()
    const watchers: Array<Watch.Watcher<V>> = []
    const observed: Watch.Watch<V> = {
      ...watch,
      open: (selector, options) =>
        Effect.tap(watch.open(selector, options), (watcher) => {
          watchers.push(watcher)
          return Effect.addFinalizer(() => Deferred.succeed(gone, undefined))
        })
    }
    const sse = yield* WatchSse.make(observed, options as WatchSse.Options<V, unknown>)
    yield* server.serve(Effect.orDie(sse.serve(ChangeLog.prefix(""), follow)))
    return { watch, watchers, gone: Deferred.await(gone), port: portOf(server) }
  })

const url = (port: number): string => `http://127.0.0.1:${port}/`

const seqOf = (cursor: string): number => Number(cursor.split(":")[1])

/** The numbers of the revisions whose events were told. */
const told = (received: ReadonlyArray<Received<unknown>>): ReadonlyArray<number> =>
  received.flatMap((each) => (each.name === "events" ? [seqOf(each.data.cursor)] : []))

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

const isTold = (client: Client<unknown>, seq: number) =>
  client.until((received) => told(received).at(-1) === seq)

/** What a client holds that takes every event at its word. */
const heldBy = (received: ReadonlyArray<Received<number>>): ReadonlyMap<string, number> => {
  const held = new Map<string, number>()
  for (const { data, name } of received) {
    if (name === "snapshot") held.clear()
    if (name === "snapshot") for (const { key, value } of data.entries) held.set(key, value)
    if (name !== "events") continue
    for (const change of data.events) {
      if (change.type === "put") held.set(change.key, change.value)
      else held.delete(change.key)
    }
  }
  return held
}

const suite = (connect: Connect): void => {
  it.scopedLive.each([["cut"], ["reset"]] as const)(
    "a connection that is %s: every event is told once and in order",
    ([fate]) =>
      Effect.gen(function* () {
        const log = yield* ChangeLog.make<string>({ maxBytes: 64 * 1024 * 1024 })
        const { port } = yield* serving(log)
        const proxy = yield* tcpProxy(port)
        const client = yield* connect<string>(url(proxy.port))
        yield* client.until((received) => received.length > 0)
        let chunks = 0
        let cuts = 0
        const decide = (): Fate => {
          // The largest events come in half as many chunks.
          if (++chunks % 12 !== 0) return "pass"
          cuts++
          return fate
        }
        proxy.follow({ fromServer: decide })
        const revisions = 400
        for (let seq = 1; seq <= revisions; seq++) {
          // Some are larger than what a proxy reads at once: they are cut in their middle.
          const value = seq % 20 === 0 ? "x".repeat(100_000) : `value ${seq}`
          yield* log.append([ChangeLog.put("a", value), ChangeLog.put(`b/${seq}`, value)])
          if (seq % 2 === 0) yield* isTold(client, seq)
        }
        expect(told(client.received)).toEqual(upTo(revisions))
        for (const { data, name } of client.received)
          if (name === "events") expect(data.events.length).toBe(2)
        expect(client.received.filter(({ name }) => name === "gap" || name === "end")).toEqual([])
        expect(cuts).toBeGreaterThanOrEqual(20)
        expect(client.connections()).toBeGreaterThanOrEqual(10)
        yield* Effect.log(
          `${fate}: ${revisions} revisions over ${client.connections()} connections, ${cuts} cut; 0 lost, 0 doubled`
        )
      })
  )

  it.scopedLive("a client that goes away ends its follow", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<string>()
      const { gone, port, watch } = yield* serving(log)
      const client = yield* connect<string>(url(port))
      yield* client.until((received) => received.length > 0)
      expect((yield* watch.health).watchers).toBe(1)
      yield* client.close
      yield* gone
      expect((yield* watch.health).watchers).toBe(0)
    })
  )

  // A response closes its connection when it ends: what a client asks next reaches the new server, and the old one
  // closes.
  it.scopedLive(
    "a server that is restarted over the same log: every event is delivered once and in order",
    () =>
      Effect.gen(function* () {
        const log = yield* ChangeLog.make<number>({ state: "latest" })
        const { put } = writing(log)
        const start = (port: number) =>
          Effect.gen(function* () {
            const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
            const server = yield* Scope.extend(serving(log, port), scope)
            return { ...server, stop: Effect.timed(Scope.close(scope, Exit.void)) }
          })
        let server = yield* start(0)
        const { port } = server
        const client = yield* connect<number>(url(port))
        yield* client.until((received) => received.length > 0)
        let seq = 0
        const write = (count: number) =>
          Effect.repeatN(
            Effect.suspend(() => put("a", ++seq)),
            count - 1
          )
        for (let round = 1; round <= 5; round++) {
          yield* write(10)
          yield* isTold(client, seq)
          yield* write(10)
          const [took] = yield* server.stop
          // It does not wait for its clients to go away.
          expect(Duration.toMillis(took)).toBeLessThan(2000)
          yield* write(10)
          server = yield* start(port)
          yield* isTold(client, seq)
        }
        expect(told(client.received)).toEqual(upTo(150))
        const ends = client.received.flatMap((each) => (each.name === "end" ? [each.data] : []))
        expect(ends.map(({ next, reason }) => [reason, next])).toEqual(
          new Array(5).fill(["Closed", "resume"])
        )
      })
  )

  it.scopedLive(
    "a server that is restarted with a log that begins anew: a gap and a snapshot, and the client holds what the log does",
    () =>
      Effect.gen(function* () {
        const start = (port: number) =>
          Effect.gen(function* () {
            const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
            const log = yield* ChangeLog.make<number>({ state: "latest" })
            const { put } = writing(log)
            yield* put("a", 1)
            yield* put(`only of ${port === 0 ? "the first" : "the second"}`, 2)
            const server = yield* Scope.extend(serving(log, port, { snapshot: "first" }), scope)
            return { log, put, port: server.port, stop: Scope.close(scope, Exit.void) }
          })
        const first = yield* start(0)
        const client = yield* connect<number>(url(first.port))
        yield* first.put("b", 3)
        yield* client.until((received) => heldBy(received).get("b") === 3)
        yield* first.stop
        const second = yield* start(first.port)
        yield* second.put("c", 4)
        yield* client.until((received) => heldBy(received).get("c") === 4)
        const { entries } = yield* second.log.snapshot(ChangeLog.prefix(""))
        expect(heldBy(client.received)).toEqual(new Map(entries.map(({ key, value }) => [key, value])))
        const gaps = client.received.filter(({ name }) => name === "gap")
        expect(gaps.map(({ data }) => data)).toMatchObject([{ from: 1, reason: "EpochChanged" }])
      })
  )
}

describe("an EventSource of Node.js", { timeout: 60_000 }, () => suite(eventSource))

describeInChromium("an EventSource", () => suite(chromiumEventSource))

describe("a connection that is held up", { timeout: 60_000 }, () => {
  it.scopedLive("a client that does not read fills its watcher's buffer, and then gets everything", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<string>({ maxBytes: 256 * 1024 * 1024 })
      const { watchers, port, watch } = yield* serving(log, 0, { buffer: 16 })
      const socket = yield* send(port, "/")
      yield* firstBytes(socket)
      socket.pause()
      const [watcher] = watchers
      const beside = yield* watch.open(ChangeLog.key("last"))
      yield* beside.take
      const revisions = 400
      for (let i = 1; i < revisions; i++) yield* log.append([ChangeLog.put("a", "x".repeat(50_000))])
      yield* log.append([ChangeLog.put("last", "x")])
      yield* beside.take
      // Of 20 MB, what the kernel takes and 16 revisions are all that waits for this one.
      const { buffered, lag, state } = yield* watcher!.health
      expect([state, buffered <= 16, lag > revisions / 4]).toEqual(["Behind", true, true])
      const read = Effect.async<string>((resume) => {
        const parts: Array<string> = []
        socket.setEncoding("utf8")
        socket.on("data", (part: string) => {
          const end = (parts.at(-1)?.slice(-20) ?? "") + part
          parts.push(part)
          if (end.includes('"key":"last"')) resume(Effect.succeed(parts.join("")))
        })
        socket.resume()
      })
      const ids = (yield* read).matchAll(/^event: events\nid: (.+)$/gm)
      expect([...ids].map(([, id = ""]) => seqOf(id)).slice(0, revisions - 1)).toEqual(upTo(revisions - 1))
    })
  )
})
