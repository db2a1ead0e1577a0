/**
 * Operations that are shown before they are confirmed, over bases that are read at different times.
 *
 * An operation is staged, then it is confirmed or reverted. A view is a base with operations applied in order. A base is
 * never changed: a refresh or an event replaces it, and a view is made anew of it. So an operation that is reverted is
 * gone from every view, and alone.
 *
 * Stamps order confirmations and reads of bases, by one counter. A base that was read at a stamp holds what was confirmed
 * up to it. Older bases do not, so a confirmed operation stays in their views until no such base is in use: what it shows
 * goes from the operation to the base in one step. Its `op` becomes what was confirmed, for example the row as it is
 * stored, perhaps with another id.
 *
 * All of it is pure, and for browsers too.
 */

/** What becomes of a staged operation. */
export type Status = "pending" | "confirmed" | "reverted"

export interface Staged<out Key, out Op> {
  readonly key: Key
  readonly op: Op
}

export interface Confirmed<out Op> {
  readonly stamp: number
  readonly op: Op
}

export interface Pending<out Key, out Op> {
  /** What older bases do not hold yet, in the order of the confirmations. */
  readonly confirmed: ReadonlyArray<Confirmed<Op>>
  /** In the order of staging. */
  readonly staged: ReadonlyArray<Staged<Key, Op>>
}

/** Nothing is staged. */
export const empty: Pending<never, never> = { confirmed: [], staged: [] }

const without = <Key, Op>(staged: ReadonlyArray<Staged<Key, Op>>, key: Key) =>
  staged.filter((one) => one.key !== key)

/** Whether an operation is staged, and neither confirmed nor reverted. */
export const isPending = <Key, Op>({ staged }: Pending<Key, Op>, key: Key): boolean =>
  staged.some((one) => one.key === key)

/** Adds an operation after all others. No other one may have its key. */
export const stage = <Key, Op>(pending: Pending<Key, Op>, key: Key, op: Op): Pending<Key, Op> => ({
  ...pending,
  staged: [...pending.staged, { key, op }]
})

/** Moves an operation below all that are pending: bases that are read from now on hold it. */
export const confirm = <Key, Op>(
  pending: Pending<Key, Op>,
  key: Key,
  confirmed: Confirmed<Op>
): Pending<Key, Op> =>
  isPending(pending, key)
    ? { confirmed: [...pending.confirmed, confirmed], staged: without(pending.staged, key) }
    : pending

/** Removes an operation, and nothing else: those after it are applied to what is there without it. */
export const revert = <Key, Op>(pending: Pending<Key, Op>, key: Key): Pending<Key, Op> => ({
  ...pending,
  staged: without(pending.staged, key)
})

/** Forgets what all bases in use hold. `oldest`: the stamp at which the oldest of them was read. */
export const release = <Key, Op>(pending: Pending<Key, Op>, oldest: number): Pending<Key, Op> => ({
  ...pending,
  confirmed: pending.confirmed.filter(({ stamp }) => stamp > oldest)
})

/** Applies to a base what it does not hold: first what was confirmed after its stamp, then what is pending. */
export const view = <Base, Key, Op>(
  pending: Pending<Key, Op>,
  base: Base,
  stamp: number,
  apply: (base: Base, op: Op) => Base
): Base => {
  let shown = base
  for (const confirmed of pending.confirmed) if (confirmed.stamp > stamp) shown = apply(shown, confirmed.op)
  for (const { op } of pending.staged) shown = apply(shown, op)
  return shown
}
