/** Counts of a catalog of stores. */
import * as Clients from "../catalog/clients.js"
import type { Runtime } from "./runtime.js"

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

export const statsOf = ({ clients, entries, saving, shared }: Runtime): Stats => {
  const { applied, failed, quotaRefusals, refused, repeated } = shared.count
  return {
    stores: entries.size,
    subscribers: Clients.sizeOf(clients),
    unsaved: saving.waiting(),
    applied,
    repeated,
    refused,
    quotaRefusals,
    revocations: shared.policy.count(),
    failed
  }
}
