/** What stands between a server and its clients, over real connections. */
import { request } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as WatchSse from "../../src/platform/WatchSse.js"
import * as Watch from "../../src/Watch.js"
import { compressingProxy } from "../support/http/compressing.js"
import { firstBytes, listen, portOf, send } from "../support/http/http.js"
import { everything } from "../support/http/watchSse.js"

const limit = "5 seconds"

/** A server whose every path follows a log of texts. */
const serving = (options: WatchSse.Options<string, string>) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<string>({ sizeOf: () => 1 })
    const watch = yield* Watch.make(log)
    const server = yield* listen()
    const released = yield* Deferred.make<void>()
    const sse = yield* WatchSse.make(watch, options)
    yield* server.serve(
      Effect.orDie(
        Effect.andThen(
          Effect.addFinalizer(() => Deferred.succeed(released, undefined)),
          sse.serve(everything)
        )
      )
    )
    return { log, watch, released: Deferred.await(released), port: portOf(server) }
  })

/** What a client that takes compressed answers is sent; `until` completes when it holds the text. */
const reading = (port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const waiting = new Set<() => void>()
        let text = ""
        const outgoing = request(
          { host: "127.0.0.1", port, agent: false, headers: { "accept-encoding": "gzip" } },
          (response) => {
            response.on("data", (part: Buffer) => {
              text += part.toString("utf8")
              for (const look of waiting) look()
            })
          }
        )
        outgoing.on("error", () => {})
        outgoing.end()
        const until = (part: string) =>
          Effect.async<void>((resume) => {
            const look = () => {
              if (text.includes(part)) resume(Effect.void)
            }
            waiting.add(look)
            look()
            return Effect.sync(() => waiting.delete(look))
          }).pipe(Effect.timeoutFail({ duration: limit, onTimeout: () => `no ${part} in ${text}` }))
        return { until, outgoing }
      }),
      ({ outgoing }) => Effect.sync(() => outgoing.destroy())
    ),
    ({ until }) => until
  )

describe("WatchSse behind a network", () => {
  it.scopedLive("events and heartbeats pass a proxy that compresses", () =>
    Effect.gen(function* () {
      const { log, port } = yield* serving({ heartbeat: "20 millis" })
      const until = yield* reading(yield* compressingProxy(port))
      yield* until("event: synced")
      yield* until("\n\n:\n\n")
      yield* log.append([ChangeLog.put("a", "passes")])
      yield* until('"value":"passes"')
    })
  )

  it.scopedLive("a client that never reads is ended and disconnected after the limit", () =>
    Effect.gen(function* () {
      const { log, port, released, watch } = yield* serving({ stallTimeout: "50 millis", heartbeat: 0 })
      const socket = yield* send(port, "/")
      expect(yield* firstBytes(socket)).toContain("200 OK")
      socket.pause()
      const gone = yield* Deferred.make<void>()
      socket.on("error", () => Deferred.unsafeDone(gone, Effect.void))
      socket.on("close", () => Deferred.unsafeDone(gone, Effect.void))
      // More than the systems of both sides hold.
      yield* Effect.iterate(0, {
        while: (i) => i < 48,
        body: (i) => Effect.as(log.append([ChangeLog.put("a", `${i}${"x".repeat(500_000)}`)]), i + 1)
      })
      yield* Effect.timeoutFail(released, { duration: limit, onTimeout: () => "its request goes on" })
      expect((yield* watch.health).watchers).toBe(0)
      socket.resume()
      yield* Effect.timeoutFail(Deferred.await(gone), { duration: limit, onTimeout: () => "it is connected" })
    })
  )
})
