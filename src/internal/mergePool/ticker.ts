/**
 * Ticks: what is to be done first begins a tick and is done at once, what comes within it is done at its end. A tick within
 * which nothing came is the last one.
 */
import type { Timer, Timers } from "../lease/timers.js"

/** How many milliseconds a tick has. */
const tickMillis = 50

export interface Ticker {
  readonly timers: Timers
  /** Whether there is anything to be done. */
  readonly hasPending: () => boolean
  /** Does it. */
  readonly flush: () => void
  /** The tick that runs; none: what comes next is done at once. */
  timer: Timer | undefined
}

export const make = (timers: Timers, hasPending: () => boolean, flush: () => void): Ticker => ({
  timers,
  hasPending,
  flush,
  timer: undefined
})

const begin = (ticker: Ticker): void => {
  ticker.flush()
  const onDue = (): void => {
    ticker.timer = undefined
    if (ticker.hasPending()) begin(ticker)
  }
  // A timer is due strictly after its deadline.
  ticker.timer = ticker.timers.schedule(ticker.timers.now() + tickMillis - 1, onDue)
}

/** Begins a tick, if none runs and there is anything to be done. */
export const wake = (ticker: Ticker): void => {
  if (ticker.timer === undefined && ticker.hasPending()) begin(ticker)
}

/** Does what is left, and ends. */
export const end = ({ flush, timer, timers }: Ticker): void => {
  if (timer !== undefined) timers.cancel(timer)
  flush()
}
