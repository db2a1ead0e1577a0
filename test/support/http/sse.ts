/** Server-sent events as a client reads them, and requests to a handler that go over no network. */
import { HttpServerRequest, type HttpServerResponse } from "@effect/platform"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { createParser } from "eventsource-parser"
import { started } from "../time/turn.js"

export interface SseEvent {
  readonly event?: string
  readonly data: string
  readonly id?: string
}

/** The events in a text, by a parser that is not ours. */
export const eventsIn = (text: string): ReadonlyArray<SseEvent> => {
  const events: Array<SseEvent> = []
  const parser = createParser({
    onEvent: ({ data, event, id }) => {
      events.push({
        ...(event === undefined ? {} : { event }),
        data,
        ...(id === undefined ? {} : { id })
      })
    }
  })
  parser.feed(text)
  return events
}

/** An event in few words: its name, its data, and its id behind `#`. */
export const briefly = ({ data, event, id }: SseEvent): string =>
  `${event} ${data}${id === undefined ? "" : ` #${id}`}`

/** A response that is being read. */
export interface Reading {
  readonly response: HttpServerResponse.HttpServerResponse
  /** What has been sent until now. */
  readonly text: () => string
  readonly events: () => ReadonlyArray<SseEvent>
  /** Completes when the response has ended. */
  readonly ended: Effect.Effect<void>
  /** The client goes away. */
  readonly leave: Effect.Effect<void>
}

interface Asked {
  readonly lastEventId?: string
  readonly path?: string
  readonly method?: string
}

/** What a handler answers, and the bytes of its body. They end with the scope of the request, and it with them. */
export const answering = <E, R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  { lastEventId, method = "GET", path = "/" }: Asked = {}
) =>
  Effect.gen(function* () {
    const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId }
    const request = HttpServerRequest.fromWeb(new Request(`http://localhost${path}`, { method, headers }))
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const response = yield* handler.pipe(
      Effect.provideService(HttpServerRequest.HttpServerRequest, request),
      Scope.extend(scope)
    )
    const stream = response.body._tag === "Stream" ? response.body.stream : Stream.empty
    return { response, body: Stream.ensuring(stream, Scope.close(scope, Exit.void)) }
  })

/** Asks a handler as a client does, and reads what it answers as fast as it comes. */
export const asking = <E, R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  asked?: Asked
) =>
  Effect.gen(function* () {
    const { body, response } = yield* answering(handler, asked)
    const parts: Array<Uint8Array> = []
    const reading = yield* started(Stream.runForEach(body, (part) => Effect.sync(() => parts.push(part))))
    const text = () => Buffer.concat(parts).toString("utf8")
    const result: Reading = {
      response,
      text,
      events: () => eventsIn(text()),
      ended: Effect.asVoid(Effect.orDie(Fiber.join(reading))),
      leave: Effect.asVoid(Fiber.interrupt(reading))
    }
    return result
  })
