/** Questions to an actor: each is answered, in its turn or when it cannot be any more. */
import { Cause, Context, Data, Duration, Effect, Option, Tracer } from "effect"
import * as Engine from "./engine.js"

/** The actor answers no more: it is closed, or it has failed with `cause`. */
export class ActorStopped extends Data.TaggedError("ActorStopped")<{
  readonly reason: "Closed" | "Failed"
  readonly cause: Cause.Cause<unknown>
}> {}

/** A question took longer than its limit; it was interrupted. */
export class AskTimedOut extends Data.TaggedError("AskTimedOut")<{ readonly millis: number }> {}

/** How to ask a question. */
export interface AskOptions {
  /** The longest that the answer may take, once it is its turn. Default: no limit. */
  readonly limit?: Duration.DurationInput | undefined
  /**
   * A `query` sees every item offered before it and none offered after it. A `barrier` reads nothing of the resource:
   * items offered after it may be handled before it. Default `query`.
   */
  readonly kind?: "query" | "barrier" | undefined
}

export const stoppedError = <R, I>(engine: Engine.Engine<R, I>): ActorStopped =>
  new ActorStopped({
    reason: engine.phase === "Failed" ? "Failed" : "Closed",
    cause: engine.cause ?? Cause.empty
  })

/** A closing actor takes no more questions; one that reads nothing waits for what was accepted, also then. */
const answers = <R, I>({ intake, phase }: Engine.Engine<R, I>, options: AskOptions | undefined): boolean =>
  intake.open || (options?.kind === "barrier" && phase !== "Closed" && phase !== "Failed")

export const ask = <R, I, A, E>(
  engine: Engine.Engine<R, I>,
  question: (resource: R) => Effect.Effect<A, E>,
  options: AskOptions | undefined
): Effect.Effect<A, E | ActorStopped | AskTimedOut> =>
  Effect.contextWithEffect((context: Context.Context<never>) =>
    Effect.async<A, E | ActorStopped | AskTimedOut>((resume) => {
      if (!answers(engine, options)) return resume(stoppedError(engine))
      const span = Context.getOption(context, Tracer.ParentSpan)
      const limit = options?.limit === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(options.limit)
      const request: Engine.Request<R> = {
        _tag: "Request",
        cancelled: false,
        kind: options?.kind ?? "query",
        limit,
        run: (resource) => {
          const answer = Effect.suspend(() => question(resource))
          const traced = Option.isSome(span) ? Effect.withParentSpan(answer, span.value) : answer
          return Effect.map(Effect.exit(traced), resume)
        },
        stopped: (why) =>
          resume(why === "Timeout" ? new AskTimedOut({ millis: limit }) : stoppedError(engine))
      }
      Engine.post(engine, request)
      return Effect.sync(() => {
        request.cancelled = true
        if (engine.request === request) Engine.interruptStep(engine, "Cancelled")
      })
    })
  )
