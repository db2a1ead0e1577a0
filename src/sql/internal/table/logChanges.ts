/** From the changes of a table to the entry of its log. */
import { Either } from "effect"
import type { RowChange } from "../../../internal/columns/planWrites.js"
import type { AnyRow } from "../../../internal/columns/rowCodec.js"
import type { AnyDefinition } from "../../../internal/columns/writes.js"
import type { Keeps } from "../../../internal/log/entry.js"
import { type Change, type ChangeLogError, put } from "../../../internal/log/events.js"
import { compileTableChange, type TableChange } from "../../../internal/log/tableChange.js"
import { type Encoded, encodeEntry } from "../log/rows.js"

/** Makes the entry of a call's changes, at least one. */
export type EncodeChanges = (
  changes: ReadonlyArray<RowChange<AnyRow>>,
  batch: string
) => Either.Either<Encoded, ChangeLogError>

const withoutRow = (change: Change<TableChange>): Change<TableChange> => {
  if (change._tag === "Delete") return change
  const { row, ...value } = change.value
  return put(change.key, value)
}

/** Compiles what makes entries. Rows are in them, unless they are too large together, in bytes, or nested too deep. */
export const makeEncodeChanges = (
  definition: AnyDefinition,
  random: Int32Array,
  maxBytes: number,
  keeps: Keeps
): EncodeChanges => {
  const toChange = compileTableChange(definition)
  return (changes, batch) => {
    const all = changes.map((change) => toChange(change, batch))
    const whole = encodeEntry({ changes: all }, 0, random, keeps)
    return Either.isRight(whole) && whole.right.bytes <= maxBytes
      ? whole
      : encodeEntry({ changes: all.map(withoutRow) }, 0, random, keeps)
  }
}
