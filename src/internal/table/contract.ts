/** What a table is, and what its source does. */
import { Data, type Effect, type Option, type Stream } from "effect"
import type { StorageError } from "../../Storage.js"
import type { RowOf } from "../columns/columns.js"
import type { AnyCondition, CheckedQuery, Condition, InvalidQuery, Query } from "../columns/query.js"
import type { AnyDefinition, Fields, Id, NewRow, Write } from "../columns/writes.js"
import type { Revision } from "../log/events.js"

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
   * alone. They are checked: rows are whole, ids are in normal form. A write that is refused spares the others. `batch`
   * names the call of `Table.write` that they are a part of: a source that logs its changes puts it into them.
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
