/** Several logs of one database inside of one transaction: their heads, locked in one order, and their last values. */
import { Effect } from "effect"
import type { StorageError } from "../../../Storage.js"
import type { Run } from "../dialect.js"
import { type Step, step } from "../transaction.js"
import { compareHeads, type HeadRow, type LockedStore, lockHead } from "./store.js"

/** A last value, as the table of states has it. */
export interface StateRow {
  readonly key: string
  /** As JSON. */
  readonly value: string
  /** The number of its revision. */
  readonly seq: number
}

/** Locks the heads of these logs until the end of the open transaction, and gives them in the order of the locks. */
export const lockHeads = <S extends LockedStore>(
  stores: ReadonlyArray<S>,
  run: Run
): Effect.Effect<ReadonlyArray<readonly [store: S, head: HeadRow]>, StorageError> =>
  Effect.forEach([...stores].sort(compareHeads), (store) =>
    Effect.map(lockHead(store, step(store.statements.dialect, run)), (head) => [store, head] as const)
  )

/**
 * Reads the last values of keys of a log that keeps the state, by one statement for any number of keys. The head is
 * locked. A key without a value has no row.
 */
export const stateOf = (
  { statements }: LockedStore,
  run: Step,
  keys: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<StateRow>, StorageError> =>
  keys.length === 0
    ? Effect.succeed([])
    : Effect.map(run(statements.known({ ids: [], values: keys, counts: [] })), (result) =>
        statements.dialect
          .rows(result)
          .map(({ name, seq, value }) => ({ key: String(name), value: String(value), seq: Number(seq) }))
      )
