/** How calls of stores fail. */
import { Data } from "effect"
import type { JsonObject } from "../columns/jsonData.js"
import type { Refused, Row } from "./operation.js"

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
 * - `TooLarge`: the write does not fit into the log. Split it.
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

/**
 * Why a store could not be opened. Nothing was changed.
 *
 * - `OpenMismatch`: it is open, or stored, with another kind, primary field, TTL or schema: see `option`.
 * - `Undecodable`: a row is not as the schema has it: `key` names it.
 * - `SchemaTooOld`: the stored version is above this program's one, or there is no `migrate` for it.
 * - `Forbidden`: the principal may not open it.
 * - `QuotaExceeded`: there are as many stores as are allowed.
 * - `Owned`: another process owns the stores of this catalog.
 * - `Unavailable`: the backend failed; see `cause`. A failed load is never an empty store.
 * - `Closed`: the catalog is closed.
 */
export class OpenError extends Data.TaggedError("OpenError")<{
  readonly reason:
    | "InvalidOptions"
    | "OpenMismatch"
    | "Undecodable"
    | "SchemaTooOld"
    | "Forbidden"
    | "QuotaExceeded"
    | "Owned"
    | "Unavailable"
    | "Closed"
  readonly message: string
  readonly option?: string | undefined
  readonly key?: string | undefined
  readonly quota?: { readonly name: string; readonly limit: number } | undefined
  readonly cause?: unknown
}> {}

/**
 * The life of a store is over, and this handle with it. Open it again: a temporary one is new and empty then.
 *
 * - `Expired`: it was not used for its TTL, or its time was over.
 * - `Ended`: somewhere `end` was called.
 * - `Failed`: something could not be stored, or the ownership was lost; see `cause`.
 * - `Closed`: the catalog was closed.
 * - `Unloaded`: a permanent one was idle. Open it again.
 */
export class StoreEnded extends Data.TaggedError("StoreEnded")<{
  readonly reason: "Expired" | "Ended" | "Failed" | "Closed" | "Unloaded"
  readonly id: string
  readonly message: string
  readonly cause?: unknown
}> {}

/** Makes the error of a refusal. */
export const writeError = (refused: Refused): WriteError => new WriteError(refused)
