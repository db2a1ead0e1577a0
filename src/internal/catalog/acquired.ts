/** What a catalog or a live table stands on, when it comes up late. */
import { Cause } from "effect"
import { StorageError } from "../../Storage.js"
import { InvalidOptions } from "../options.js"
import { isError } from "../realms.js"

/** What a failed acquisition is taken for. */
export const classify = (cause: Cause.Cause<unknown>): StorageError => {
  const error = Cause.squash(cause)
  if (error instanceof StorageError) return error
  const kind = error instanceof InvalidOptions ? "Fatal" : "Unknown"
  const message = isError(error) ? error.message : String(error)
  return new StorageError({ kind, outcome: "NotStored", message, cause: error })
}
