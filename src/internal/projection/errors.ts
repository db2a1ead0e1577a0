/** The error of projections. */
import { Data } from "effect"

/**
 * No state can be returned.
 *
 * - `Malformed`: the log holds an event of the key that cannot be decoded: an unknown kind, data that its Schema refuses,
 *   or a removal. It is never skipped.
 * - `TooLarge`: the encoded state has more bytes than `maxStateBytes`.
 * - `Fold`: `apply` threw.
 * - `Compacted`: events of the key are removed, and no cached state stands for them.
 * - `EpochChanged`: the requested revision is not of this log's history.
 * - `TimedOut`: the log did not reach the requested revision in time.
 * - `Contended`: other writers were faster, as often as `decide` may try.
 * - `Refused`: the call cannot work. Nothing was read or appended.
 * - `Log`: the log failed, or the projection is closed.
 */
export class ProjectionError extends Data.TaggedError("ProjectionError")<{
  readonly reason:
    | "Malformed"
    | "TooLarge"
    | "Fold"
    | "Compacted"
    | "EpochChanged"
    | "TimedOut"
    | "Contended"
    | "Refused"
    | "Log"
  /** The name of the projection. */
  readonly projection: string
  readonly key: string
  readonly message: string
  readonly cause?: unknown
}> {}
