/** The statistics of a recorder at one instant. */
import type { Control, GapNote } from "../../Actor.js"
import type { Account } from "./account.js"

/** The account, and what a load shedder wants to know. All counts are since `make`. */
export interface Stats {
  readonly accepted: number
  readonly pending: number
  readonly stored: number
  /** How many of `stored` the backend already held. */
  readonly duplicates: number
  /** Records that the storage cannot hold: taken by the dead-letter sink, held here, or released. */
  readonly setAside: number
  /** How many of `setAside` were held here and then released from memory, by `maxHeld`: nothing names them any more. */
  readonly released: number
  readonly dropped: number
  /** Records given back unsaved by `close`, or kept for it because the sink failed. */
  readonly handedBack: number
  /** Records that were never accepted; outside the account. */
  readonly refused: number
  /** Bulk saves that the storage acknowledged. */
  readonly saves: number
  readonly retries: number
  /** Size of the pending records in bytes by `sizeOf`; 0 without a bound in bytes. */
  readonly pendingBytes: number
  /** Milliseconds since the oldest pending record was accepted; 0 when there is none. */
  readonly oldestAge: number
  /** The last 100 intervals in which records were dropped, or released. */
  readonly gaps: ReadonlyArray<GapNote>
}

/** The stats, of the account and of what the actor counts. */
export const statsOf = (
  account: Account,
  control: Pick<Control<never>, "counts" | "gaps" | "oldestAge">
): Stats => {
  const { accepted, dropped, pending, pendingBytes, refused, released } = control.counts()
  return {
    accepted,
    pending,
    stored: account.stored,
    duplicates: account.duplicates,
    setAside: account.setAside,
    released,
    dropped,
    handedBack: account.handedBack,
    refused,
    saves: account.saves,
    retries: account.retries,
    pendingBytes,
    oldestAge: control.oldestAge(),
    gaps: control.gaps()
  }
}
