/**
 * What a backend in memory keeps of a store beside its log, and how a batch of saves changes it. A batch works on a draft;
 * a draft that is not committed leaves no trace. All of it is synchronous.
 *
 * The values are in the log alone: its last values.
 */
import { type Json, ownJson } from "../columns/jsonData.js"
import type { Latest } from "../log/changeLog.js"
import type { KeyValue, Revision } from "../log/events.js"
import { utf8Length } from "../text.js"
import type {
  ClientWindow,
  Decision,
  HeldValue,
  Locked,
  OperationId,
  Remembered,
  Save,
  StoredChange,
  StoredValue
} from "./backend.js"

/** By client, then by number. */
type Operations = Map<string, Map<number, Remembered>>

/** What is kept of a store. */
export interface Book {
  readonly values: Latest<StoredValue>
  /** The keys of each session that has values. */
  readonly sessions: Map<string, Set<string>>
  readonly operations: Operations
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

/** What a batch makes of a store. */
export interface Draft {
  readonly book: Book
  /** Its tag is that of the log's head: the log chooses the next ones when it appends. */
  head: Revision
  /** By key; `undefined` for one that is removed. */
  readonly changed: Map<string, HeldValue | undefined>
  readonly windows: Map<string, ClientWindow>
  readonly operations: Operations
  /** What is appended to the log, a revision each. */
  readonly revisions: Array<ReadonlyArray<StoredChange>>
  records: number
  bytes: number
}

export const makeDraft = (book: Book, head: Revision): Draft => ({
  book,
  head,
  changed: new Map(),
  windows: new Map(),
  operations: new Map(),
  revisions: [],
  records: book.values.size(),
  bytes: book.bytes
})

const noWindow: ClientWindow = Object.freeze({ top: 0, floor: 0 })

export const heldOf = ({ key, value }: KeyValue<StoredValue>): HeldValue => ({ key, ...value })

const committedOf = ({ values }: Book, key: string): HeldValue | undefined => {
  const entry = values.get(key)
  return entry && heldOf(entry)
}

const currentOf = ({ book, changed }: Draft, key: string): HeldValue | undefined =>
  changed.has(key) ? changed.get(key) : committedOf(book, key)

const windowOf = ({ book, windows }: Draft, client: string): ClientWindow =>
  windows.get(client) ?? book.windows.get(client) ?? noWindow

const rememberedOf = (draft: Draft, { client, n }: OperationId): Remembered | undefined =>
  n <= windowOf(draft, client).floor
    ? undefined
    : (draft.operations.get(client)?.get(n) ?? draft.book.operations.get(client)?.get(n))

/** What the next save of a batch looks at. */
export const lockedOf = (draft: Draft, { id, keys, name }: Save, now: number): Locked => {
  const values = new Map(keys.map((key) => [key, currentOf(draft, key)]))
  return {
    head: draft.head,
    now,
    logged: draft.book.named.get(name),
    get: (key) => values.get(key),
    remembered: id === undefined ? undefined : rememberedOf(draft, id),
    window: id === undefined ? noWindow : windowOf(draft, id.client),
    totals: { records: draft.records, bytes: draft.bytes }
  }
}

/** A copy of a change that no caller can change, or why it cannot be stored. */
export const ownChange = (change: StoredChange): StoredChange | string => {
  if (change._tag === "Delete") return { _tag: "Delete", key: change.key }
  const { data, ends, seq, session } = change.value
  const own = ownJson(data)
  if (typeof own === "string") return `the value of the key ${JSON.stringify(change.key)} is no JSON: ${own}`
  const value = Object.freeze({
    data: own.value,
    seq,
    ...(session === undefined ? {} : { session }),
    ...(ends === undefined ? {} : { ends })
  })
  return { _tag: "Put", key: change.key, value }
}

const bytesOf = (data: Json | undefined): number =>
  data === undefined ? 0 : utf8Length(JSON.stringify(data))

const applyChange = (draft: Draft, change: StoredChange): void => {
  const { key } = change
  const before = currentOf(draft, key)
  const next = change._tag === "Delete" ? undefined : { key, ...change.value }
  draft.records += (next === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
  draft.bytes += bytesOf(next?.data) - bytesOf(before?.data)
  draft.changed.set(key, next)
}

/** Adds a revision of own changes. */
export const addRevision = (draft: Draft, changes: ReadonlyArray<StoredChange>): void => {
  draft.head = { ...draft.head, seq: draft.head.seq + 1 }
  for (const change of changes) applyChange(draft, change)
  draft.revisions.push(changes)
}

const keep = (operations: Operations, operation: Remembered): void => {
  const known = operations.get(operation.client)
  if (known === undefined) operations.set(operation.client, new Map([[operation.n, operation]]))
  else known.set(operation.n, operation)
}

/** Remembers the reply to an operation, and raises the floor of its client's window. */
export const remember = (draft: Draft, id: OperationId, { floor, reply }: Decision, now: number): void => {
  const { client, content, n, principal } = id
  const window = windowOf(draft, client)
  if (reply !== undefined) {
    keep(draft.operations, Object.freeze({ client, n, principal, content, reply, at: now }))
  } else if (floor === undefined) return
  const top = reply === undefined ? window.top : Math.max(window.top, n)
  draft.windows.set(client, Object.freeze({ top, floor: Math.max(window.floor, floor ?? 0) }))
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

const commitOperations = ({ book, operations, windows }: Draft): void => {
  for (const known of operations.values())
    for (const operation of known.values()) keep(book.operations, operation)
  for (const [client, window] of windows) {
    const known = book.operations.get(client)
    const from = book.windows.get(client)?.floor ?? 0
    if (known !== undefined && window.floor > from) prune(known, from, window.floor)
    if (known?.size === 0) book.operations.delete(client)
    book.windows.set(client, window)
  }
}

/** Makes a draft what is kept from now on. Its revisions are not in the log yet. */
export const commitDraft = (draft: Draft): void => {
  const { book, changed } = draft
  for (const [key, next] of changed) {
    moveKey(book.sessions, key, book.values.get(key)?.value.session, next?.session)
  }
  book.bytes = draft.bytes
  commitOperations(draft)
}

/** Notes which save appended a revision, and forgets those whose revisions the log holds no more. */
export const nameRevision = ({ named }: Book, name: string, revision: Revision, floor: Revision): void => {
  for (const [known, { seq }] of named) {
    if (seq > floor.seq) break
    named.delete(known)
  }
  named.set(name, revision)
}
