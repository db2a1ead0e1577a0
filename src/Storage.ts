/**
 * What a backend must do, how its failures are told, and the backend that lives in memory.
 *
 * A storage is two functions, `save` and `load`. A recorder owns it: it never calls them at the same time,
 * retries what may pass, isolates single bad records, and hands the storage back when it closes.
 */
import { Data, Effect, Either, Stream } from "effect"
import { checkPrune, checkQuery } from "./internal/columns/checkQuery.js"
import { compileCheckRow, compileNormalise, type Rule } from "./internal/columns/checkRow.js"
import {
  type Columns,
  type IdOf,
  type NewRowOf,
  type RowOf,
  validateColumns
} from "./internal/columns/columns.js"
import { evaluateQuery } from "./internal/columns/evaluateQuery.js"
import type { InvalidQuery, Prune, Query } from "./internal/columns/query.js"
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
 * Which kind of trouble a save met. It decides what the recorder does next.
 *
 * - `Transient`: the backend is away or busy. The same batch is retried, in order, by the retry schedule.
 * - `Poison`: the backend works, but a record of this batch cannot be stored. The batch is split until the bad
 *   records stand alone; those are set aside, the others are stored. When none of several can be stored, the batch is
 *   retried like `Transient`.
 * - `Fatal`: no save can succeed until somebody acts (wrong password, missing table). Policy `onFatal`.
 * - `Unknown`: not classified. Retried like `Transient` five times, then split like `Poison`.
 *
 * It is a first guess: see {@link Blame}.
 */
export type FailureKind = "Transient" | "Poison" | "Fatal" | "Unknown"

/**
 * Whether the batch of a failed save may be in the backend all the same: `NotStored` is proof that it is not,
 * `Unknown` is everything else (a lost answer, a time-out).
 */
export type Outcome = "NotStored" | "Unknown"

/**
 * What a failed save may be a matter of, where the storage knows more than the kind says. What could be stored judges
 * it: a recorder halves a batch that may hold the reason before it waits or stops.
 *
 * - `record`: a record's own data (default for `Poison`). When a record fails so beside another one that is stored, or
 *   with none to compare with, it is set aside at once. When none of a batch can be stored, it was no matter of data.
 * - `either`: a record, or something that every record meets, such as a trigger or a privilege (default for
 *   `Unknown`). A record is set aside when it failed alone, another one was stored, and it failed alone again.
 * - `size`: the batch may be too large or too slow. It is saved in smaller parts, and so are the next ones for a
 *   minute.
 * - `backend`: no record (default for `Transient` and `Fatal`).
 */
export type Blame = "record" | "either" | "size" | "backend"

/** One record of a batch that the storage knows to be unstorable, by its position in that batch. */
export interface BadRecord {
  readonly index: number
  readonly cause: unknown
}

/**
 * The failure of a save or a load, classified.
 *
 * `stored` is the length of the batch's prefix that is known to be committed; it is not sent again. `bad` names
 * the records that the storage already knows to be unstorable, so that no bisection has to find them; with it,
 * nothing of the batch may have been stored. Both count from the start of the batch that failed. `fits`: the batch
 * was too large to be tried, and so many records from its start are not. `blame` says more than `kind` of the reason.
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

/** What a successful save may tell: how many of its records the backend already held, by their id. */
export interface Saved {
  readonly duplicates: number
}

/**
 * A backend of records.
 *
 * `save` succeeds only when every record of the batch is committed; records keep the order of the batch. `load`
 * answers a query. Both may fail with anything: a {@link StorageError} says what to do, all else (defects too)
 * counts as kind `Unknown` with an unknown outcome. A recorder never runs two of these calls at the same time,
 * and interrupts a call that takes too long: a storage should stop then, and must not commit later.
 *
 * The batch array belongs to the storage and is never reused; its records must not be changed.
 *
 * Idempotence: a retry after an unknown outcome sends the same records again. A storage that ignores the ids it
 * already holds ends with each record once; one without idempotence may hold such a record twice.
 */
export interface Storage<in Record, in Query = never, out Result = unknown> {
  readonly save: (batch: ReadonlyArray<Record>) => Effect.Effect<Saved | void, unknown>
  readonly load: (query: Query) => Effect.Effect<Result, unknown>
  /** The most records that one `save` may get. The smaller of this and the recorder's `maxBatchSize` holds. */
  readonly maxBatch?: number
  /**
   * A pure head start for `save`: given the next batch while another save is out, do what needs no backend
   * (encoding), and return the effect that saves it. The returned effect may run any number of times, or never.
   */
  readonly prepare?: (batch: ReadonlyArray<Record>) => Effect.Effect<Saved | void, unknown>
}

/**
 * Why one record cannot be stored: the cause of its entry in `StorageError.bad`. `column` and `rule` are for
 * programs, `message` is for people; none of them holds any of the record's data.
 */
export class ColumnError extends Data.TaggedError("ColumnError")<{
  readonly column: string
  readonly rule: Rule
  readonly message: string
}> {}

/**
 * Compiles the check of whole batches that every table storage makes before it stores anything, for a storage of
 * your own: `undefined`, or the error (kind `Poison`, nothing stored) that names every bad record of the batch with
 * its {@link ColumnError}. The check is pure, synchronous, and never throws.
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
 * A storage of rows with columns. It checks a whole batch before it stores any of it ({@link rowCheck}), ignores
 * the records whose id it already holds (their count is `duplicates`), and answers typed queries.
 */
export interface TableStorage<C extends Columns, Q = Query<C>>
  extends Storage<NewRowOf<C>, Q, ReadonlyArray<RowOf<C>>> {
  readonly save: (batch: ReadonlyArray<NewRowOf<C>>) => Effect.Effect<Saved, StorageError>
  readonly load: (query: Q) => Effect.Effect<ReadonlyArray<RowOf<C>>, StorageError | InvalidQuery>
  /**
   * The rows of `load`, as a stream that holds one page of them in memory at a time. It reads beside a recorder's
   * queue: it waits for no save, and sees what is committed when each page is read.
   */
  readonly query: (query: Q) => Stream.Stream<RowOf<C>, StorageError | InvalidQuery>
  /**
   * Deletes the rows whose column is before a value, a batch (default 1,000 rows) at a time, until there is none,
   * and gives their number. It runs beside a recorder's queue. Interrupted or failed, it has deleted a part; run it
   * again. NULL is before nothing.
   */
  readonly prune: (options: Prune<C>) => Effect.Effect<number, StorageError | InvalidQuery>
}

/** Which records a memory storage loads: all without a predicate. */
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
  // A batch belongs to the storage: a large one is kept as it is, small ones are gathered in the last part.
  let parts: Array<Array<Record>> = []
  let open: Array<Record> | undefined
  const all = (): ReadonlyArray<Record> => {
    if (open !== undefined && parts.length === 1) return open
    open = parts.flat() as Array<Record>
    parts = [open]
    return open
  }
  return {
    save: (batch) =>
      Effect.sync(() => {
        if (batch.length > 32) {
          parts.push(batch as Array<Record>)
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

/** Which table is kept in memory. */
export interface MemoryOptions<C extends Columns> {
  /** A name for it. It has no effect here: the options of a table in a database can be passed as they are. */
  readonly table?: string | undefined
  readonly columns: C
  /** Records whose id the table already holds are counted as duplicates, and not stored. */
  readonly id: IdOf<C>
}

// `rowCheck` looks at the two together.
const memoryRules = { table: optional(text), columns: anything, id: anything }

const memoryTable = <const C extends Columns>(
  options: MemoryOptions<C>
): Effect.Effect<MemoryTable<C>, InvalidOptions> =>
  Effect.gen(function* () {
    yield* resolve<MemoryOptions<C>>()(memoryRules, options)
    const { columns, id } = options
    const check = yield* rowCheck(columns, id)
    type Row = RowOf<C> & { readonly [column: string]: unknown }
    // A normalised row has the columns of the definition with their values, which is what RowOf says.
    const copy = compileNormalise(columns)
    const normalise = (record: NewRowOf<C>) => copy(record) as Row
    const rows = new Map<unknown, Row>()
    const load: MemoryTable<C>["load"] = (query) =>
      Effect.map(checkQuery(columns, id, query), (checked) =>
        evaluateQuery(columns, checked, rows.values()).map((row) => normalise(row))
      )
    return {
      save: (batch) =>
        Effect.suspend(() => {
          const error = check(batch)
          if (error !== undefined) return Effect.fail(error)
          let duplicates = 0
          for (const record of batch) {
            const row = normalise(record)
            const key = row[id]
            if (rows.has(key)) duplicates++
            else rows.set(key, row)
          }
          return Effect.succeed({ duplicates })
        }),
      load,
      query: (query) => Stream.unwrap(Effect.map(load(query), Stream.fromIterable)),
      prune: (options) =>
        Effect.map(checkPrune(columns, id, options), ({ query }) => {
          const gone = evaluateQuery(columns, query, rows.values())
          for (const row of gone) rows.delete(row[id])
          return gone.length
        }),
      get records() {
        return [...rows.values()]
      }
    }
  })

/**
 * Storages in memory, for tests and for trying things out. What they hold is gone with the process. `ChangeLog.withLog`
 * lets others follow what they store.
 *
 * - `memory<Record>()` is a plain array: it takes every record, keeps it by reference, and loads with an optional
 *   predicate. It ignores no duplicates.
 * - `memory({ columns, id })` is a table: it refuses, ignores, answers and reads back exactly as the SQL storages
 *   do for the same columns. Wrong options fail with {@link InvalidOptions}.
 */
export const memory: {
  <Record>(): MemoryStorage<Record>
  <const C extends Columns>(options: MemoryOptions<C>): Effect.Effect<MemoryTable<C>, InvalidOptions>
} = (options?: MemoryOptions<Columns>): never =>
  // The two signatures share no return type; each branch has the type of its own one.
  (options === undefined ? memoryArray() : memoryTable(options)) as never
