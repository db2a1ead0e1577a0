/** What a closed live table gives back. */
import { Effect, type Option } from "effect"
import type { Outcome } from "../../Storage.js"
import type { Table } from "../../Table.js"
import type { Tier } from "../../Tier.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import type { Stats } from "./stats.js"

/** A write that was accepted and not done. `NotStored`: it was never sent. `Unknown`: the master may hold it. */
export interface UnsavedWrite<D extends AnyDefinition> {
  readonly write: Write<D>
  readonly outcome: Outcome
}

/** What a closed live table gives back. Nothing of it is used any more, but by calls that ignore their interruption. */
export interface CloseReport<in out D extends AnyDefinition> {
  /** None if it never came up. */
  readonly master: Option.Option<Table<D>>
  readonly target: Option.Option<Table<D>>
  readonly tier: Option.Option<Tier>
  /**
   * A write or a read of the master had not stopped when the report was made, and may still run. Calls that stop as soon as
   * they are interrupted do not count. One that needs longer than the close allows counts, though it stops later.
   */
  readonly masterBusy: boolean
  /** The writes that were accepted and not done, in order. */
  readonly unsaved: ReadonlyArray<UnsavedWrite<D>>
  readonly stats: Stats
}

/** Reports what a scope's end left undone: as counts to the log, and whole to `onClosed`. */
export const reportUnsaved = <D extends AnyDefinition>(
  name: string,
  report: CloseReport<D>,
  onClosed: ((report: CloseReport<D>) => Effect.Effect<void>) | undefined
): Effect.Effect<void> => {
  const { unsaved } = report
  const unknown = unsaved.filter(({ outcome }) => outcome === "Unknown").length
  const message = `${name}: closed by its scope with ${unsaved.length} writes not done (${unknown} of unknown outcome)`
  // A logger that throws must not keep the report from its reader.
  const logged = unsaved.length === 0 ? Effect.void : Effect.asVoid(Effect.exit(Effect.logError(message)))
  return onClosed === undefined ? logged : Effect.andThen(logged, onClosed(report))
}
