/**
 * What a backend in memory keeps of a store beside its log, and how the result of a batch changes it. All of it is
 * synchronous. The values are in the log alone: its last values.
 */
import { ownJson, sizeOfJson } from "../columns/jsonData.js"
import type { Latest } from "../log/changeLog.js"
import type { Change, KeyValue, Revision } from "../log/events.js"
import type { ClientWindow, HeldValue, Remembered, StoredChange, StoredValue } from "./backend.js"
import type { After, Before } from "./decideSaves.js"
import { maxClients, rememberedFor } from "./operations.js"

/** What is kept of a store. */
export interface Book {
  readonly values: Latest<StoredValue>
  /** The keys of each session that has values. */
  readonly sessions: Map<string, Set<string>>
  /** By client, then by number. */
  readonly operations: Map<string, Map<number, Remembered>>
  readonly windows: Map<string, ClientWindow>
  /** By the name of a save: the last revision that it appended. In the order of the revisions. */
  readonly named: Map<string, Revision>
  /** The bytes of the JSON of all values. */
  bytes: number
}

export const makeBook = (values: Latest<StoredValue>): Book => ({
  values,
  sessions: new Map(),
  operations: new Map(),
  windows: new Map(),
  named: new Map(),
  bytes: 0
})

export const heldOf = ({ key, value }: KeyValue<StoredValue>): HeldValue => Object.freeze({ key, ...value })

/** A store as its next batch finds it. */
export const beforeOf = (book: Book, head: Revision, now: number): Before => ({
  head,
  now,
  totals: { records: book.values.size(), bytes: book.bytes },
  get: (key) => {
    const entry = book.values.get(key)
    return entry && heldOf(entry)
  },
  operation: (client, n) => book.operations.get(client)?.get(n),
  window: (client) => book.windows.get(client),
  logged: (name) => book.named.get(name)
})

/** What a change takes in a log beside its data. */
const overhead = 128

/** The size of a change for a log, as stores count it: what one has accepted fits. */
export const sizeOfChange = (change: Change<StoredValue>): number =>
  overhead + (change._tag === "Put" ? sizeOfJson(change.value.data) : 0)

/** A copy of a change that no caller can change, or why it cannot be stored. */
export const ownChange = (change: StoredChange): StoredChange | string => {
  if (change._tag === "Delete") return { _tag: "Delete", key: change.key }
  const { data, ends, seq, session, version } = change.value
  const own = ownJson(data)
  if (typeof own === "string") return `the value of the key ${JSON.stringify(change.key)} is no JSON: ${own}`
  const value = Object.freeze({
    data: own.value,
    seq,
    ...(version === undefined ? {} : { version }),
    ...(session === undefined ? {} : { session }),
    ...(ends === undefined ? {} : { ends })
  })
  return { _tag: "Put", key: change.key, value }
}

/** Moves a key from the session of one value to that of the next. */
const moveKey = (
  sessions: Map<string, Set<string>>,
  key: string,
  from: string | undefined,
  to: string | undefined
): void => {
  if (from !== undefined) {
    const keys = sessions.get(from)
    keys?.delete(key)
    if (keys?.size === 0) sessions.delete(from)
  }
  if (to === undefined) return
  const keys = sessions.get(to)
  if (keys === undefined) sessions.set(to, new Set([key]))
  else keys.add(key)
}

/** Forgets the replies up to a floor. */
const prune = (operations: Map<number, Remembered>, from: number, floor: number): void => {
  if (floor - from < operations.size) {
    for (let n = from + 1; n <= floor; n++) operations.delete(n)
  } else {
    for (const n of operations.keys()) if (n <= floor) operations.delete(n)
  }
}

const commitOperations = (book: Book, { operations, windows }: After): void => {
  for (const operation of operations) {
    const known = book.operations.get(operation.client)
    if (known === undefined) book.operations.set(operation.client, new Map([[operation.n, operation]]))
    else known.set(operation.n, operation)
  }
  for (const [client, window] of windows) {
    const known = book.operations.get(client)
    const from = book.windows.get(client)?.floor ?? 0
    if (known !== undefined && window.floor > from) prune(known, from, window.floor)
    if (known?.size === 0) book.operations.delete(client)
    // The clients that came last are at the end.
    book.windows.delete(client)
    book.windows.set(client, window)
  }
}

/** Forgets old replies, and the windows of clients that have none, but for the last ones. `now`: as in the replies. */
export const tidy = ({ operations, windows }: Book, now: number): void => {
  for (const [client, known] of operations) {
    let floor = windows.get(client)?.floor ?? 0
    for (const [n, { at }] of known) if (now - at > rememberedFor) floor = Math.max(floor, n)
    for (const n of known.keys()) if (n <= floor) known.delete(n)
    if (known.size === 0) operations.delete(client)
    windows.set(client, { top: windows.get(client)?.top ?? floor, floor })
  }
  let excess = windows.size - operations.size - maxClients
  for (const client of windows.keys()) {
    if (excess <= 0) return
    if (operations.has(client)) continue
    windows.delete(client)
    excess--
  }
}

/** Keeps what a batch has made. Its revisions are not in the log yet. */
export const commit = (book: Book, after: After): void => {
  for (const [key, next] of after.values) {
    moveKey(book.sessions, key, book.values.get(key)?.value.session, next?.session)
  }
  book.bytes = after.totals.bytes
  commitOperations(book, after)
}

/** Notes which save appended a revision, and forgets those whose revisions the log holds no more. */
export const nameRevision = ({ named }: Book, name: string, revision: Revision, floor: Revision): void => {
  for (const [known, { seq }] of named) {
    if (seq > floor.seq) break
    named.delete(known)
  }
  named.set(name, revision)
}
