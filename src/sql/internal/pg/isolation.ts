/**
 * Statements under a database, a role or a client whose default isolation is `repeatable read` or `serializable`. A
 * statement that waits for another commit fails there, where `read committed` goes on with what was committed.
 */
import { Effect } from "effect"
import { type Executor, plain, type Run, type Statement } from "../dialect.js"
import { inspect } from "./errorDetails.js"

const begin = plain("BEGIN ISOLATION LEVEL READ COMMITTED")
const commit = plain("COMMIT")
const rollback = plain("ROLLBACK")

/** `serialization_failure`: nothing of the statement is stored. */
const isSerialization = (error: unknown): boolean => inspect(error).state === "40001"

const inTransaction = (run: Run, statement: Statement): Effect.Effect<unknown, unknown> =>
  Effect.andThen(run(begin), run(statement)).pipe(
    Effect.tap(() => run(commit)),
    // Also after an interruption: the connection is given to others.
    Effect.onError(() => Effect.ignore(run(rollback)))
  )

/**
 * Runs a statement that another commit has made fail once more, in a transaction that is `read committed`. All
 * transactions of more statements begin as such.
 */
export const inReadCommitted = ({ reserve, run }: Executor): Executor => ({
  reserve,
  run: (statement) =>
    Effect.catchIf(run(statement), isSerialization, () =>
      Effect.scoped(Effect.flatMap(reserve, (connection) => inTransaction(connection, statement)))
    )
})
