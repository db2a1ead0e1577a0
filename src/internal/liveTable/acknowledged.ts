/**
 * What a write target has acknowledged, and the master may not show yet. Until its time is over, no load of the master
 * that began before that and does not show it counts. Only this file writes it.
 */
import { Option } from "effect"
import type { IdValue } from "../columns/ids.js"
import type { Revision } from "../log/events.js"
import type { Answer } from "./answers.js"

/** A row, as the target has it. */
interface Acknowledged<A> {
  readonly answer: A
  /** Monotonic milliseconds. */
  readonly until: number
  /** A load has shown it. */
  shown: boolean
}

/** A row's id; `undefined`: every row that has none of its own. */
type Acknowledgements<A> = Map<IdValue | undefined, Acknowledged<A>>

export interface Targets<A extends Answer<unknown>> {
  /** In the order of their times: all have the same lag. */
  readonly open: Acknowledgements<A>
  /** Their time is over, but loads from before are under way. */
  readonly lapsed: Acknowledgements<A>
}

export const make = <A extends Answer<unknown>>(): Targets<A> => ({ open: new Map(), lapsed: new Map() })

/** Puts the newest one last. One of every row is newer than those of single rows. */
const put = <A>(into: Acknowledgements<A>, id: IdValue | undefined, acknowledged: Acknowledged<A>): void => {
  if (id === undefined) into.clear()
  else into.delete(id)
  into.set(id, acknowledged)
}

export const note = <A extends Answer<unknown>>(
  { open }: Targets<A>,
  id: IdValue | undefined,
  answer: A,
  until: number
): void => put(open, id, { answer, until, shown: false })

const find = <A extends Answer<unknown>>(
  { lapsed, open }: Targets<A>,
  id: IdValue
): Acknowledged<A> | undefined =>
  open.get(id) ?? open.get(undefined) ?? lapsed.get(id) ?? lapsed.get(undefined)

/** Whether the master may not show a row yet. */
export const concerns = <A extends Answer<unknown>>({ open }: Targets<A>, id: IdValue): boolean =>
  open.has(id) || open.has(undefined)

/** Whether what was read shows what was written. Revisions of other epochs say nothing. */
const shows = (read: Revision | undefined, { answer }: Acknowledged<Answer<unknown>>): boolean => {
  const written = Option.getOrUndefined(answer.revision)
  return (
    read !== undefined && written !== undefined && read.epoch === written.epoch && read.seq >= written.seq
  )
}

/** What counts in place of a load of a row; `undefined`: the load itself. */
export const inPlaceOf = <A extends Answer<unknown>>(
  targets: Targets<A>,
  id: IdValue,
  askedAt: number,
  revision: Revision | undefined
): A | undefined => {
  const found = find(targets, id)
  if (found === undefined || askedAt >= found.until) return undefined
  if (!shows(revision, found)) return found.answer
  found.shown = true
  return undefined
}

/** Whether a load of a list or a count shows all that was acknowledged. */
export const isShown = <A extends Answer<unknown>>(
  { lapsed, open }: Targets<A>,
  askedAt: number,
  revision: Revision | undefined
): boolean => {
  for (const all of [open, lapsed]) {
    for (const one of all.values()) if (askedAt < one.until && !shows(revision, one)) return false
  }
  return true
}

/** When the first of them is over; `Infinity` without any. */
export const nextEnd = <A extends Answer<unknown>>({ open }: Targets<A>): number => {
  for (const { until } of open.values()) return until
  return Number.POSITIVE_INFINITY
}

/** Takes what is over by now, and returns the ids of what no load has shown. */
export const takeOver = <A extends Answer<unknown>>(
  { lapsed, open }: Targets<A>,
  now: number
): ReadonlyArray<IdValue | undefined> => {
  const unshown: Array<IdValue | undefined> = []
  for (const [id, acknowledged] of open) {
    if (now < acknowledged.until) break
    open.delete(id)
    put(lapsed, id, acknowledged)
    if (!acknowledged.shown) unshown.push(id)
  }
  return unshown
}

/** Forgets what is over since before the oldest load under way began. */
export const forget = <A extends Answer<unknown>>({ lapsed }: Targets<A>, oldest: number): void => {
  for (const [id, { until }] of lapsed) {
    if (oldest < until) break
    lapsed.delete(id)
  }
}
