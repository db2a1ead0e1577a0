/** What writes do to a store of rows, decided before any of it is done. */

import type { CheckedWrite } from "./checkWrite.js"
import type { Columns } from "./columns.js"
import { differingColumns, matchesCondition } from "./evaluateQuery.js"
import type { IdValue } from "./ids.js"
import type { AnyRow } from "./rowCodec.js"
import { idOfRow, type RowStore } from "./rowStore.js"

/** One change of rows. */
export type RowChange<R> =
  | { readonly op: "Inserted"; readonly id: IdValue; readonly row: R }
  | { readonly op: "Updated"; readonly id: IdValue; readonly row: R; readonly columns: ReadonlyArray<string> }
  | { readonly op: "Deleted"; readonly id: IdValue }
  | { readonly op: "Changed" }

/** What becomes of one write. */
export type PlannedWrite<R> =
  | { readonly _tag: "Done"; readonly row: R | undefined; readonly change: RowChange<R> | undefined }
  | { readonly _tag: "Refused"; readonly reason: "Missing" | "Conflict" }

/** What is wrong with a write that is refused, and what to do. */
export const refusals = {
  Missing: "there is no row with this id: insert it first",
  Conflict: "the row does not meet the condition of the write: read it again, and decide anew"
} as const

/** Plans writes that touch different rows: none of them sees what another one changes. */
export const planWrites = <R extends AnyRow>(
  columns: Columns,
  id: string,
  store: Pick<RowStore<R>, "get" | "size">,
  writes: ReadonlyArray<CheckedWrite>
): ReadonlyArray<PlannedWrite<R>> => {
  const done = (row: R | undefined, change?: RowChange<R>): PlannedWrite<R> => ({ _tag: "Done", row, change })
  const inserted = (row: R) => done(row, { op: "Inserted", id: idOfRow(id, row), row })
  const updated = (before: R, row: R): PlannedWrite<R> => {
    const differing = differingColumns(columns, before, row)
    return differing.length === 0
      ? done(before)
      : done(row, { op: "Updated", id: idOfRow(id, row), row, columns: differing })
  }
  const meets = (row: R, { when }: Extract<CheckedWrite, { readonly id: IdValue }>) =>
    matchesCondition(columns, when, row)

  const plan = (write: CheckedWrite): PlannedWrite<R> => {
    switch (write._tag) {
      case "Insert":
      case "Replace": {
        // A checked write's row is normalised, and no one else has it.
        const row = write.row as R
        const before = store.get(idOfRow(id, row))
        if (before === undefined) return inserted(row)
        return write._tag === "Insert" ? done(before) : updated(before, row)
      }
      case "Patch": {
        const before = store.get(write.id)
        if (before === undefined) return { _tag: "Refused", reason: "Missing" }
        return meets(before, write)
          ? updated(before, { ...before, ...write.fields })
          : { _tag: "Refused", reason: "Conflict" }
      }
      case "Delete": {
        const before = store.get(write.id)
        if (before === undefined) return done(undefined)
        return meets(before, write)
          ? done(undefined, { op: "Deleted", id: write.id })
          : { _tag: "Refused", reason: "Conflict" }
      }
      case "DeleteAll":
        return done(undefined, store.size() === 0 ? undefined : { op: "Changed" })
    }
  }
  return writes.map(plan)
}

/** Does a planned change. */
export const applyChange = <R>(store: RowStore<R>, change: RowChange<R>): void => {
  switch (change.op) {
    case "Inserted":
    case "Updated":
      store.set(change.row)
      return
    case "Deleted":
      store.remove(change.id)
      return
    case "Changed":
      store.clear()
  }
}
