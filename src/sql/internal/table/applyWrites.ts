/** Does writes in an open transaction: looks at their rows, decides, and changes them by one statement of each kind. */
import { Data, Effect } from "effect"
import { type CheckedWrite, idOfWrite } from "../../../internal/columns/checkWrite.js"
import type { Columns } from "../../../internal/columns/columns.js"
import { differingColumns } from "../../../internal/columns/evaluateQuery.js"
import { type IdValue, idText } from "../../../internal/columns/ids.js"
import { type PlannedWrite, planWrites } from "../../../internal/columns/planWrites.js"
import type { AnyRow } from "../../../internal/columns/rowCodec.js"
import { StorageError } from "../../../Storage.js"
import type { Dialect, Run, Table } from "../dialect.js"
import type { State } from "../storage/saving.js"
import { type ChangeOf, makeRowStatements, type Rows } from "./rowStatements.js"

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

/** The changes that are planned, by their kinds. */
interface Kinds {
  readonly added: ReadonlyArray<ChangeOf<"Inserted">>
  readonly set: ReadonlyArray<ChangeOf<"Updated">>
  readonly removed: ReadonlyArray<ChangeOf<"Deleted">>
}

const kindsOf = (planned: ReadonlyArray<PlannedWrite<AnyRow>>): Kinds => {
  const added: Array<ChangeOf<"Inserted">> = []
  const set: Array<ChangeOf<"Updated">> = []
  const removed: Array<ChangeOf<"Deleted">> = []
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

/** What has become of a planned write, by the rows after it. */
const outcomeOf = (
  table: Table,
  columns: Columns,
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

/** Makes the steps of the writes to a table. */
export const makeWriteSteps = (
  dialect: Dialect,
  table: Table,
  columns: Columns,
  state: State
): WriteSteps => {
  const id = table.id.name
  const statements = makeRowStatements(dialect, table, state)

  const lock: WriteSteps["lock"] = (connection, writes) => {
    // An insert needs no look at the row: it is the statement that finds whether there is one.
    const ids = writes.flatMap((write) => (write._tag === "Insert" ? [] : (idOfWrite(id, write) ?? [])))
    return statements.lock(connection, ids)
  }

  const applyEach = (connection: Run, writes: ReadonlyArray<CheckedWrite>, isLastTry: boolean) =>
    Effect.gen(function* () {
      const before = yield* lock(connection, writes)
      const store = { get: (id: IdValue) => before.get(id), size: () => before.size }
      const planned = planWrites(columns, id, store, writes)
      const kinds = kindsOf(planned)
      const kept = yield* statements.remove(connection, kinds.removed)
      const changed = yield* statements.set(connection, kinds.set)
      const added = yield* statements.add(connection, kinds.added)
      const written =
        changed.isFinal && added.isFinal
          ? new Map([...changed.rows, ...added.rows])
          : yield* statements.read(
              connection,
              [...kinds.set, ...kinds.added].map((change) => change.id)
            )
      const after = new Map([...kept, ...written])
      const applied: Array<Applied> = []
      for (const [n, write] of writes.entries()) {
        // One was planned for each.
        const one = outcomeOf(table, columns, write, planned[n]!, before, after, (id) =>
          added.fresh.has(idText(id))
        )
        if (one instanceof Raced && !isLastTry) return yield* one
        applied.push(one instanceof Raced ? dropped(table) : one)
      }
      return applied
    })

  return {
    lock,
    apply: (connection, writes, isLastTry) =>
      writes[0]?._tag === "DeleteAll"
        ? Effect.map(statements.removeAll(connection), (changed) => [
            { _tag: "Done", row: undefined, change: changed ? { op: "Changed" } : undefined }
          ])
        : applyEach(connection, writes, isLastTry)
  }
}
