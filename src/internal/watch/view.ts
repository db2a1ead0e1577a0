/**
 * What a follow may see: how a view judges events and entries, and by which version of the rights. Only this file
 * writes a viewing.
 */
import { Option } from "effect"
import type { Event, LoggedRevision } from "../log/events.js"

/** Whether a row may be seen. Pure. */
export type Visible<V> = (key: string, value: V) => boolean

/** Rights that change while a follow runs. */
export interface Rights<V> {
  /**
   * Returns another number when what may be seen has changed. It is compared each time that the reader takes. Must be
   * synchronous and cheap, and must not throw.
   */
  readonly version: () => number
  /** Returns what may be seen now; `undefined`: nothing any more. Called once for each version of a watcher. */
  readonly visible: () => Visible<V> | undefined
}

/** What a follow may see: a predicate, or rights that change while it runs. */
export type View<V> = Visible<V> | Rights<V>

interface Fields<V> {
  /** None: the predicate never changes. */
  readonly rights: Rights<V> | undefined
  /** By which version `visible` judges; none: not asked yet. */
  version: number | undefined
  visible: Visible<V>
  /** How often the rights have changed. */
  changes: number
}

/** The view of one watcher, as all other files see it. */
export type Viewing<V> = Readonly<Fields<V>>

const nothing = (): boolean => false

const fresh = <V>(view: View<V>): Fields<V> =>
  typeof view === "function"
    ? { rights: undefined, version: 0, visible: view, changes: 0 }
    : { rights: view, version: undefined, visible: nothing, changes: 0 }

/** The view of a new watcher. Rights are not asked yet. */
export const make: <V>(view: View<V>) => Viewing<V> = fresh

// Every viewing was made by `fresh`: the type of other files hides what only this file may write.
const fieldsOf = <V>(viewing: Viewing<V>): Fields<V> => viewing as Fields<V>

/** What a comparison of rights has found. */
export type Found =
  | { readonly _tag: "Same" }
  /** Something else is visible now. */
  | { readonly _tag: "Changed" }
  /** Nothing is visible any more, or the rights threw: the follow ends. */
  | {
      readonly _tag: "Ended"
      readonly reason: "Unauthorized" | "Failed"
      readonly message: string
      readonly cause?: unknown
    }

const same: Found = { _tag: "Same" }
const changed: Found = { _tag: "Changed" }
const unauthorized: Found = {
  _tag: "Ended",
  reason: "Unauthorized",
  message: "its rights let it see nothing any more"
}

/** Compares the version of the rights; if it is another one, asks what is visible now. */
export const compare = <V>(viewing: Viewing<V>): Found => {
  const { rights } = viewing
  if (rights === undefined) return same
  try {
    const version = rights.version()
    if (version === viewing.version) return same
    const fields = fieldsOf(viewing)
    fields.version = version
    fields.changes++
    // If it throws, nothing is visible.
    fields.visible = nothing
    const visible = rights.visible()
    if (visible === undefined) return unauthorized
    fields.visible = visible
    return changed
  } catch (cause) {
    return { _tag: "Ended", reason: "Failed", message: "its rights threw", cause }
  }
}

const noPrevious = new Error("the log gave no values before: a view needs them")

/** What a follow sees of an event; none: nothing. `previous`: it delivers the value before. */
const seenOf = <V>(
  visible: Visible<V>,
  event: Event<V>,
  before: Option.Option<V>,
  previous: boolean
): Event<V> | undefined => {
  const { key, revision } = event
  const isVisible = event._tag === "Put" && visible(key, event.value)
  if (isVisible && !previous) return event
  const wasVisible = Option.isSome(before) && visible(key, before.value)
  if (isVisible)
    return wasVisible || Option.isNone(before) ? event : Object.freeze({ ...event, previous: Option.none() })
  if (!wasVisible) return undefined
  if (event._tag === "Delete") return event
  return Object.freeze({ _tag: "Delete", key, revision, ...(previous ? { previous: before } : {}) })
}

/**
 * What a follow sees of some events of a revision, each judged by its own value and the value before. A row that begins
 * to be visible is put, and one that ceases to be is deleted. Returns `events` if the follow sees them as they are.
 * `positions` are theirs in the revision, if they are not all.
 */
export const seen = <V>(
  { visible }: Viewing<V>,
  events: ReadonlyArray<Event<V>>,
  positions: ReadonlyArray<number> | undefined,
  logged: LoggedRevision<V>,
  previous: boolean
): ReadonlyArray<Event<V>> => {
  let kept: Array<Event<V>> | undefined
  for (let i = 0; i < events.length; i++) {
    const event = events[i]!
    const before = logged.previous?.[positions === undefined ? i : positions[i]!]
    if (before === undefined) throw noPrevious
    const one = seenOf(visible, event, before, previous)
    if (one === event && kept === undefined) continue
    kept ??= events.slice(0, i)
    if (one !== undefined) kept.push(one)
  }
  return kept ?? events
}
