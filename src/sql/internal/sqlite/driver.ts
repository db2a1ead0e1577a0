/** The driver's own connection to a SQLite file: statements are prepared once. */
import { SafeIntegers } from "@effect/sql/SqlClient"
import Sqlite from "better-sqlite3"
import { Effect, type Scope } from "effect"
import type { Run } from "../dialect.js"

/** The most statements that stay prepared; the one that was not used for the longest time goes first. */
const maxPrepared = 200

/** Prepares statements, and keeps those that could be prepared. */
const preparing = (database: Sqlite.Database): ((text: string) => Sqlite.Statement) => {
  const statements = new Map<string, Sqlite.Statement>()
  return (text) => {
    const kept = statements.get(text)
    if (kept !== undefined) statements.delete(text)
    const statement = kept ?? database.prepare(text)
    statements.set(text, statement)
    if (statements.size > maxPrepared) statements.delete(statements.keys().next().value as string)
    return statement
  }
}

const attempt = <A>(work: () => A): Effect.Effect<A, unknown> =>
  Effect.try({ try: work, catch: (error) => error })

/**
 * Opens a file, until the scope closes, and gives what runs one statement in one synchronous piece. It fails with the
 * driver's own errors. A statement of one record takes two thirds of the processor time that it takes by
 * `@effect/sql-sqlite-node`, which finds its statements by an `effect/Cache`.
 */
export const openDriver = (filename: string): Effect.Effect<Run, unknown, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      attempt(() => new Sqlite(filename)),
      (database) => Effect.sync(() => database.close())
    ),
    (database) => {
      const prepared = preparing(database)
      return ({ params, text }) =>
        Effect.flatMap(SafeIntegers, (bigints) =>
          attempt(() => {
            const statement = prepared(text)
            return statement.reader
              ? statement.safeIntegers(bigints).all(...params)
              : statement.run(...params)
          })
        )
    }
  )
