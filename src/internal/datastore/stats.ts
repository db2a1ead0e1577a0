/** Counts of a catalog of stores. */
import * as Clients from "../catalog/clients.js"
import { type Runtime, savingsOf } from "./runtime.js"

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

export const statsOf = (runtime: Runtime): Stats => {
  const { clients, entries, shared } = runtime
  const { applied, failed, quotaRefusals, refused, repeated } = shared.count
  return {
    stores: entries.size,
    subscribers: Clients.sizeOf(clients),
    unsaved: savingsOf(runtime).reduce((sum, saving) => sum + saving.waiting(), 0),
    applied,
    repeated,
    refused,
    quotaRefusals,
    revocations: shared.policy.count(),
    failed
  }
}
