/** What a recorder tells of itself at any instant. */
import { type GapNote, gapNotes, maxGaps } from "../actor/bound.js"
import * as Intake from "../actor/intake.js"
import * as Mailbox from "../actor/mailbox.js"
import type { Failure } from "./bisection.js"
import type { Settlement } from "./settlement.js"

/** The account, and what a load shedder wants to know. All counts are since `make`. */
export interface Stats {
  readonly accepted: number
  readonly pending: number
  readonly stored: number
  /** How many of `stored` the backend already held. */
  readonly duplicates: number
  /** Records that the storage cannot hold: taken by the dead-letter sink, held here, or released. */
  readonly setAside: number
  /** How many of `setAside` were held here and then released from memory, by `maxHeld`: nobody can name them any more. */
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

/** Milliseconds since the oldest pending record came; 0 when there is none. */
export const oldestAge = <Item, F extends Failure, E>({ control, run }: Settlement<Item, F, E>): number => {
  const { intake } = control
  const since = intake.inFlight > 0 ? run?.batch.openedAt : Mailbox.oldestAt(intake.mailbox)
  return since === undefined ? 0 : Math.max(0, intake.monotonic() - since)
}

/** The notes of both kinds. Each kind is in its order, whatever was done to the wall clock meanwhile. */
const mergedGaps = <Item, F extends Failure, E>(
  settlement: Settlement<Item, F, E>
): ReadonlyArray<GapNote> => {
  const drops = gapNotes(settlement.control.intake.gaps)
  const releases = gapNotes(settlement.releases.gaps)
  if (releases.length === 0) return drops
  const all: Array<GapNote> = []
  let next = 0
  for (const release of releases) {
    for (let drop = drops[next]; drop !== undefined && drop.from <= release.from; drop = drops[++next]) {
      all.push(drop)
    }
    all.push(release)
  }
  return [...all, ...drops.slice(next)].slice(-maxGaps)
}

export const statsOf = <Item, F extends Failure, E>(settlement: Settlement<Item, F, E>): Stats => {
  const { intake } = settlement.control
  const { account } = settlement
  return {
    accepted: Intake.accepted(intake),
    pending: Intake.pending(intake),
    stored: account.stored,
    duplicates: account.duplicates,
    setAside: account.setAside,
    released: intake.released,
    dropped: Intake.dropped(intake),
    handedBack: account.handedBack,
    refused: intake.refused,
    saves: account.saves,
    retries: account.retries,
    pendingBytes: Intake.pendingBytes(intake),
    oldestAge: oldestAge(settlement),
    gaps: mergedGaps(settlement)
  }
}
