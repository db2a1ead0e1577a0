/**
 * Server-sent events as text (WHATWG HTML, section "Server-sent events"), and the cursors that are their ids. All of
 * it is pure.
 */
import type { Revision } from "../../internal/events.js"

/** Lines of data: where the text has a line break, the next line begins. The client puts them together again. */
export const data = (text: string): string => `data: ${text.replace(/\r\n|\r|\n/g, "\ndata: ")}\n`

/** Ends an event after its data: only now does the client see it, and take over its id. */
export const dispatch = (name: string, id?: string): string =>
  id === undefined ? `event: ${name}\n\n` : `event: ${name}\nid: ${id}\n\n`

/** A whole event. */
export const event = (name: string, text: string, id?: string): string => data(text) + dispatch(name, id)

/** How long a client waits before it connects again, in milliseconds. */
export const retry = (millis: number): string => `retry: ${Math.round(millis)}\n\n`

/** What no client sees; it keeps proxies from closing a connection that has nothing to say. */
export const comment = ":\n\n"

// A colon in the epoch is escaped, so that the text has exactly two; so is whatever an id must not hold.
export const cursorOf = ({ epoch, seq, tag }: Revision): string =>
  `${encodeURIComponent(epoch)}:${seq}:${tag}`

const shape = /^([^:]{1,512}):(\d{1,16}):(\d{1,10})$/
const largestTag = 2 ** 32 - 1

/** The revision of a cursor, or none when it is no cursor. */
export const revisionOf = (cursor: string): Revision | undefined => {
  const found = shape.exec(cursor)
  if (found === null) return undefined
  const seq = Number(found[2])
  const tag = Number(found[3])
  if (!Number.isSafeInteger(seq) || tag > largestTag) return undefined
  try {
    return { epoch: decodeURIComponent(found[1] as string), seq, tag }
  } catch {
    return undefined
  }
}
