/** How merges into a pool fail. */
import * as Data from "effect/Data"
import type { CellName, Refused } from "./patch.js"
import type { Stamp } from "./stamp.js"

/**
 * Why a merge was refused. Unless `outcome` is `Unknown`, nothing of it was merged: the state, its clock and its hash are as they were.
 *
 * - `InvalidData`: the patch, or an option of the call, is malformed: see `message`.
 * - `JoinFailed`: a custom join, or the codec of its values, threw, or the join gave what the codec does not decode. What was
 *   held stays, and the patch is the caller's: mend the strategy, which `MergeLaws` helps with, and merge it again.
 * - `ClockAhead`: a stamp is over 60 s ahead of the server, whose time is `serverTime`. Wait until it is `takenAt`, or stamp the
 *   edits anew.
 * - `TooOld`: `cells` are at or below the `horizon`. Take the state, and decide on these edits anew.
 * - `StrategyMismatch`: the client joins by other strategies. It may follow.
 * - `Forbidden`: the principal may not do it, or a stamp, part or dot belongs to another client.
 * - `NoSession`: the pool removes what clients leave behind: name a session of the client that is open.
 * - `QuotaExceeded`: see `quota`. Others are not affected. Removals always fit, but for the rate.
 * - `Unavailable`: the catalog saves nothing any more; see its status.
 * - `NotStored`: the backend could not store it. `outcome` is `Unknown` if it may be stored. It is safe to send it again.
 */
export class MergeError extends Data.TaggedError("MergeError")<{
  readonly reason:
    | Refused["reason"]
    | "StrategyMismatch"
    | "NoSession"
    | "QuotaExceeded"
    | "Unavailable"
    | "NotStored"
  readonly message: string
  readonly row?: string | undefined
  readonly field?: string | undefined
  /** Milliseconds since 1970. */
  readonly serverTime?: number | undefined
  /** Of `ClockAhead`: when the server takes the stamp, by its time. */
  readonly takenAt?: number | undefined
  readonly horizon?: Stamp | undefined
  readonly cells?: ReadonlyArray<CellName> | undefined
  /** Of `StrategyMismatch`: the fingerprint of the pool. */
  readonly fingerprint?: string | undefined
  /** Of `QuotaExceeded`: which one, and how much it allows. */
  readonly quota?: { readonly name: string; readonly limit: number } | undefined
  readonly outcome?: "NotStored" | "Unknown" | undefined
  readonly cause?: unknown
}> {}

/** Makes the error of a refusal by the core. */
export const mergeError = ({ _tag, ...refused }: Refused): MergeError => new MergeError(refused)
