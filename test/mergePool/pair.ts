/** Clients and a hub over queues of text in memory, cut wherever a test wants. */

import type { Edit } from "../../src/internal/mergePool/edits.js"
import type { Follower, FollowerAction } from "../../src/internal/mergePool/follower.js"
import type { Hub } from "../../src/internal/mergePool/hub.js"
import type { ClientMessage, Delta, ServerMessage } from "../../src/internal/mergePool/messages.js"
import type { Connection } from "../../src/internal/mergePool/serving.js"
import { exchange } from "../support/mergePool/exchangeParts.js"

/** A client, and its connection while it has one. */
export interface Line {
  readonly follower: Follower
  connection: Connection | undefined
  readonly toServer: Array<string>
  readonly toClient: Array<string>
  readonly actions: Array<FollowerAction>
  /** What was sent, by its tag; and the bytes both ways. */
  readonly sent: Array<ClientMessage["_tag"] | ServerMessage["_tag"]>
  bytes: number
}

export interface World {
  readonly hub: Hub
  readonly lines: ReadonlyArray<Line>
  /** The server's time, and the clients' wall clocks. */
  now: number
  wall: number
  /** Whether clients may merge the stamps of any client. */
  readonly owners: "all" | "own"
  /** What lies on the way, changed before it arrives. */
  readonly alter?: (text: string) => string
}

export const makeLine = (follower: Follower): Line => ({
  follower,
  connection: undefined,
  toServer: [],
  toClient: [],
  actions: [],
  sent: [],
  bytes: 0
})

const put = (line: Line, queue: Array<string>, message: ClientMessage | ServerMessage): void => {
  const text = exchange.encode(message)
  line.sent.push(message._tag)
  line.bytes += Buffer.byteLength(text)
  queue.push(text)
}

const perform = (line: Line, actions: ReadonlyArray<FollowerAction>): void => {
  for (const action of actions) {
    if (action._tag === "Send") put(line, line.toServer, action.message)
    else line.actions.push(action)
  }
}

/** Sends a change of the hub to all that are connected. */
export const publish = ({ lines }: World, delta: Delta | undefined): void => {
  if (delta === undefined) return
  for (const line of lines) if (line.connection?.phase === "open") put(line, line.toClient, delta)
}

export const connectLine = (world: World, line: Line): void => {
  line.connection = exchange.server.open(world.hub.served)
  perform(line, exchange.client.connect(line.follower, world.wall))
}

/** Loses all that is on its way. */
export const cutLine = (line: Line): void => {
  line.connection = undefined
  line.toServer.length = 0
  line.toClient.length = 0
  exchange.client.disconnect(line.follower)
}

export const editLine = (world: World, line: Line, edit: Edit): void => {
  const actions = exchange.client.edit(line.follower, edit, world.wall)
  if ("_tag" in actions) throw new Error(`an edit is refused: ${actions.message}`)
  if (line.connection !== undefined) perform(line, actions)
}

const serve = (world: World, line: Line, connection: Connection, text: string): void => {
  const message = exchange.decodeClient(text)
  if (message._tag === "Malformed") throw new Error(message.message)
  for (const action of exchange.server.receive(connection, message, world.now)) {
    if (action._tag === "Send") put(line, line.toClient, action.message)
    else {
      const owner = world.owners === "own" ? line.follower.replica.clock.client : undefined
      const { delta, outcome } = exchange.hub.merge(world.hub, action.patch, { owner, now: world.now })
      publish(world, delta)
      put(line, line.toClient, exchange.server.answer(action.n, outcome))
    }
  }
}

/** Delivers one message of a line, if there is one. */
export const step = (world: World, line: Line): boolean => {
  const { alter = (text: string) => text } = world
  const up = line.toServer.shift()
  if (up !== undefined) {
    if (line.connection !== undefined) serve(world, line, line.connection, alter(up))
    return true
  }
  const down = line.toClient.shift()
  if (down === undefined) return false
  const message = exchange.decodeServer(alter(down))
  if (message._tag === "Malformed") throw new Error(message.message)
  perform(line, exchange.client.receive(line.follower, message, world.wall))
  return true
}

/** Delivers all messages of all lines; at most so many. */
export const settle = (world: World, most = 100_000): number => {
  let count = 0
  for (let isBusy = true; isBusy; ) {
    isBusy = false
    for (const line of world.lines) {
      while (count < most && step(world, line)) {
        count++
        isBusy = true
      }
    }
  }
  if (count === most && most === 100_000) throw new Error("the exchange never ends")
  return count
}
