/** Classifies the errors of SQLite drivers by their result codes (https://sqlite.org/rescode.html). */
import type { FailureKind } from "../../Storage.js"
import type { Dialect, Failure } from "./dialect.js"

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

/** See `Dialect.classify`. SQLite has no failure that is fatal only before the first save. */
export const classify: Dialect["classify"] = (error): Failure => {
  const driver = driverError(error)
  const text = typeof driver.message === "string" ? driver.message : ""
  const code = typeof driver.code === "string" ? driver.code : undefined
  if (code === undefined || !code.startsWith("SQLITE_")) {
    // The driver refuses what it cannot bind before SQLite sees it, with errors of the language and no code.
    const binding =
      (driver.name === "TypeError" || driver.name === "RangeError") && /\b(?:bind|bound)\b/.test(text)
    return {
      kind: binding ? "Poison" : "Unknown",
      outcome: binding ? "NotStored" : "Unknown",
      code,
      constraint: undefined,
      message: binding
        ? "the driver cannot bind a value"
        : `the driver failed with ${code ?? String(driver.name)}`
    }
  }
  const primary = code.split("_")[1] ?? ""
  return {
    kind: kinds[primary] ?? "Unknown",
    // A statement of its own that fails is rolled back; after a failed write nobody knows what reached the disk.
    outcome: primary === "IOERR" || kinds[primary] === undefined ? "Unknown" : "NotStored",
    code,
    constraint: primary === "CONSTRAINT" ? constraintOf(text) : undefined,
    message: namesOnly.test(text) || primary === "ERROR" ? `${code}: ${text}` : code
  }
}
