/**
 * Faults of a user's own hooks: each one counted, and logged at the first and then at every doubling, so that a
 * hook that always throws does not write a log line per request.
 */
import { Effect, MetricLabel } from "effect"
import * as Metrics from "../../Metrics.js"

export type Hook = "who" | "what" | "redact" | "toRecord"

export interface Faults {
  readonly count: (hook: Hook, error: unknown) => void
  /** The log lines that are due, if any; they are due once. */
  readonly due: () => Effect.Effect<void> | undefined
}

const consequence: { readonly [H in Hook]: string } = {
  who: "its records are kept without who",
  what: "its records are kept with the method and route instead",
  redact: "its records are kept without anything that a client can influence",
  toRecord: "its records are refused"
}

// An error's message may quote the very data that a redaction was to remove: only its kind and place are told.
export const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return `a ${typeof error}`
  const place = error.stack?.split("\n").find((line) => /^\s+at /.test(line))
  return place === undefined ? error.name : `${error.name} ${place.trim()}`
}

export const make = (): Faults => {
  const counts = { who: 0, what: 0, redact: 0, toRecord: 0 }
  let lines: Effect.Effect<void> | undefined
  return {
    count: (hook, error) => {
      const count = ++counts[hook]
      Metrics.httpHookFaults.unsafeUpdate(1, [MetricLabel.make("hook", hook)])
      if ((count & (count - 1)) !== 0) return
      const line = Effect.logWarning(
        `the audit hook "${hook}" threw ${describe(error)}; ${consequence[hook]}; ${count} times so far`
      )
      lines = lines === undefined ? line : Effect.zipRight(lines, line)
    },
    due: () => {
      const now = lines
      lines = undefined
      return now
    }
  }
}
