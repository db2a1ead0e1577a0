/** Spans around calls of the master and of the tier, and around the events of the log, where a tracer is installed. */
import { Context, DefaultServices, Effect, Tracer } from "effect"

/** Puts a span around a call, or around what is done with `count` events. `countOf`: what it was about is known at its end. */
export type Traced = <A, E>(
  operation: string,
  count: number,
  effect: Effect.Effect<A, E>,
  countOf?: (result: A) => number
) => Effect.Effect<A, E>

const defaultTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

const untraced: Traced = (_operation, _count, effect) => effect

/** Without a span of its own nothing is noted: the current one would be that of a caller. */
const counted = <A, E>(effect: Effect.Effect<A, E>, countOf: ((result: A) => number) | undefined) =>
  countOf === undefined
    ? effect
    : Effect.tap(effect, (result) => Effect.annotateCurrentSpan("liveTable.count", countOf(result)))

/** The span is a root: a call serves many callers. It ends with the outcome. */
export const tracedBy = (tracer: Tracer.Tracer, name: string): Traced =>
  tracer === defaultTracer
    ? untraced
    : (operation, count, effect, countOf) =>
        Effect.withSpan(counted(effect, countOf), `${name}.${operation}`, {
          root: true,
          kind: operation === "events" ? "consumer" : "client",
          attributes: { "liveTable.name": name, "liveTable.count": count },
          captureStackTrace: false
        })
