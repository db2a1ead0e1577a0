/** How the staleness meter compares what the cache holds with the master. */
import { Effect, Option } from "effect"
import type { Read } from "../../Table.js"
import * as Cells from "../cache/cells.js"
import type { AnyDefinition } from "../columns/writes.js"
import * as Acknowledged from "./acknowledged.js"
import type { AnyRow } from "./answers.js"
import { type Key, type QueryEntry, queryChanged, type RowAnswer, rowDisproved } from "./coherence.js"
import type { Core } from "./core.js"
import { judgedQuery } from "./landing.js"
import { readQuery, readRows } from "./loading.js"
import type { Comparison } from "./meter.js"
import { type OtherReads, untilEnded } from "./otherReads.js"
import { textOfQueryAnswer, textOfRowAnswer } from "./slots.js"
import { noteChange } from "./tierEntry.js"

/** How long events have to explain a difference, in milliseconds. */
const explainWithin = 1_000

const rowComparison = <D extends AnyDefinition>(core: Core<D>, key: Key): Comparison => {
  const { acknowledged, cells } = core.c
  const textOf = textOfRowAnswer(core)
  return {
    cached: () => {
      const cell = Cells.get(cells, key)
      // The master shows a write of the target later.
      if (
        cell === undefined ||
        Acknowledged.concerns(acknowledged, key) ||
        Cells.stateOf(cells, cell) !== "Current"
      )
        return undefined
      // The cell of a row holds its answer.
      return textOf(cell.value as RowAnswer)
    },
    master: Effect.map(readRows(core.loading, [key]), ([found]) =>
      found?.row === undefined ? "" : core.textOfRow(found.row)
    ),
    settle: Effect.sleep(explainWithin),
    drop: () => {
      rowDisproved(core.c, key)
      // No log names what the meter finds: the entries of others may be as old.
      noteChange(core.beliefs, key, undefined)
    }
  }
}

const queryComparison = <D extends AnyDefinition>(core: Core<D>, key: Key, entry: QueryEntry): Comparison => {
  const textOf = textOfQueryAnswer(core)
  const textOfRead = ({ value }: Read<ReadonlyArray<AnyRow> | number>) => textOf({ ...entry.answer, value })
  return {
    cached: () => {
      const cell = judgedQuery(core.c, key)
      if (cell === undefined || Cells.stateOf(core.c.cells, cell) !== "Current") return undefined
      return textOf((cell.value as QueryEntry).answer)
    },
    master: Effect.map(readQuery(core.loading, entry.spec), textOfRead),
    settle: Effect.sleep(explainWithin),
    drop: () => queryChanged(core.c, key)
  }
}

/** The comparison of a key that was hit. */
export const comparisonsOf =
  <D extends AnyDefinition>(core: Core<D>, otherReads: OtherReads) =>
  (key: Key): Comparison | undefined => {
    const value = Cells.get(core.c.cells, key)?.value
    if (value === undefined) return undefined
    const comparison = "spec" in value ? queryComparison(core, key, value) : rowComparison(core, key)
    return {
      ...comparison,
      master: Effect.timeoutFail(untilEnded(otherReads, comparison.master), limitOf(core))
    }
  }

const limitOf = <D extends AnyDefinition>({ loading }: Core<D>) => ({
  duration: loading.hardTimeout,
  onTimeout: () => Option.none()
})
