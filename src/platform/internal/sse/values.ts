/**
 * The JSON of values. One that has none, such as a bigint in a log in memory, concerns no other: it is left out, counted,
 * and logged at the first time and at every doubling of the count.
 */
import { Effect } from "effect"
import * as Metrics from "../../../Metrics.js"
import { describe } from "../hookFaults.js"

export interface Values<V> {
  /** The JSON of a value, or none. */
  readonly encode: (value: V) => string | undefined
  /** Takes the log line that is due, if any. */
  readonly due: () => Effect.Effect<void> | undefined
}

/** `encode` makes the JSON, or throws. */
export const make = <V>(encode: (value: V) => string): Values<V> => {
  let count = 0
  let line: Effect.Effect<void> | undefined
  const leftOut = (fault: unknown): void => {
    Metrics.watchSseLeftOut.unsafeUpdate(1, [])
    if ((++count & (count - 1)) !== 0) return
    // The error's message may hold the value.
    line = Effect.logError(
      `a value is left out for the clients of a follow over HTTP: encoding it threw ${describe(fault)}; ${count} times so far`
    )
  }
  return {
    encode: (value) => {
      try {
        return encode(value)
      } catch (fault) {
        leftOut(fault)
        return undefined
      }
    },
    due: () => {
      const now = line
      line = undefined
      return now
    }
  }
}
