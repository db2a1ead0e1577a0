/** The parts of an exchange under short names: messages as data, where programs have them as text. */
import { makeFollower } from "../../../src/internal/mergePool/follower.js"
import { connect, disconnect, receiveFromServer } from "../../../src/internal/mergePool/following.js"
import { makeHub, mergeIntoHub, raiseHub } from "../../../src/internal/mergePool/hub.js"
import { exchangeVersion } from "../../../src/internal/mergePool/messages.js"
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeMessage
} from "../../../src/internal/mergePool/messageText.js"
import { editFollower } from "../../../src/internal/mergePool/sending.js"
import {
  answerMerge,
  endConnection,
  openConnection,
  receiveFromClient
} from "../../../src/internal/mergePool/serving.js"

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
