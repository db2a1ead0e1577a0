/** How a catalog of pools is closed, and what it gives back. */
import { type Duration, Effect, type Option, type Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend } from "../catalog/backend.js"
import { type Closing, closeAll, start as startClosing } from "../catalog/closing.js"
import type { Patch } from "./patch.js"
import { end } from "./pool.js"
import { type Runtime, savingsOf } from "./poolRuntime.js"
import { type Stats, statsOf } from "./poolStats.js"

/** What was merged within a tick and is not stored. */
export interface Unsaved {
  readonly pool: string
  /** The cells as they were joined: merge them into the pool when it is open again. */
  readonly patch: Patch
  readonly error: StorageError
}

/** What a closed catalog gives back. */
export interface CloseReport {
  /** What it stood on, still usable until the scope it was made in ends; none when it never came up. */
  readonly backend: Option.Option<Backend>
  /** What was merged with `ack: "memory"` without being stored, in order; the last 10,000 ticks at least. */
  readonly unsaved: ReadonlyArray<Unsaved>
  readonly stats: Stats
}

/** Ends every pool behind its last value, within a duration. */
const closing = (runtime: Runtime, duration: Duration.Duration): Effect.Effect<CloseReport> =>
  Effect.gen(function* () {
    const { entries, shared, unsaved } = runtime
    shared.isClosed = true
    for (const { pool } of Array.from(entries.values())) pool.flow.flush()
    const endAll = (): void => {
      for (const { pool } of Array.from(entries.values())) end(pool, "Closed")
    }
    const backend = yield* closeAll({ ...runtime, savings: savingsOf(runtime), endAll }, duration)
    return { backend, unsaved: Array.from(unsaved), stats: statsOf(runtime) }
  })

/** Makes the calls that close a catalog; its scope closes it too. */
export const start = (runtime: Runtime): Effect.Effect<Closing<CloseReport>, never, Scope.Scope> =>
  startClosing(runtime.settings, (duration) => closing(runtime, duration))
