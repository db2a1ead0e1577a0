/** How a storage saves: encodes a batch, inserts it, and looks up what was not written. */
import { Effect, Either, identity } from "effect"
import type { Entry } from "../../../internal/log/events.js"
import { type Saved, StorageError } from "../../../Storage.js"
import type { Dialect, FailedSave, Row, Statement, Table } from "../dialect.js"
import { classified, SqlFailure, storageError, withOutcome } from "../errors.js"
import { type OpenLog, ringEverywhere } from "../log/sqlChangeLog.js"
import { now } from "../log/store.js"
import { encodeBatch, type StorageBackend, type StoreBatch } from "./outbox.js"

const missingRows = (missing: number, of: number) =>
  new StorageError({
    kind: "Unknown",
    outcome: "Unknown",
    message:
      `${missing} of ${of} records are not in the table, although the database reported no error: ` +
      "a trigger or a rule on the table drops rows"
  })

const distinctIds = (table: Table, rows: ReadonlyArray<Row>): number => {
  const { name, type } = table.id
  return new Set(rows.map((row) => (type === "uuid" ? (row[name] as string).toLowerCase() : row[name]))).size
}

/** Whether a save has ever succeeded here: some failures are fatal before that only. */
export interface State {
  saved: boolean
}

/**
 * A record that two connections insert at the same moment (two recorders, or a retry while the first attempt is still
 * under way) may meet itself in another unique index of Postgres before it does in that of the id. The other insert is
 * committed by then, so that a second try finds the id; a record that breaks the constraint fails again.
 */
const mayHaveMetItself = ({ cause }: StorageError): boolean =>
  cause instanceof SqlFailure && cause.code === "23505"

/** Makes the save of a table, which counts the rows that were new, and looks for the others. */
export const makeSave = (backend: StorageBackend, table: Table, state: State, insertOf: Insert) => {
  const { dialect, executor } = backend
  const sameIds = dialect.sameIds(table)
  const count = (rows: ReadonlyArray<Row>): Statement => {
    const { params, text } = sameIds(rows)
    return { text: `SELECT count(*) AS n FROM ${table.sql} WHERE ${text}`, params }
  }
  const failures = storageError(dialect, state)

  // Fewer rows were written than sent: the others must be there already, or a trigger has swallowed them.
  const lookUp = (rows: ReadonlyArray<Row>, written: number): Effect.Effect<Saved, StorageError> =>
    Effect.suspend(() => executor.run(count(rows))).pipe(
      failures,
      // What the insert wrote is committed.
      Effect.mapError((error) => withOutcome(error, "Unknown")),
      Effect.flatMap((result) => {
        const distinct = distinctIds(table, rows)
        const present = Number(dialect.rows(result)[0]?.n)
        if (present !== distinct) return Effect.fail(missingRows(distinct - present, rows.length))
        return Effect.succeed({ duplicates: written < 0 ? 0 : rows.length - written })
      })
    )

  return (rows: ReadonlyArray<Row>): Effect.Effect<Saved, StorageError> => {
    const insert = insertOf(rows)
    if (Either.isLeft(insert)) return Effect.fail(insert.left)
    const inserted = Effect.catchAll(insert.right, (error) =>
      mayHaveMetItself(error) ? insert.right : Effect.fail(error)
    )
    return Effect.flatMap(inserted, (written) => {
      state.saved = true
      return written === rows.length ? Effect.succeed({ duplicates: 0 }) : lookUp(rows, written)
    })
  }
}

/** Stores a batch, and gives how many rows were new, below 0 if that is unknown. Encodes it at once. */
export type Insert = (
  rows: ReadonlyArray<Row>
) => Either.Either<Effect.Effect<number, StorageError>, StorageError>

/** Does the work that needs no database; what it throws is the save's failure. */
const attempt = <A>(dialect: Dialect, state: State, save: FailedSave, encode: () => A) =>
  Either.try({ try: encode, catch: (error) => classified(dialect, error, state.saved, save) })

/** Inserts the rows, and logs nothing. */
export const plainInsert =
  ({ dialect, insert }: StorageBackend, table: Table, state: State): Insert =>
  (rows) => {
    const save = { table, rows }
    return attempt(dialect, state, save, () =>
      Effect.map(storageError(dialect, state, save)(insert(rows)), dialect.affected)
    )
  }

/** Inserts the rows, and logs those that were new by the same commit. */
export const loggedInsert =
  (
    dialect: Dialect,
    table: Table,
    state: State,
    open: OpenLog,
    toEntry: (row: Row) => Entry<unknown>,
    store: StoreBatch
  ): Insert =>
  (rows) =>
    Either.flatMap(
      attempt(dialect, state, { table, rows }, () =>
        Either.map(encodeBatch(table, rows, toEntry, open.store.random, open.store.feed), (batch) => {
          const run = store(batch)
          return Effect.flatMap(now, run).pipe(
            Effect.tap(({ revisions }) => {
              const last = revisions.at(-1)
              return last === undefined ? Effect.void : ringEverywhere(open, last.seq)
            }),
            Effect.map(({ written }) => written)
          )
        })
      ),
      identity
    )
