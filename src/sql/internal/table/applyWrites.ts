/** Does writes in an open transaction: looks at their rows, decides, and changes them by one statement of each kind. */
import { Data, Effect } from "effect"
import { type CheckedWrite, idOfWrite } from "../../../internal/columns/checkWrite.js"
import type { Columns } from "../../../internal/columns/columns.js"
import { differingColumns } from "../../../internal/columns/evaluateQuery.js"
import { type IdValue, idText } from "../../../internal/columns/ids.js"
import { type PlannedWrite, planWrites } from "../../../internal/columns/planWrites.js"
import type { AnyRow } from "../../../internal/columns/rowCodec.js"
import { idOfRow } from "../../../internal/columns/rowStore.js"
import { StorageError } from "../../../Storage.js"
import type { Dialect, FailedSave, Row, Run, Statement, Table } from "../dialect.js"
import { classified } from "../errors.js"
import { makeFound, makeReadIds } from "../storage/reading.js"
import { returningOf } from "../storage/renderQuery.js"
import type { State } from "../storage/saving.js"
import { step } from "../transaction.js"

/** Another transaction has added a row that this one was to add. The next try sees it. */
export class Raced extends Data.TaggedError("Raced") {}

/** What became of a write: as it was planned, or why the database did not do it. */
export type Applied = PlannedWrite<AnyRow> | StorageError

/** What is done in an open transaction. */
export interface WriteSteps {
  /**
   * Does writes. No two of them have the same id; a `DeleteAll` comes alone. In the last try, a row that is neither new
   * nor there is not taken for another transaction's any more.
   */
  readonly apply: (
    connection: Run,
    writes: ReadonlyArray<CheckedWrite>,
    isLastTry: boolean
  ) => Effect.Effect<ReadonlyArray<Applied>, StorageError | Raced>
  /** Locks the rows that writes look at, in the order of their ids, and gives them. */
  readonly lock: (connection: Run, writes: ReadonlyArray<CheckedWrite>) => Effect.Effect<Rows, StorageError>
}

const dropped = (table: Table): StorageError =>
  new StorageError({
    kind: "Poison",
    outcome: "NotStored",
    message: `the row is not as it was written to ${table.sql}: a trigger or a rule on the table drops the write`
  })

const compareIds = (a: IdValue, b: IdValue): number => (a < b ? -1 : a > b ? 1 : 0)

type Rows = ReadonlyMap<IdValue, AnyRow>

const none: Effect.Effect<Rows> = Effect.succeed(new Map())

type Change<Op> = Extract<
  Extract<PlannedWrite<AnyRow>, { readonly _tag: "Done" }>["change"],
  { readonly op: Op }
>

/** The changes that are planned, by their kinds. */
interface Kinds {
  readonly added: ReadonlyArray<Change<"Inserted">>
  readonly set: ReadonlyArray<Change<"Updated">>
  readonly removed: ReadonlyArray<Change<"Deleted">>
}

const kindsOf = (planned: ReadonlyArray<PlannedWrite<AnyRow>>): Kinds => {
  const added: Array<Change<"Inserted">> = []
  const set: Array<Change<"Updated">> = []
  const removed: Array<Change<"Deleted">> = []
  for (const one of planned) {
    if (one._tag === "Refused" || one.change === undefined) continue
    const { change } = one
    if (change.op === "Inserted") added.push(change)
    else if (change.op === "Updated") set.push(change)
    else if (change.op === "Deleted") removed.push(change)
  }
  // Transactions that add the same rows wait for each other in one order.
  added.sort((a, b) => compareIds(a.id, b.id))
  return { added, set, removed }
}

/** The rows that a statement has changed, and whether they stay like that and are all. */
interface Returned {
  readonly rows: Rows
  readonly isFinal: boolean
}

interface Added extends Returned {
  /** The ids that are new, as text. */
  readonly fresh: ReadonlySet<unknown>
}

const nothing: Returned = { rows: new Map(), isFinal: true }

/** Makes the steps of the writes to a table. */
export const makeWriteSteps = (
  dialect: Dialect,
  table: Table,
  columns: Columns,
  state: State
): WriteSteps => {
  const id = table.id.name
  const read = makeReadIds(dialect, table, state)
  const sameIds = dialect.sameIds(table)
  const returning = returningOf(dialect, table)
  const insert = returning === undefined ? dialect.insertNew(table) : dialect.insert(table, returning)
  const update = dialect.update(table, returning)
  const found = makeFound(dialect, table)

  /** Builds a statement and runs it; what cannot be built is a failure of its rows. */
  const execute = (connection: Run, build: () => Statement, rows: ReadonlyArray<Row>) => {
    const save: FailedSave = { table, rows }
    return Effect.flatMap(
      Effect.try({ try: build, catch: (error) => classified(dialect, error, state.saved, save) }),
      step(dialect, connection, state, save)
    )
  }

  const byId = (rows: ReadonlyArray<AnyRow>): Rows => new Map(rows.map((row) => [idOfRow(id, row), row]))

  const rowsOf = (
    connection: Run,
    ids: ReadonlyArray<IdValue>,
    end?: string
  ): Effect.Effect<Rows, StorageError> =>
    ids.length === 0
      ? none
      : Effect.map(
          read(
            step(dialect, connection, state),
            ids.map((value) => ({ [id]: value })),
            end
          ),
          ({ rows }) => byId(rows)
        )

  const remove = (connection: Run, removed: Kinds["removed"]): Effect.Effect<Rows, StorageError> => {
    if (removed.length === 0) return none
    const ids = removed.map((change) => change.id)
    const { params, text } = sameIds(ids.map((value) => ({ [id]: value })))
    const statement = { text: `DELETE FROM ${table.sql} WHERE ${text}`, params }
    return Effect.flatMap(
      execute(connection, () => statement, []),
      (result) =>
        // Fewer than there were, while all of them were locked: a trigger keeps some.
        dialect.affected(result) === ids.length ? none : rowsOf(connection, ids)
    )
  }

  /** What a statement has returned of the rows that it was to change. */
  const returned = (result: unknown, count: number): Effect.Effect<Returned, StorageError> =>
    returning === undefined
      ? Effect.succeed({ rows: new Map(), isFinal: false })
      : Effect.map(found(result), ({ head, rows }) => ({
          rows: byId(rows),
          isFinal: rows.length === count && head === "false"
        }))

  const set = (connection: Run, changes: Kinds["set"]): Effect.Effect<Returned, StorageError> => {
    if (changes.length === 0) return Effect.succeed(nothing)
    const updates = changes.map(({ columns, row }) => ({ row, sets: new Set(columns) }))
    const rows = changes.map(({ row }) => row)
    return Effect.flatMap(
      execute(connection, () => update(updates), rows),
      (result) => returned(result, rows.length)
    )
  }

  const add = (connection: Run, changes: Kinds["added"]): Effect.Effect<Added, StorageError> => {
    if (changes.length === 0) return Effect.succeed({ ...nothing, fresh: new Set() })
    const rows = changes.map(({ row }) => row)
    return Effect.flatMap(
      execute(connection, () => insert(rows), rows),
      (result) =>
        Effect.map(returned(result, rows.length), (found) => ({
          ...found,
          fresh: new Set(
            returning === undefined
              ? dialect.rows(result).map(({ row }) => row)
              : [...found.rows.keys()].map(idText)
          )
        }))
    )
  }

  /** What has become of a planned write, by the rows after it. */
  const outcome = (
    write: CheckedWrite,
    planned: PlannedWrite<AnyRow>,
    before: Rows,
    after: Rows,
    isNew: (id: IdValue) => boolean
  ): Applied | Raced => {
    if (planned._tag === "Refused" || planned.change === undefined) return planned
    const { change } = planned
    if (change.op === "Changed") return planned
    const row = after.get(change.id)
    if (change.op === "Deleted") return row === undefined ? planned : dropped(table)
    if (change.op === "Inserted" && !isNew(change.id)) {
      return write._tag === "Insert" && row !== undefined
        ? { _tag: "Done", row, change: undefined }
        : new Raced()
    }
    if (row === undefined) return dropped(table)
    if (change.op === "Inserted") return { _tag: "Done", row, change: { ...change, row } }
    // A row that is updated was there.
    const differing = differingColumns(columns, before.get(change.id)!, row)
    return differing.length === 0
      ? { _tag: "Done", row, change: undefined }
      : { _tag: "Done", row, change: { ...change, row, columns: differing } }
  }

  const deleteAll = (connection: Run): Effect.Effect<ReadonlyArray<Applied>, StorageError> =>
    Effect.map(
      execute(connection, () => dialect.deleteAll(table), []),
      (result) => [
        {
          _tag: "Done",
          row: undefined,
          change: dialect.affected(result) === 0 ? undefined : { op: "Changed" }
        }
      ]
    )

  const lock: WriteSteps["lock"] = (connection, writes) => {
    // An insert needs no look at the row: it is the statement that finds whether there is one.
    const ids = writes.flatMap((write) => (write._tag === "Insert" ? [] : (idOfWrite(id, write) ?? [])))
    return rowsOf(connection, ids, dialect.forUpdate)
  }

  const applyEach = (connection: Run, writes: ReadonlyArray<CheckedWrite>, isLastTry: boolean) =>
    Effect.gen(function* () {
      const before = yield* lock(connection, writes)
      const store = { get: (id: IdValue) => before.get(id), size: () => before.size }
      const planned = planWrites(columns, id, store, writes)
      const kinds = kindsOf(planned)
      const kept = yield* remove(connection, kinds.removed)
      const changed = yield* set(connection, kinds.set)
      const added = yield* add(connection, kinds.added)
      const written =
        changed.isFinal && added.isFinal
          ? new Map([...changed.rows, ...added.rows])
          : yield* rowsOf(
              connection,
              [...kinds.set, ...kinds.added].map((change) => change.id)
            )
      const after = new Map([...kept, ...written])
      const applied: Array<Applied> = []
      for (const [n, write] of writes.entries()) {
        // One was planned for each.
        const one = outcome(write, planned[n]!, before, after, (id) => added.fresh.has(idText(id)))
        if (one instanceof Raced && !isLastTry) return yield* one
        applied.push(one instanceof Raced ? dropped(table) : one)
      }
      return applied
    })

  return {
    lock,
    apply: (connection, writes, isLastTry) =>
      writes[0]?._tag === "DeleteAll" ? deleteAll(connection) : applyEach(connection, writes, isLastTry)
  }
}
