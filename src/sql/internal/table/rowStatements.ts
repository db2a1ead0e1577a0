/** The statements that change rows of a table in an open transaction, a statement for each kind of change. */
import { Effect } from "effect"
import { type IdValue, idText } from "../../../internal/columns/ids.js"
import type { RowChange } from "../../../internal/columns/planWrites.js"
import type { AnyRow } from "../../../internal/columns/rowCodec.js"
import { idOfRow } from "../../../internal/columns/rowStore.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, FailedSave, Row, Run, Statement, Table } from "../dialect.js"
import { classified } from "../errors.js"
import { makeFound, makeReadIds } from "../storage/reading.js"
import { returningOf } from "../storage/renderQuery.js"
import type { State } from "../storage/saving.js"
import { step } from "../transaction.js"

/** Rows by their ids. */
export type Rows = ReadonlyMap<IdValue, AnyRow>

/** A change of one kind. */
export type ChangeOf<Op> = Extract<RowChange<AnyRow>, { readonly op: Op }>

/** The rows that a statement has changed, and whether they stay like that and are all. */
export interface Returned {
  readonly rows: Rows
  readonly isFinal: boolean
}

export interface Added extends Returned {
  /** The ids that are new, as text. */
  readonly fresh: ReadonlySet<unknown>
}

const nothing: Returned = { rows: new Map(), isFinal: true }

const none: Effect.Effect<Rows> = Effect.succeed(new Map())

/** What runs in an open transaction. */
export interface RowStatements {
  /** Reads rows by their ids. */
  readonly read: (connection: Run, ids: ReadonlyArray<IdValue>) => Effect.Effect<Rows, StorageError>
  /** Reads rows, and locks them in the order of their ids. */
  readonly lock: (connection: Run, ids: ReadonlyArray<IdValue>) => Effect.Effect<Rows, StorageError>
  /** Removes rows, which are locked, and gives those that are still there. */
  readonly remove: (
    connection: Run,
    changes: ReadonlyArray<ChangeOf<"Deleted">>
  ) => Effect.Effect<Rows, StorageError>
  /** Updates rows, which are locked. */
  readonly set: (
    connection: Run,
    changes: ReadonlyArray<ChangeOf<"Updated">>
  ) => Effect.Effect<Returned, StorageError>
  /** Adds the rows whose ids are not there. */
  readonly add: (
    connection: Run,
    changes: ReadonlyArray<ChangeOf<"Inserted">>
  ) => Effect.Effect<Added, StorageError>
  /** Removes all rows, and gives whether there were any. */
  readonly removeAll: (connection: Run) => Effect.Effect<boolean, StorageError>
}

/** Builds a statement and runs it; what cannot be built is a failure of its rows. */
type Execute = (
  connection: Run,
  build: () => Statement,
  rows: ReadonlyArray<Row>
) => Effect.Effect<unknown, StorageError>

const makeExecute =
  (dialect: Dialect, table: Table, state: State): Execute =>
  (connection, build, rows) => {
    const save: FailedSave = { table, rows }
    return Effect.flatMap(
      Effect.try({ try: build, catch: (error) => classified(dialect, error, state.saved, save) }),
      step(dialect, connection, state, save)
    )
  }

const makeRead = (dialect: Dialect, table: Table, state: State) => {
  const id = table.id.name
  const read = makeReadIds(dialect, table, state)
  return (connection: Run, ids: ReadonlyArray<IdValue>, end?: string): Effect.Effect<Rows, StorageError> => {
    if (ids.length === 0) return none
    const asked = ids.map((value) => ({ [id]: value }))
    return Effect.map(
      read(step(dialect, connection, state), asked, end),
      ({ rows }) => new Map(rows.map((row) => [idOfRow(id, row), row]))
    )
  }
}

/** Makes the updates and inserts. */
const makeChanges = (
  dialect: Dialect,
  table: Table,
  execute: Execute
): Pick<RowStatements, "set" | "add"> => {
  const id = table.id.name
  const returning = returningOf(dialect, table)
  const insert = returning === undefined ? dialect.insertNew(table) : dialect.insert(table, returning)
  const update = dialect.update(table, returning)
  const found = makeFound(dialect, table)

  /** What a statement has returned of the rows that it was to change. */
  const returned = (result: unknown, count: number): Effect.Effect<Returned, StorageError> =>
    returning === undefined
      ? Effect.succeed({ rows: new Map(), isFinal: false })
      : Effect.map(found(result), ({ head, rows }) => ({
          rows: new Map(rows.map((row): [IdValue, AnyRow] => [idOfRow(id, row), row])),
          isFinal: rows.length === count && head === "false"
        }))

  const freshOf = (result: unknown, rows: Rows): Added["fresh"] =>
    new Set(
      returning === undefined ? dialect.rows(result).map(({ row }) => row) : [...rows.keys()].map(idText)
    )

  return {
    set: (connection, changes) => {
      if (changes.length === 0) return Effect.succeed(nothing)
      const updates = changes.map(({ columns, row }) => ({ row, sets: new Set(columns) }))
      const rows = changes.map(({ row }) => row)
      return Effect.flatMap(
        execute(connection, () => update(updates), rows),
        (result) => returned(result, rows.length)
      )
    },
    add: (connection, changes) => {
      if (changes.length === 0) return Effect.succeed({ ...nothing, fresh: new Set() })
      const rows = changes.map(({ row }) => row)
      return Effect.flatMap(
        execute(connection, () => insert(rows), rows),
        (result) =>
          Effect.map(returned(result, rows.length), (found) => ({
            ...found,
            fresh: freshOf(result, found.rows)
          }))
      )
    }
  }
}

/** Makes the statements of a table. */
export const makeRowStatements = (dialect: Dialect, table: Table, state: State): RowStatements => {
  const id = table.id.name
  const execute = makeExecute(dialect, table, state)
  const read = makeRead(dialect, table, state)
  const sameIds = dialect.sameIds(table)
  return {
    read,
    lock: (connection, ids) => read(connection, ids, dialect.forUpdate),
    ...makeChanges(dialect, table, execute),
    remove: (connection, changes) => {
      if (changes.length === 0) return none
      const ids = changes.map((change) => change.id)
      const { params, text } = sameIds(ids.map((value) => ({ [id]: value })))
      const statement = { text: `DELETE FROM ${table.sql} WHERE ${text}`, params }
      return Effect.flatMap(
        execute(connection, () => statement, []),
        (result) =>
          // Fewer than there were, while all of them were locked: a trigger keeps some.
          dialect.affected(result) === ids.length ? none : read(connection, ids)
      )
    },
    removeAll: (connection) =>
      Effect.map(
        execute(connection, () => dialect.deleteAll(table), []),
        (result) => dialect.affected(result) !== 0
      )
  }
}
