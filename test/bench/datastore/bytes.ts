/** The bytes that a client gets over server-sent events: when it resumes, and when it begins anew. */
import { HttpServerRequest, type HttpServerResponse } from "@effect/platform"
import { Effect, Stream } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import * as WatchSse from "../../../src/platform/WatchSse.js"
import type { Bench } from "../support/bench.js"
import { using } from "../support/recorders.js"

interface Item {
  readonly id: string
  readonly text: string
  readonly n: number
}

const records = 10_000
const clients = 1000
const behind = 100

const item = (n: number): Item => ({ id: `item-${n}`, text: "what is written about it", n })

/** A store, and the cursor of a client that has missed the last revisions. */
const opened = Effect.gen(function* () {
  const stores = yield* Datastore.make(yield* Datastore.memory())
  const store = yield* stores.open<Item>()
  for (let n = 0; n < records; n++) yield* store.set(item(n))
  const live = yield* WatchSse.make(store.opener(), { heartbeat: 0 })
  const handler = live.serve(ChangeLog.prefix(""), { snapshot: "first" })
  const cursor = (yield* bytesUntilSynced(handler, undefined)).cursor
  for (let n = 0; n < behind; n++) yield* store.set(item(n * 7))
  return { handler, cursor }
})

type Handler = ReturnType<WatchSse.WatchSse<Datastore.Row<Datastore.JsonObject>>["serve"]>

interface Received {
  readonly bytes: number
  readonly text: string
}

/** What a client gets until it has caught up, and its cursor then. */
const bytesUntilSynced = (handler: Handler, after: string | undefined) => {
  const headers = after === undefined ? {} : { "last-event-id": after }
  const request = HttpServerRequest.fromWeb(new Request("http://localhost/", { headers }))
  const decoder = new TextDecoder()
  const caughtUp = /event: synced\nid: (\S+)\n/
  return Effect.scoped(
    handler.pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, request),
      Effect.orDie,
      Effect.flatMap(({ body }: HttpServerResponse.HttpServerResponse) =>
        body._tag !== "Stream"
          ? Effect.dieMessage("the response has no stream")
          : Stream.orDie(body.stream).pipe(
              Stream.scan<Received, Uint8Array>({ bytes: 0, text: "" }, ({ bytes, text }, part) => ({
                bytes: bytes + part.length,
                // What was there before is looked at already: an event's head may be cut.
                text: text.slice(-200) + decoder.decode(part, { stream: true })
              })),
              Stream.takeUntil(({ text }) => caughtUp.test(text)),
              Stream.runLast
            )
      ),
      Effect.flatten,
      Effect.orDie,
      Effect.map(({ bytes, text }) => ({ bytes, cursor: caughtUp.exec(text)?.[1] }))
    )
  )
}

/** Compares what 1,000 clients get that resume to what they would get by snapshots. */
export const resumes = (bench: Bench): Promise<void> =>
  using(opened, async ({ cursor, handler }) => {
    if (cursor === undefined) throw new Error("the client has no cursor")
    const total = async (after: string | undefined): Promise<number> => {
      let bytes = 0
      for (let n = 0; n < clients; n++)
        bytes += (await Effect.runPromise(bytesUntilSynced(handler, after))).bytes
      return bytes
    }
    const resumed = await total(cursor)
    // Each snapshot has the same bytes: a few of them stand for all.
    const { bytes } = await Effect.runPromise(bytesUntilSynced(handler, undefined))
    bench.figure(`${clients} clients resume, ${behind} revisions behind`, [resumed / 1e6], "MB")
    bench.figure(`${clients} snapshots of ${records} records`, [(bytes * clients) / 1e6], "MB")
    bench.ratio("the bytes of resumes to those of snapshots", [resumed], [bytes * clients], { atMost: 0.1 })
  })
