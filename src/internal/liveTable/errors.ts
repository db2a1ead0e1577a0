/** The errors of a live table, one class for each kind of call. */
import { Data } from "effect"
import type { Outcome } from "../../Storage.js"

/**
 * A read has no answer.
 *
 * - `Master`: the master failed; see `cause`.
 * - `TimedOut`: the master did not answer within `hardTimeout`.
 * - `Malformed`: the master's answer is not what was asked for.
 * - `Failed`: the master never came up.
 * - `Closed`: the live table is closed.
 */
export class ReadFailed extends Data.TaggedError("ReadFailed")<{
  readonly reason: "Master" | "TimedOut" | "Malformed" | "Failed" | "Closed"
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * A write has failed. `outcome`: whether the master may hold it: `NotStored` is proof that it does not.
 *
 * - `Master`: the master failed; see `cause`.
 * - `TimedOut`: the master did not answer within `writeTimeout`.
 * - `Malformed`: the master returned other than one outcome for each write.
 * - `Full`: too many writes are queued.
 * - `Failed`: the master never came up.
 * - `Closed`: the live table is closed, or was closed before the write was done.
 */
export class WriteFailed extends Data.TaggedError("WriteFailed")<{
  readonly reason: "Master" | "TimedOut" | "Malformed" | "Full" | "Failed" | "Closed"
  readonly outcome: Outcome
  readonly message: string
  readonly cause?: unknown
}> {}
