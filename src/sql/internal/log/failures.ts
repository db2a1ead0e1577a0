/** The failures of a log's database as those of a log. */
import { Effect } from "effect"
import { ChangeLogError } from "../../../internal/log/events.js"
import { StorageError } from "../../../Storage.js"
import { reasonOf } from "../errors.js"

/** Converts a database's failure into the error of a log. */
export const changeLogError = (error: StorageError): ChangeLogError => {
  const { message, outcome } = error
  return new ChangeLogError({ reason: reasonOf(error), message, outcome, cause: error })
}

/** Converts the failures of the database, and leaves all others. */
export const typed = <A, E>(
  effect: Effect.Effect<A, E | StorageError>
): Effect.Effect<A, Exclude<E, StorageError> | ChangeLogError> =>
  Effect.mapError(effect, (error) =>
    // What is no failure of the database is another error.
    error instanceof StorageError ? changeLogError(error) : (error as Exclude<E, StorageError>)
  )
