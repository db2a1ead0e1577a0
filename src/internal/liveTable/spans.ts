/** Spans around calls of the master and of the tier, and around the events of the log, where a tracer is installed. */
import { Context, DefaultServices, Effect, Tracer } from "effect"

/** Puts a span around a call, or around what is done with `count` events. */
export type Traced = <A, E>(
  operation: string,
  count: number,
  effect: Effect.Effect<A, E>
) => Effect.Effect<A, E>

const defaultTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

const untraced: Traced = (_operation, _count, effect) => effect

/** The span is a root: a call serves many callers. It ends with the outcome. */
export const tracedBy = (tracer: Tracer.Tracer, name: string): Traced =>
  tracer === defaultTracer
    ? untraced
    : (operation, count, effect) =>
        Effect.withSpan(effect, `${name}.${operation}`, {
          root: true,
          kind: operation === "events" ? "consumer" : "client",
          attributes: { "liveTable.name": name, "liveTable.count": count },
          captureStackTrace: false
        })
