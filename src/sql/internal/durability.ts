/** Reports what a database may lose although it has acknowledged it: once, at the start, before it happens. */
import { Effect } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Dialect, Executor, Layout } from "./dialect.js"
import { storageError } from "./errors.js"

/** Logs one warning with everything that weakens what a successful save promises; nothing when nothing does. */
export const warnOfLosses = (
  dialect: Dialect,
  tables: readonly [Layout, ...ReadonlyArray<Layout>],
  executor: Executor
): Effect.Effect<void, StorageError> =>
  dialect.losses(tables, executor.run).pipe(
    storageError(dialect, { saved: false }),
    Effect.flatMap((losses) =>
      losses.length === 0
        ? Effect.void
        : Effect.logWarning(
            `the table ${tables[0].sql} may lose what was saved successfully: ${losses.join("; ")}`
          )
    )
  )
