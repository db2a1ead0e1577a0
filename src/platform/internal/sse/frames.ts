/** The frames of a watcher as server-sent events. */
import type { Event, KeyValue, Revision } from "../../../internal/log/events.js"
import type { EventsFrame, SnapshotFrame, WatchEnded } from "../../../Watch.js"
import * as Sse from "./encoding.js"

/** Why a response has ended. */
export type EndReason = WatchEnded["reason"] | "Malformed" | "Full" | "Unavailable"

/** What a client can do when a response has ended. */
export type Next = "resume" | "restart" | "stop"

/** Why a client does not get what followed its cursor. */
export type GapReason = "Overflow" | "Compacted" | "EpochChanged" | "Malformed"

const nextOf: { readonly [Reason in EndReason]: Next } = {
  Overflow: "resume",
  Closed: "resume",
  Full: "resume",
  Unavailable: "resume",
  Compacted: "restart",
  EpochChanged: "restart",
  Malformed: "restart",
  Failed: "stop",
  Unauthorized: "stop",
  Expired: "stop",
  Ended: "stop"
}

/** Makes JSON of a value; none when there is none. */
export type Encode<V> = (value: V) => string | undefined

/** The JSON of plain data. */
export const json = (value: unknown): string => {
  // It gives undefined for what JSON has no word for.
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`a value of type ${typeof value} has no JSON`)
  return text
}

/** The cursor is repeated in the data of an event, for clients that resume without an `EventSource`. */
const at = (revision: Revision): string => `{"cursor":${json(Sse.cursorOf(revision))}`

/** The JSON of an event; none if its value has none. A value before that has none is left out. */
export const change = <V>(event: Event<V>, encode: Encode<V>): string | undefined => {
  const key = json(event.key)
  const { previous } = event
  const encoded = previous === undefined || previous._tag === "None" ? undefined : encode(previous.value)
  const before = encoded === undefined ? "" : `,"previous":${encoded}`
  if (event._tag === "Delete") return `{"type":"delete","key":${key}${before}}`
  const value = encode(event.value)
  return value === undefined ? undefined : `{"type":"put","key":${key},"value":${value}${before}}`
}

/** The events of one revision, each made by `change`. If all are left out, only that the revision is reached. */
export const eventsOf = <V>(
  { events, revision }: EventsFrame<V>,
  change: (event: Event<V>) => string | undefined
): string => {
  const changes = events.map(change).filter((text) => text !== undefined)
  if (changes.length === 0) return reached("progress", revision)
  return Sse.event("events", `${at(revision)},"events":[${changes.join(",")}]}`, Sse.cursorOf(revision))
}

/** Revisions that were not sent. It has no id: a client that resumes from before it may still get all of them. */
export const gap = (from: number, to: number, reason: GapReason): string =>
  Sse.event("gap", json({ from, to, reason }))

/**
 * The end. It has no id: the one before it remains, unless the client is to begin anew: then its id is taken away
 * behind it, or an `EventSource` would connect again with the same cursor for ever.
 */
export const end = (reason: EndReason, cursor: string | undefined): string => {
  const next = nextOf[reason]
  const event = Sse.event("end", json({ reason, next, cursor: cursor ?? null }))
  return next === "restart" ? event + Sse.resetId : event
}

/**
 * Dispatches the part of an event that was sent already, under a name without listeners, and without an id. What
 * cannot be completed must not become a part of the next event.
 */
export const abandon = Sse.dispatch("abandoned")

/** About how much is written at once: the high-water mark of a Node.js response. */
export const chunkBytes = 16_384

/** The JSON of an entry of a snapshot; none if its value has none. */
export const entry = <V>({ key, revision, value }: KeyValue<V>, encode: Encode<V>): string | undefined => {
  const encoded = encode(value)
  return encoded === undefined ? undefined : `{"key":${json(key)},"value":${encoded},"seq":${revision.seq}}`
}

/**
 * A snapshot is one event, but may be large: it is made piece by piece, a line of data for each entry. An entry that
 * has no JSON is left out.
 */
export function* snapshotParts<V>(
  { deleted, entries, revision }: SnapshotFrame<V>,
  encode: Encode<V>,
  textOf: (kept: KeyValue<V>) => string | undefined = (kept) => entry(kept, encode)
): Generator<string> {
  let part = Sse.data(`${at(revision)},"deleted":${json(deleted)},"entries":[`)
  // Whether a comma follows an entry is known when the next one has JSON.
  let before: string | undefined
  for (const kept of entries) {
    const text = textOf(kept)
    if (text === undefined) continue
    if (before !== undefined) part += Sse.data(`${before},`)
    before = text
    if (part.length < chunkBytes) continue
    yield part
    part = ""
  }
  if (before !== undefined) part += Sse.data(before)
  yield part + Sse.data("]}") + Sse.dispatch("snapshot", Sse.cursorOf(revision))
}

/** Everything up to this revision has been sent. */
export const reached = (name: "synced" | "progress", revision: Revision): string =>
  Sse.event(name, `${at(revision)}}`, Sse.cursorOf(revision))
