/** How long many clients over HTTP hold up everybody else: when they open, are told an event, and are quiet. */
import { HttpServerRequest, type HttpServerResponse } from "@effect/platform"
import { Effect, Fiber, Scope, Stream } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as WatchSse from "../../../src/platform/WatchSse.js"
import * as Watch from "../../../src/Watch.js"
import type { Bench, Case } from "../support/bench.js"
import { turn, using } from "../support/recorders.js"
import { longestStall } from "../support/stalls.js"

const everything = ChangeLog.prefix("")
const request = HttpServerRequest.fromWeb(new Request("http://localhost/"))

type Handler = ReturnType<WatchSse.WatchSse<string>["serve"]>

/** A client that reads as fast as it is told; `onPart` gets what it is told. */
const client = (handler: Handler, onPart: (part: Uint8Array) => void) =>
  Effect.scoped(
    handler.pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, request),
      Effect.orDie,
      Effect.flatMap(({ body }: HttpServerResponse.HttpServerResponse) =>
        body._tag === "Stream"
          ? Stream.runForEachChunk(Stream.orDie(body.stream), (parts) =>
              Effect.sync(() => {
                for (const part of parts) onPart(part)
              })
            )
          : Effect.void
      )
    )
  )

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await turn()
}

/** Milliseconds of the longest stall: of the opens, of an event, and of a heartbeat. */
const stalls = (clients: number, heartbeat: number) =>
  using(
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<string>({ state: "latest" })
      const watch = yield* Watch.make(log)
      const sse = yield* WatchSse.make(watch, { heartbeat })
      const scope = yield* Scope.make()
      return { log, sse, scope }
    }),
    async ({ log, sse }) => {
      let parts = 0
      const handler = sse.serve(everything)
      const onPart = (): void => {
        parts++
      }
      // The host's own work of 20,000 requests in one tick is not ours: it ends before the first look.
      const fibers = Array.from({ length: clients }, () => Effect.runFork(client(handler, onPart)))
      // Where to connect again, and that it has caught up.
      const opens = await longestStall(() => until(() => parts >= 2 * clients))
      parts = 0
      const event = await longestStall(async () => {
        await Effect.runPromise(log.append([ChangeLog.put("a", "x".repeat(200))]))
        await until(() => parts >= clients)
      })
      parts = 0
      const beat = heartbeat === 0 ? 0 : await longestStall(() => until(() => parts >= clients))
      await Effect.runPromise(sse.close)
      await Effect.runPromise(Fiber.awaitAll(fibers))
      return { opens, event, beat }
    }
  )

const most = 20

export const sse: Case = {
  name: "sse",
  about: "the longest stall of the event loop by 20,000 clients who open, and 10,000 who are told an event",
  run: async (bench: Bench) => {
    const rounds = bench.quick ? 3 : 5
    const opens: Array<number> = []
    const events: Array<number> = []
    const beats: Array<number> = []
    for (let round = 0; round < rounds; round++) {
      opens.push((await stalls(20_000, 0)).opens)
      const { beat, event } = await stalls(10_000, 2000)
      events.push(event)
      beats.push(beat)
    }
    bench.limit("20,000 clients open at once: the longest stall", opens, "ms", { atMost: most })
    bench.limit("10,000 clients are told an event: the longest stall", events, "ms", { atMost: most })
    bench.limit("10,000 clients get a heartbeat: the longest stall", beats, "ms", { atMost: most })
  }
}
