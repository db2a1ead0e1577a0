/**
 * What keeps the permanent stores and pools of a catalog: a driver of encoded values. It decides nothing. A save brings
 * a pure function that decides while nothing else can be committed, so the rules stand in one place, whatever the
 * backend is.
 */
import type { Effect, Scope } from "effect"
import type { ChangeLog, Revision } from "../../ChangeLog.js"
import type { StorageError } from "../../Storage.js"
import type { Json } from "../columns/jsonData.js"

/** What a stored thing is. It is fixed when the thing is first opened. */
export interface Stored {
  /** Unique among the stores and pools of a backend. */
  readonly id: string
  readonly part: "store" | "pool"
  /** The field of a store that is its key; of a pool empty. */
  readonly primary: string
  /** The version of the schema of its values, from 0. */
  readonly version: number
  /** Of a pool, what its strategies were when it was made: later ones are kept with its values. Of a store empty. */
  readonly fingerprint: string
  /**
   * The name whose owner alone writes it, and decides in memory. Empty: any process writes it, and decides while the head
   * is locked.
   */
  readonly owner: string
}

/** One value as it is kept. It is the value of a change in the log of its store. */
export interface StoredValue {
  readonly data: Json
  /** The number of the revision that wrote it. */
  readonly seq: number
  /** The version of the schema that it was written by. Left out: 0. */
  readonly version?: number | undefined
  /** The session that it ends with. */
  readonly session?: string | undefined
  /** When it ends: milliseconds of the backend's clock. */
  readonly ends?: number | undefined
}

/** A value that a store holds, and its key. */
export interface HeldValue extends StoredValue {
  readonly key: string
}

/** What names an operation of a client, so that it acts once. */
export interface OperationId {
  readonly client: string
  /** Counted by the client, from 1. */
  readonly n: number
  /** On whose behalf the client acts. */
  readonly principal: string
  /** A fingerprint of the operation. */
  readonly content: string
}

/** An operation whose reply is remembered. */
export interface Remembered extends OperationId {
  readonly reply: Json
  /** When it was remembered: milliseconds of the backend's clock. */
  readonly at: number
}

/** What is known of the operations of a client. */
export interface ClientWindow {
  /** The highest number that was remembered, or 0. */
  readonly top: number
  /** Numbers up to this one are forgotten. */
  readonly floor: number
}

/** What a store is like while its head is locked. */
export interface Locked {
  readonly head: Revision
  /** Milliseconds of the backend's clock. */
  readonly now: number
  /**
   * The last revision that this save has appended already, found by its name in the log: an earlier try was committed,
   * and its answer was lost.
   */
  readonly logged: Revision | undefined
  /** The values of the keys that the save names, as of the head. */
  readonly get: (key: string) => HeldValue | undefined
  /** The reply to the operation of the save, if it is remembered. */
  readonly remembered: Remembered | undefined
  readonly window: ClientWindow
  /** How many values the store holds, and the bytes of their JSON. */
  readonly totals: { readonly records: number; readonly bytes: number }
}

/** A change of one value. */
export type StoredChange =
  | { readonly _tag: "Put"; readonly key: string; readonly value: StoredValue }
  | { readonly _tag: "Delete"; readonly key: string }

/** What a save comes to. */
export interface Decision {
  /** Revisions to append, in order; each has a change at least. None: nothing is appended. */
  readonly revisions: ReadonlyArray<ReadonlyArray<StoredChange>>
  /** The reply to remember under the id of the save. Left out: nothing is remembered. */
  readonly reply?: Json | undefined
  /** The floor of the client's window from now on: replies up to it are removed. */
  readonly floor?: number | undefined
}

/** Ends a store: what was decided in memory cannot be stored as it was decided. Nothing of its save is stored. */
export interface Broken {
  readonly _tag: "Broken"
  readonly message: string
}

/** One operation that is to be saved. */
export interface Save {
  readonly store: string
  /** Unique. It becomes the id of the entry of the last revision that the save appends. */
  readonly name: string
  /** The keys that `decide` looks at, and that its revisions change. A change of another key is `Broken`. */
  readonly keys: ReadonlyArray<string>
  readonly id: OperationId | undefined
  /**
   * Decides what is appended. It is called while the head of the store is locked, after the saves before it; it is called
   * again when the transaction is tried again. Pure; never throws.
   */
  readonly decide: (locked: Locked) => Decision | Broken
}

/** What became of a save. */
export type SaveOutcome =
  /** It is committed. `revisions`: what was appended, in order. */
  { readonly _tag: "Saved"; readonly revisions: ReadonlyArray<Revision>; readonly head: Revision } | Broken

/** The right to decide in memory: no other process saves what it covers as long as it is held. */
export interface Ownership {
  /** Every save with it is compared with the token that the backend holds. */
  readonly token: string
  /** Completes with the reason when it is lost. */
  readonly lost: Effect.Effect<string>
}

/** Something is owned by another process. */
export interface Owned {
  readonly _tag: "Owned"
  /** What the owner calls itself. */
  readonly by: string
  readonly message: string
}

/** What a store holds when it is loaded. */
export interface Loaded {
  /** Everything is as of this revision. */
  readonly revision: Revision
  /** Ascending by seq. */
  readonly values: ReadonlyArray<HeldValue>
  readonly operations: ReadonlyArray<Remembered>
  readonly windows: ReadonlyMap<string, ClientWindow>
  /** Milliseconds of the backend's clock. */
  readonly now: number
}

/** A store or pool of a backend. */
export interface OpenedStore {
  /** As it is stored: the opener compares. */
  readonly stored: Stored
  /** What is committed. Subscribers follow it. It keeps its state. */
  readonly log: ChangeLog<StoredValue>
  readonly load: Effect.Effect<Loaded, StorageError>
  /**
   * Forgets replies that are remembered for more than a day: numbers up to the last of them are below the floor of their
   * client. Of the clients without a reply, the windows of the 10,000 that came last stay.
   */
  readonly tidy: Effect.Effect<void, StorageError>
}

/** Leases of sessions, on the backend's clock, so that any process ends what another one has left. */
export interface SessionLeases {
  /** Begins leases, or extends them, for so many milliseconds from now. */
  readonly extend: (
    sessions: ReadonlyArray<{ readonly id: string; readonly ttl: number }>
  ) => Effect.Effect<void, StorageError>
  /** Returns sessions whose lease is over, with the stores that hold values of them. Another process may get them too. */
  readonly ended: (
    limit: number
  ) => Effect.Effect<
    ReadonlyArray<{ readonly id: string; readonly stores: ReadonlyArray<string> }>,
    StorageError
  >
  /** Forgets sessions of which no values are left. */
  readonly forget: (sessions: ReadonlyArray<string>) => Effect.Effect<void, StorageError>
  /** Returns the keys of a store whose values belong to a session. */
  readonly keysOf: (store: string, session: string) => Effect.Effect<ReadonlyArray<string>, StorageError>
}

/** A driver of permanent stores and pools. Make one by `SqlDatastore` or `Datastore.memory`, or write one. */
export interface Backend {
  /** Names it in messages. */
  readonly name: string
  /** Opens what is stored under the id, or makes it as it is described. Its log lives as long as the scope. */
  readonly open: (stored: Stored) => Effect.Effect<OpenedStore, StorageError, Scope.Scope>
  /** Changes the version of a store's schema, after its values were rewritten. */
  readonly setVersion: (id: string, version: number) => Effect.Effect<void, StorageError>
  /**
   * Saves operations of one or several stores in one commit, in their order. Outcomes are in the order of the saves. A
   * store that is `Broken` leaves out its later saves of the batch too; other stores go on. With `token`, the commit
   * fails as `Fatal` if the ownership has another one by now.
   */
  readonly save: (
    batch: ReadonlyArray<Save>,
    token: string | undefined
  ) => Effect.Effect<ReadonlyArray<SaveOutcome>, StorageError>
  /** Takes the ownership of everything under a name, until the scope ends. */
  readonly own: (name: string) => Effect.Effect<Ownership, StorageError | Owned, Scope.Scope>
  readonly sessions: SessionLeases
  /** The clock of the backend in milliseconds. */
  readonly now: Effect.Effect<number, StorageError>
}
