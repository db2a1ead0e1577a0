/**
 * What a write target has, and the master may not show yet: what it has acknowledged, and what the log names. Until its
 * time is over, no load of the master that began before that and does not show it counts. Only this file writes it.
 */
import type { IdValue } from "../columns/ids.js"
import type { Revision } from "../log/events.js"
import type { Answer } from "./answers.js"

/** A change of the target. */
export interface Acknowledged<A> {
  /** What was acknowledged last; `undefined`: nothing. */
  readonly answer: A | undefined
  /** What shows this revision shows the change; `undefined`: nothing shows it but time. */
  readonly revision: Revision | undefined
  /** Monotonic milliseconds. */
  readonly until: number
  /** A load has shown it. */
  shown: boolean
  /** A staged write made it, or what was before it: lists with staged writes have shown it, and go on to. */
  wasStaged: boolean
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

/** Whether one revision is known to be another one, or later. */
export const isAtLeast = (one: Revision | undefined, other: Revision): boolean =>
  one !== undefined && one.epoch === other.epoch && one.seq >= other.seq

const isLater = (one: Revision | undefined, other: Revision): boolean =>
  one !== undefined && one.epoch === other.epoch && one.seq > other.seq

/** Notes what the target has acknowledged. What the log has named before may be later than that. */
export const note = <A extends Answer<unknown>>(
  targets: Targets<A>,
  id: IdValue | undefined,
  answer: A,
  revision: Revision | undefined,
  until: number
): void => {
  const { revision: known, wasStaged = false } = targets.open.get(id) ?? {}
  const shownBy = revision !== undefined && isLater(known, revision) ? known : revision
  put(targets.open, id, { answer, revision: shownBy, until, shown: false, wasStaged })
}

/**
 * Notes a change that the log names. In its place counts what was acknowledged before: no caller gets an older row.
 */
export const noteNamed = <A extends Answer<unknown>>(
  targets: Targets<A>,
  id: IdValue | undefined,
  revision: Revision,
  until: number
): void => {
  const { open } = targets
  const named = ({ answer, revision: known, wasStaged }: Acknowledged<A>): Acknowledged<A> => {
    // Revisions of other epochs, and none, cannot be compared.
    const isComparable = answer === undefined || known?.epoch === revision.epoch
    return {
      answer,
      revision: !isComparable ? undefined : isLater(known, revision) ? known : revision,
      until,
      shown: false,
      wasStaged
    }
  }
  const none = { answer: undefined, revision, until, shown: false, wasStaged: false }
  const namedOr = (known: Acknowledged<A> | undefined) => (known === undefined ? none : named(known))
  const every = open.get(undefined)
  if (id !== undefined) put(open, id, namedOr(open.get(id) ?? every))
  else {
    open.delete(undefined)
    for (const [each, known] of [...open]) put(open, each, named(known))
    open.set(undefined, namedOr(every))
  }
}

const findIn = <A>(some: Acknowledgements<A>, id: IdValue): Acknowledged<A> | undefined =>
  some.get(id) ?? some.get(undefined)

/** Whether the master may not show a row yet. */
export const concerns = <A extends Answer<unknown>>({ open }: Targets<A>, id: IdValue): boolean =>
  open.has(id) || open.has(undefined)

/** Whether what was read shows the change. Revisions of other epochs say nothing. */
const shows = (read: Revision | undefined, { revision }: Acknowledged<unknown>): boolean =>
  revision !== undefined && isAtLeast(read, revision)

/** What forbids that a load of a row counts; `undefined`: nothing. */
export const inPlaceOf = <A extends Answer<unknown>>(
  targets: Targets<A>,
  id: IdValue,
  askedAt: number,
  revision: Revision | undefined
): Acknowledged<A> | undefined => {
  const found = findIn(targets.open, id) ?? findIn(targets.lapsed, id)
  if (found === undefined || askedAt >= found.until) return undefined
  if (!shows(revision, found)) return found
  found.shown = true
  return undefined
}

/** Whether a revision shows the changes that the master may not show yet. `Unchanged`: there are none. */
export type Showing = "Shown" | "Unshown" | "Unchanged"

/** Whether a revision shows what has changed a row. */
export const showingOf = <A extends Answer<unknown>>(
  { open }: Targets<A>,
  id: IdValue,
  revision: Revision | undefined
): Showing => {
  const found = findIn(open, id)
  return found === undefined ? "Unchanged" : shows(revision, found) ? "Shown" : "Unshown"
}

/** Whether a revision shows all changes. */
export const showingOfAll = <A extends Answer<unknown>>(
  { open }: Targets<A>,
  revision: Revision | undefined
): Showing => {
  for (const one of open.values()) if (!shows(revision, one)) return "Unshown"
  return open.size === 0 ? "Unchanged" : "Shown"
}

/** Notes that a staged write has made what was acknowledged last. */
export const markStaged = <A extends Answer<unknown>>(
  { open }: Targets<A>,
  id: IdValue | undefined
): void => {
  const found = open.get(id)
  if (found !== undefined) found.wasStaged = true
}

/** What staged writes have made that a revision does not show yet, in order. */
export const stagedUnshown = <A extends Answer<unknown>>(
  { open }: Targets<A>,
  revision: Revision | undefined
): ReadonlyArray<readonly [id: IdValue | undefined, answer: A]> =>
  [...open].flatMap(([id, one]) =>
    one.wasStaged && one.answer !== undefined && !shows(revision, one) ? [[id, one.answer] as const] : []
  )

/** Whether a load of a list or a count shows every change. */
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
