/** Messages for errors of PostgreSQL's and of its driver's: they advise what to do, and hold no value of a row. */
import type { FailedSave } from "../dialect.js"
import { maskValues } from "../maskValues.js"
import {
  closedMessage,
  type ErrorDetails,
  inFunction,
  isLogin,
  isLost,
  unsentMessages
} from "./errorDetails.js"

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
  save === undefined ? undefined : maskValues(details.message, save)

/** What the server's main loop raises, such as a time-out, quotes nothing, also while a function runs. */
const isInside = (details: ErrorDetails): boolean =>
  details.file !== "postgres.c" &&
  (details.state?.startsWith("P0") === true || details.routine === "exec_stmt_raise" || inFunction(details))

/** Describes an error: its code, its own message where that is safe, advice, and the names of what it concerns. */
export const messageOf = (details: ErrorDetails, save: FailedSave | undefined): string => {
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
