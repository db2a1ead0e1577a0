/** Ends a fold: its state is encoded, measured, and given to the caches. */
import { Effect } from "effect"
import type { Revision } from "../log/events.js"
import type { Cached } from "./cached.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent } from "./events.js"
import type { Fold } from "./fold.js"
import type { Stored } from "./outcome.js"
import type { Runtime } from "./runtime.js"
import * as Slots from "./slots.js"
import { bytesOf, type Kept, none, unencoded } from "./states.js"
import * as TierRow from "./tierRow.js"

/** A fold that has ended, of events up to a position of its key. */
export interface Ended<S> extends Cached<S> {
  readonly head: Revision
  readonly asked: Slots.Asked
  /** Events that the tier's row of the key lacks. */
  readonly unsaved: number
  /** Whether the tier has no row of the key that counts. */
  readonly isNew: boolean
}

/** Returns the state of a fold as caches keep it, or why there is none. */
export const keep = <S, E>(
  { compiled, name, settings }: Runtime<S, E>,
  { key, problem, state }: Fold<S>
): Kept<S> | ProjectionError => {
  if (problem !== undefined) return problem
  if (state === undefined) return none
  const kept = compiled.states.keep(state) ?? unencoded(state)
  const bytes = bytesOf(kept)
  if (bytes <= settings.maxStateBytes) return kept
  const message = `the state has ${bytes} bytes, more than \`maxStateBytes\` (${settings.maxStateBytes}): raise it, or keep less in the state`
  return new ProjectionError({ reason: "TooLarge", projection: name, key, message })
}

const isEncodable = ({ shared, text }: Kept<unknown>): boolean => text !== undefined || shared === none.shared

/** Gives a state to the slots and, where it is due, to the tier. It never fails. */
export const store = <S, E extends AnyEvent>(
  runtime: Runtime<S, E>,
  key: string,
  ended: Ended<S>
): Effect.Effect<Stored> => {
  const { compiled, counters, settings, slots, tier } = runtime
  const { applied, asked, at, head, isNew, state, unsaved } = ended
  if (!isEncodable(state)) {
    counters.notEncodable++
    return Effect.succeed("NotEncodable")
  }
  const slot = { state, at, applied, head, proven: asked, unsaved }
  Slots.put(slots, key, slot)
  const isSlotted = slots.cells !== undefined
  if (tier === undefined) return Effect.succeed(isSlotted ? "Stored" : "NoSlots")
  if (!isNew && unsaved < settings.snapshotEvery) return Effect.succeed(isSlotted ? "Stored" : "Skipped")
  const { epoch, seq } = at.revision
  const put = tier.put(TierRow.keyOf(compiled.kinds, key), TierRow.encode(runtime, key, ended), {
    epoch,
    seq
  })
  return Effect.map(put, (isPut) => {
    if (isPut) Slots.saved(slot)
    else counters.putFailures++
    return isPut ? "Stored" : "PutFailed"
  })
}
