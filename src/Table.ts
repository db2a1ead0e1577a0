/**
 * What a master table must do, and the table in memory.
 *
 * A table is a definition and four functions, its {@link Source}. {@link make} checks everything that goes in and comes
 * out of them. A `LiveTable` is a cache in front of a table.
 */
import { Data, type Effect, type Option, type Stream } from "effect"
import type { RowOf } from "./internal/columns/columns.js"
import type { AnyCondition, CheckedQuery, Condition, InvalidQuery, Query } from "./internal/columns/query.js"
import type { AnyDefinition, Fields, Id, NewRow, Write } from "./internal/columns/writes.js"
import type { Revision } from "./internal/log/events.js"
import type { StorageError } from "./Storage.js"

/** The row of a table of this definition, as it is read. */
export type Row<D extends AnyDefinition> = RowOf<D["columns"]>

/** What was read, and the revision of the table's log that it holds, where the table knows it. */
export interface Read<out A> {
  readonly value: A
  /** All changes of the log up to it are in the value, and perhaps later ones. */
  readonly revision?: Revision | undefined
}

/** The outcome of a write that was done. */
export interface Written<out D extends AnyDefinition> {
  readonly _tag: "Written"
  /** The row after the write: of an `Insert`, the row that was there before, if one was. None after a deletion. */
  readonly row: Option.Option<Row<D>>
  /** `Unchanged`: the table is as it was before. */
  readonly change: "Changed" | "Unchanged"
  /** The revision of the table's log that holds the change; none without a log, and none if nothing has changed. */
  readonly revision: Option.Option<Revision>
}

/**
 * A write that the table has refused. Nothing of it was done.
 *
 * - `Missing`: a patch of a row that does not exist.
 * - `Conflict`: the row does not meet the condition of the write.
 * - `Unique`: another row has a value that must be unique.
 * - `Invalid`: the write is not valid for this table, such as a value of another type, or a patch of the id.
 */
export class WriteRefused extends Data.TaggedError("WriteRefused")<{
  readonly reason: "Missing" | "Invalid" | "Conflict" | "Unique"
  readonly message: string
  readonly cause?: unknown
}> {}

/** The outcome of one write: done, refused, or failed. If it failed, `outcome` is `NotStored` or `Unknown`. */
export type WriteResult<D extends AnyDefinition> = Written<D> | WriteRefused | StorageError

/** A source that does not keep its contract: rows that were not requested, of another shape, or too few outcomes. */
export class Malformed extends Data.TaggedError("Malformed")<{
  readonly message: string
}> {}

/** Why a read failed. */
export type ReadError = StorageError | InvalidQuery | Malformed

/**
 * What third parties write to make a table of their own. {@link make} checks the arguments before, and the answers
 * after. Each function may fail with anything, or die; it should stop when it is interrupted.
 */
export interface Source<in out D extends AnyDefinition> {
  /** Reads the rows that a query selects, in its order, which is total. */
  readonly list: (query: CheckedQuery) => Effect.Effect<Read<ReadonlyArray<Row<D>>>, unknown>
  /** Reads the rows with these ids, in any order. Ids without a row are left out. No id is there twice. */
  readonly getMany: (ids: ReadonlyArray<Id<D>>) => Effect.Effect<Read<ReadonlyArray<Row<D>>>, unknown>
  /** Counts the rows that meet a condition. */
  readonly count: (where: AnyCondition | undefined) => Effect.Effect<Read<number>, unknown>
  /**
   * Does the writes, and returns one outcome for each, in order. No two of them have the same id; a `DeleteAll` comes
   * alone. A write that is refused spares the others. `batch` is a name of this call that no other call has: a source
   * that logs its changes puts it into them.
   */
  readonly write: (
    writes: ReadonlyArray<Write<D>>,
    batch: string
  ) => Effect.Effect<ReadonlyArray<WriteResult<D>>, unknown>
  /** The most ids or writes that one call may get. Default 1,000. */
  readonly maxBatch?: number | undefined
}

/** A table that is the truth for its rows. Every answer is the caller's own. */
export interface Table<in out D extends AnyDefinition> {
  readonly definition: D
  /** The most ids or writes of one call of its source. */
  readonly maxBatch: number
  /** Reads the rows that a query selects: all of them without one. */
  readonly list: (query?: Query<D["columns"]>) => Effect.Effect<Read<ReadonlyArray<Row<D>>>, ReadError>
  /** Streams the rows of `list`, with one page of them in memory at a time. */
  readonly stream: (query?: Query<D["columns"]>) => Stream.Stream<Row<D>, ReadError>
  readonly get: (id: Id<D>) => Effect.Effect<Read<Option.Option<Row<D>>>, ReadError>
  /** Reads rows by their ids: an answer for each id, in order. */
  readonly getMany: (
    ids: ReadonlyArray<Id<D>>
  ) => Effect.Effect<Read<ReadonlyArray<Option.Option<Row<D>>>>, ReadError>
  readonly count: (where?: Condition<D["columns"]>) => Effect.Effect<Read<number>, ReadError>
  /**
   * Does writes as if one after the other, and returns one outcome for each, in order. Neighbours share statements. A
   * write that is refused or fails spares the others. `batch` names the call in the changes of the log; without it, the
   * table chooses a name.
   */
  readonly write: (
    writes: ReadonlyArray<Write<D>>,
    batch?: string
  ) => Effect.Effect<ReadonlyArray<WriteResult<D>>>
  readonly insert: (row: NewRow<D>) => Effect.Effect<Written<D>, WriteRefused | StorageError>
  readonly replace: (row: NewRow<D>) => Effect.Effect<Written<D>, WriteRefused | StorageError>
  readonly patch: (
    id: Id<D>,
    fields: Fields<D>,
    when?: Condition<D["columns"]>
  ) => Effect.Effect<Written<D>, WriteRefused | StorageError>
  readonly delete: (
    id: Id<D>,
    when?: Condition<D["columns"]>
  ) => Effect.Effect<Written<D>, WriteRefused | StorageError>
  readonly deleteAll: Effect.Effect<Written<D>, WriteRefused | StorageError>
}

/**
 * The value of a table's change in a log. Its key is `<name>/<id>`, or `<name>/` for `Changed`.
 *
 * `Changed`: rows that are not named have changed, perhaps all of them. `columns`: the columns that may have changed;
 * all of them if it is left out. `row`: the row after the change, in the form that `internal/columns` encodes for JSON.
 * `batch`: the name of the call that wrote it.
 */
export interface TableChange {
  readonly op: "Inserted" | "Updated" | "Deleted" | "Changed"
  readonly columns?: ReadonlyArray<string> | undefined
  readonly row?: EncodedRow | undefined
  readonly batch?: string | undefined
}

/** A row as JSON: each column's value in the one form that every backend of logs and tiers holds. */
export type EncodedRow = { readonly [column: string]: unknown }
