/** Spans around calls of the master and of the tier, where a tracer is installed. */
import { Context, DefaultServices, Effect, Tracer } from "effect"

/** Puts a span around a call. */
export type Traced = <A, E>(
  operation: string,
  count: number,
  effect: Effect.Effect<A, E>
) => Effect.Effect<A, E>

const defaultTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

const untraced: Traced = (_operation, _count, effect) => effect

/** The span of a call is a root: it serves many callers. It ends with the outcome of the call. */
export const tracedBy = (tracer: Tracer.Tracer, name: string): Traced =>
  tracer === defaultTracer
    ? untraced
    : (operation, count, effect) =>
        Effect.withSpan(effect, `${name}.${operation}`, {
          root: true,
          kind: "client",
          attributes: { "liveTable.name": name, "liveTable.count": count },
          captureStackTrace: false
        })
