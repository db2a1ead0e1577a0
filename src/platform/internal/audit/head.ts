/** Finds the moment when the head of a response is known: then the request is recorded. */
import { HttpApp, HttpServerError, HttpServerRequest, type HttpServerResponse } from "@effect/platform"
import { Clock, Context, Effect, type Fiber, FiberRef, Option, RuntimeFlags } from "effect"
import { isSame } from "./request.js"
import * as Upgrade from "./upgrade.js"

type Response = HttpServerResponse.HttpServerResponse

/** A request that is being handled. */
export interface Arrival {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly request: HttpServerRequest.HttpServerRequest
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly clock: Clock.Clock
  /** Nanoseconds of the clock. */
  readonly start: bigint
  recorded: boolean
}

export interface OnHead {
  /** Called once per request; `duration` is in milliseconds since its arrival. */
  readonly record: (arrival: Arrival, status: number, duration: number) => void
  /** Takes the effect that is to run before the request goes on, if any. */
  readonly due: () => Effect.Effect<void> | undefined
}

/**
 * Observes an app without changing its responses and failures.
 *
 * Around a part of an app, the head is known when the app exits. Around a whole server, the exit comes after the body
 * was sent, and the head is known when the pre-response handler runs. That handler costs a good part of the whole
 * observation. So the first requests install it and learn the place by the order of the two events: around a part of
 * an app, the handler runs after the exit and is not needed.
 */
export const observe = <E, R>(app: HttpApp.Default<E, R>, onHead: OnHead): HttpApp.Default<E, R> => {
  let place: "unknown" | "part" | "server" = "unknown"
  let last: { readonly own: Handlers; readonly others: Handlers } | undefined

  const handlersFor = (arrival: Arrival): Handlers => {
    const present = arrival.fiber.getFiberRef(HttpApp.currentPreResponseHandlers)
    // A fiber that handles several requests in turn still has the handler of the request before.
    const others = present === last?.own ? last.others : present
    const own = Option.some<HttpApp.PreResponseHandler>((request, response) => {
      const own = isSame(request, arrival.request)
      if (own && place === "unknown") place = arrival.recorded ? "part" : "server"
      if (others._tag === "None")
        return own ? recordHead(onHead, arrival, response) : Effect.succeed(response)
      return Effect.flatMap(others.value(request, response), (response) =>
        own ? recordHead(onHead, arrival, response) : Effect.succeed(response)
      )
    })
    last = { own, others }
    return own
  }

  return Effect.withFiberRuntime<Response, E, R | HttpServerRequest.HttpServerRequest>((fiber, running) => {
    const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
    const arrival: Arrival = {
      fiber,
      request: Context.unsafeGet(fiber.currentContext, HttpServerRequest.HttpServerRequest),
      at: clock.unsafeCurrentTimeMillis(),
      clock,
      start: clock.unsafeCurrentTimeNanos(),
      recorded: false
    }
    const handled = Upgrade.isRequested(arrival.request) ? upgrading(app, onHead, arrival) : app
    // An interrupted fiber skips handlers in an interruptible region; a server's region is uninterruptible.
    const interruptible = RuntimeFlags.interruptible(running.runtimeFlags)
    const watched = Effect.matchCauseEffect(interruptible ? Effect.interruptible(handled) : handled, {
      onSuccess: (response) => recordHead(onHead, arrival, response),
      onFailure: (cause) =>
        arrival.recorded
          ? Effect.failCause(cause)
          : Effect.flatMap(HttpServerError.causeResponse(cause), ([response]) =>
              Effect.zipRight(recordHead(onHead, arrival, response), Effect.failCause(cause))
            )
    })
    const whole =
      place === "part"
        ? watched
        : Effect.zipRight(FiberRef.set(HttpApp.currentPreResponseHandlers, handlersFor(arrival)), watched)
    return interruptible ? Effect.uninterruptible(whole) : whole
  })
}

type Handlers = Option.Option<HttpApp.PreResponseHandler>

/** Wraps an app whose request may become a WebSocket: its head is known when the connection opens or is refused. */
const upgrading = <E, R>(
  app: HttpApp.Default<E, R>,
  onHead: OnHead,
  arrival: Arrival
): HttpApp.Default<E, R> => {
  const { request } = arrival
  Upgrade.whenClosed(request, (status) => record(onHead, arrival, status))
  const onOpen = Effect.suspend(() => {
    record(onHead, arrival, 101)
    return onHead.due() ?? Effect.void
  })
  return Effect.mapInputContext(app, (context: Context.Context<R | HttpServerRequest.HttpServerRequest>) =>
    Context.add(context, HttpServerRequest.HttpServerRequest, Upgrade.observed(request, onOpen))
  )
}

const record = (onHead: OnHead, arrival: Arrival, status: number): void => {
  if (arrival.recorded) return
  arrival.recorded = true
  const duration = Number(arrival.clock.unsafeCurrentTimeNanos() - arrival.start) / 1e6
  onHead.record(arrival, status, duration)
}

const recordHead = (onHead: OnHead, arrival: Arrival, response: Response): Effect.Effect<Response> => {
  if (arrival.recorded) return Effect.succeed(response)
  record(onHead, arrival, response.status)
  const then = onHead.due()
  return then === undefined ? Effect.succeed(response) : Effect.as(then, response)
}
