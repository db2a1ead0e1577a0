/** What a failure is taken for: that of a storage, of one record, of a query, of an actor that has stopped. */
import { Cause } from "effect"
import { ActorStopped, AskTimedOut } from "../../Actor.js"
import { StorageError } from "../../Storage.js"
import { InvalidOptions } from "../options.js"
import { isError } from "../realms.js"
import { type RecorderClosed, type RecorderFailed, recorderClosed, recorderFailed } from "./errors.js"

const kinds: ReadonlyArray<unknown> = ["Transient", "Poison", "Fatal", "Unknown"]
const outcomes: ReadonlyArray<unknown> = ["NotStored", "Unknown"]

/** The tag alone is no proof: other libraries have an error of this name. */
const isStorageError = (error: unknown): error is StorageError => {
  if (typeof error !== "object" || error === null) return false
  const { _tag, kind, outcome } = error as Partial<StorageError>
  return _tag === "StorageError" && kinds.includes(kind) && outcomes.includes(outcome)
}

const messageOf = (error: unknown): string => (isError(error) ? error.message : String(error))

/** A failure that its storage has not classified. Its message is of the driver, and may quote the row. */
class Unclassified extends StorageError {}

/** What a storage failed with, classified: anything but a `StorageError` is unknown. No retry mends wrong options. */
export const classify = (cause: Cause.Cause<unknown>): StorageError => {
  const error = Cause.squash(cause)
  if (isStorageError(error)) return error
  if (error instanceof InvalidOptions) {
    const message = `${error.option}: ${error.message}`
    return new StorageError({ kind: "Fatal", outcome: "NotStored", message, cause: error })
  }
  return new Unclassified({ kind: "Unknown", outcome: "Unknown", message: messageOf(error), cause: error })
}

/** What a log line may show of a failure. A storage that classifies an error chooses the message. */
export const loggable = (failure: StorageError): string =>
  failure instanceof Unclassified ? "an error that the storage has not classified" : failure.message

/** The failure of one record, from that of its batch and what the storage reported of the record. */
export const errorOfRecord = (failure: StorageError, detail: unknown): StorageError =>
  detail === undefined
    ? failure
    : new StorageError({
        kind: "Poison",
        outcome: failure.outcome,
        message: messageOf(detail),
        cause: detail
      })

/** The failure of a save that took longer than `saveTimeout`. */
export const saveTimedOut = (millis: number): StorageError =>
  new StorageError({
    kind: "Transient",
    outcome: "Unknown",
    blame: "size",
    message: `the save took longer than saveTimeout (${millis} ms) and was interrupted`
  })

/** Why an actor answers no more, as its recorder reports it. */
export const stoppedError = (error: ActorStopped): RecorderFailed | RecorderClosed =>
  error.reason === "Failed" ? recorderFailed(Cause.squash(error.cause)) : recorderClosed

/** What a `load` failed with. */
export const loadError = (cause: Cause.Cause<unknown>): StorageError | RecorderFailed | RecorderClosed => {
  const error = Cause.squash(cause)
  if (error instanceof ActorStopped) return stoppedError(error)
  if (!(error instanceof AskTimedOut)) return classify(cause)
  return new StorageError({
    kind: "Transient",
    outcome: "Unknown",
    message: `the query took longer than loadTimeout (${error.millis} ms) and was interrupted: ask for less, or raise it`
  })
}
