/**
 * Makes the text of an event once for all its clients: watchers share the events of a revision, and the
 * entries of snapshots. What was made last is kept, within a bound.
 */
import type { Event, KeyValue, Revision } from "../../../internal/log/events.js"
import type { EventsFrame } from "../../../Watch.js"
import * as Frames from "./frames.js"

/** What is kept by identity, the oldest given up first; of what is larger than the bound, the newest alone. */
interface Recent<K, A> {
  readonly get: (key: K) => A | undefined
  readonly put: (key: K, value: A, size: number) => A
}

const recent = <K, A>(limit: number): Recent<K, A> => {
  const kept = new Map<K, { readonly value: A; readonly size: number }>()
  // Finding the oldest key of a map costs as much as the keys that were deleted before it.
  let order: Array<K> = []
  let start = 0
  let total = 0
  return {
    get: (key) => kept.get(key)?.value,
    put: (key, value, size) => {
      kept.set(key, { value, size })
      order.push(key)
      total += size
      while (total > limit && start < order.length - 1) {
        const oldest = order[start++]!
        total -= kept.get(oldest)?.size ?? 0
        kept.delete(oldest)
      }
      if (start > 1024 && start * 2 > order.length) {
        order = order.slice(start)
        start = 0
      }
      return value
    }
  }
}

export interface Encoding<V> {
  readonly events: (frame: EventsFrame<V>) => Uint8Array
  /** The JSON of an entry of a snapshot; none if its value has none. */
  readonly entry: (entry: KeyValue<V>) => string | undefined
}

/** About how many bytes of each kind are kept. */
const limit = 4 * 1024 * 1024

// A text takes up to two bytes for each unit; a key of the map, and what it points to, about a hundred.
const sizeOf = (text: string): number => 100 + 2 * text.length

/** About how many bytes a list of them takes. */
const twinsSize = 1000

/** Of a revision with more events, the others are made for each client. */
const maxTwins = 16

const isSame = <V>(a: Event<V>, b: Event<V>): boolean =>
  a._tag === b._tag &&
  a.key === b.key &&
  (a._tag === "Delete" || b._tag === "Delete" || Object.is(a.value, b.value)) &&
  Object.is(before(a), before(b))

const before = <V>({ previous }: Event<V>): V | undefined =>
  previous === undefined || previous._tag === "None" ? undefined : previous.value

const encoder = new TextEncoder()

export const make = <V>(encode: Frames.Encode<V>): Encoding<V> => {
  // Watchers with predicates of their own get other parts of a revision, but the same events.
  const texts = recent<Event<V> | KeyValue<V>, string>(limit)
  const frames = recent<ReadonlyArray<Event<V>>, Uint8Array>(limit)
  // The text of what has no JSON is empty: it is left out, and counted, once for all its clients.
  const keep = (key: Event<V> | KeyValue<V>, text = ""): string => texts.put(key, text, sizeOf(text))
  // Watchers that read on from the log, with the values before, get events of their own.
  const twins = recent<Revision, Array<Event<V>>>(limit)
  const twinOf = (event: Event<V>): Event<V> => {
    if (event.previous === undefined) return event
    const known = twins.get(event.revision) ?? twins.put(event.revision, [], twinsSize)
    const twin = known.find((other) => isSame(other, event))
    if (twin === undefined && known.length < maxTwins) known.push(event)
    return twin ?? event
  }
  const change = (event: Event<V>): string | undefined => {
    const key = twinOf(event)
    return (texts.get(key) ?? keep(key, Frames.change(key, encode))) || undefined
  }
  return {
    events: (frame) => {
      const { events } = frame
      const made = frames.get(events)
      if (made !== undefined) return made
      const bytes = encoder.encode(Frames.eventsOf(frame, change))
      return frames.put(events, bytes, 100 + bytes.length)
    },
    entry: (entry) => (texts.get(entry) ?? keep(entry, Frames.entry(entry, encode))) || undefined
  }
}
