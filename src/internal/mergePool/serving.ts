/** The server's side of an exchange: answers a client from the state. It merges nothing itself. */
import { estimateSize } from "../log/size.js"
import type { Definition } from "./definition.js"
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
  noSums,
  type Position,
  type Resume,
  type ServerMessage
} from "./messages.js"
import type { Patch, Refused, RowPatch } from "./patch.js"
import type { Stamp } from "./stamp.js"

/** What a server shows a client. */
export interface Served {
  readonly definition: Definition
  /** The life of the pool: a position holds within one. */
  readonly epoch: string
  /** Whose cells clients may send. */
  readonly accepts: Exclude<Accepts, "none">
  readonly horizon: () => Stamp
  /** The position of the last change. */
  readonly position: () => Position
  /** The changes after a position, in order; `undefined`: they are not kept, or it was never reached. */
  readonly since: (position: Position) => ReadonlyArray<Delta> | undefined
  /** The state with its sums; `undefined`: the client sees a part of it. */
  readonly hashed: () => HashedState | undefined
  /** The keys of all rows as of now, also of those that the client may not see. */
  readonly keys: () => ReadonlyArray<string>
  /** What the client may see of a row now; `undefined`: nothing. */
  readonly row: (key: string) => RowPatch | undefined
}

/** One client's connection. Only this file writes it. */
export interface Connection {
  readonly served: Served
  /** Changes are sent while it is open. */
  phase: "new" | "open" | "ended"
  canMerge: boolean
  /** The client was shown sums of this state. */
  hasSums: boolean
  /** The last round trip of the tree: each is taken once. */
  trip: "Hello" | "Nodes" | "Compare"
  hasWhole: boolean
}

/** What the server does next: it sends, or it merges and answers with {@link answerMerge}. In order. */
export type ServerAction =
  | { readonly _tag: "Send"; readonly message: ServerMessage }
  | { readonly _tag: "Merge"; readonly n: number; readonly patch: Patch }

/** What the server does, in order. The rows of a whole state are read one part after the other, as they are then. */
export type ServerActions = Iterable<ServerAction>

/** The most rows in a part of the whole state. */
const rowsPerPart = 512

/**
 * The bytes of memory of a part, about, which are about twice those of its text. A row that is larger has a part of its own.
 * So a part is no more than what a transport has waiting for a slow client: 64 KiB.
 */
const bytesPerPart = 2 ** 17

/** Begins a connection. */
export const openConnection = (served: Served): Connection => ({
  served,
  phase: "new",
  canMerge: false,
  hasSums: false,
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

const bytesOf = (row: RowPatch): number => estimateSize({ _tag: "Put", key: "", value: row })

/** The whole state in parts. A change of a row that was read before follows as one. */
function* partsOf({ keys, row }: Served): Generator<ServerAction> {
  let rows: Array<RowPatch> = []
  let bytes = 0
  for (const key of keys()) {
    const found = row(key)
    if (found === undefined) continue
    const more = bytesOf(found)
    if (rows.length > 0 && (rows.length === rowsPerPart || bytes + more > bytesPerPart)) {
      yield send({ _tag: "Part", rows, isLast: false })
      rows = []
      bytes = 0
    }
    rows.push(found)
    bytes += more
  }
  yield send({ _tag: "Part", rows, isLast: true })
}

const sendWhole = (connection: Connection): ServerActions => {
  if (connection.hasWhole) {
    return endConnection(connection, "Diverged", "the whole state was sent already: connect anew")
  }
  connection.hasWhole = true
  return partsOf(connection.served)
}

/** Whether the sums of both sides can be compared, and it is worth it. */
const isComparable = ({ horizon }: Served, hashed: HashedState | undefined, hello: Hello): boolean =>
  hashed !== undefined &&
  hello.fingerprint === hashed.state.definition.fingerprint &&
  hello.hash === hashVersion &&
  // A client of another life has forgotten removals that are held here.
  hello.horizon <= horizon() &&
  hashed.state.rows.size > 0 &&
  !/^0*$/.test(hello.root)

const resumeOf = (
  served: Served,
  hashed: HashedState | undefined,
  hello: Hello,
  deltas: ReadonlyArray<Delta> | undefined
): Resume => {
  if (deltas !== undefined) return "delta"
  if (hashed === undefined || !isComparable(served, hashed, hello)) return "whole"
  return hello.root === rootSum(hashed.tree) ? "equal" : "tree"
}

const welcomeWith = (connection: Connection, resume: Resume, now: number): ServerAction => {
  const { canMerge, served } = connection
  const hashed = served.hashed()
  connection.hasSums = hashed !== undefined
  return send({
    _tag: "Welcome",
    version: exchangeVersion,
    hash: hashed === undefined ? noSums : hashVersion,
    fingerprint: served.definition.fingerprint,
    epoch: served.epoch,
    position: served.position(),
    horizon: served.horizon(),
    serverTime: now,
    resume,
    accepts: canMerge ? served.accepts : "none",
    nodes: resume === "tree" && hashed !== undefined ? nodeSums(hashed.tree) : ""
  })
}

function* concat(...all: ReadonlyArray<ServerActions>): Generator<ServerAction> {
  for (const each of all) yield* each
}

const welcome = (connection: Connection, hello: Hello, now: number): ServerActions => {
  const { served } = connection
  if (hello.version !== exchangeVersion) {
    return endConnection(connection, "Version", `the version must be ${exchangeVersion}: update the client`)
  }
  connection.phase = "open"
  connection.canMerge = hello.fingerprint === served.definition.fingerprint
  const deltas =
    hello.epoch === served.epoch && hello.position !== null ? served.since(hello.position) : undefined
  const resume = resumeOf(served, served.hashed(), hello, deltas)
  const first = [welcomeWith(connection, resume, now)]
  return concat(first, resume === "whole" ? sendWhole(connection) : (deltas ?? []).map(send))
}

/**
 * Begins anew with the whole state, for a client that has fallen too far behind, or whose rights have changed. What it asked
 * for before counts no more.
 */
export const restartConnection = (connection: Connection, now: number): ServerActions => {
  connection.trip = "Compare"
  connection.hasWhole = true
  return concat([welcomeWith(connection, "whole", now)], partsOf(connection.served))
}

const compare = (
  hashed: HashedState,
  { row }: Served,
  { leaves, rows }: Extract<ClientMessage, { readonly _tag: "Compare" }>
): ReadonlyArray<ServerAction> => {
  const found: Array<RowPatch> = []
  const absent: Array<string> = []
  for (const key of differentRows(hashed.tree, leaves, rows)) {
    const held = row(key)
    if (held === undefined) absent.push(key)
    else found.push(held)
  }
  return [send({ _tag: "Rows", rows: found, absent })]
}

const mismatch =
  "the fields or strategies differ from the server's: update the client, it can follow meanwhile"

/** Takes what is about sums. Where the client has come to see a part only, it gets no answer: the connection begins anew. */
const receiveOfSums = (
  connection: Connection,
  message: Extract<ClientMessage, { readonly _tag: "Nodes" | "Compare" | "Verify" }>
): ServerActions => {
  const { hasSums, served, trip } = connection
  if (!hasSums) return endConnection(connection, "Unexpected", unexpected)
  const hashed = served.hashed()
  switch (message._tag) {
    case "Nodes": {
      if (trip !== "Hello") return endConnection(connection, "Unexpected", unexpected)
      connection.trip = "Nodes"
      if (hashed === undefined) return []
      return [send({ _tag: "Sums", nodes: sumsOfNodes(hashed.tree, message.nodes) })]
    }
    case "Compare": {
      if (message.leaves.length > 0) {
        if (trip !== "Nodes") return endConnection(connection, "Unexpected", unexpected)
        connection.trip = "Compare"
      }
      return hashed === undefined ? [] : compare(hashed, served, message)
    }
    case "Verify": {
      if (hashed === undefined) return []
      return [send({ _tag: "Root", position: served.position(), root: rootSum(hashed.tree) })]
    }
  }
}

/** Takes a message of the client. `now`: the server's time in milliseconds. */
export const receiveFromClient = (
  connection: Connection,
  message: ClientMessage,
  now: number
): ServerActions => {
  const { phase } = connection
  if (phase === "ended") return []
  if (message._tag === "Hello") {
    return phase === "new"
      ? welcome(connection, message, now)
      : endConnection(connection, "Unexpected", unexpected)
  }
  if (phase === "new") return endConnection(connection, "Unexpected", unexpected)
  switch (message._tag) {
    case "AskWhole":
      return sendWhole(connection)
    case "Merge": {
      const { n, patch } = message
      if (connection.canMerge) return [{ _tag: "Merge", n, patch }]
      return [send({ _tag: "Rejected", n, reason: "StrategyMismatch", message: mismatch, serverTime: null })]
    }
    default:
      return receiveOfSums(connection, message)
  }
}

/** Answers a merge, after its change was sent. */
export const answerMerge = (n: number, outcome: Merged | Refused): ServerMessage => {
  if (outcome._tag === "Merged") return { _tag: "Acknowledged", n }
  const { message, reason } = outcome
  const serverTime = outcome.reason === "ClockAhead" ? outcome.serverTime : null
  return { _tag: "Rejected", n, reason, message, serverTime }
}
