/** How stores and pools are not opened, and how their lives end. */
import { Data } from "effect"

/**
 * Why a store or pool could not be opened. Nothing was changed.
 *
 * - `OpenMismatch`: it is open, or stored, with another kind, primary field, TTL, schema or strategies: see `option`.
 * - `Undecodable`: a row or cell is not as the schema or the strategies have it, or cannot be migrated: `key` names it.
 * - `SchemaTooOld`: the stored version is above this program's one, or there is no `migrate` for it.
 * - `Forbidden`: the principal may not open it.
 * - `QuotaExceeded`: there are as many as are allowed.
 * - `Owned`: another process owns what this catalog stores.
 * - `Unavailable`: the backend failed; see `cause`. A failed load is never an empty store. Or others have written a pool anew
 *   whenever it was to be migrated: see `message`.
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
 * The life of a store or pool is over, and this handle with it. Open it again: a temporary one is new and empty then.
 *
 * - `Expired`: it was not used for its TTL, or its time was over.
 * - `Ended`: somewhere `end` was called.
 * - `Failed`: something could not be stored, or is not as the schema has it, or the ownership was lost; see `cause`.
 * - `Closed`: the catalog was closed.
 * - `Unloaded`: a permanent one was idle. Open it again.
 */
export class StoreEnded extends Data.TaggedError("StoreEnded")<{
  readonly reason: "Expired" | "Ended" | "Failed" | "Closed" | "Unloaded"
  readonly id: string
  readonly message: string
  readonly cause?: unknown
}> {}

const messages: { readonly [R in StoreEnded["reason"]]: (thing: string) => string } = {
  Expired: (thing) => `the ${thing} has expired: open it again, and it is new and empty`,
  Ended: (thing) => `the ${thing} was ended: open it again`,
  Failed: (thing) => `the ${thing} has failed, see the cause: open it again`,
  Closed: (thing) => `the catalog of the ${thing} is closed: make another one`,
  Unloaded: (thing) => `the ${thing} was idle and has left the memory: open it again`
}

/** Makes the end of a store or pool. */
export const endedBy = (
  thing: "store" | "pool",
  id: string,
  reason: StoreEnded["reason"],
  cause: unknown
): StoreEnded => new StoreEnded({ reason, id, message: messages[reason](thing), cause })
