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

/** Makes JSON of a value; throws when there is none. */
export type Encode<V> = (value: V) => string

/** The JSON of plain data. */
export const json = (value: unknown): string => {
  // It gives undefined for what JSON has no word for.
  const text: string | undefined = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`a value of type ${typeof value} has no JSON`)
  return text
}

/** The cursor is repeated in the data of an event, for clients that resume without an `EventSource`. */
const at = (revision: Revision): string => `{"cursor":${json(Sse.cursorOf(revision))}`

/** The JSON of an event. */
export const change = <V>(event: Event<V>, encode: Encode<V>): string => {
  const key = json(event.key)
  const { previous } = event
  const before =
    previous === undefined || previous._tag === "None" ? "" : `,"previous":${encode(previous.value)}`
  return event._tag === "Put"
    ? `{"type":"put","key":${key},"value":${encode(event.value)}${before}}`
    : `{"type":"delete","key":${key}${before}}`
}

/** The events of one revision, each made by `change`. */
export const eventsOf = <V>(
  { events, revision }: EventsFrame<V>,
  change: (event: Event<V>) => string
): string => {
  const changes = events.map(change).join(",")
  return Sse.event("events", `${at(revision)},"events":[${changes}]}`, Sse.cursorOf(revision))
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

/** The JSON of an entry of a snapshot. */
export const entry = <V>({ key, revision, value }: KeyValue<V>, encode: Encode<V>): string =>
  `{"key":${json(key)},"value":${encode(value)},"seq":${revision.seq}}`

/**
 * A snapshot is one event, but may be large: it is made piece by piece, a line of data for each entry. An entry that
 * has no JSON throws.
 */
export function* snapshotParts<V>(
  { deleted, entries, revision }: SnapshotFrame<V>,
  encode: Encode<V>,
  textOf: (kept: KeyValue<V>) => string = (kept) => entry(kept, encode)
): Generator<string> {
  let part = Sse.data(`${at(revision)},"deleted":${json(deleted)},"entries":[`)
  for (const [i, kept] of entries.entries()) {
    const comma = i === entries.length - 1 ? "" : ","
    part += Sse.data(`${textOf(kept)}${comma}`)
    if (part.length < chunkBytes) continue
    yield part
    part = ""
  }
  yield part + Sse.data("]}") + Sse.dispatch("snapshot", Sse.cursorOf(revision))
}

/** Everything up to this revision has been sent. */
export const reached = (name: "synced" | "progress", revision: Revision): string =>
  Sse.event(name, `${at(revision)}}`, Sse.cursorOf(revision))
