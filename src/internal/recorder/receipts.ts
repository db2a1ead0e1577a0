/** The receipts of durable saves: what waits for the outcome of a queued record, by its position in the queue. */
import type { InSlices } from "../slices.js"
import type { NotStored } from "./errors.js"

/** Called once with the outcome; `undefined` is success. */
export type Receipt = (failure: NotStored | undefined) => void

export interface Receipts {
  readonly waiting: Map<number, Receipt>
}

export const make = (): Receipts => ({ waiting: new Map() })

export const settle = (receipts: Receipts, position: number, failure: NotStored | undefined): void => {
  const receipt = receipts.waiting.get(position)
  if (receipt === undefined) return
  receipts.waiting.delete(position)
  receipt(failure)
}

/** Settles all of them, in slices. Those of later slices are gone meanwhile if they do not wait any more. */
export const settleAll = (
  { waiting }: Receipts,
  failureOf: (position: number) => NotStored,
  inSlices: InSlices
): void =>
  inSlices(waiting, ([position, receipt]) => {
    waiting.delete(position)
    receipt(failureOf(position))
  })
