/**
 * How long a batch waits for more items: its linger, for a fixed time or as the load asks for it.
 *
 * An adaptive linger is judged by the items themselves. The first one after a pause waits for nothing. When small batches
 * have followed each other closely for a while, the next one waits, and is larger for it.
 */
/** What `linger` resolves to: milliseconds, or as the load asks for it. */
export type Setting = number | "adaptive"

/**
 * The longest that a batch waits under an adaptive linger, and the gap that counts as a pause, in milliseconds. With 1,500
 * records a second a save holds about 15 then. Measured into Postgres, CPU of both processes for each record: 411 us in
 * saves of 2, 100 in saves of 10, 54 in saves of 25. So a longer wait gains little.
 */
export const adaptiveMillis = 10

/**
 * So many items wait for no more under an adaptive linger. Measured into Postgres, CPU of both processes for each record:
 * 40 us in saves of 50, 25 in saves of 100, 23 in saves of 1,000.
 */
export const enoughItems = 100

/** So many batches must have followed each other closely before one waits: a few calls in a row are no load yet. */
export const closeBatches = 8

export interface Linger {
  readonly millis: number
  readonly isAdaptive: boolean
  /** When the last batch began, in milliseconds that only grow. */
  beganAt: number
  /** How many small batches each followed the one before it closely, of late. */
  close: number
  /** Items before this position wait for nothing. */
  urgentBefore: number
}

export const make = (setting: Setting): Linger => ({
  millis: setting === "adaptive" ? adaptiveMillis : setting,
  isAdaptive: setting === "adaptive",
  beganAt: Number.NEGATIVE_INFINITY,
  close: 0,
  urgentBefore: 0
})

/**
 * Whether an item came in a stream: after the last batch began, and before a pause. On a clock that stands nothing is in
 * a stream, so that a program under a test clock is never kept waiting for it.
 */
const isInStream = ({ beganAt, millis }: Linger, openedAt: number): boolean =>
  openedAt > beganAt && openedAt - beganAt < millis

/** The longest that a batch waits whose first item came at this time, in milliseconds. */
export const millisOf = (linger: Linger, openedAt: number): number =>
  !linger.isAdaptive || (linger.close >= closeBatches && isInStream(linger, openedAt)) ? linger.millis : 0

/** So many items wait for no more; `limit` is the most of one batch. */
export const enough = ({ isAdaptive }: Linger, limit: number): number =>
  isAdaptive ? Math.min(enoughItems, limit) : limit

/** Notes that a batch has begun. */
export const began = (linger: Linger, openedAt: number, count: number, now: number): void => {
  if (!linger.isAdaptive) return
  if (openedAt - linger.beganAt >= linger.millis) linger.close = 0
  else if (count < enoughItems && openedAt > linger.beganAt) linger.close++
  linger.beganAt = now
}
