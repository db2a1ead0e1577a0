/** The changes of a table as a log holds them. */
import { compileNormalId, type IdValue, idText, isReason } from "../columns/ids.js"
import type { RowChange } from "../columns/planWrites.js"
import { type EncodedRow, encodeRow } from "../columns/rowCodec.js"
import type { AnyDefinition } from "../columns/writes.js"
import { type Change, put } from "./events.js"

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

/** Returns the prefix of all keys of a table. Alone it is the key of `Changed`. A table's name has no slash. */
export const keyPrefix = (name: string): string => `${name}/`

/** Returns the key of a row, by its id in normal form. */
export const keyOfRow = (name: string, id: IdValue): string => keyPrefix(name) + idText(id)

/** Returns the key of a row, by its id in any form. An id that the table cannot hold gives a key that no row has. */
export const keyOfId = ({ columns, id, name }: AnyDefinition, given: unknown): string => {
  const normal = compileNormalId(columns, id)(given)
  return keyOfRow(name, isReason(normal) ? String(given) : normal)
}

/** Compiles the entries of a table's changes in its log; `batch` names the call that made them. */
export const compileTableChange = ({ columns, name }: AnyDefinition) => {
  const encode = encodeRow(columns)
  return <R extends object>(change: RowChange<R>, batch: string): Change<TableChange> => {
    switch (change.op) {
      case "Inserted":
        return put(keyOfRow(name, change.id), { op: change.op, row: encode(change.row), batch })
      case "Updated":
        return put(keyOfRow(name, change.id), {
          op: change.op,
          columns: change.columns,
          row: encode(change.row),
          batch
        })
      case "Deleted":
        return put(keyOfRow(name, change.id), { op: change.op, batch })
      case "Changed":
        return put(keyPrefix(name), { op: change.op, batch })
    }
  }
}
