/**
 * The records that a store holds, in the order of their revisions. A temporary store holds them in its log, which
 * subscribers follow. A permanent one holds them here, ahead of what is committed.
 */
import * as Either from "effect/Either"
import { type ChangeLog, type ChangeLogError, put, type Revision, remove } from "../../ChangeLog.js"
import type { JsonObject } from "../columns/jsonData.js"
import { type Change, type KeyValue, refusal } from "../log/events.js"
import type { Changed, Row } from "./operation.js"

/** A record of JSON data. */
export type JsonRow = Row<JsonObject>

export interface Holding {
  /** The number of the last revision. */
  readonly seq: () => number
  readonly get: (key: string) => JsonRow | undefined
  readonly size: () => number
  /** Ascending by seq; those of one revision in the order of its changes. */
  readonly bySeq: () => ReadonlyArray<JsonRow>
  /** Applies changes as the next revision. Returns why it does not fit. */
  readonly commit: (changed: ReadonlyArray<Changed>, bytes: number) => ChangeLogError | undefined
}

const changeOf = ({ after, key }: Changed): Change<JsonRow> =>
  after === undefined ? remove(key) : put(key, after)

/** What a change takes in a log beside its data. */
const overhead = 128

/**
 * The bytes of the changes that are being appended. A log measures each change; the data was measured when it was copied,
 * and is not walked again.
 */
export interface Measure {
  bytes: number
}

/** The size of a change for a log of a store: the whole operation counts for its first change. */
export const sizeOf = (measure: Measure) => (): number => {
  const { bytes } = measure
  measure.bytes = 0
  return bytes + overhead
}

/** A holding that is a log in memory with its state. */
export const ofLog = (log: ChangeLog<JsonRow>, measure: Measure, first: Revision): Holding => {
  const { append, latest } = log
  // A log in memory has it, and what it answers is known at once.
  const appendNow = append.now as (
    changes: ReadonlyArray<Change<JsonRow>>
  ) => Either.Either<Revision, ChangeLogError>
  const held = latest!
  let seq = first.seq
  return {
    seq: () => seq,
    get: held.value,
    size: held.size,
    bySeq: () => held.bySeq().map(({ value }: KeyValue<JsonRow>) => value),
    commit: (changed, bytes) => {
      measure.bytes = bytes
      const appended = appendNow(changed.length === 1 ? [changeOf(changed[0]!)] : changed.map(changeOf))
      if (Either.isLeft(appended)) return appended.left
      seq = appended.right.seq
      return undefined
    }
  }
}

/** The most bytes of a revision: as many as a log in memory holds. */
export const maxRevisionBytes = 8 * 2 ** 20

/** Returns why a revision of so many changes, with so many bytes of data, is too large. */
export const sizeProblem = (bytes: number, changes: number, maxBytes: number): ChangeLogError | undefined => {
  const size = bytes + overhead * changes
  return size > maxBytes
    ? refusal("TooLarge", `a revision of ${size} bytes is above ${maxBytes}: split it`)
    : undefined
}

/**
 * A holding of its own, which begins with what a backend has loaded, ascending by seq. `maxBytes`: of one revision; what a
 * backend cannot store would end the store for all.
 */
export const ofRows = (seq: number, rows: Iterable<JsonRow>, maxBytes: number): Holding => {
  const held = new Map<string, JsonRow>()
  for (const row of rows) held.set(row.key, row)
  let last = seq
  return {
    seq: () => last,
    get: (key) => held.get(key),
    size: () => held.size,
    bySeq: () => Array.from(held.values()),
    commit: (changed, bytes) => {
      const problem = sizeProblem(bytes, changed.length, maxBytes)
      if (problem !== undefined) return problem
      for (const { after, key } of changed) {
        // A record that is written again moves to the end.
        held.delete(key)
        if (after !== undefined) held.set(key, after)
      }
      last++
      return undefined
    }
  }
}
