/** What a recorder tells of itself at any instant. */
import { type GapNote, gapNotes, keptGaps } from "../actor/bound.js"
import * as Intake from "../actor/intake.js"
import * as Mailbox from "../actor/mailbox.js"
import type { Failure } from "./bisection.js"
import type { Book } from "./settlement.js"

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
export const oldestAge = <Item, F extends Failure, E>({ control, run }: Book<Item, F, E>): number => {
  const { intake } = control
  const since = intake.inFlight > 0 ? run?.batch.openedAt : Mailbox.oldestAt(intake.mailbox)
  return since === undefined ? 0 : Math.max(0, intake.monotonic() - since)
}

/** The notes of both kinds. Each kind is in its order, whatever was done to the wall clock meanwhile. */
const allGaps = <Item, F extends Failure, E>(book: Book<Item, F, E>): ReadonlyArray<GapNote> => {
  const drops = gapNotes(book.control.intake.gaps)
  const releases = gapNotes(book.releases.gaps)
  if (releases.length === 0) return drops
  const all: Array<GapNote> = []
  let next = 0
  for (const release of releases) {
    for (let drop = drops[next]; drop !== undefined && drop.from <= release.from; drop = drops[++next]) {
      all.push(drop)
    }
    all.push(release)
  }
  return [...all, ...drops.slice(next)].slice(-keptGaps)
}

export const statsOf = <Item, F extends Failure, E>(book: Book<Item, F, E>): Stats => {
  const { intake } = book.control
  const { ledger } = book
  return {
    accepted: Intake.accepted(intake),
    pending: Intake.pending(intake),
    stored: ledger.stored,
    duplicates: ledger.duplicates,
    setAside: ledger.setAside,
    released: intake.released,
    dropped: Intake.dropped(intake),
    handedBack: ledger.handedBack,
    refused: intake.refused,
    saves: ledger.saves,
    retries: ledger.retries,
    pendingBytes: Intake.pendingBytes(intake),
    oldestAge: oldestAge(book),
    gaps: allGaps(book)
  }
}
