/** From entries to rows of a change log and back. All of it is pure. */
import { Either, Option } from "effect"
import { reason, validateValue } from "../../../internal/columns/checkRow.js"
import { type Keeps, validateEntries, validateEntry } from "../../../internal/log/entry.js"
import {
  type Change,
  type ChangeLogError,
  type Condition,
  type Entry,
  type Event,
  type LoggedRevision,
  ownRevision,
  type Revision,
  refusal
} from "../../../internal/log/events.js"
import { isOfNothing, isOfSeq } from "../../../internal/log/judge.js"
import type { KeyEvent } from "../../../internal/log/keyIndex.js"
import { kindOfChange } from "../../../internal/log/kinds.js"
import { ownSelector } from "../../../internal/log/selector.js"
import { word } from "../../../internal/random.js"
import type { Row } from "../dialect.js"

/** An entry that has passed every check, with the tag that its revision gets. */
export interface Encoded {
  /** Its position in the commit. */
  readonly index: number
  readonly id: string | undefined
  readonly tag: number
  /** Taken from the writer's objects at once, because he may change them before the entry is written. */
  readonly changes: ReadonlyArray<EncodedChange>
  /** What the log must be like; no condition if anything will do. */
  readonly expect: ReadonlyArray<Condition>
  /** Of each change `[key, value]`, or `[key]` when it removes the key. */
  readonly json: string
  /** Of `json`, in UTF-8. */
  readonly bytes: number
}

interface EncodedChange {
  readonly key: string
  /** None without an index of keys. */
  readonly kind: string | undefined
  /** As JSON; none when it removes the key. */
  readonly value: string | undefined
}

/** A row of the log. */
export interface LogRow extends Encoded {
  readonly seq: number
  /** The bytes of all revisions before it. */
  readonly base: number
  readonly previous: string | undefined
}

/** What becomes of the last values: an encoded value, or `undefined` where the key is removed. */
export type StateChanges = ReadonlyMap<
  string,
  { readonly value: string; readonly seq: number; readonly tag: number } | undefined
>

const validateValues = (changes: ReadonlyArray<Change<unknown>>): string | undefined => {
  try {
    for (const change of changes) {
      const rule = change._tag === "Put" ? validateValue("json", change.value) : undefined
      if (rule !== undefined) return reason("value", rule, "json").message
    }
  } catch {
    return "a value cannot be read"
  }
  return undefined
}

/** What keeps an entry out of every log in a database that keeps this, or `undefined`. */
const validateJsonEntry = (entry: Entry<unknown>, keeps: Keeps): string | undefined =>
  validateEntry(entry, keeps) ?? validateValues(entry.changes)

/** Why an entry cannot be appended to any log in a database that keeps this, or `undefined`. */
export const refuseEntry =
  (keeps: Keeps) =>
  (entry: Entry<unknown>): ChangeLogError | undefined => {
    const problem = validateJsonEntry(entry, keeps)
    return problem === undefined ? undefined : refusal("Invalid", problem)
  }

const ownCondition = (condition: Condition): Condition => {
  if (isOfNothing(condition)) {
    return Object.freeze({
      nothing: ownSelector(condition.nothing),
      kinds: condition.kinds && Object.freeze([...condition.kinds]),
      after: ownRevision(condition.after)
    })
  }
  return isOfSeq(condition)
    ? Object.freeze({ key: condition.key, seq: condition.seq })
    : Object.freeze({ key: condition.key, generation: condition.generation })
}

const encodeChange = (change: Change<unknown>, { keys }: Keeps): EncodedChange => ({
  key: change.key,
  kind: keys === "indexed" ? kindOfChange(change) : undefined,
  value: change._tag === "Put" ? JSON.stringify(change.value) : undefined
})

const pairOf = ({ key, value }: EncodedChange): string =>
  value === undefined ? `[${JSON.stringify(key)}]` : `[${JSON.stringify(key)},${value}]`

/** Checks and encodes one entry, for a log that keeps this. */
export const encodeEntry = (
  entry: Entry<unknown>,
  index: number,
  random: Int32Array,
  keeps: Keeps
): Either.Either<Encoded, ChangeLogError> => {
  const problem = validateJsonEntry(entry, keeps)
  if (problem !== undefined) return Either.left(refusal("Invalid", problem, index))
  const { id } = entry
  const changes = entry.changes.map((change) => encodeChange(change, keeps))
  const json = `[${changes.map(pairOf).join(",")}]`
  const expect = entry.expect === undefined ? [] : entry.expect.map(ownCondition)
  const bytes = Buffer.byteLength(json)
  return Either.right({ index, id, tag: word(random) >>> 0, changes, expect, json, bytes })
}

/** Encodes a commit: all entries, or why one of them cannot be. Of entries with the same id the first one counts. */
export const encodeEntries = (
  entries: ReadonlyArray<Entry<unknown>>,
  random: Int32Array,
  keeps: Keeps
): Either.Either<ReadonlyArray<Encoded>, ChangeLogError> => {
  const problem = validateEntries(entries)
  if (problem !== undefined) return Either.left(refusal("Invalid", problem))
  const encoded: Array<Encoded> = []
  const ids = new Set<string>()
  for (const [index, entry] of entries.entries()) {
    const one = encodeEntry(entry, index, random, keeps)
    if (Either.isLeft(one)) return Either.left(one.left)
    const { id } = one.right
    if (id !== undefined && ids.has(id)) continue
    if (id !== undefined) ids.add(id)
    encoded.push(one.right)
  }
  return Either.right(encoded)
}

/** The place in the log behind which rows are added. */
export interface Place {
  readonly seq: number
  readonly bytes: number
}

/**
 * Gives each entry its place, and works out what the state becomes. `before` holds the encoded last value of each key
 * that an entry changes, as far as there is one; without it the log keeps no state.
 */
export const placeEntries = (
  entries: ReadonlyArray<Encoded>,
  after: Place,
  before: ReadonlyMap<string, string> | undefined
): { readonly rows: ReadonlyArray<LogRow>; readonly state: StateChanges } => {
  const state = new Map<string, { value: string; seq: number; tag: number } | undefined>()
  const valueOf = (key: string): string | undefined =>
    state.has(key) ? state.get(key)?.value : before?.get(key)
  const rows: Array<LogRow> = []
  let { bytes: base, seq } = after
  for (const entry of entries) {
    seq++
    const previous: Array<string> = []
    if (before !== undefined) {
      for (const { key, value } of entry.changes) {
        previous.push(`[${valueOf(key) ?? ""}]`)
        state.set(key, value === undefined ? undefined : { value, seq, tag: entry.tag })
      }
    }
    rows.push({ ...entry, seq, base, previous: before === undefined ? undefined : `[${previous.join(",")}]` })
    base += entry.bytes
  }
  return { rows, state }
}

/** Of these rows, the place of the last one. */
export const placeOf = (
  rows: ReadonlyArray<LogRow>,
  start: Place
): Place & { readonly tag: number | undefined } => {
  const last = rows.at(-1)
  return last === undefined
    ? { ...start, tag: undefined }
    : { seq: last.seq, bytes: last.base + last.bytes, tag: last.tag }
}

type WrittenChange<V> = readonly [key: string, value?: V]

const eventOf = <V>(change: WrittenChange<V>, revision: Revision): Event<V> => {
  const [key] = change
  if (typeof key !== "string") throw new TypeError("a change without a key")
  // A change with a value was put; the value is what a `Change<V>` held.
  return change.length === 2
    ? { _tag: "Put", key, value: change[1] as V, revision }
    : { _tag: "Delete", key, revision }
}

/**
 * Decodes events of a key: JSON of `[generation, seq, tag, change]` for each. Throws on what this module has not written.
 * They are not frozen: the caller alone has them.
 */
export const decodeEvents = <V>(epoch: string, events: unknown): ReadonlyArray<KeyEvent<V>> =>
  (
    JSON.parse(events as string) as ReadonlyArray<
      readonly [generation: number, seq: number, tag: number, change: WrittenChange<V>]
    >
  ).map(([generation, seq, tag, change]) => ({
    generation,
    event: eventOf(change, { epoch, seq, tag })
  }))

/**
 * Decodes a row of the log as it was written. Throws on what this module has not written. The result is frozen, because
 * a watch delivers it to every watcher.
 */
export const decodeRow = <V>(epoch: string, { changes, previous, seq, tag }: Row): LoggedRevision<V> => {
  const revision: Revision = Object.freeze({ epoch, seq: Number(seq), tag: Number(tag) })
  const decoded = JSON.parse(changes as string) as ReadonlyArray<WrittenChange<V>>
  const events = decoded.map((change) => Object.freeze(eventOf(change, revision)))
  const before =
    typeof previous === "string"
      ? (JSON.parse(previous) as ReadonlyArray<readonly [] | readonly [V]>).map((value) =>
          value.length === 0 ? Option.none<V>() : Option.some(value[0])
        )
      : undefined
  Object.freeze(events)
  if (before !== undefined) Object.freeze(before)
  return Object.freeze({ revision, events, previous: before })
}

/** A number that a caller gives: what is no whole number fits no row. */
export const wholeOf = (n: number): number => (Number.isSafeInteger(n) ? n : -1)

/** The number of a revision that a caller gives. */
export const seqOf = ({ seq }: Revision): number => wholeOf(seq)
