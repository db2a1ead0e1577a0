/** Who waits for the outcome of a queued item, by its position in the queue. */
import type { InSlices } from "../slices.js"

/** Called once with the outcome; `undefined` is success. */
export type Receipt<E> = (failure: E | undefined) => void

export interface Receipts<E> {
  readonly waiting: Map<number, Receipt<E>>
}

export const make = <E>(): Receipts<E> => ({ waiting: new Map() })

export const settle = <E>(receipts: Receipts<E>, position: number, failure: E | undefined): void => {
  const receipt = receipts.waiting.get(position)
  if (receipt === undefined) return
  receipts.waiting.delete(position)
  receipt(failure)
}

/** Tells everybody who waits. Those who are told in later slices are gone meanwhile if they do not wait any more. */
export const settleAll = <E>(
  { waiting }: Receipts<E>,
  failureOf: (position: number) => E,
  inSlices: InSlices
): void =>
  inSlices(waiting, ([position, receipt]) => {
    waiting.delete(position)
    receipt(failureOf(position))
  })
