/** How calls of stores fail. */
import { Data } from "effect"
import type { JsonObject } from "../columns/jsonData.js"
import type { Refused, Row } from "./operation.js"

export { OpenError, StoreEnded } from "../catalog/ended.js"

/**
 * Why a write was refused. Unless the reason is `NotStored`, nothing of it was applied.
 *
 * - `InvalidKey`, `InvalidData`, `InvalidOperation`: mend what is written; see `message`.
 * - `Missing`: there is no such record to patch.
 * - `Conflict`: a record is not as the write expects it. `row` is the present one, if there is one.
 * - `Forbidden`: the principal may not do it, or may not know of the record. A patch that is sent again was applied then.
 * - `IdReused`: the client has used the number for another operation. Use the next one.
 * - `Forgotten`: the number is below those that are remembered. Read, and decide anew.
 * - `TooFarAhead`: the number is more than a window above the highest one. Send the ones before it first.
 * - `QuotaExceeded`: see `quota`. Others are not affected. Deletes always fit, but for the rate.
 * - `TooLarge`: the write makes a revision above 8 MiB. Split it.
 * - `Unavailable`: the store is not loaded yet, or the queue is full. Try again.
 * - `NotStored`: the backend could not store it. The store has ended. `outcome` is `Unknown` if it may be stored.
 */
export class WriteError extends Data.TaggedError("WriteError")<{
  readonly reason:
    | Refused["reason"]
    | "IdReused"
    | "Forgotten"
    | "TooFarAhead"
    | "QuotaExceeded"
    | "TooLarge"
    | "Unavailable"
    | "NotStored"
  readonly message: string
  /** The step at fault, by its position. */
  readonly step?: number | undefined
  readonly key?: string | undefined
  /** Of a `Conflict`: the present record. */
  readonly row?: Row<JsonObject> | undefined
  /** Of `QuotaExceeded`: which one, and how much it allows. */
  readonly quota?: { readonly name: string; readonly limit: number } | undefined
  readonly outcome?: "NotStored" | "Unknown" | undefined
  readonly cause?: unknown
}> {}

/** Makes the error of a refusal. */
export const writeError = (refused: Refused): WriteError => new WriteError(refused)
