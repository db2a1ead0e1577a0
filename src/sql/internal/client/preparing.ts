/** Statements that could not be prepared are prepared anew the next time. */
import { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import type { Run } from "../dialect.js"

// How @effect/sql-sqlite-node begins the message of such an error.
const isUnprepared = (error: unknown): boolean =>
  error instanceof SqlError && error.message.startsWith("Failed to prepare statement")

/** The most texts that are remembered; @effect/sql-sqlite-node keeps 200 statements. */
const maxTexts = 1000

/**
 * `@effect/sql-sqlite-node` keeps its statements in an `effect/Cache`, which keeps failures too: a statement that met a
 * locked file or a table that was away for a moment would fail for 10 minutes. Behind a comment it is another statement.
 */
export const preparingAnew = (): ((run: Run) => Run) => {
  const failures = new Map<string, number>()
  return (run) => (statement) => {
    const { params, text } = statement
    const times = failures.size === 0 ? undefined : failures.get(text)
    return Effect.tapError(
      run(times === undefined ? statement : { text: `${text} /* ${times} */`, params }),
      (error) => {
        if (!isUnprepared(error)) return Effect.void
        if (failures.size >= maxTexts) failures.clear()
        failures.set(text, (times ?? 0) + 1)
        return Effect.void
      }
    )
  }
}
