/** Deadlines and sessions of one process, for all its catalogs of stores and pools. */
import { Effect, type Scope } from "effect"
import * as Sessions from "./sessions.js"
import * as Timers from "./timers.js"

/** Deadlines and sessions that catalogs share: a client has one session for all of them. */
export interface Leases {
  readonly timers: Timers.Timers
  readonly sessions: Sessions.Sessions
}

export const make: Effect.Effect<Leases, never, Scope.Scope> = Effect.gen(function* () {
  const timers = yield* Timers.make
  return { timers, sessions: yield* Sessions.make(timers) }
})
