/**
 * The exchange of a pool as data, for any transport that keeps the order of its messages. It does no input or output: each
 * function takes a message and returns what to do next.
 */

import { makeFollower } from "./follower.js"
import { connect, disconnect, receiveFromServer } from "./following.js"
import { makeHub, mergeIntoHub, raiseHub } from "./hub.js"
import { exchangeVersion } from "./messages.js"
import { decodeClientMessage, decodeServerMessage, encodeMessage } from "./messageText.js"
import { editFollower } from "./sending.js"
import { answerMerge, endConnection, openConnection, receiveFromClient } from "./serving.js"

export const exchange = {
  /** The version of the messages. */
  version: exchangeVersion,
  /** Writes a message as one line of JSON. */
  encode: encodeMessage,
  /** Reads a message of a client; `Malformed`: end the connection. */
  decodeClient: decodeClientMessage,
  /** Reads a message of a server; `Malformed`: end the connection. */
  decodeServer: decodeServerMessage,
  /** The server's side of one connection. */
  server: { open: openConnection, receive: receiveFromClient, answer: answerMerge, end: endConnection },
  /** A server for replicas that converge among themselves. */
  hub: { make: makeHub, merge: mergeIntoHub, raiseHorizon: raiseHub },
  /** The client's side: it lives on through any number of connections. */
  client: { make: makeFollower, connect, disconnect, receive: receiveFromServer, edit: editFollower }
} as const
