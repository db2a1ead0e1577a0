/** The server's side of an exchange without a catalog, as programs hold it: a state that replicas converge on. */
import { define, type Fields, type InvalidFields } from "./definition.js"
import { type Hub, makeHub, mergeIntoHub, raiseHub } from "./hub.js"
import type { Accepts, Delta, ServerMessage } from "./messages.js"
import { decodeClientMessage, encodeMessage } from "./messageText.js"
import type { Patch, Refused } from "./patch.js"
import { answerMerge, type Connection, endConnection, openConnection, receiveFromClient } from "./serving.js"
import type { Stamp } from "./stamp.js"
import { makeState, statePatch } from "./state.js"

/** How a hub serves its clients. */
export interface HubOptions {
  /** Names its life: new whenever it does not go on from its last position. */
  readonly epoch: string
  /** Whose cells clients may send: those that they have written themselves, or all. Default `own`. */
  readonly accepts?: Exclude<Accepts, "none"> | undefined
  /** How many changes it remembers for clients that come back. Default 1,024. */
  readonly maxDeltas?: number | undefined
}

/** One client's connection to a hub. */
export interface HubConnection {
  /**
   * Takes a message of the client. `now`: the server's time as it is taken, in milliseconds since 1970. A client whose stamps are
   * ahead of it sends them again at once: while the time stands, without end.
   */
  readonly receive: (message: string, now: number) => void
  /** Takes the messages for the client, in order. They wait until then. */
  readonly take: () => ReadonlyArray<string>
  /** Whether an `End` was sent, or it was closed. */
  readonly isEnded: () => boolean
  /** Ends a connection that was cut. */
  readonly close: () => void
}

/**
 * A state that replicas converge on, without rights, quotas and ticks, and without input and output: a pool has those. It
 * merges at once, and sends each change to all.
 */
export interface ExchangeHub {
  readonly fingerprint: string
  /** Begins a connection. `client`: whose cells it takes, where it accepts a client's own. */
  readonly connect: (client: string) => HubConnection
  /** Merges a patch of the server itself; a refused one changes nothing. */
  readonly merge: (patch: Patch) => Refused | undefined
  /** Forgets the removals up to a stamp, here and in all who follow. */
  readonly raiseHorizon: (horizon: Stamp) => void
  /** All that is held. */
  readonly state: () => Patch
}

interface Open {
  readonly connection: Connection
  readonly client: string
  readonly messages: Array<ServerMessage>
}

const publish = (all: ReadonlySet<Open>, delta: Delta | undefined): void => {
  if (delta === undefined) return
  for (const { connection, messages } of all) if (connection.phase === "open") messages.push(delta)
}

const receive = (hub: Hub, all: ReadonlySet<Open>, open: Open, text: string, now: number): void => {
  const { client, connection, messages } = open
  const message = decodeClientMessage(text)
  const actions =
    message._tag === "Malformed"
      ? endConnection(connection, "Malformed", message.message)
      : receiveFromClient(connection, message, now)
  for (const action of actions) {
    if (action._tag === "Send") {
      messages.push(action.message)
      continue
    }
    const owner = hub.served.accepts === "own" ? client : undefined
    const { delta, outcome } = mergeIntoHub(hub, action.patch, { owner, now })
    publish(all, delta)
    messages.push(answerMerge(action.n, outcome))
  }
}

/** Makes a hub, which holds nothing yet. */
export const exchangeHub = (
  strategies: Fields,
  { accepts = "own", epoch, maxDeltas = 1_024 }: HubOptions
): ExchangeHub | InvalidFields => {
  const definition = define(strategies)
  if ("_tag" in definition) return definition
  const state = makeState(definition)
  const hub = makeHub(state, { epoch, accepts, maxDeltas })
  const all = new Set<Open>()
  return {
    fingerprint: definition.fingerprint,
    connect: (client) => {
      const open: Open = { connection: openConnection(hub.served), client, messages: [] }
      all.add(open)
      return {
        receive: (text, now) => receive(hub, all, open, text, now),
        take: () => open.messages.splice(0).map(encodeMessage),
        isEnded: () => open.connection.phase === "ended" || !all.has(open),
        close: () => void all.delete(open)
      }
    },
    merge: (patch) => {
      const { delta, outcome } = mergeIntoHub(hub, patch, {})
      publish(all, delta)
      return outcome._tag === "Refused" ? outcome : undefined
    },
    raiseHorizon: (horizon) => publish(all, raiseHub(hub, horizon)),
    state: () => statePatch(state)
  }
}
