/** How a catalog of pools is closed, and what it gives back. */
import { type Duration, Effect, Exit, type Option, Scope } from "effect"
import type { Backend } from "../catalog/backend.js"
import { type Closing, start as startClosing } from "../catalog/closing.js"
import { end } from "./pool.js"
import type { Runtime } from "./poolRuntime.js"
import { type Stats, statsOf } from "./poolStats.js"

/** What a closed catalog gives back. */
export interface CloseReport {
  /** What it stood on, still usable until the scope it was made in ends; none when it never came up. */
  readonly backend: Option.Option<Backend>
  /** What was accepted without being stored: of pools in memory nothing. */
  readonly unsaved: ReadonlyArray<never>
  readonly stats: Stats
}

/** Ends every pool behind its last value, within a duration. */
const closing = (runtime: Runtime, duration: Duration.Duration): Effect.Effect<CloseReport> =>
  Effect.gen(function* () {
    const { actor, entries, scope, shared, tasks } = runtime
    shared.isClosed = true
    for (const { pool } of Array.from(entries.values())) end(pool, "Closed")
    yield* tasks.closeWithin(duration)
    const backend = yield* actor.closeWithin(0)
    yield* Scope.close(scope, Exit.void)
    return { backend, unsaved: [], stats: statsOf(runtime) }
  })

/** Makes the calls that close a catalog; its scope closes it too. */
export const start = (runtime: Runtime): Effect.Effect<Closing<CloseReport>, never, Scope.Scope> =>
  startClosing(runtime.settings, (duration) => closing(runtime, duration))
