/** What a log of changes is, wherever it is kept. */
import type { Effect, Scope } from "effect"
import type {
  Change,
  ChangeLogError,
  Compacted,
  Entry,
  EpochChanged,
  LoggedRevision,
  Revision,
  Snapshot
} from "./events.js"
import type { CommitResult } from "./memoryLog.js"
import type { InvalidSelector, Selector } from "./selector.js"

/** Where a log stands. */
export interface Head {
  /** The last revision; `seq` 0 when there was none in this epoch. */
  readonly head: Revision
  /** The last revision that is gone: reading after it, and after any later one, is possible. */
  readonly floor: Revision
}

/** Which revisions to read. */
export interface ReadOptions {
  /** Exclusive. `ChangeLog.start` of the log's epoch reads from the beginning. */
  readonly after: Revision
  /** The most revisions to give; at least 1. */
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

/** A log of changes of values `V`. */
export interface ChangeLog<in out V> {
  readonly append: Append<V>
  /**
   * Appends a revision for each entry, all in one commit or none. An entry whose id the log holds, or held earlier in
   * this commit, is a duplicate: it appends nothing, and an id is known for as long as its revision is held.
   */
  readonly commit: (entries: ReadonlyArray<Entry<V>>) => Effect.Effect<CommitResult, ChangeLogError>
  /**
   * Why a commit with this entry would be refused for good, or `undefined`. It appends nothing. A log without it tells
   * when it commits.
   */
  readonly check?: (entry: Entry<V>) => ChangeLogError | undefined
  /**
   * Whole revisions after a cursor, in order; none when the cursor is the head. Fails with `Compacted` when some of
   * them are gone, and with `EpochChanged` when the cursor is not of this history: never gives a part with a hole.
   */
  readonly read: (
    options: ReadOptions
  ) => Effect.Effect<ReadonlyArray<LoggedRevision<V>>, Compacted | EpochChanged | ChangeLogError>
  readonly head: Effect.Effect<Head, ChangeLogError>
  /** Gives up the revisions up to and including `upTo`. The state stays. */
  readonly compact: (upTo: number) => Effect.Effect<void, ChangeLogError>
  /**
   * Begins another epoch, and gives its name: every cursor becomes invalid. For whoever has restored a backup or
   * changed the data behind the log's back.
   */
  readonly renewEpoch: Effect.Effect<string, ChangeLogError>
  /** The last value of each key that matches, at one revision. Fails with `NoState` when the log keeps no state. */
  readonly snapshot: (selector: Selector) => Effect.Effect<Snapshot<V>, ChangeLogError | InvalidSelector>
  /** Whether it can give snapshots and previous values. */
  readonly state: "latest" | "none"
  /**
   * Rings after commits until the scope ends. A hint: it may ring once for many commits, and when nothing has
   * changed. `ring` is called synchronously and must not throw: what has been committed stands, and the others are
   * rung, whatever it does.
   */
  readonly doorbell: (ring: () => void) => Effect.Effect<void, never, Scope.Scope>
}

/** Rings everybody after a commit, which stands: nobody is told of one whose bell throws. */
export const ringEach = (rings: Iterable<() => void>): void => {
  for (const ring of rings) {
    try {
      ring()
    } catch {
      // Its own part is to read; it finds what it has missed when it reads again.
    }
  }
}
