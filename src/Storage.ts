/**
 * What a backend must do, how it reports failures, and the backend in memory.
 *
 * A storage is two functions, `save` and `load`. A recorder owns it: it never calls them at the same time, retries
 * failures that may pass, isolates single bad records, and hands the storage back when it closes.
 */
import { Data, Effect, Either, Stream } from "effect"
import { checkPrune, checkQuery } from "./internal/columns/checkQuery.js"
import { compileCheckRow, type Rule } from "./internal/columns/checkRow.js"
import {
  type Columns,
  type IdOf,
  type NewRowOf,
  type RowOf,
  validateColumns
} from "./internal/columns/columns.js"
import type { InvalidQuery, Prune, Query } from "./internal/columns/query.js"
import { idOfRow, makeRowStore } from "./internal/columns/rowStore.js"
import { anything, type InvalidOptions, optional, resolve, text } from "./internal/options.js"

export type { Rule } from "./internal/columns/checkRow.js"
export {
  Column,
  type Columns,
  type ColumnType,
  type ColumnTypes,
  type IdOf,
  type NewRowOf,
  type RowOf
} from "./internal/columns/columns.js"
export { type Condition, InvalidQuery, type Order, type Prune, Query } from "./internal/columns/query.js"
export { InvalidOptions } from "./internal/options.js"

/**
 * The kind of a failed save. It decides what the recorder does next.
 *
 * - `Transient`: the backend is away or busy. The recorder retries the same batch, in order, by the retry schedule.
 * - `Poison`: the backend works, but a record of this batch cannot be stored. The recorder splits the batch until the
 *   bad records are alone, sets those aside, and stores the others. If none of several records can be stored, it
 *   retries the batch like `Transient`.
 * - `Fatal`: no save can succeed before an operator acts (wrong password, missing table). The option `onFatal` decides.
 * - `Unknown`: not classified. Retried like `Transient` five times, then split like `Poison`.
 *
 * It is a first guess: see {@link Blame}.
 */
export type FailureKind = "Transient" | "Poison" | "Fatal" | "Unknown"

/**
 * Whether the backend may hold the batch of a failed save: `NotStored` is proof that it does not, `Unknown` is
 * everything else (a lost answer, a time-out).
 */
export type Outcome = "NotStored" | "Unknown"

/**
 * The probable cause of a failed save, where the storage knows more than the kind. The recorder verifies it by what
 * can be stored: it halves a batch that may contain the cause before it waits or stops.
 *
 * - `record`: a record's own data (default for `Poison`). If a record fails so while another one is stored, or if there
 *   is none to compare with, the recorder sets it aside at once. If none of a batch can be stored, data is not the cause.
 * - `either`: a record, or something that affects every record, such as a trigger or a privilege (default for
 *   `Unknown`). The recorder sets a record aside if it failed alone, another one was stored, and it failed alone again.
 * - `size`: the batch may be too large or too slow. The recorder saves it in smaller parts, and also the next batches
 *   for a minute.
 * - `backend`: no record is the cause (default for `Transient` and `Fatal`).
 */
export type Blame = "record" | "either" | "size" | "backend"

/** One record of a batch that the storage knows it cannot store, by its position in that batch. */
export interface BadRecord {
  readonly index: number
  readonly cause: unknown
}

/**
 * The classified failure of a save or a load.
 *
 * - `stored`: how many records from the start of the batch are certainly committed. They are not sent again.
 * - `bad`: the records that the storage knows it cannot store, so that no bisection has to find them. With `bad`,
 *   nothing of the batch may have been stored. Positions count from the start of the batch that failed.
 * - `fits`: the batch was too large to be tried, and so many records from its start are not too large.
 * - `blame`: the probable cause, where it is known better than by `kind`.
 * - `message`: recorders write it to the log, so it must hold no data of a record.
 */
export class StorageError extends Data.TaggedError("StorageError")<{
  readonly kind: FailureKind
  readonly outcome: Outcome
  readonly message: string
  readonly cause?: unknown
  readonly stored?: number
  readonly bad?: ReadonlyArray<BadRecord>
  readonly fits?: number
  readonly blame?: Blame
}> {}

/** What a successful save may report: how many of its records the backend already held, by their id. */
export interface Saved {
  readonly duplicates: number
}

/**
 * A backend of records.
 *
 * `save` succeeds only if every record of the batch is committed; records keep the order of the batch. `load` answers a
 * query. Both may fail with anything: a {@link StorageError} is classified; every other failure, defects included, counts
 * as kind `Unknown` with an unknown outcome. A recorder never runs two of these calls at the same time. It interrupts a
 * call that takes too long: the storage should stop then, and must not commit later.
 *
 * The batch array belongs to the storage and is never reused. The storage must not change its records.
 *
 * Idempotence: a retry after an unknown outcome sends the same records again. A storage that ignores the ids that it
 * already holds ends with each record once. A storage that does not may hold such a record twice.
 */
export interface Storage<in Record, in Query = never, out Result = unknown> {
  readonly save: (batch: ReadonlyArray<Record>) => Effect.Effect<Saved | void, unknown>
  readonly load: (query: Query) => Effect.Effect<Result, unknown>
  /** The most records that one `save` may get. The smaller of this and the recorder's `maxBatchSize` holds. */
  readonly maxBatch?: number
  /**
   * Prepares the next batch while another save is running: does what needs no backend, such as encoding, and returns the
   * effect that saves the batch. It must be pure. The returned effect may run any number of times, or never.
   */
  readonly prepare?: (batch: ReadonlyArray<Record>) => Effect.Effect<Saved | void, unknown>
}

/**
 * Why one record cannot be stored: the cause of its entry in `StorageError.bad`. `column` and `rule` are for programs,
 * `message` is for people. None of them contains data of the record.
 */
export class ColumnError extends Data.TaggedError("ColumnError")<{
  readonly column: string
  readonly rule: Rule
  readonly message: string
}> {}

/**
 * Compiles the check of whole batches that every table storage makes before it stores anything. Use it in a storage of
 * your own. The check returns `undefined`, or the error (kind `Poison`, nothing stored) that names every bad record of
 * the batch with its {@link ColumnError}. It is pure, synchronous, and never throws.
 */
export const rowCheck = <const C extends Columns>(
  columns: C,
  id: IdOf<C>
): Either.Either<(batch: ReadonlyArray<unknown>) => StorageError | undefined, InvalidOptions> => {
  const problem = validateColumns(columns, id)
  if (problem !== undefined) return Either.left(problem)
  const check = compileCheckRow(columns, id)
  return Either.right((batch) => {
    let bad: Array<BadRecord> | undefined
    for (let index = 0; index < batch.length; index++) {
      const reason = check(batch[index])
      if (reason === undefined) continue
      bad ??= []
      bad.push({ index, cause: new ColumnError(reason) })
    }
    if (bad === undefined) return undefined
    const first = (bad[0]!.cause as ColumnError).message
    const message = `${bad.length} of ${batch.length} records cannot be stored; the first of them: ${first}`
    return new StorageError({ kind: "Poison", outcome: "NotStored", message, bad })
  })
}

/**
 * A storage of rows with columns. It checks a whole batch before it stores any of it ({@link rowCheck}). It ignores the
 * records whose id it already holds, and reports their number as `duplicates`. It answers typed queries.
 */
export interface TableStorage<C extends Columns, Q = Query<C>>
  extends Storage<NewRowOf<C>, Q, ReadonlyArray<RowOf<C>>> {
  readonly save: (batch: ReadonlyArray<NewRowOf<C>>) => Effect.Effect<Saved, StorageError>
  readonly load: (query: Q) => Effect.Effect<ReadonlyArray<RowOf<C>>, StorageError | InvalidQuery>
  /**
   * Streams the rows of `load`, with one page of them in memory at a time. It does not use a recorder's queue: it waits
   * for no save, and reads what is committed at the time of each page.
   */
  readonly query: (query: Q) => Stream.Stream<RowOf<C>, StorageError | InvalidQuery>
  /**
   * Deletes the rows whose column is before a value, a batch (default 1,000 rows) at a time, and returns their number. It
   * does not use a recorder's queue. If it fails or is interrupted, it has deleted a part: run it again. NULL is before
   * nothing.
   */
  readonly prune: (options: Prune<C>) => Effect.Effect<number, StorageError | InvalidQuery>
}

/** Which records a storage in memory loads: all of them without a predicate. */
export type MemoryQuery<Record> = ((record: Record) => boolean) | undefined

/** A storage in memory; `records` is what it holds now, in the order of saving. */
export interface MemoryStorage<Record> extends Storage<Record, MemoryQuery<Record>, ReadonlyArray<Record>> {
  readonly save: (batch: ReadonlyArray<Record>) => Effect.Effect<void>
  readonly load: (query: MemoryQuery<Record>) => Effect.Effect<ReadonlyArray<Record>>
  readonly records: ReadonlyArray<Record>
}

/** A table in memory; `records` is what it holds now, in the order of saving. */
export interface MemoryTable<C extends Columns> extends TableStorage<C> {
  readonly records: ReadonlyArray<RowOf<C>>
}

const memoryArray = <Record>(): MemoryStorage<Record> => {
  // A batch belongs to the storage: a large one is kept as it is, small ones are copied into the last part.
  let parts: Array<ReadonlyArray<Record>> = []
  let open: Array<Record> | undefined
  const all = (): ReadonlyArray<Record> => {
    if (open !== undefined && parts.length === 1) return open
    // `flat` is typed as if a record could be a list itself; it opens one level only.
    open = parts.flat() as Array<Record>
    parts = [open]
    return open
  }
  return {
    save: (batch) =>
      Effect.sync(() => {
        if (batch.length > 32) {
          parts.push(batch)
          open = undefined
          return
        }
        if (open === undefined) {
          open = []
          parts.push(open)
        }
        for (let i = 0; i < batch.length; i++) open.push(batch[i]!)
      }),
    load: (query) => Effect.sync(() => (query === undefined ? all().slice() : all().filter(query))),
    get records() {
      return all()
    }
  }
}

/** The options of a table in memory. */
export interface MemoryOptions<C extends Columns> {
  /** A name for it. It has no effect here: the options of a table in a database can be passed as they are. */
  readonly table?: string | undefined
  readonly columns: C
  /** Records whose id the table already holds are counted as duplicates, and not stored. */
  readonly id: IdOf<C>
}

// `rowCheck` checks columns and id together.
const memoryRules = { table: optional(text), columns: anything, id: anything }

const memoryTable = <const C extends Columns>(
  options: MemoryOptions<C>
): Effect.Effect<MemoryTable<C>, InvalidOptions> =>
  Effect.gen(function* () {
    yield* resolve<MemoryOptions<C>>()(memoryRules, options)
    const { columns, id } = options
    const check = yield* rowCheck(columns, id)
    const store = makeRowStore(columns, id)
    const load: MemoryTable<C>["load"] = (query) =>
      Effect.map(checkQuery(columns, id, query), (checked) => store.select(checked).map(store.copy))
    return {
      save: (batch) =>
        Effect.suspend(() => {
          const error = check(batch)
          if (error !== undefined) return Effect.fail(error)
          let duplicates = 0
          for (const record of batch) {
            const row = store.copy(record)
            if (store.get(idOfRow(id, row)) === undefined) store.set(row)
            else duplicates++
          }
          return Effect.succeed({ duplicates })
        }),
      load,
      query: (query) => Stream.unwrap(Effect.map(load(query), Stream.fromIterable)),
      prune: (options) =>
        Effect.map(checkPrune(columns, id, options), ({ query }) => {
          const gone = store.select(query)
          for (const row of gone) store.remove(idOfRow(id, row))
          return gone.length
        }),
      get records() {
        return [...store.rows()]
      }
    }
  })

/**
 * Makes a storage in memory, for tests and for trying things out. What it holds ends with the process. To follow what it
 * stores, use `ChangeLog.withLog`.
 *
 * - `memory<Record>()` is a plain array: it takes every record, keeps it by reference, and loads with an optional
 *   predicate. It keeps duplicates.
 * - `memory({ columns, id })` is a table: it refuses, ignores, answers and reads back exactly as the SQL storages do for
 *   the same columns. Wrong options fail with {@link InvalidOptions}.
 */
export const memory: {
  <Record>(): MemoryStorage<Record>
  <const C extends Columns>(options: MemoryOptions<C>): Effect.Effect<MemoryTable<C>, InvalidOptions>
} = (options?: MemoryOptions<Columns>): never =>
  // The two signatures share no return type; each branch has the type of its own one.
  (options === undefined ? memoryArray() : memoryTable(options)) as never
