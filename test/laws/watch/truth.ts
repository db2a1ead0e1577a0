/** What was committed, as the validators want it, and whether the writer was told so. */
import { Option } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import type { Committed, Life } from "./place.js"
import type { Change, Epoch, Truth, Value } from "./validators.js"

/** Replays all lives of a log: one goes on with the state that the one before has left. */
export const truthOf = (lives: ReadonlyArray<Life>): Truth => {
  const state = new Map<string, Value>()
  const truth = new Map<string, Epoch>()
  for (const { epoch, revisions } of lives) {
    const base = new Map(state)
    const replayed = revisions.map(({ changes }) =>
      changes.map(([key, value]): Change => {
        const previous = Option.fromNullable(state.get(key))
        if (value === undefined) state.delete(key)
        else state.set(key, value)
        return { key, value: Option.fromNullable(value), previous }
      })
    )
    truth.set(epoch, { base, revisions: replayed })
  }
  return truth
}

/** One commit, and what its writer was told of it. */
export interface Write {
  readonly entries: ReadonlyArray<Pick<Committed, "id" | "changes">>
  told: ReadonlyArray<ChangeLog.Revision> | "NotStored" | "Unknown"
}

const shown = ({ changes, id }: Pick<Committed, "id" | "changes">): string => JSON.stringify([id, changes])

/**
 * What was told as stored is there; what was told as not stored is not; what is not known is there whole or not at all;
 * and nothing else is there, without a gap in its numbers.
 */
export const accountProblems = (
  lives: ReadonlyArray<Life>,
  writes: ReadonlyArray<Write>
): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const left = new Map<string, Committed>()
  for (const { epoch, revisions } of lives) {
    for (const [i, revision] of revisions.entries()) {
      if (revision.seq !== i + 1) problems.push(`revision ${revision.seq} stands at ${i + 1}`)
      left.set(`${epoch}:${revision.seq}`, revision)
    }
  }
  for (const { entries, told } of writes) {
    if (typeof told === "string") continue
    if (told.length !== entries.length)
      problems.push(`${told.length} revisions for ${entries.length} entries`)
    for (const [i, { epoch, seq, tag }] of told.entries()) {
      const at = `${epoch}:${seq}`
      const found = left.get(at)
      left.delete(at)
      if (found === undefined) problems.push(`${at} was told as stored`)
      else if (found.tag !== tag || shown(found) !== shown(entries[i]!)) {
        problems.push(`${at} is ${shown(found)}, told ${shown(entries[i]!)}`)
      }
    }
  }
  const rest = new Map<string, number>()
  for (const one of left.values()) rest.set(shown(one), (rest.get(shown(one)) ?? 0) + 1)
  for (const { entries, told } of writes) {
    if (told !== "Unknown") continue
    const there = entries.map(shown).filter((one) => (rest.get(one) ?? 0) > 0)
    if (there.length !== 0 && there.length !== entries.length) problems.push(`only ${there} were committed`)
    for (const one of there) rest.set(one, rest.get(one)! - 1)
  }
  for (const [one, count] of rest) if (count > 0) problems.push(`${one} is there, and nobody was told`)
  return problems
}
