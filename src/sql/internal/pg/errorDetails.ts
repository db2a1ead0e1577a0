/** What is read from an error of PostgreSQL's or of its driver's: each part is checked, and some are recognised. */

/** The parts of a driver's error that are used here, each one checked. */
export interface ErrorDetails {
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

export const inspect = (error: unknown): ErrorDetails => {
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
export const unsentMessages: ReadonlySet<string> = new Set([
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

export const closedMessage = "Cannot use a pool after calling end on the pool"

const certificateCodes: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

/** Whether the client itself found a fault of TLS or of the login: like class 28, it lasts until it is corrected. */
export const isLogin = ({ code, message }: ErrorDetails): boolean =>
  message.startsWith("SASL: ") ||
  message === "Password must be a string" ||
  message === "The server does not support SSL connections" ||
  (code !== undefined && (/^(CERT|ERR_SSL|ERR_TLS)_/.test(code) || certificateCodes.has(code)))

/** It comes from a function or a statement inside of one, such as a trigger's. These words are in no language. */
export const inFunction = ({ where }: ErrorDetails): boolean => where !== undefined && /SQL|PL\//.test(where)

/** Whether the connection or the way to the server failed. */
export const isLost = ({ code, message, syscall }: ErrorDetails): boolean =>
  (code !== undefined && connectionCodes.has(code)) ||
  // A socket's file that is not there yet; other files are not the connection's.
  (code === "ENOENT" && syscall === "connect") ||
  unsentMessages.has(message) ||
  lostMessages.has(message)
