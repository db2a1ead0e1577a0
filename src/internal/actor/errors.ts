/** The errors of an actor. */
import { type Cause, Data } from "effect"

/** The actor answers no more requests: it is closed, or it has failed with `cause`. */
export class ActorStopped extends Data.TaggedError("ActorStopped")<{
  readonly reason: "Closed" | "Failed"
  readonly message: string
  readonly cause: Cause.Cause<unknown>
}> {}

/** A request took longer than its limit and was interrupted. */
export class AskTimedOut extends Data.TaggedError("AskTimedOut")<{ readonly millis: number }> {}
