/** Reads what `redact` returned into the shape of the columns. */
import type { Entry } from "./entry.js"
import * as Storable from "./storable.js"

/** An entry whose every field fits its column, and the first field that did not, if any. */
export interface Redacted {
  readonly entry: Entry
  /** The error that a field threw. */
  readonly error: unknown
  /** Describes what did not fit, without any data of the record. */
  readonly problem: string | undefined
}

const hasExtraField = (given: object, known: object): boolean => {
  let found = false
  for (const key in given) {
    if (key in known) continue
    const value = (given as { readonly [key: string]: unknown })[key]
    Storable.isPromise(value)
    if (value !== undefined) found = true
  }
  return found
}

/**
 * Reads each field once. A field that is missing, of another type, or throws is taken from `bare`: the record without
 * anything that a client can influence. A value that `redact` removed must not come back.
 */
export const read = (given: unknown, bare: Entry): Redacted => {
  if (typeof given !== "object" || given === null || Storable.isPromise(given)) {
    return {
      entry: bare,
      error: undefined,
      problem: given === null ? "null" : `a ${typeof given} that is no entry`
    }
  }
  let error: unknown
  let problem: string | undefined
  const field = (name: keyof Entry): unknown => {
    try {
      return (given as { readonly [F in keyof Entry]?: unknown })[name]
    } catch (thrown) {
      error = thrown
      problem = `an entry whose field "${name}" threw`
      return undefined
    }
  }
  const checked = <A>(name: keyof Entry, of: (given: unknown) => A): A => {
    const given = field(name)
    const value = of(given)
    if (value !== given) problem ??= `an entry whose field "${name}" does not fit its column`
    return value
  }
  const text = <A extends string>(name: keyof Entry, instead: A): A =>
    // A redaction may replace an outcome by another text: its column takes every text.
    checked(name, (given) => (Storable.asText(given) ?? instead) as A)
  const textOrNull = (name: keyof Entry): string | null =>
    checked(name, (given) => Storable.asText(given) ?? null)
  const entry: Entry = {
    id: checked("id", (given) => Storable.value("uuid", given, bare.id)),
    at: checked("at", (given) => Storable.value("timestamp", given, bare.at)),
    actor: textOrNull("actor"),
    action: text("action", bare.action),
    target: text("target", bare.target),
    outcome: text("outcome", bare.outcome),
    status: checked("status", (given) => Storable.value("integer", given, bare.status)),
    duration_ms: checked("duration_ms", (given) => Storable.value("real", given, bare.duration_ms)),
    request_id: text("request_id", bare.request_id),
    trace_id: textOrNull("trace_id")
  }
  try {
    if (hasExtraField(given, bare)) problem ??= "an entry with a field that is no column"
  } catch (thrown) {
    error ??= thrown
    problem ??= "an entry whose fields cannot be listed"
  }
  return { entry, error, problem }
}
