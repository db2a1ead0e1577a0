/** Classifies the errors of SQLite drivers by their result codes (https://sqlite.org/rescode.html). */
import type { Blame, FailureKind } from "../../../Storage.js"
import type { Dialect, FailedSave, Failure } from "../dialect.js"
import { maskValues } from "../maskValues.js"

const kinds: { readonly [primary: string]: FailureKind } = {
  BUSY: "Transient",
  LOCKED: "Transient",
  FULL: "Transient",
  IOERR: "Transient",
  CONSTRAINT: "Poison",
  MISMATCH: "Poison",
  TOOBIG: "Poison",
  RANGE: "Poison",
  CANTOPEN: "Fatal",
  NOTADB: "Fatal",
  CORRUPT: "Fatal",
  READONLY: "Fatal",
  AUTH: "Fatal",
  ERROR: "Fatal"
}

interface DriverError {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
}

/** The driver's own error: a SqlError wraps it, once or twice. */
export const driverError = (error: unknown): DriverError => {
  let current = error
  for (let depth = 0; depth < 4; depth++) {
    if (typeof current !== "object" || current === null) break
    const { cause, code } = current as { readonly cause?: unknown; readonly code?: unknown }
    if (typeof code === "string" || cause === undefined) return current as DriverError
    current = cause
  }
  return {}
}

// These messages consist of names and of fixed words. Others may quote a value, so they are left out.
const namesOnly =
  /^(?:UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed|^cannot store \w+ value in \w+ column|^no such |^table .* has no column|^database |^unable to open|^file is not a database|^attempt to write|^disk I\/O/

const constraintOf = (message: string): string | undefined => /constraint failed: (.+)$/.exec(message)?.[1]

/** Messages of SQL functions about a value, as in a trigger or in a CHECK. Other errors of SQL are of its definitions. */
const ofValue = /malformed JSON|JSON path|JSON cannot|integer overflow|pattern too complex/i

/** Whether a constraint is one of the table's own columns: a trigger may have met another one. */
const isOwn = (code: string, constraint: string | undefined, save: FailedSave | undefined): boolean => {
  if (/_(?:TRIGGER|VTAB|FUNCTION)$/.test(code)) return false
  if (save === undefined || constraint === undefined || !/_(?:NOTNULL|UNIQUE|PRIMARYKEY)$/.test(code))
    return true
  const { columns, name } = save.table
  return constraint.split(", ").every((each) => {
    const dot = each.lastIndexOf(".")
    if (dot < 0) return true
    const own = columns.some((column) => column.name === each.slice(dot + 1))
    return each.slice(0, dot) === name && (own || !code.endsWith("NOTNULL"))
  })
}

const verdictOf = (
  code: string,
  text: string,
  saved: boolean,
  save: FailedSave | undefined
): readonly [FailureKind, Blame | undefined] => {
  const primary = code.split("_")[1] ?? ""
  const kind = kinds[primary] ?? "Unknown"
  if (primary === "CONSTRAINT") return [kind, isOwn(code, constraintOf(text), save) ? "record" : "either"]
  if (primary !== "ERROR") return [kind, undefined]
  if (ofValue.test(text)) return ["Poison", "either"]
  return [saved ? "Transient" : kind, "either"]
}

/** See `Dialect.classify`. */
export const classify: Dialect["classify"] = (error, saved, save): Failure => {
  const driver = driverError(error)
  const text = typeof driver.message === "string" ? driver.message : ""
  const code = typeof driver.code === "string" ? driver.code : undefined
  if (code === undefined || !code.startsWith("SQLITE_")) {
    // The driver refuses what it cannot bind before SQLite sees it, with errors of the language and no code.
    const binding =
      (driver.name === "TypeError" || driver.name === "RangeError") && /\b(?:bind|bound)\b/.test(text)
    return {
      kind: binding ? "Poison" : "Unknown",
      blame: undefined,
      outcome: binding ? "NotStored" : "Unknown",
      code,
      constraint: undefined,
      message: binding
        ? "the driver cannot bind a value"
        : `the driver failed with ${code ?? String(driver.name)}`
    }
  }
  const primary = code.split("_")[1] ?? ""
  const [kind, blame] = verdictOf(code, text, saved, save)
  const quotesNothing = namesOnly.test(text) || primary === "ERROR"
  // What a trigger raises is its author's text, and may quote a value.
  const own = quotesNothing ? text : save === undefined ? undefined : maskValues(text, save)
  return {
    kind,
    blame,
    // A statement of its own that fails is rolled back; after a failed write it is unknown what reached the disk.
    outcome: primary === "IOERR" || kinds[primary] === undefined ? "Unknown" : "NotStored",
    code,
    constraint: primary === "CONSTRAINT" ? constraintOf(text) : undefined,
    message: own === undefined || own === "" ? code : `${code}: ${own}`
  }
}
