/** From the rows of a log to those of its index of keys. All of it is pure. */
import { forgottenKind } from "../../../internal/log/kinds.js"
import type { LogRow } from "./rows.js"

/** A row of the table of events. */
export interface EventRow {
  readonly key: string
  readonly seq: number
  /** Its place among the changes of the revision. */
  readonly pos: number
  readonly tag: number
  readonly generation: number
  readonly kind: string | undefined
}

/** What new revisions add to the index. */
export interface IndexRows {
  /** How many events each key has had, with the new ones. */
  readonly generations: ReadonlyMap<string, number>
  readonly events: ReadonlyArray<EventRow>
}

/** Counts the events of new rows. `generations` holds how many events each key has had before, as far as it had any. */
export const countEvents = (
  rows: ReadonlyArray<LogRow>,
  generations: ReadonlyMap<string, number>
): IndexRows => {
  const counted = new Map<string, number>()
  const events: Array<EventRow> = []
  for (const { changes, seq, tag } of rows) {
    for (const [pos, { key, kind }] of changes.entries()) {
      const generation = (counted.get(key) ?? generations.get(key) ?? 0) + 1
      counted.set(key, generation)
      events.push({ key, seq, pos, tag, generation, kind })
    }
  }
  return { generations: counted, events }
}

/** The kinds that a reader of these kinds gets; none if it gets all. */
export const kindsOrForgotten = (
  kinds: ReadonlyArray<string> | undefined
): ReadonlyArray<string> | undefined => kinds && [...new Set([...kinds, forgottenKind])]
