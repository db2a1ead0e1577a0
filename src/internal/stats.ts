/** What a recorder tells of itself at any instant. */
import { type GapNote, gapNotes } from "./admission.js"
import type { Book } from "./book.js"
import type { Failure } from "./bulk.js"
import * as Intake from "./intake.js"
import * as Mailbox from "./mailbox.js"

/** The account, and what a load shedder wants to know. All counts are since `make`. */
export interface Stats {
  readonly accepted: number
  readonly pending: number
  readonly stored: number
  /** How many of `stored` the backend already held. */
  readonly duplicates: number
  readonly setAside: number
  readonly dropped: number
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
  /** The last 100 intervals in which records were dropped. */
  readonly gaps: ReadonlyArray<GapNote>
}

/** Milliseconds since the oldest pending record came; 0 when there is none. */
export const oldestAge = <Item, F extends Failure, E>({ control, run }: Book<Item, F, E>): number => {
  const { intake } = control
  const since = intake.inFlight > 0 ? run?.batch.openedAt : Mailbox.oldestAt(intake.mailbox)
  return since === undefined ? 0 : Math.max(0, intake.now() - since)
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
    dropped: Intake.dropped(intake),
    handedBack: ledger.handedBack,
    refused: intake.refused,
    saves: ledger.saves,
    retries: ledger.retries,
    pendingBytes: Intake.pendingBytes(intake),
    oldestAge: oldestAge(book),
    gaps: gapNotes(intake.gaps)
  }
}
