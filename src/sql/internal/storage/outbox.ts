/** How a storage writes what it stores to a change log, in the same commit. */
import { Effect, Either, identity } from "effect"
import type { Keeps } from "../../../internal/log/entry.js"
import { type Entry, entryOf, type Revision, refusal } from "../../../internal/log/events.js"
import { type BadRecord, StorageError } from "../../../Storage.js"
import type { Backend } from "../backend.js"
import type { Executor, Row, Run, Statement, Table } from "../dialect.js"
import { storageError } from "../errors.js"
import { appendLocked, revisionsOf } from "../log/append.js"
import { type Encoded, encodeEntry } from "../log/rows.js"
import type { Limits, LogStatements } from "../log/statements.js"
import { type LockedStore, type LogStore, lockHead } from "../log/store.js"
import type { Feed } from "../log/tables.js"
import { budgetOf, spend } from "../statementSize.js"
import { step, transaction } from "../transaction.js"

/** What a save has done to the table and to the log. */
export interface Stored {
  /** Rows that were new: those are in the log. */
  readonly written: number
  readonly revisions: ReadonlyArray<Revision>
}

/** For each id of a batch the entry of its first row. */
export interface LoggedEntries {
  /** As they are compared. */
  readonly ids: ReadonlyArray<string>
  readonly entries: ReadonlyArray<Encoded>
}

/** A batch, and of each id the first row. */
export interface LoggedBatch extends LoggedEntries {
  readonly rows: ReadonlyArray<Row>
  readonly firsts: ReadonlyArray<Row>
}

/** An id as it is compared. */
const idText = ({ id }: Table, value: unknown): string =>
  id.type === "uuid" ? String(value).toLowerCase() : String(value)

/** Encodes the entry of a record. Its own id is not used: the row's id decides whether it is new. */
const encodeOwn = (
  entry: Entry<unknown>,
  index: number,
  random: Int32Array,
  keeps: Keeps
): Either.Either<Encoded, unknown> =>
  entry.expect === undefined
    ? encodeEntry({ changes: entry.changes }, index, random, keeps)
    : Either.left(
        refusal(
          "Invalid",
          "a storage cannot judge what an entry expects: leave expect out, or commit the entry to the log itself",
          index
        )
      )

/**
 * Makes the entries of a batch. Records whose entry cannot be made are bad. Throws `TooLarge` for entries that no statement can hold.
 */
export const encodeBatch = (
  table: Table,
  rows: ReadonlyArray<Row>,
  toEntry: (row: Row) => Entry<unknown>,
  random: Int32Array,
  keeps: Keeps
): Either.Either<LoggedBatch, StorageError> => {
  const firsts: Array<Row> = []
  const entries: Array<Encoded> = []
  const seen = new Set<string>()
  const bad: Array<BadRecord> = []
  const budget = budgetOf(table, rows)
  for (const [index, row] of rows.entries()) {
    const entry = Either.flatMap(entryOf(toEntry, row), (entry) => encodeOwn(entry, index, random, keeps))
    if (Either.isLeft(entry)) {
      bad.push({ index, cause: entry.left })
      continue
    }
    const id = idText(table, row[table.id.name])
    if (seen.has(id)) continue
    seen.add(id)
    spend(budget, entry.right.bytes)
    firsts.push(row)
    entries.push(entry.right)
  }
  if (bad.length === 0) return Either.right({ rows, firsts, ids: [...seen], entries })
  const message = `${bad.length} of ${rows.length} records cannot be made into changes for the log`
  return Either.left(new StorageError({ kind: "Poison", outcome: "NotStored", message, bad }))
}

/** Stores in a transaction: the rows first, because others wait for the transaction that holds the head. */
export const storeInTransaction = (
  table: Table,
  store: LockedStore,
  reserve: Executor["reserve"],
  insert: Statement,
  { entries, ids }: LoggedEntries,
  at: Date,
  state: { readonly saved: boolean },
  rows: ReadonlyArray<Row>
): Effect.Effect<Stored, StorageError> => {
  const { dialect } = store.statements
  const body = (connection: Run) =>
    Effect.gen(function* () {
      const run = step(dialect, connection, state, { table, rows })
      yield* run(dialect.begin)
      const stored = new Set(dialect.rows(yield* run(insert)).map(({ row }) => idText(table, row)))
      const fresh = entries.filter((_, n) => stored.has(ids[n] as string))
      if (fresh.length === 0) return { written: stored.size, revisions: [] }
      const head = yield* lockHead(store, run)
      return { written: stored.size, revisions: yield* appendLocked(store, run, head, fresh, at) }
    })
  return transaction(dialect, reserve, identity, body)
}

/** Encodes a batch at once, and gives what stores and logs it. */
export type StoreBatch = (batch: LoggedBatch) => (at: Date) => Effect.Effect<Stored, StorageError>

/** What an adapter brings to a storage. */
export interface StorageBackend extends Backend {
  /** The statements of a log in the same database. */
  readonly logStatements: (feed: Feed, limits: Limits) => LogStatements
  /** Stores and logs, where it is not done by the executor. */
  readonly store?: StoreBatch
}

/** Stores and logs by one statement where the database has one. */
export const makeStore = (
  table: Table,
  { backend, feed, statements }: LogStore,
  state: { readonly saved: boolean }
): StoreBatch => {
  const { executor } = backend
  const { dialect, store } = statements
  const inOne = store?.(table)
  if (inOne !== undefined) {
    return ({ entries, firsts, rows }) =>
      (at) =>
        Effect.suspend(() => executor.run(inOne(rows, firsts, entries, at))).pipe(
          storageError(dialect, state, { table, rows }),
          Effect.flatMap((result) => revisionsOf({ feed, statements }, result))
        )
  }
  const insertNew = dialect.insertNew(table)
  return (batch) => {
    const insert = insertNew(batch.rows)
    return (at) =>
      storeInTransaction(table, { feed, statements }, executor.reserve, insert, batch, at, state, batch.rows)
  }
}
