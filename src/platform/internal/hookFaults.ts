/**
 * Faults of a user's hooks. Each one is counted. It is logged at the first time and at every doubling of the count,
 * so that a hook that always throws does not log a line per request.
 */
import { Effect, MetricLabel } from "effect"
import { isError } from "../../internal/realms.js"
import * as Metrics from "../../Metrics.js"

export type Hook = "actor" | "setActor" | "action" | "redact" | "toRecord"

export interface Faults {
  /** Counts that a hook threw. */
  readonly threw: (hook: Hook, error: unknown) => void
  /** Counts that a hook returned a value that its column does not take. `answer` names its kind without its data. */
  readonly returned: (hook: Hook, answer: string) => void
  /** Takes the log lines that are due, if any: each line is given out once. */
  readonly due: () => Effect.Effect<void> | undefined
}

const consequence: { readonly [H in Hook]: string } = {
  actor: "its records are kept without an actor",
  setActor: "its records are kept without an actor",
  action: "its records are kept with the method and route instead",
  redact: "its records are kept without anything that a client can influence",
  toRecord: "its records are refused"
}

const placeOf = ({ message, stack = "" }: Error): string | undefined => {
  // A stack begins with the message, and a line of the message may look like a place.
  const from = message === "" ? 0 : stack.indexOf(message)
  const places = from === -1 ? stack : stack.slice(from + message.length)
  return places.split("\n").find((line) => /^\s+at /.test(line))
}

/**
 * Describes an error by its kind and its place alone: its message may quote the very data that a redaction removes.
 */
export const describe = (error: unknown): string => {
  try {
    if (!isError(error)) return `a ${typeof error}`
    const place = placeOf(error)
    return place === undefined ? String(error.name) : `${String(error.name)} ${place.trim()}`
  } catch {
    // Its properties throw.
    return "an error that cannot be read"
  }
}

export const make = (): Faults => {
  const counts = { actor: 0, setActor: 0, action: 0, redact: 0, toRecord: 0 }
  let lines: Effect.Effect<void> | undefined
  const count = (hook: Hook, describeFault: () => string): void => {
    const count = ++counts[hook]
    Metrics.httpHookFaults.unsafeUpdate(1, [MetricLabel.make("hook", hook)])
    if ((count & (count - 1)) !== 0) return
    const line = Effect.logWarning(`the audit hook "${hook}" ${describeFault()}; ${count} times so far`)
    // A logger that throws must not affect the request.
    const safe = Effect.asVoid(Effect.exit(line))
    lines = lines === undefined ? safe : Effect.zipRight(lines, safe)
  }
  return {
    threw: (hook, error) => count(hook, () => `threw ${describe(error)}; ${consequence[hook]}`),
    returned: (hook, answer) => {
      const rest = hook === "toRecord" ? consequence[hook] : "its records keep what of it can be stored"
      count(hook, () => `returned ${answer}; ${rest}`)
    },
    due: () => {
      const now = lines
      lines = undefined
      return now
    }
  }
}
