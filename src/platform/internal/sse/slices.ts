/**
 * Work for many clients, cut into slices: a turn of the event loop that has used up its slice leaves the rest to the
 * next turn, so that thousands of clients of the same event do not delay other work. First in, first out.
 */
import { Effect } from "effect"
import type { Turn } from "../../../internal/turn.js"

interface Waiter {
  resume: (() => void) | undefined
}

export interface Slices {
  readonly turn: Turn
  /** Of a monotonic clock. */
  readonly nanos: () => bigint
  /** How many are let in by one turn at most. */
  readonly maxPerTurn: number
  /** When the slice of the present turn is used up; none: this turn has not begun one. */
  until: bigint | undefined
  /** How many this turn has let in. */
  admitted: number
  /** One that was resumed has not run yet: it lets the next one in. */
  resumed: boolean
  waiting: Array<Waiter>
  /** The index of the first that waits. */
  start: number
}

/** The most that one turn spends, not counting the work that was admitted last. */
const sliceNanos = 5_000_000n

export const make = (turn: Turn, nanos: () => bigint, maxPerTurn = Number.POSITIVE_INFINITY): Slices => ({
  turn,
  nanos,
  maxPerTurn,
  until: undefined,
  admitted: 0,
  resumed: false,
  waiting: [],
  start: 0
})

const isEmpty = ({ start, waiting }: Slices): boolean => start === waiting.length

const startSlice = (slices: Slices): void => {
  slices.until = slices.nanos() + sliceNanos
  slices.admitted = 0
  slices.turn.schedule(() => {
    slices.until = undefined
    // One that was resumed may have been interrupted before it ran.
    slices.resumed = false
    if (!isEmpty(slices)) admitNext(slices)
  })
}

/** Whether the slice of this turn has something left. */
const hasTime = (slices: Slices): boolean => {
  if (slices.until === undefined) startSlice(slices)
  return slices.until !== undefined && slices.admitted < slices.maxPerTurn && slices.nanos() < slices.until
}

// What has gone leaves its slots behind: they are given up so many at a time.
const slack = 16_384

const admitNext = (slices: Slices): void => {
  if (slices.resumed || isEmpty(slices) || !hasTime(slices)) return
  while (!isEmpty(slices)) {
    const { resume } = slices.waiting[slices.start++]!
    if (slices.start === slices.waiting.length || slices.start > slack) {
      slices.waiting = slices.waiting.slice(slices.start)
      slices.start = 0
    }
    if (resume === undefined) continue
    slices.resumed = true
    slices.admitted++
    resume()
    return
  }
}

/**
 * Calls `resume` in a slice that has time, perhaps at once. What it resumes calls {@link running} first. Returns how
 * to wait no longer.
 */
export const queue = (slices: Slices, resume: () => void): (() => void) => {
  const waiter: Waiter = { resume }
  slices.waiting.push(waiter)
  admitNext(slices)
  return () => {
    waiter.resume = undefined
  }
}

/** Lets the next one in, while there is time. */
export const running = (slices: Slices): void => {
  slices.resumed = false
  admitNext(slices)
}

/** Goes on in a slice that has time: at once if nothing waits. */
export const admit = (slices: Slices): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (isEmpty(slices) && !slices.resumed && hasTime(slices)) {
      slices.admitted++
      return Effect.void
    }
    return Effect.async<void>((resume) =>
      Effect.sync(queue(slices, () => resume(Effect.sync(() => running(slices)))))
    )
  })
