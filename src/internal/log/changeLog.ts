/** The interface of a change log, whatever keeps it. */
import type { Effect, Scope } from "effect"
import { checkOrDie } from "../arguments.js"
import { func } from "../options.js"
import type {
  Change,
  ChangeLogError,
  Compacted,
  Conflict,
  Entry,
  EpochChanged,
  KeyValue,
  LoggedRevision,
  Revision,
  Snapshot
} from "./events.js"
import type { KeyIndex } from "./keyIndex.js"
import type { CommitResult } from "./memoryLog.js"
import type { InvalidSelector, Selector } from "./selector.js"

/** The first and the last position of a log. */
export interface Head {
  /** The last revision; `seq` 0 when there was none in this epoch. */
  readonly head: Revision
  /** The last revision that is removed. Reading is possible after it, and after any later one. */
  readonly floor: Revision
}

/** Which revisions to read. */
export interface ReadOptions {
  /** Exclusive. `ChangeLog.start` of the log's epoch reads from the beginning. */
  readonly after: Revision
  /** The most revisions to return; at least 1. */
  readonly limit: number
}

/** Appends one revision. */
export interface Append<in V> {
  (changes: ReadonlyArray<Change<V>>): Effect.Effect<Revision, ChangeLogError>
  /**
   * Appends during the call, and returns the outcome. Only a log in memory has it. It is a property of `append`, so that
   * a log with another `append` does not have it.
   */
  readonly now?: (changes: ReadonlyArray<Change<V>>) => Effect.Effect<Revision, ChangeLogError>
}

/** The last values of a log in memory, as they are at the moment of a call. */
export interface Latest<out V> {
  /** Returns the last value of a key, or `undefined`. */
  readonly get: (key: string) => KeyValue<V> | undefined
  /** Returns the value alone, which makes no object. */
  readonly value: (key: string) => V | undefined
  /** Counts the keys that have a value. */
  readonly size: () => number
  /** Returns all values, ascending by seq. Keys of one revision are in the order of its changes. */
  readonly bySeq: () => ReadonlyArray<KeyValue<V>>
}

/** A log of changes of values `V`. */
export interface ChangeLog<in out V> {
  readonly append: Append<V>
  /**
   * Appends a revision for each entry, all in one commit or none. An entry is a duplicate if the log holds its id, or if
   * an earlier entry of this commit has it: it appends nothing. An id is known for as long as the log holds its revision.
   *
   * What an entry expects is judged in the order of the entries, while no other commit is possible, unless the entry is a
   * duplicate. If the log is otherwise, nothing is appended, and the commit fails with `Conflict`.
   */
  readonly commit: (
    entries: ReadonlyArray<Entry<V>>
  ) => Effect.Effect<CommitResult, ChangeLogError | Conflict>
  /**
   * Returns why a commit with this entry would always be refused, or `undefined`. It appends nothing. A log without it
   * refuses when it commits.
   */
  readonly check?: (entry: Entry<V>) => ChangeLogError | undefined
  /**
   * Reads whole revisions after a cursor, in order; none if the cursor is the head. Fails with `Compacted` if some of
   * them are removed, and with `EpochChanged` if the cursor is not of this history. It never returns revisions with a gap.
   */
  readonly read: (
    options: ReadOptions
  ) => Effect.Effect<ReadonlyArray<LoggedRevision<V>>, Compacted | EpochChanged | ChangeLogError>
  readonly head: Effect.Effect<Head, ChangeLogError>
  /**
   * Returns the revision of a number, from the floor to the head, or `undefined`. A follow of a log without it that asks
   * for the past begins at the floor.
   */
  readonly revisionAt?: (seq: number) => Effect.Effect<Revision | undefined, ChangeLogError>
  /** Removes the revisions up to and including `upTo`. The state stays. */
  readonly compact: (upTo: number) => Effect.Effect<void, ChangeLogError>
  /**
   * Begins another epoch, and returns its name: every cursor becomes invalid. Use it after you have restored a backup, or
   * changed the data without the log. A log with `keys: "indexed"` keeps its events, any other one is empty afterwards.
   */
  readonly renewEpoch: Effect.Effect<string, ChangeLogError>
  /** Reads the last value of each key that matches, at one revision. Fails with `NoState` if the log keeps no state. */
  readonly snapshot: (selector: Selector) => Effect.Effect<Snapshot<V>, ChangeLogError | InvalidSelector>
  /** Whether the log has snapshots and previous values. */
  readonly state: "latest" | "none"
  /** Reads the last values at once. Only a log in memory with `state: "latest"` has it. */
  readonly latest?: Latest<V> | undefined
  /** Reads events by key and kind. Only a log with `keys: "indexed"` has it. */
  readonly index?: KeyIndex<V> | undefined
  /**
   * Calls `ring` after commits until the scope ends. The call is a hint: there may be one for many commits, and one when
   * nothing has changed. `ring` is called synchronously and must not throw. If it throws, the commit stands, and the
   * other functions are called. Dies with `InvalidOptions` if it is no function.
   */
  readonly doorbell: (ring: () => void) => Effect.Effect<void, never, Scope.Scope>
}

const aRing = func("that is called after commits")

/** Dies if what a doorbell is to call is no function: nothing would call it, and nothing would tell. */
export const checkRing = (ring: unknown): Effect.Effect<void> => checkOrDie("ring", aRing, ring)

/** Calls each function after a commit. If one throws, the commit stands, and the others are called. */
export const ringEach = (rings: Iterable<() => void>): void => {
  for (const ring of rings) {
    try {
      ring()
    } catch {
      // A reader that misses a ring finds the revisions when it reads again.
    }
  }
}
