/** Servers whose requests are audited, and what was recorded of them. */
import { HttpRouter, HttpServerResponse } from "@effect/platform"
import { Effect, Logger, Option, Queue } from "effect"
import * as HttpAudit from "../../../src/platform/HttpAudit.js"
import type * as Recorder from "../../../src/Recorder.js"
import { ask, serve } from "./http.js"

/** A saver whose records can be waited for. */
export const makeSink = Effect.map(Queue.unbounded<HttpAudit.Entry>(), (entries) => {
  const saver: Recorder.Saver<HttpAudit.Entry> = {
    unsafeSave: (entry) => entries.unsafeOffer(entry),
    unsafeRefuse: () => false,
    save: (entry) => entries.offer(entry),
    saveAll: (all) => entries.offerAll(all),
    saveDurable: () => Effect.void
  }
  return { saver, next: entries.take, count: Effect.sync(() => entries.unsafeSize().pipe(Option.getOrThrow)) }
})

export const text = Effect.succeed(HttpServerResponse.text("hello"))

/** A saver, and what was logged by the requests that were served. */
export const makeHooked = (options: HttpAudit.Options | HttpAudit.OptionsTo<HttpAudit.Entry>) =>
  Effect.gen(function* () {
    const { count, next, saver } = yield* makeSink
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel.label}: ${String(message)}`)
    })
    const refused: Array<number> = []
    const refusing: Recorder.Saver<HttpAudit.Entry> = {
      ...saver,
      unsafeRefuse: (n) => {
        refused.push(n)
        return false
      }
    }
    const router = HttpRouter.empty.pipe(HttpRouter.get("/orders/:id", text))
    const port = yield* serve(router, yield* HttpAudit.make(refusing, options)).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    const get = Effect.map(
      ask(port, "/orders/7", { headers: { "x-request-id": "r" } }),
      ({ status }) => status
    )
    return { count, get, lines, next, refused }
  })
