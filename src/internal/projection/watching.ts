/** The one watch that a projection makes over its log, as soon as it follows it. */
import { Effect, Scope } from "effect"
import * as Watch from "../../Watch.js"
import { withoutCallerContext } from "../callerContext.js"
import type { ChangeLog } from "../log/changeLog.js"
import type { EventValue } from "./events.js"

/** Returns the watch; the first call makes it, in the scope of the projection. */
export type Watching = Effect.Effect<Watch.Watch<EventValue>>

export const makeWatching = (
  log: ChangeLog<EventValue>,
  name: string
): Effect.Effect<Watching, never, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => {
    // Options of its own: they can work.
    const made = Effect.orDie(Scope.extend(Watch.make(log, { name }), scope))
    // The watch outlives the call that makes it: it is neither interrupted with it nor in its transaction.
    return Effect.cached(Effect.uninterruptible(Effect.mapInputContext(made, withoutCallerContext)))
  })
