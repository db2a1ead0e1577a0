/**
 * What a pool has for one client of an exchange when its transport takes the next message: answers, then changes, then the
 * sum of all. An answer is made when it is taken, so none is older than the rights of the client. A client that takes nothing
 * holds a place in the pool, up to 256 requests that wait to be answered, and, within a whole state, an array of the keys of
 * all rows.
 */
import type { Event, Revision } from "../../ChangeLog.js"
import type { Frame, WatchEnded, Watcher } from "../../Watch.js"
import type { StoreEnded } from "../catalog/ended.js"
import type { As } from "../catalog/sessionCalls.js"
import { partsOfKey } from "./cell.js"
import { rootSum } from "./hashTree.js"
import { type ClientMessage, type EndReason, endWith, type Position, type ServerMessage } from "./messages.js"
import type { CellName } from "./patch.js"
import { hashedOf, type Pool } from "./pool.js"
import { type PoolCell, patchOf } from "./poolCells.js"
import { readable, rowSeenBy } from "./poolReading.js"
import {
  type Connection,
  openConnection,
  receiveFromClient,
  restartConnection,
  type ServerAction,
  type ServerActions
} from "./serving.js"

/** The reply to a merge; `undefined`: it is not known yet. */
export interface Reply {
  actions: ServerActions | undefined
}

/** One client of an exchange. Only this file writes it. */
export interface Peer {
  readonly pool: Pool
  readonly as: As | undefined
  readonly connection: Connection
  /** The answers that wait, in order; of the first one the rest. */
  readonly answers: Array<Iterator<ServerMessage>>
  /** The changes that it follows; none before its Hello. */
  watcher: Watcher<PoolCell> | undefined
  /** Up to where changes were taken for it. */
  at: Revision | undefined
  /** It has all changes up to `at`. */
  isResumed: boolean
  /** It waits for the sum of all. */
  isVerifying: boolean
  /** The sum that it gets when it has all changes up to this number; `Waiting`: it is made at the end of the tick. */
  root: { readonly seq: number; readonly sum: string } | "Waiting" | undefined
  /** There may be a message. */
  isReady: boolean
  /** Resumes the reader that waits. */
  wake: (() => void) | undefined
  /** The replies to its merges that wait for a commit, or for one before them, in the order of the merges. */
  readonly replies: Array<Reply>
  /** It begins anew when the pool holds what other processes have written up to its snapshot. */
  isHeld: boolean
  /** Stops waiting for that. */
  stopHolding: () => void
  /** Resumes the receiver that waits for room. */
  free: (() => void) | undefined
  isOver: boolean
}

/** Makes the server's side of one client. */
export const make = (pool: Pool, as: As | undefined): Peer => {
  const peer: Peer = {
    pool,
    as,
    connection: openConnection({
      definition: pool.state.definition,
      epoch: pool.epoch,
      accepts: as === undefined ? "all" : "own",
      horizon: () => pool.state.horizon,
      position: () => positionOf(peer.at),
      // What comes after the client's position comes as it does to all who follow.
      since: () => (peer.isResumed ? [] : undefined),
      hashed: () => (seesAll(peer) ? hashedOf(pool) : undefined),
      keys: () => Array.from(pool.state.rows.keys()),
      row: (key) => rowSeenBy(pool, as, key)
    }),
    answers: [],
    watcher: undefined,
    at: undefined,
    isResumed: false,
    isVerifying: false,
    root: undefined,
    isReady: false,
    wake: undefined,
    replies: [],
    isHeld: false,
    stopHolding: () => undefined,
    free: undefined,
    isOver: false
  }
  return peer
}

/** Whether it takes no change: a pool that has ended reads no more. */
const waits = ({ isHeld, pool }: Peer): boolean => isHeld && pool.ended === undefined

const seesAll = ({ as, pool }: Peer): boolean => readable(pool, as) === undefined

const positionOf = (at: Revision | undefined): Position => (at === undefined ? "" : `${at.seq}-${at.tag}`)

/** Returns the revision of a position; `undefined`: it is none. */
export const revisionAt = (epoch: string, position: Position): Revision | undefined => {
  const [, seq, tag] = /^(\d{1,15})-(\d{1,10})$/.exec(position) ?? []
  return seq === undefined ? undefined : { epoch, seq: Number(seq), tag: Number(tag) }
}

/** Wakes the reader: there may be a message. */
export const ready = (peer: Peer): void => {
  peer.isReady = true
  peer.wake?.()
}

/** Calls back once there may be a message, perhaps at once. Returns how to stop waiting. */
export const wait = (peer: Peer, onReady: () => void): (() => void) => {
  if (peer.isReady || peer.isOver) {
    onReady()
    return () => undefined
  }
  let stop = (): void => undefined
  const settle = (): void => {
    peer.wake = undefined
    stop()
  }
  const resume = (): void => {
    settle()
    onReady()
  }
  peer.wake = resume
  // While it is held, nothing that it follows is taken.
  if (peer.watcher !== undefined && !waits(peer)) stop = peer.watcher.unsafeWhenReady(resume)
  return settle
}

/** The most answers that wait to be taken. */
const maxAnswers = 256

/** Calls back once fewer answers and merges wait than may, perhaps at once. Returns how to stop waiting. */
export const waitForRoom = (peer: Peer, onRoom: () => void): (() => void) => {
  if (peer.isOver || peer.answers.length + peer.replies.length < maxAnswers) onRoom()
  else peer.free = onRoom
  return () => {
    peer.free = undefined
  }
}

const free = (peer: Peer): void => {
  const resume = peer.free
  peer.free = undefined
  resume?.()
}

/** Ends it: no message comes any more. */
export const close = (peer: Peer): void => {
  peer.isOver = true
  peer.stopHolding()
  free(peer)
  ready(peer)
}

function* messagesOf(actions: ServerActions): Generator<ServerMessage> {
  for (const action of actions) if (action._tag === "Send") yield action.message
}

/** Adds answers, which are made when they are taken. */
export const answer = (peer: Peer, actions: ServerActions): void => {
  peer.answers.push(messagesOf(actions))
  ready(peer)
}

/** Keeps the place of a reply to a merge behind those to the merges before it. */
export const reserve = (peer: Peer): Reply => {
  const reply: Reply = { actions: undefined }
  peer.replies.push(reply)
  return reply
}

/** Replies at a place that was kept, when all before it have been replied to. */
export const reply = (peer: Peer, place: Reply, actions: ServerActions): void => {
  place.actions = actions
  for (let [first] = peer.replies; first?.actions !== undefined; [first] = peer.replies) {
    peer.replies.shift()
    answer(peer, first.actions)
  }
  free(peer)
}

/** Follows the changes after a revision, which the client has, or had all along. */
export const follow = (peer: Peer, watcher: Watcher<PoolCell>, at: Revision, isResumed: boolean): void => {
  peer.watcher = watcher
  peer.at = at
  peer.isResumed = isResumed
}

function* later(peer: Peer, message: ClientMessage): Generator<ServerAction> {
  const { connection, pool } = peer
  for (const action of receiveFromClient(connection, message, pool.shared.wall())) {
    // A sum is that of all that was sent: it waits for the changes before it.
    if (action._tag === "Send" && action.message._tag === "Root") peer.isVerifying = true
    else yield action
  }
}

/** Answers a message when its answer is taken. */
export const answerLater = (peer: Peer, message: ClientMessage): void => answer(peer, later(peer, message))

const takeAnswer = (peer: Peer): ServerMessage | undefined => {
  const { answers } = peer
  for (let first = answers[0]; first !== undefined; first = answers[0]) {
    const next = first.next()
    if (next.done !== true) return next.value
    answers.shift()
    free(peer)
  }
  return undefined
}

const goneOf = (events: ReadonlyArray<Event<PoolCell>>): ReadonlyArray<CellName> =>
  events.flatMap((event) => {
    if (event._tag === "Put") return []
    const [row, field] = partsOfKey(event.key)
    return [{ row, field }]
  })

/** The change of a frame, if it is one for the client. */
const changeOf = (peer: Peer, events: ReadonlyArray<Event<PoolCell>>): ServerMessage | undefined => {
  const patch = patchOf(events.flatMap((event) => (event._tag === "Put" ? [event.value] : [])))
  // Who sees all drops by itself what was removed.
  const gone = seesAll(peer) ? [] : goneOf(events)
  if (patch.rows.length === 0 && patch.horizon === "" && gone.length === 0) return undefined
  return { _tag: "Delta", position: positionOf(peer.at), patch, gone }
}

/** Begins anew: what the client had was judged by older rights, or the changes since are gone. */
const restart = (peer: Peer): ServerMessage | undefined => {
  peer.isVerifying = false
  answer(peer, restartConnection(peer.connection, peer.pool.shared.wall()))
  return takeAnswer(peer)
}

/** Waits until the pool holds what its snapshot has: where several processes write it, that is read a little later. */
const hold = (peer: Peer, { seq }: Revision): void => {
  peer.isVerifying = false
  peer.isHeld = true
  const { parts } = peer.pool
  if (parts !== undefined) peer.stopHolding = parts.reached.whenAt(seq, () => ready(peer))
}

const takeFrame = (peer: Peer, frame: Frame<PoolCell>): ServerMessage | undefined => {
  if (frame._tag === "Gap") return undefined
  peer.at = frame.revision
  if (frame._tag === "Snapshot") {
    hold(peer, frame.revision)
    return takeHeld(peer)
  }
  return frame._tag === "Events" ? changeOf(peer, frame.events) : undefined
}

/** Begins anew, once the pool holds enough. */
const takeHeld = (peer: Peer): ServerMessage | undefined => {
  const { at, pool } = peer
  if (pool.parts !== undefined && pool.parts.reached.seq() < (at?.seq ?? 0)) return undefined
  peer.isHeld = false
  return restart(peer)
}

const endOf = ({ pool, watcher }: Peer): ServerMessage | undefined => {
  const ended = watcher?.unsafeEnded()
  if (ended === undefined) return undefined
  const { message, reason } = pool.ended ?? ended
  return endWith(endReasonOf(reason), message)
}

/** The reason of an end, as a client gets it: a member never ends as one whose log went on without it. */
const endReasonOf = (reason: StoreEnded["reason"] | WatchEnded["reason"]): EndReason =>
  reason === "Compacted" || reason === "EpochChanged" || reason === "Overflow" ? "Failed" : reason

const takeChange = (peer: Peer): ServerMessage | undefined => {
  const { watcher } = peer
  if (watcher === undefined) return undefined
  if (waits(peer)) return takeHeld(peer)
  for (let frame = watcher.unsafePoll(); frame !== undefined; frame = watcher.unsafePoll()) {
    const message = takeFrame(peer, frame)
    if (message !== undefined) return message
    if (waits(peer)) return undefined
  }
  return endOf(peer)
}

const makeRoot = (peer: Peer, seq: number): void => {
  const { pool } = peer
  peer.root = "Waiting"
  pool.flow.whenSettled(seq, () => {
    peer.root = { seq: pool.flow.seq(), sum: rootSum(hashedOf(pool).tree) }
    ready(peer)
  })
}

/** The sum of all that was sent, once nothing waits that has changed since. */
const takeRoot = (peer: Peer): ServerMessage | undefined => {
  if (!peer.isVerifying || !seesAll(peer)) return undefined
  const seq = peer.at?.seq ?? 0
  if (peer.root === undefined || (peer.root !== "Waiting" && peer.root.seq < seq)) makeRoot(peer, seq)
  const { at, root } = peer
  if (root === undefined || root === "Waiting" || root.seq !== seq) return undefined
  peer.isVerifying = false
  peer.root = undefined
  return { _tag: "Root", position: positionOf(at), root: root.sum }
}

/** Takes the next message; `undefined`: there is none now. */
export const poll = (peer: Peer): ServerMessage | undefined => {
  peer.isReady = false
  if (peer.isOver) return undefined
  const message = takeAnswer(peer) ?? takeChange(peer) ?? takeRoot(peer)
  if (message?._tag === "End") close(peer)
  return message
}
