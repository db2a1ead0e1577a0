/** The server's side of an exchange: answers a client from the state. It merges nothing itself. */
import { differentRows, sumsOfNodes } from "./diff.js"
import type { HashedState } from "./hashedState.js"
import { hashVersion, nodeSums, rootSum } from "./hashTree.js"
import type { Merged } from "./merging.js"
import {
  type Accepts,
  type ClientMessage,
  type Delta,
  endWith,
  exchangeVersion,
  type Hello,
  type Resume,
  type ServerMessage
} from "./messages.js"
import type { Patch, Refused, RowPatch } from "./patch.js"
import { rowPatch, statePatch } from "./state.js"

/** What a server shows its clients. */
export interface Served {
  readonly hashed: HashedState
  /** The life of the pool: a position holds within one. */
  readonly epoch: string
  /** Whose cells clients may send. */
  readonly accepts: Exclude<Accepts, "none">
  /** The position of the last change. */
  readonly position: () => number
  /** The changes after a position, in order; `undefined`: they are not kept, or it was never reached. */
  readonly since: (position: number) => ReadonlyArray<Delta> | undefined
}

/** One client's connection. Only this file writes it. */
export interface Connection {
  readonly served: Served
  /** Changes are sent while it is open. */
  phase: "new" | "open" | "ended"
  canMerge: boolean
  /** The last round trip of the tree: each is taken once. */
  trip: "Hello" | "Nodes" | "Compare"
  hasWhole: boolean
}

/** What the server does next: it sends, or it merges and answers with {@link answerMerge}. In order. */
export type ServerAction =
  | { readonly _tag: "Send"; readonly message: ServerMessage }
  | { readonly _tag: "Merge"; readonly n: number; readonly patch: Patch }

/** The most rows in a part of the whole state. */
const rowsPerPart = 512

/** Begins a connection. */
export const openConnection = (served: Served): Connection => ({
  served,
  phase: "new",
  canMerge: false,
  trip: "Hello",
  hasWhole: false
})

const send = (message: ServerMessage): ServerAction => ({ _tag: "Send", message })

const unexpected = "a message came out of its turn: send each request once, after Hello"

/** Ends a connection: changes are sent no more. */
export const endConnection = (
  connection: Connection,
  ...[reason, message]: Parameters<typeof endWith>
): ReadonlyArray<ServerAction> => {
  connection.phase = "ended"
  return [send(endWith(reason, message))]
}

const sendWhole = (connection: Connection): ReadonlyArray<ServerAction> => {
  if (connection.hasWhole) {
    return endConnection(connection, "Diverged", "the whole state was sent already: connect anew")
  }
  connection.hasWhole = true
  const { rows } = statePatch(connection.served.hashed.state)
  const parts: Array<ServerAction> = []
  for (let from = 0; from === 0 || from < rows.length; from += rowsPerPart) {
    const part: ReadonlyArray<RowPatch> = rows.slice(from, from + rowsPerPart)
    parts.push(send({ _tag: "Part", rows: part, isLast: from + rowsPerPart >= rows.length }))
  }
  return parts
}

/** Whether the sums of both sides can be compared, and it is worth it. */
const isComparable = ({ hashed: { state } }: Served, hello: Hello): boolean =>
  hello.fingerprint === state.definition.fingerprint &&
  hello.hash === hashVersion &&
  // A client of another life has forgotten removals that are held here.
  hello.horizon <= state.horizon &&
  state.rows.size > 0 &&
  !/^0*$/.test(hello.root)

const resumeOf = (served: Served, hello: Hello, deltas: ReadonlyArray<Delta> | undefined): Resume => {
  if (deltas !== undefined) return "delta"
  if (!isComparable(served, hello)) return "whole"
  return hello.root === rootSum(served.hashed.tree) ? "equal" : "tree"
}

const welcome = (connection: Connection, hello: Hello, now: number): ReadonlyArray<ServerAction> => {
  const { served } = connection
  const { state, tree } = served.hashed
  if (hello.version !== exchangeVersion) {
    return endConnection(connection, "Version", `the version must be ${exchangeVersion}: update the client`)
  }
  connection.phase = "open"
  connection.canMerge = hello.fingerprint === state.definition.fingerprint
  const deltas =
    hello.epoch === served.epoch && hello.position !== null ? served.since(hello.position) : undefined
  const resume = resumeOf(served, hello, deltas)
  const first = send({
    _tag: "Welcome",
    version: exchangeVersion,
    hash: hashVersion,
    fingerprint: state.definition.fingerprint,
    epoch: served.epoch,
    position: served.position(),
    horizon: state.horizon,
    serverTime: now,
    resume,
    accepts: connection.canMerge ? served.accepts : "none",
    nodes: resume === "tree" ? nodeSums(tree) : ""
  })
  return [first, ...(resume === "whole" ? sendWhole(connection) : (deltas ?? []).map(send))]
}

const compare = (
  { served: { hashed } }: Connection,
  { leaves, rows }: Extract<ClientMessage, { readonly _tag: "Compare" }>
): ReadonlyArray<ServerAction> => {
  const { state, tree } = hashed
  const found: Array<RowPatch> = []
  const absent: Array<string> = []
  for (const key of differentRows(tree, leaves, rows)) {
    const row = state.rows.get(key)
    if (row === undefined) absent.push(key)
    else found.push(rowPatch(state.definition, key, row))
  }
  return [send({ _tag: "Rows", rows: found, absent })]
}

const mismatch =
  "the fields or strategies differ from the server's: update the client, it can follow meanwhile"

/** Takes a message of the client. `now`: the server's time in milliseconds. */
export const receiveFromClient = (
  connection: Connection,
  message: ClientMessage,
  now: number
): ReadonlyArray<ServerAction> => {
  const { phase, served, trip } = connection
  if (phase === "ended") return []
  if (message._tag === "Hello") {
    return phase === "new"
      ? welcome(connection, message, now)
      : endConnection(connection, "Unexpected", unexpected)
  }
  if (phase === "new") return endConnection(connection, "Unexpected", unexpected)
  switch (message._tag) {
    case "Nodes": {
      if (trip !== "Hello") return endConnection(connection, "Unexpected", unexpected)
      connection.trip = "Nodes"
      return [send({ _tag: "Sums", nodes: sumsOfNodes(served.hashed.tree, message.nodes) })]
    }
    case "Compare": {
      if (message.leaves.length > 0) {
        if (trip !== "Nodes") return endConnection(connection, "Unexpected", unexpected)
        connection.trip = "Compare"
      }
      return compare(connection, message)
    }
    case "AskWhole":
      return sendWhole(connection)
    case "Merge": {
      const { n, patch } = message
      if (connection.canMerge) return [{ _tag: "Merge", n, patch }]
      return [send({ _tag: "Rejected", n, reason: "StrategyMismatch", message: mismatch, serverTime: null })]
    }
    case "Verify":
      return [send({ _tag: "Root", position: served.position(), root: rootSum(served.hashed.tree) })]
  }
}

/** Answers a merge, after its change was sent. */
export const answerMerge = (n: number, outcome: Merged | Refused): ServerMessage => {
  if (outcome._tag === "Merged") return { _tag: "Acknowledged", n }
  const { message, reason } = outcome
  const serverTime = outcome.reason === "ClockAhead" ? outcome.serverTime : null
  return { _tag: "Rejected", n, reason, message, serverTime }
}
