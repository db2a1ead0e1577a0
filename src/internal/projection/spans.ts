/** One span around each projection, where a tracer is installed. */
import { Context, DefaultServices, Effect, Tracer } from "effect"
import type { Result } from "./runtime.js"

/** Puts a span around a projection: a child of its caller's span. */
export type Traced = <S, X>(effect: Effect.Effect<Result<S>, X>) => Effect.Effect<Result<S>, X>

const defaultTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** `undefined` if no tracer listens. */
export const tracedBy = (tracer: Tracer.Tracer, name: string): Traced | undefined =>
  tracer === defaultTracer
    ? undefined
    : (effect) =>
        effect.pipe(
          Effect.tap(({ freshness, strategy }) =>
            Effect.annotateCurrentSpan({ "projection.strategy": strategy, "projection.freshness": freshness })
          ),
          Effect.withSpan(`${name}.project`, {
            attributes: { "projection.name": name },
            captureStackTrace: false
          })
        )
