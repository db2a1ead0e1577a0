/** The client's side of an exchange as programs hold it: a replica that follows a server, and its messages as text. */
import { define, type Fields, type InvalidFields } from "./definition.js"
import { type Follower, type FollowerAction, makeFollower } from "./follower.js"
import { connect, disconnect, endFollower, receiveFromServer } from "./following.js"
import { rootSum } from "./hashTree.js"
import { decodeServerMessage, encodeMessage } from "./messageText.js"
import type { Refused } from "./patch.js"
import { makeReplica, readAll, readRow, type Unsent } from "./replica.js"
import { editFollower } from "./sending.js"
import { isClient } from "./stamp.js"
import { makeState } from "./state.js"
import type { EditOf, RowOf } from "./typed.js"

/** What a client does next, or shows its program. In order. */
export type ClientAction =
  | Exclude<FollowerAction, { readonly _tag: "Send" }>
  /** Sends a message to the server. */
  | { readonly _tag: "Send"; readonly message: string }

/**
 * A replica that follows a server over any transport that keeps the order of messages. It does no input or output, and reads
 * no clock: `wall` is what the client's clock shows, in milliseconds since 1970. A cut at any message loses nothing.
 */
export interface ExchangeClient<F extends Fields = Fields> {
  /** The client id in its stamps. */
  readonly client: string
  /** Differs between pools that do not join alike. */
  readonly fingerprint: string
  /** Begins a connection. What was sent on the one before and not answered is sent again. */
  readonly connect: (wall: number) => ReadonlyArray<ClientAction>
  /** Ends a connection that was cut. Edits show and wait. */
  readonly disconnect: () => void
  /** Takes a message of the server. */
  readonly receive: (message: string, wall: number) => ReadonlyArray<ClientAction>
  /** Makes an edit, which shows at once, and sends it as soon as may be. A refused one changes nothing. */
  readonly edit: (edit: EditOf<F>, wall: number) => ReadonlyArray<ClientAction> | Refused
  /** Reads a row with what was edited here; `undefined`: there is none. */
  readonly get: (key: string) => RowOf<F> | undefined
  readonly rows: () => ReadonlyMap<string, RowOf<F>>
  /** Hashes what is confirmed: equal to the hash of a pool with the same cells. */
  readonly hash: () => string
  /** The edits that the server has not confirmed, in order. */
  readonly unsent: () => ReadonlyArray<Unsent>
  /** `Live`: all that the server held is here, and changes follow. `Foreign`: the same, without being joined. */
  readonly phase: () => "Idle" | "Syncing" | "Live" | "Foreign" | "Ended"
}

const phaseOf = ({ phase }: Follower): ReturnType<ExchangeClient["phase"]> => {
  switch (phase) {
    case "idle":
      return "Idle"
    case "live":
      return "Live"
    case "foreign":
      return "Foreign"
    case "ended":
      return "Ended"
    default:
      return "Syncing"
  }
}

const encoded = (action: FollowerAction): ClientAction =>
  action._tag === "Send" ? { _tag: "Send", message: encodeMessage(action.message) } : action

/**
 * Makes the client's side of an exchange, which holds nothing yet. `client` is its id: 64 random bits as 11 characters, new for
 * each start of a program, as a `replica` has one.
 */
export const exchangeClient = <F extends Fields>(
  strategies: F,
  { client }: { readonly client: string }
): ExchangeClient<F> | InvalidFields => {
  const definition = define(strategies)
  if ("_tag" in definition) return definition
  if (!isClient(client)) {
    return { _tag: "InvalidFields", message: "client must be an id of 11 characters: take that of a replica" }
  }
  const replica = makeReplica(client, makeState(definition))
  const follower = makeFollower(replica)
  const made: ExchangeClient = {
    client,
    fingerprint: definition.fingerprint,
    connect: (wall) => connect(follower, wall).map(encoded),
    disconnect: () => disconnect(follower),
    receive: (text, wall) => {
      const message = decodeServerMessage(text)
      const actions =
        message._tag === "Malformed"
          ? endFollower(follower, "Malformed", message.message)
          : receiveFromServer(follower, message, wall)
      return actions.map(encoded)
    },
    edit: (edit, wall) => {
      const actions = editFollower(follower, edit, wall)
      return "_tag" in actions ? actions : actions.map(encoded)
    },
    get: (key) => readRow(replica, key),
    rows: () => readAll(replica),
    hash: () => rootSum(follower.hashed.tree),
    unsent: () => replica.unsent,
    phase: () => phaseOf(follower)
  }
  // It is joined by these strategies, so they read its values.
  return made as ExchangeClient<F>
}
