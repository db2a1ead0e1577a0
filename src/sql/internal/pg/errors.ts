/**
 * PostgreSQL's and its driver's errors: what a recorder does next, whether the batch may be stored all the same, and a
 * message that advises what to do and holds no value of a row.
 *
 * Codes are SQLSTATEs (PostgreSQL's documentation, appendix A); a prefix of two characters is a class.
 */
import type { Blame, FailureKind, Outcome } from "../../../Storage.js"
import type { FailedSave, Failure } from "../dialect.js"
import {
  closedMessage,
  type ErrorDetails,
  inFunction,
  inspect,
  isLogin,
  isLost,
  unsentMessages
} from "./errorDetails.js"
import { messageOf } from "./errorMessages.js"

/** A kind, and what the failure may be a matter of where the kind leaves it open. */
type Verdict = readonly [kind: FailureKind, blame?: Blame]

/** A constraint of the record's own columns, and not of a column that the definition does not have. */
const breaksOwnConstraint = (details: ErrorDetails, save: FailedSave | undefined): boolean => {
  const { column, constraint, state } = details
  if (inFunction(details)) return false
  if (state === "23502") {
    return (
      save === undefined || column === undefined || save.table.columns.some(({ name }) => name === column)
    )
  }
  // A row that no partition takes breaks no constraint that has a name: the partition may come.
  return state !== "23514" || constraint !== undefined
}

const ofLimit = (details: ErrorDetails): Verdict => {
  // The queue of notifications is full, whatever the record: it empties when its slowest listener has read it.
  if (details.file === "async.c") return ["Transient"]
  return ["Poison", details.state === "54000" && !inFunction(details) ? "record" : "either"]
}

const ofDefinition = ({ routine, state }: ErrorDetails, saved: boolean): Verdict => {
  // Row-level security judges each row.
  if (state === "42501" && routine === "ExecWithCheckOptions") return ["Poison", "either"]
  return [saved ? "Transient" : "Fatal", "either"]
}

const ofState = (
  details: ErrorDetails,
  state: string,
  saved: boolean,
  save: FailedSave | undefined
): Verdict => {
  if (state === "55P03" || state === "25006" || state.startsWith("57P")) return ["Transient"]
  if (state === "57014") return ["Transient", "size"]
  if (state === "44000") return ["Poison", "either"]
  switch (state.slice(0, 2)) {
    case "08":
      return [state === "08P01" ? "Unknown" : "Transient"]
    case "40":
      return ["Transient"]
    case "53":
      return ["Transient", state === "53200" ? "size" : "backend"]
    case "22":
      return ["Poison", inFunction(details) ? "either" : "record"]
    case "23":
      return ["Poison", breaksOwnConstraint(details, save) ? "record" : "either"]
    case "54":
      return ofLimit(details)
    case "28":
    case "3D":
    case "3F":
      return [saved ? "Transient" : "Fatal", inFunction(details) ? "either" : "backend"]
    case "42":
      return ofDefinition(details, saved)
    case "P0":
      return ["Poison", "either"]
    default:
      // Also what a function raises under a code of its own, and a value that is too large for any memory.
      return inFunction(details) || details.file === "mcxt.c" ? ["Poison", "either"] : ["Unknown"]
  }
}

const verdictOf = (details: ErrorDetails, saved: boolean, save: FailedSave | undefined): Verdict => {
  if (details.state !== undefined) return ofState(details, details.state, saved, save)
  // A server closes the connection, unread, over a message that is too large, and so may what is in between.
  if (isLost(details)) return ["Transient", outcomeOf(details) === "Unknown" ? "size" : "backend"]
  if (isLogin(details)) return [saved ? "Transient" : "Fatal"]
  return [details.message === closedMessage ? "Fatal" : "Unknown"]
}

/**
 * What proves that nothing was stored:
 *
 * - There was no connection: it could not be made, or the driver refused a connection that it knew to be dead.
 * - The server answered ERROR. A save is one statement that commits by itself; the driver reports success only at
 *   ReadyForQuery, after the commit, and an ERROR before it rolls everything back. So do a cancelled statement
 *   (57014), a deadlock, a full disk and a constraint that is checked at the commit.
 *
 * What proves nothing:
 *
 * - A connection that ended under the statement: its answer may have been on the way.
 * - FATAL and PANIC (57P01, a server that goes down): the backend may notice its end after the commit, before the
 *   answer; a full WAL disk panics inside of the commit.
 * - Class 08, which poolers in between send for a server that they lost, and 40003, "statement completion unknown".
 */
const outcomeOf = ({ message, severity, state, syscall, unsent }: ErrorDetails): Outcome => {
  if (unsent || syscall === "connect" || syscall === "getaddrinfo") return "NotStored"
  if (state !== undefined) {
    return severity === "ERROR" && state !== "40003" && !state.startsWith("08") ? "NotStored" : "Unknown"
  }
  return unsentMessages.has(message) || message === closedMessage ? "NotStored" : "Unknown"
}

/**
 * Whether a connection can go on after this answer. Only a plain ERROR leaves it as it was; FATAL ends it, and after a
 * switch-over a server that has become read-only (25006) would be asked again and again.
 */
export const keepsConnection = (error: unknown): boolean => {
  const { severity, state } = inspect(error)
  return state !== undefined && state !== "25006" && (severity === "ERROR" || /^(22|23|42)/.test(state))
}

/** Whether a named statement did not survive on its connection: a pooler in between, or a reset of the session. */
export const losesNamedStatement = (error: unknown): boolean => {
  const { message, state } = inspect(error)
  return state === "26000" || state === "42P05" || (state === "0A000" && message.includes("cached plan"))
}

/** `Dialect.classify`, for Postgres. */
export const classifyPg = (error: unknown, saved: boolean, save?: FailedSave): Failure => {
  const details = inspect(error)
  const [kind, blame] = verdictOf(details, saved, save)
  return {
    kind,
    blame,
    outcome: outcomeOf(details),
    code: details.state ?? details.code,
    constraint: details.constraint,
    message: messageOf(details, save)
  }
}
