/** What a log with an index of its keys can do besides. */
import type { Effect } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, Event, LoggedRevision, Revision } from "./events.js"
import type { InvalidSelector, Selector } from "./selector.js"

/** An event of a key: the `generation`-th that the key ever had, of any kind, from 1. */
export interface KeyPosition {
  readonly generation: number
  readonly revision: Revision
}

/** An event of a key and its place among the key's events. */
export interface KeyEvent<out V> {
  readonly generation: number
  readonly event: Event<V>
}

/** Which events of a key to read. */
export interface HistoryOptions {
  /** Only events of these kinds, and `forgotten`. Default: events of all kinds. */
  readonly kinds?: ReadonlyArray<string> | undefined
  /** Exclusive. Default: from the key's first event. */
  readonly after?: KeyPosition | undefined
  /** Only events up to this revision, so that the pages of one history are of one instant. Default: the head. */
  readonly upTo?: Revision | undefined
  /** The most events to return; at least 1. */
  readonly limit: number
}

/** Events of a key, all of one instant. */
export interface KeyHistory<out V> {
  /** In order. */
  readonly events: ReadonlyArray<KeyEvent<V>>
  /** Whether more events of these kinds follow: read on after the last one, with the same `upTo`. */
  readonly more: boolean
  /** The last event of any kind that the key has, up to `upTo`; none if it never had one. */
  readonly last: KeyPosition | undefined
  /** The head as of this reading, or `upTo`. */
  readonly head: Revision
}

/** Which events of a log to read. */
export interface ScanOptions {
  /** Exclusive. */
  readonly after: Revision
  /** Only up to this revision. Default: the head. */
  readonly upTo?: Revision | undefined
  /** The most revisions to return; at least 1. */
  readonly limit: number
  /** Only events of keys that it matches. Default: of all keys. */
  readonly selector?: Selector | undefined
  /** Only events of these kinds, and `forgotten`. Default: events of all kinds. */
  readonly kinds?: ReadonlyArray<string> | undefined
}

/** Revisions with those of their events that were requested. */
export interface Scan<out V> {
  /** In order; each has at least one event, and no `previous`. */
  readonly revisions: ReadonlyArray<LoggedRevision<V>>
  /** How far the log was searched: read on after it. The head (or `upTo`) if nothing more was there. */
  readonly reached: Revision
  readonly head: Revision
}

/**
 * An index of the events of a log by key and by kind. The kind of an event is the text `kind` of its value, if it has
 * one. A key counts its events, removals too, from the first one on: compaction and a renewed epoch do not change it.
 */
export interface KeyIndex<out V> {
  /**
   * Reads events of one key. Fails with `Compacted` if some event of the key that is to be read is removed, and with
   * `EpochChanged` if `after` or `upTo` is not of this history. It never returns a part for the whole.
   */
  readonly history: (
    key: string,
    options: HistoryOptions
  ) => Effect.Effect<KeyHistory<V>, Compacted | EpochChanged | ChangeLogError>
  /** Reads events of some keys and kinds after a cursor. Fails as `read` does. */
  readonly scan: (
    options: ScanOptions
  ) => Effect.Effect<Scan<V>, Compacted | EpochChanged | ChangeLogError | InvalidSelector>
  /**
   * Keeps what comes after a revision from the log's retention, in the name of a reader, until the name holds another
   * revision or is released. `compact` does not ask. In a database it outlives the process.
   */
  readonly hold: (name: string, after: Revision) => Effect.Effect<void, EpochChanged | ChangeLogError>
  readonly release: (name: string) => Effect.Effect<void, ChangeLogError>
}
