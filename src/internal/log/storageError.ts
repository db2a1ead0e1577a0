/** The failure of a log, as the failure of the storage or the table that writes to it. */
import { type BadRecord, StorageError } from "../../Storage.js"
import { type ChangeLogError, Conflict } from "./events.js"

/** Classifies the failure of a log as a storage's. A record whose entry expects another log is bad. */
export const storageError = (error: ChangeLogError | Conflict): StorageError => {
  if (error instanceof Conflict) {
    const { index, message } = error
    return new StorageError({
      kind: "Poison",
      outcome: "NotStored",
      message,
      cause: error,
      bad: [{ index, cause: error }]
    })
  }
  const { cause, index, message, outcome = "NotStored", reason } = error
  // A log in a database has classified the failure already.
  if (cause instanceof StorageError) return cause
  const poison = reason !== "Unavailable"
  const bad: ReadonlyArray<BadRecord> | undefined =
    poison && index !== undefined ? [{ index, cause: error }] : undefined
  return new StorageError({
    kind: poison ? "Poison" : "Transient",
    outcome,
    message,
    cause: cause ?? error,
    ...(bad === undefined ? {} : { bad })
  })
}
