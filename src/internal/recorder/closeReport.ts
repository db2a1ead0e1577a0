/** What a closed recorder gives back. */
import { Effect, type Option } from "effect"
import type { Storage } from "../../Storage.js"
import type { SetAside } from "./deadLetters.js"
import type { Unsaved } from "./settlement.js"
import type { Stats } from "./stats.js"

/** What a closed recorder gives back. */
export interface CloseReport<in out Record, in Query = never, out Result = unknown> {
  /** The storage, still usable until the scope it was made in ends; none when it never came up. */
  readonly storage: Option.Option<Storage<Record, Query, Result>>
  /** The storage ignored its interruption: a save may still be running on it. */
  readonly storageBusy: boolean
  /**
   * The records that were accepted and are given back, in order. Above 10,000 of them an entry is made when it is first
   * read, so that millions delay no deadline; `Array.from` it before you send it to another thread.
   */
  readonly unsaved: ReadonlyArray<Unsaved<Record>>
  /** The records set aside that no sink took, oldest first: the last `maxHeld`. `stats.released` counts the others. */
  readonly setAside: ReadonlyArray<SetAside<Record>>
  readonly stats: Stats
}

/** Reports what a scope's end left unsaved: as counts to the log, and whole to `onClosed`. */
export const reportUnsaved = <Record, Query, Result>(
  name: string,
  report: CloseReport<Record, Query, Result>,
  unknown: number,
  onClosed: ((report: CloseReport<Record>) => Effect.Effect<void>) | undefined
): Effect.Effect<void> => {
  const { setAside, stats, unsaved } = report
  const { released } = stats
  const log =
    unsaved.length + setAside.length + released === 0
      ? Effect.void
      : Effect.logError(
          `${name}: closed by its scope with ${unsaved.length} records unsaved (${unknown} of unknown outcome) ` +
            `and ${setAside.length} set aside${released === 0 ? "" : `, ${released} released from memory before`}`
        )
  // A logger that throws must not keep the report from its reader.
  const logged = Effect.asVoid(Effect.exit(log))
  return onClosed === undefined ? logged : Effect.andThen(logged, onClosed(report))
}
