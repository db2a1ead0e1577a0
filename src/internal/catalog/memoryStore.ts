/**
 * What a backend in memory keeps of a store beside its log, and how a batch of saves changes it. A batch works on a draft;
 * a draft that is not committed leaves no trace. All of it is synchronous.
 */
import { ownJson } from "../columns/jsonData.js"
import type { Revision } from "../log/events.js"
import { utf8Length } from "../text.js"
import type {
  ClientWindow,
  Decision,
  HeldValue,
  Locked,
  OperationId,
  Remembered,
  Save,
  StoredChange
} from "./backend.js"

/** A value, and the bytes of its JSON. */
interface Kept {
  readonly held: HeldValue
  readonly bytes: number
}

/** By client, then by number. */
type Operations = Map<string, Map<number, Remembered>>

/** What is kept of a store. */
export interface Book {
  /** In the order of their seq: a key that is written again moves to the end. */
  readonly values: Map<string, Kept>
  /** The keys of each session that has values. */
  readonly sessions: Map<string, Set<string>>
  readonly operations: Operations
  readonly windows: Map<string, ClientWindow>
  bytes: number
}

export const makeBook = (): Book => ({
  values: new Map(),
  sessions: new Map(),
  operations: new Map(),
  windows: new Map(),
  bytes: 0
})

/** What a batch makes of a store. */
export interface Draft {
  readonly book: Book
  /** Its tag is that of the log's head: the log chooses the next ones when it appends. */
  head: Revision
  /** By key, in the order of writing; `undefined` for a key that is removed. */
  readonly changed: Map<string, Kept | undefined>
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
  records: book.values.size,
  bytes: book.bytes
})

const noWindow: ClientWindow = Object.freeze({ top: 0, floor: 0 })

const keptOf = ({ book, changed }: Draft, key: string): Kept | undefined =>
  changed.has(key) ? changed.get(key) : book.values.get(key)

const windowOf = ({ book, windows }: Draft, client: string): ClientWindow =>
  windows.get(client) ?? book.windows.get(client) ?? noWindow

const rememberedOf = (draft: Draft, { client, n }: OperationId): Remembered | undefined =>
  n <= windowOf(draft, client).floor
    ? undefined
    : (draft.operations.get(client)?.get(n) ?? draft.book.operations.get(client)?.get(n))

/** What the next save of a batch looks at. */
export const lockedOf = (draft: Draft, { id, keys }: Save, now: number): Locked => {
  const values = new Map(keys.map((key) => [key, keptOf(draft, key)?.held]))
  return {
    head: draft.head,
    now,
    get: (key) => values.get(key),
    remembered: id === undefined ? undefined : rememberedOf(draft, id),
    window: id === undefined ? noWindow : windowOf(draft, id.client),
    totals: { records: draft.records, bytes: draft.bytes }
  }
}

/** A copy of a change that no caller can change, or why it cannot be stored. */
export const ownChange = (change: StoredChange): StoredChange | string => {
  if (change._tag === "Delete") return { _tag: "Delete", key: change.key }
  const { data, ends, session } = change.value
  const own = ownJson(data)
  if (typeof own === "string") return `the value of the key ${JSON.stringify(change.key)} is no JSON: ${own}`
  const value = Object.freeze({
    data: own.value,
    ...(session === undefined ? {} : { session }),
    ...(ends === undefined ? {} : { ends })
  })
  return { _tag: "Put", key: change.key, value }
}

const change = (draft: Draft, change: StoredChange): void => {
  const before = keptOf(draft, change.key)
  const next: Kept | undefined =
    change._tag === "Delete"
      ? undefined
      : {
          held: Object.freeze({ key: change.key, seq: draft.head.seq, ...change.value }),
          bytes: utf8Length(JSON.stringify(change.value.data))
        }
  draft.records += (next === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
  draft.bytes += (next?.bytes ?? 0) - (before?.bytes ?? 0)
  // What is set again goes to the end.
  draft.changed.delete(change.key)
  draft.changed.set(change.key, next)
}

/** Adds a revision of own changes. */
export const addRevision = (draft: Draft, changes: ReadonlyArray<StoredChange>): void => {
  draft.head = { ...draft.head, seq: draft.head.seq + 1 }
  for (const one of changes) change(draft, one)
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

const note = (
  sessions: Map<string, Set<string>>,
  before: Kept | undefined,
  after: Kept | undefined
): void => {
  const left = before?.held.session
  const entered = after?.held.session
  if (left !== undefined && before !== undefined) {
    const keys = sessions.get(left)
    keys?.delete(before.held.key)
    if (keys?.size === 0) sessions.delete(left)
  }
  if (entered === undefined || after === undefined) return
  const keys = sessions.get(entered)
  if (keys === undefined) sessions.set(entered, new Set([after.held.key]))
  else keys.add(after.held.key)
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

/** Makes a draft what the store is from now on. */
export const commitDraft = (draft: Draft): void => {
  const { book, changed } = draft
  for (const [key, next] of changed) {
    note(book.sessions, book.values.get(key), next)
    book.values.delete(key)
    if (next !== undefined) book.values.set(key, next)
  }
  book.bytes = draft.bytes
  commitOperations(draft)
}
