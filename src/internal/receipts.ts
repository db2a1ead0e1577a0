/** Who waits for the outcome of a queued item, by its position in the queue. */

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

export const settleAll = <E>(receipts: Receipts<E>, failure: E): void => {
  for (const position of receipts.waiting.keys()) settle(receipts, position, failure)
}
