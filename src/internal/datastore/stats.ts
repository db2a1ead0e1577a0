/** Counts of a catalog of stores. */

/** Counts of a catalog since it was made, but for the first three, which are as of now. */
export interface Stats {
  readonly stores: number
  readonly subscribers: number
  /** Operations that were accepted, and are not stored yet. */
  readonly unsaved: number
  readonly applied: number
  /** Answered by the reply that was remembered. */
  readonly repeated: number
  readonly refused: number
  readonly quotaRefusals: number
  /** How often the rights of a principal were raised. */
  readonly revocations: number
  /** Stores that have failed. */
  readonly failed: number
}
