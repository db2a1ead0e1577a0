/** How a catalog of stores is closed, and what it gives back. */
import { type Duration, Effect, type Option, type Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend } from "../catalog/backend.js"
import { type Closing, closeAll, start as startClosing } from "../catalog/closing.js"
import type { Owned } from "./operation.js"
import { type Runtime, savingsOf } from "./runtime.js"
import { type Stats, statsOf } from "./stats.js"
import { end } from "./store.js"

/** An operation that was accepted and is not stored. */
export interface Unsaved {
  readonly store: string
  readonly steps: Owned["steps"]
  readonly error: StorageError
}

/** What a closed catalog gives back. */
export interface CloseReport {
  /** What it stood on, still usable until the scope it was made in ends; none when it never came up. */
  readonly backend: Option.Option<Backend>
  /** Operations that were accepted without being stored, in order; the last 10,000 at least. */
  readonly unsaved: ReadonlyArray<Unsaved>
  readonly stats: Stats
}

/** Ends everything, within a duration. */
const closing = (runtime: Runtime, duration: Duration.Duration): Effect.Effect<CloseReport> =>
  Effect.gen(function* () {
    const { entries, shared, unsaved } = runtime
    shared.isClosed = true
    const endAll = (): void => {
      for (const { store } of Array.from(entries.values())) end(store, "Closed")
    }
    const backend = yield* closeAll({ ...runtime, savings: savingsOf(runtime), endAll }, duration)
    return { backend, unsaved: Array.from(unsaved), stats: statsOf(runtime) }
  })

/** Makes the calls that close a catalog; its scope closes it too. */
export const start = (runtime: Runtime): Effect.Effect<Closing<CloseReport>, never, Scope.Scope> =>
  startClosing(runtime.settings, (duration) => closing(runtime, duration))
