/** Requests to an actor: each is answered, in its turn or when it cannot be any more. */
import { Context, type Duration, Effect, Option, Tracer } from "effect"
import { InvalidOptions, millis } from "../options.js"
import * as Engine from "./engine.js"
import { type ActorStopped, AskTimedOut } from "./errors.js"

/** How to ask. */
export interface AskOptions {
  /** The longest that the answer may take, once it is its turn. Default: no limit. */
  readonly limit?: Duration.DurationInput | undefined
  /**
   * A `query` sees every item offered before it and none offered after it. A `barrier` reads nothing of the resource:
   * items offered after it may be handled before it. Default `query`.
   */
  readonly kind?: "query" | "barrier" | undefined
}

/** A closing actor takes no more queries; a barrier waits for what was accepted, also then. */
const answers = <R, I>({ intake, phase }: Engine.Engine<R, I>, options: AskOptions | undefined): boolean =>
  intake.open || (options?.kind === "barrier" && phase !== "Closed" && phase !== "Failed")

const limitOf = (options: AskOptions | undefined): number | InvalidOptions =>
  options?.limit === undefined ? Number.POSITIVE_INFINITY : millis().read("limit", options.limit)

export const ask = <R, I, A, E>(
  engine: Engine.Engine<R, I>,
  query: (resource: R) => Effect.Effect<A, E>,
  options: AskOptions | undefined
): Effect.Effect<A, E | ActorStopped | AskTimedOut> =>
  Effect.contextWithEffect((context: Context.Context<never>) =>
    Effect.async<A, E | ActorStopped | AskTimedOut>((resume) => {
      if (!answers(engine, options)) return resume(Engine.stoppedError(engine))
      const span = Context.getOption(context, Tracer.ParentSpan)
      const limit = limitOf(options)
      if (limit instanceof InvalidOptions) return resume(Effect.die(limit))
      const request: Engine.Request<R> = {
        _tag: "Request",
        cancelled: false,
        kind: options?.kind ?? "query",
        limit,
        run: (resource) => {
          const answer = Effect.suspend(() => query(resource))
          const traced = Option.isSome(span) ? Effect.withParentSpan(answer, span.value) : answer
          return Effect.map(Effect.exit(traced), resume)
        },
        stopped: (why) =>
          resume(why === "Timeout" ? new AskTimedOut({ millis: limit }) : Engine.stoppedError(engine))
      }
      Engine.post(engine, request)
      return Effect.sync(() => {
        request.cancelled = true
        if (engine.request === request) Engine.interruptStep(engine, "Cancelled")
      })
    })
  )
