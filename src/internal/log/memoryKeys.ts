/**
 * The index of a change log in memory: the events of each key, and the revisions that have events of each kind. It holds
 * what the log holds; beyond that it counts the events of each key, and keeps the place of the last one that is removed.
 */
import type { Event, LoggedRevision, Revision } from "./events.js"
import { kindOfChange } from "./kinds.js"

/** Items in order: they are added at the end and taken from the beginning. The first one stands at `from`. */
export interface Queue<A> {
  items: Array<A | undefined>
  from: number
}

export const lengthOf = ({ from, items }: Queue<unknown>): number => items.length - from

export const itemAt = <A>({ from, items }: Queue<A>, index: number): A => items[from + index] as A

const dropFirst = (queue: Queue<unknown>): void => {
  queue.items[queue.from++] = undefined
  // Each item is moved at most once for every item that is dropped.
  if (queue.from * 2 < queue.items.length) return
  queue.items = queue.items.slice(queue.from)
  queue.from = 0
}

/** What the index knows of a key. The generation of its first held event is `gone` + 1. */
export interface KeyRecord<V> {
  readonly held: Queue<Event<V>>
  /** How many of its events are removed. */
  gone: number
  /** The revision of the last one of these. */
  goneAt: Revision | undefined
}

export interface Keys<V> {
  readonly records: Map<string, KeyRecord<V>>
  /** The numbers of the revisions that have an event of a kind. */
  readonly kinds: Map<string, Queue<number>>
}

export const makeKeys = <V>(): Keys<V> => ({ records: new Map(), kinds: new Map() })

/** Counts the events that a key ever had. */
export const generationOf = <V>({ records }: Keys<V>, key: string): number => {
  const record = records.get(key)
  return record === undefined ? 0 : record.gone + lengthOf(record.held)
}

const queueOf = <A>(queues: Map<string, Queue<A>>, name: string): Queue<A> => {
  const known = queues.get(name)
  if (known !== undefined) return known
  const queue: Queue<A> = { items: [], from: 0 }
  queues.set(name, queue)
  return queue
}

const recordOf = <V>({ records }: Keys<V>, key: string): KeyRecord<V> => {
  const known = records.get(key)
  if (known !== undefined) return known
  const record: KeyRecord<V> = { held: { items: [], from: 0 }, gone: 0, goneAt: undefined }
  records.set(key, record)
  return record
}

/** Adds a revision that the log has appended. */
export const indexRevision = <V>(keys: Keys<V>, { events, revision }: LoggedRevision<V>): void => {
  for (const event of events) {
    recordOf(keys, event.key).held.items.push(event)
    const kind = kindOfChange(event)
    if (kind === undefined) continue
    const { items } = queueOf(keys.kinds, kind)
    if (items[items.length - 1] !== revision.seq) items.push(revision.seq)
  }
}

/** Removes the oldest revision. Its keys stay, with their counts. */
export const dropRevision = <V>(
  keys: Keys<V>,
  { events, revision }: Pick<LoggedRevision<V>, "events" | "revision">
): void => {
  for (const event of events) {
    const record = recordOf(keys, event.key)
    dropFirst(record.held)
    record.gone++
    record.goneAt = revision
    const kind = kindOfChange(event)
    const queue = kind === undefined ? undefined : keys.kinds.get(kind)
    if (kind === undefined || queue === undefined) continue
    while (lengthOf(queue) > 0 && itemAt(queue, 0) <= revision.seq) dropFirst(queue)
    if (lengthOf(queue) === 0) keys.kinds.delete(kind)
  }
}

/** Puts the events of the log's revisions, which are of another epoch now, in the place of those that it has. */
export const moveKeys = <V>(
  keys: Keys<V>,
  epoch: string,
  revisions: ReadonlyArray<LoggedRevision<V>>
): void => {
  for (const record of keys.records.values()) {
    record.held.items = []
    record.held.from = 0
    if (record.goneAt !== undefined) record.goneAt = Object.freeze({ ...record.goneAt, epoch })
  }
  for (const { events } of revisions) {
    for (const event of events) recordOf(keys, event.key).held.items.push(event)
  }
}
