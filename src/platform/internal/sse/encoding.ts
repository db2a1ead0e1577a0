/**
 * Server-sent events as text (WHATWG HTML, section "Server-sent events"), and the cursors that are their ids. All of
 * it is pure.
 */
import { type Revision, start } from "../../../internal/log/events.js"
import { word } from "../../../internal/random.js"

/** Lines of data: where the text has a line break, the next line begins. The client puts them together again. */
export const data = (text: string): string => `data: ${text.replace(/\r\n|\r|\n/g, "\ndata: ")}\n`

/** Ends an event after its data: only now does the client see it, and take over its id. */
export const dispatch = (name: string, id?: string): string =>
  id === undefined ? `event: ${name}\n\n` : `event: ${name}\nid: ${id}\n\n`

/** A whole event. */
export const event = (name: string, text: string, id?: string): string => data(text) + dispatch(name, id)

/** How long a client waits before it connects again, in milliseconds. */
export const retry = (millis: number): string => `retry: ${Math.round(millis)}\n\n`

/** The id of a client that is to begin anew: as a cursor it is none, and an `EventSource` brings it back as such. */
export const anew = "-"

/** Takes the place of a client's id; there is no event in it. */
export const resetId = `id: ${anew}\n\n`

/** No client sees it; it keeps proxies from closing a connection on which nothing else is sent. */
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

/**
 * Distinguishes the cursors that a client was given from invented ones. Above `seq` 0 the tag of the revision does,
 * which the log checks; but the start of a log has none. So an adapter gives out a random word of its own for it, and
 * takes no other.
 */
export interface Starts {
  readonly random: Int32Array
  epoch: string | undefined
  word: number
}

export const makeStarts = (random: Int32Array): Starts => ({ random, epoch: undefined, word: 0 })

/** The revision as a client is given it. */
export const toClient = (starts: Starts, revision: Revision): Revision => {
  if (revision.seq !== 0) return revision
  const { epoch } = revision
  if (starts.epoch !== epoch) {
    starts.epoch = epoch
    starts.word = word(starts.random) >>> 0
  }
  return { epoch, seq: 0, tag: starts.word }
}

/** The revision of a cursor that a client sends; none if it is no cursor, or a start that it was not given. */
export const fromClient = (starts: Starts, cursor: string): Revision | undefined => {
  const revision = revisionOf(cursor)
  if (revision?.seq !== 0) return revision
  return revision.epoch === starts.epoch && revision.tag === starts.word ? start(revision.epoch) : undefined
}
