/**
 * PostgreSQL's and its driver's errors: what a recorder does next, whether the batch may be stored all the same, and a
 * message that advises what to do and holds no value of a row.
 *
 * Codes are SQLSTATEs (PostgreSQL's documentation, appendix A); a prefix of two characters is a class.
 */
import type { Blame, FailureKind, Outcome } from "../../../Storage.js"
import type { FailedSave, Failure } from "../dialect.js"
import { withoutValues } from "../withoutValues.js"

/** The parts of a driver's error that are used here, each one checked. */
interface ErrorDetails {
  /** SQLSTATE, if the server has answered. */
  readonly state: string | undefined
  /** `ERROR`, `FATAL` or `PANIC`; in the server's language, so only `ERROR` can be relied on. */
  readonly severity: string | undefined
  /** A code of the operating system or of Node, if the server has not answered. */
  readonly code: string | undefined
  readonly syscall: string | undefined
  readonly message: string
  readonly constraint: string | undefined
  readonly table: string | undefined
  readonly column: string | undefined
  /** The functions and statements that it came from, innermost first. */
  readonly where: string | undefined
  /** Where in the server's own source it was raised; in no language but C's. */
  readonly file: string | undefined
  readonly routine: string | undefined
  /** Whether there was no connection yet, so that no statement can have been sent. */
  readonly unsent: boolean
}

/** Starts the message of a `SqlError` that was met before there was a connection; `@effect/sql-pg` has it too. */
export const unsentMessage = "Failed to acquire connection"

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const inspect = (error: unknown): ErrorDetails => {
  let unsent = false
  let at = error
  // A SqlError wraps the driver's error; Node wraps the attempts at several addresses of a host.
  for (let depth = 0; depth < 5 && typeof at === "object" && at !== null; depth++) {
    const { _tag, cause, errors, message } = at as Readonly<Record<string, unknown>>
    if (_tag === "SqlError") {
      unsent ||= textOf(message)?.startsWith(unsentMessage) === true
      at = cause
    } else if (Array.isArray(errors) && errors.length > 0) at = errors[0]
    else break
  }
  const fields = (typeof at === "object" && at !== null ? at : {}) as Readonly<Record<string, unknown>>
  const code = textOf(fields.code)
  const severity = textOf(fields.severity)
  const answered = code !== undefined && severity !== undefined && /^[0-9A-Z]{5}$/.test(code)
  return {
    state: answered ? code : undefined,
    severity,
    code: answered ? undefined : code,
    syscall: textOf(fields.syscall),
    message: textOf(fields.message) ?? String(at),
    constraint: textOf(fields.constraint),
    table: textOf(fields.table),
    column: textOf(fields.column),
    where: textOf(fields.where),
    file: textOf(fields.file),
    routine: textOf(fields.routine),
    unsent
  }
}

/** The connection or the way to the server is at fault; another attempt may pass. */
const connectionCodes: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EMFILE",
  "ENETDOWN",
  "ENETRESET",
  "ENETUNREACH",
  "ENFILE",
  "ENOBUFS",
  "ENOTCONN",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "ERR_SOCKET_CLOSED",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END"
])

/** Messages of `pg` and `pg-pool`, without a code, if there is no connection in time: nothing was sent. */
const unsentMessages: ReadonlySet<string> = new Set([
  "timeout expired",
  "timeout exceeded when trying to connect",
  "Connection terminated due to connection timeout",
  "Client has encountered a connection error and is not queryable",
  "Client was closed and is not queryable"
])

/** Their messages if a connection ends under a statement. */
const lostMessages: ReadonlySet<string> = new Set([
  "Connection terminated",
  "Connection terminated unexpectedly",
  "Query read timeout"
])

const closedMessage = "Cannot use a pool after calling end on the pool"

const certificateCodes: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

/** Whether the client itself found a fault of TLS or of the login: like class 28, it lasts until it is corrected. */
const isLogin = ({ code, message }: ErrorDetails): boolean =>
  message.startsWith("SASL: ") ||
  message === "Password must be a string" ||
  message === "The server does not support SSL connections" ||
  (code !== undefined && (/^(CERT|ERR_SSL|ERR_TLS)_/.test(code) || certificateCodes.has(code)))

/** A kind, and what the failure may be a matter of where the kind leaves it open. */
type Verdict = readonly [kind: FailureKind, blame?: Blame]

/** It comes from a function or a statement inside of one, such as a trigger's. These words are in no language. */
const inFunction = ({ where }: ErrorDetails): boolean => where !== undefined && /SQL|PL\//.test(where)

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

const isLost = ({ code, message, syscall }: ErrorDetails): boolean =>
  (code !== undefined && connectionCodes.has(code)) ||
  // A socket's file that is not there yet; other files are not the connection's.
  (code === "ENOENT" && syscall === "connect") ||
  unsentMessages.has(message) ||
  lostMessages.has(message)

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

/** Classes whose messages name objects and settings only; data, constraints and triggers quote the row. */
const quotesNoValue: ReadonlySet<string> = new Set([
  "08",
  "0A",
  "25",
  "26",
  "28",
  "3D",
  "3F",
  "40",
  "42",
  "53",
  "54",
  "55",
  "57",
  "58"
])

const advice: Readonly<Record<string, string>> = {
  "08": "the connection failed",
  "22": "a value cannot be stored in its column",
  "23": "a constraint of the table forbids the record",
  "23502":
    "a column that is NOT NULL got no value: if the definition lacks it, give it a default or let it be NULL",
  "23503": "a foreign key has no row to point to",
  "23505": "a unique constraint besides the id forbids the record",
  "25006": "the server is read-only, a standby perhaps: connect to the primary",
  "28": "the server refused the login: check the username and the password, in the url or the options",
  "28000":
    "the server refused the login: check the username, and that its pg_hba.conf admits this client (with ssl?)",
  "3D": "check the database's name, in the url or the options, or create the database",
  "3F": "check the schema's name, or create the schema",
  "42": "the table or the role does not fit the definition",
  "42501": "grant the role what it needs on the table and its schema",
  "42P01": "create the table, or check its name and the search_path",
  "53": "the server lacks resources",
  "53300": "the server has too many connections: use fewer, or raise its max_connections",
  "54": "a record exceeds a limit of the server",
  "57014": "the statement took too long: raise the statement_timeout of the role, or make batches smaller",
  "57P": "the server is starting, stopping or has crashed",
  ECONNREFUSED: "no server listens there: check the host and the port, and that the server runs",
  ENOENT: "check the folder of the server's socket, and that the server runs",
  ENOTFOUND: "check the host's name, in the url or the options",
  EAI_AGAIN: "the name service does not answer: check the network and the host's name"
}

const adviceOf = (details: ErrorDetails): string | undefined => {
  const { code, file, message, state } = details
  if (file === "async.c" && state === "54000") {
    return "a trigger notifies, and a listener does not read: end the transaction or the connection that it is in"
  }
  if (state !== undefined) return advice[state] ?? advice[state.slice(0, 3)] ?? advice[state.slice(0, 2)]
  if (message === closedMessage) return "the storage's scope is closed"
  if (message.startsWith("SASL: "))
    return "the server asks for a password: check the password, in the url or the options"
  if (isLogin(details)) return "check the ssl option and the server's certificate"
  if (unsentMessages.has(message))
    return "no connection in time: check the host and the port, and the network"
  return code === undefined ? undefined : advice[code]
}

/** The error's own message, where it is known to quote no value of a row. */
const ownMessage = (details: ErrorDetails): string | undefined => {
  const { code, message, state } = details
  if (state !== undefined) return quotesNoValue.has(state.slice(0, 2)) ? message : undefined
  const known = code !== undefined || isLost(details) || isLogin(details) || message === closedMessage
  return known ? message : undefined
}

/** The message of or in a function: its author's text, or names that it made. Values of the row are masked. */
const functionMessage = (details: ErrorDetails, save: FailedSave | undefined): string | undefined =>
  save === undefined ? undefined : withoutValues(details.message, save)

const isInside = (details: ErrorDetails): boolean =>
  details.state?.startsWith("P0") === true || details.routine === "exec_stmt_raise" || inFunction(details)

const messageOf = (details: ErrorDetails, save: FailedSave | undefined): string => {
  const { code, column, constraint, state, table } = details
  // A function's line holds its name, the types of its arguments and a number.
  const source = /^PL\/.*$/m.exec(details.where ?? "")?.[0]
  const parts = [
    isInside(details) ? functionMessage(details, save) : ownMessage(details),
    adviceOf(details),
    source === undefined ? undefined : `in ${source}`
  ].filter((part) => part !== undefined && part !== "")
  const where = [
    constraint === undefined ? undefined : `constraint "${constraint}"`,
    table === undefined ? undefined : `table "${table}"`,
    column === undefined ? undefined : `column "${column}"`
  ].filter((part) => part !== undefined)
  return [
    ["PostgreSQL", state ?? code].filter((part) => part !== undefined).join(" "),
    `: ${parts.length === 0 ? "the statement failed" : parts.join("; ")}`,
    where.length === 0 ? "" : ` (${where.join(", ")})`
  ].join("")
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

/** {@link Dialect.classify}, for Postgres. */
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
