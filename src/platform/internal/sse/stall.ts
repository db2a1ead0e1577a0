/** Notices a client that takes nothing of what was written for it. */
import { Effect } from "effect"
import * as DueTimes from "./dueTimes.js"

export interface Stall {
  /** Notes that so many bytes were handed over; they are taken when {@link taken} is called. */
  readonly written: (bytes: number) => Effect.Effect<void>
  readonly taken: () => void
}

/** A revision may be large, and is written whole: each further part of it of this size has the limit again. */
const partBytes = 256 * 1024

/** `times.every` is the limit. What was written last is taken within it, or `onStalled` runs. */
export const make = (times: DueTimes.DueTimes, onStalled: Effect.Effect<void>): Stall => {
  let left = 0
  const onDue: DueTimes.OnDue = (time) => {
    if (left === 0) return onStalled
    left--
    times.due.set(onDue, time + times.every)
    return undefined
  }
  return {
    written: (bytes) => {
      if (times.every === 0) return Effect.void
      left = Math.floor(bytes / partBytes)
      return DueTimes.arm(times, onDue)
    },
    taken: () => {
      times.due.delete(onDue)
    }
  }
}
