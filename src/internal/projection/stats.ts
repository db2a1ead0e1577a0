/** The counters of a projection. */

/** What a projection counts; all since `make`, but for `slots`. */
export interface Stats {
  /** States in memory. */
  readonly slots: number
  /** Projections that were answered, by strategy. */
  readonly empty: number
  readonly slotHits: number
  readonly slotIncrementals: number
  readonly tierHits: number
  readonly tierIncrementals: number
  readonly replays: number
  readonly directs: number
  /** How many of them were answered by age, without reading the log. */
  readonly stale: number
  /** Projections that failed. */
  readonly failures: number
  /** Callers that shared the flight of another one. */
  readonly joined: number
  /** Events that were folded, erased ones included. */
  readonly events: number
  readonly erased: number
  /** Lookups in the tier without a state that counts. */
  readonly tierMisses: number
  /** Rows of the tier that were garbage, foreign, or ahead of the log. They are removed. */
  readonly tierRefused: number
  /** Calls of the tier that failed, or took too long. */
  readonly tierFaults: number
  /** States that were not cached: the tier failed, or they cannot be encoded. */
  readonly notStored: number
}
