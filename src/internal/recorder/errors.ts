/** The errors of a recorder. */
import { Data } from "effect"
import type { StorageError } from "../../Storage.js"
import { isError } from "../realms.js"

/**
 * A durable save that did not end in the storage.
 *
 * - `Refused`: never accepted (closed, failed, or over the bound); save it elsewhere, or answer the client with an error.
 * - `Dropped`: accepted, then given up by the chosen overflow policy.
 * - `SetAside`: the storage cannot hold this record; it went to the dead letters with the cause.
 * - `HandedBack`: not stored, and returned by `close`.
 * - `OutcomeUnknown`: returned by `close`, and it may be stored all the same. Reuse its id when you save it again.
 */
export class NotStored extends Data.TaggedError("NotStored")<{
  readonly reason: "Refused" | "Dropped" | "SetAside" | "HandedBack" | "OutcomeUnknown"
  readonly message: string
  readonly cause?: unknown
}> {}

/** The recorder has failed for good (policy `stop`): `cause` is the reason, `close` hands the records back. */
export class RecorderFailed extends Data.TaggedError("RecorderFailed")<{
  readonly message: string
  readonly cause: unknown
}> {}

/** The recorder is closed, or closing: it answers no more queries. */
export class RecorderClosed extends Data.TaggedError("RecorderClosed")<{ readonly message: string }> {}

const notStored = (reason: NotStored["reason"], message: string, cause?: unknown): NotStored =>
  new NotStored({ reason, message, cause })

export const refusedError = notStored(
  "Refused",
  "the recorder accepts no record now, because it is closed, failed, or full: save the record elsewhere, or later"
)

export const droppedError = notStored(
  "Dropped",
  "the record was given up by the recorder's overflow policy: raise the bound, or choose another policy"
)

export const setAsideError = (cause: StorageError): NotStored =>
  notStored("SetAside", `the storage cannot hold this record: ${cause.message}`, cause)

export const handedBackError = (cause: unknown): NotStored =>
  notStored(
    "HandedBack",
    "the recorder ended before the record was stored: take it from the report of `close`",
    cause
  )

export const outcomeUnknownError = (cause: unknown): NotStored =>
  notStored("OutcomeUnknown", "the record may be stored or not: reuse its id when you save it again", cause)

export const recorderFailed = (cause: unknown): RecorderFailed => {
  const reason = isError(cause) ? cause.message : String(cause)
  return new RecorderFailed({
    message: `the recorder has failed: ${reason}: fix the cause, take the records from \`close\`, and make a new recorder`,
    cause
  })
}

export const recorderClosed = new RecorderClosed({
  message: "the recorder is closed and answers no more queries: ask the storage, or make a new recorder"
})
