/** Serves a pool to a client of an exchange: takes its messages, and gives those for it. */
import { Effect, Exit, Option, Scope, Stream } from "effect"
import type { Watcher } from "../../Watch.js"
import { isAs } from "../catalog/catalogOptions.js"
import type { StoreEnded } from "../catalog/ended.js"
import type { Beginning, FollowEnded } from "../catalog/follows.js"
import type { As } from "../catalog/sessionCalls.js"
import { type InvalidOptions, optional, resolve, text, that } from "../options.js"
import {
  type ClientMessage,
  type EndReason,
  exchangeVersion,
  type Hello,
  type ServerMessage
} from "./messages.js"
import { decodeClientMessage, encodeMessage } from "./messageText.js"
import type { Patch } from "./patch.js"
import * as Peers from "./peer.js"
import type { Pool } from "./pool.js"
import type { PoolCell } from "./poolCells.js"
import type { MergeError } from "./poolErrors.js"
import type { MergeOptions } from "./poolJudging.js"
import { endConnection, receiveFromClient, type ServerActions } from "./serving.js"

/** Whom a pool is served to; each may be left out. */
export interface ServeOptions {
  /**
   * Who the client is. `client` is the id of its replica, and belongs to a principal as it does in `merge`. Default: another
   * server, which sees everything and may send what any client has written.
   */
  readonly as?: As | undefined
  /** The rows that it writes end with this session, in a pool with `onLeave: "remove"`. */
  readonly session?: string | undefined
}

/** One client of an exchange, as its transport has it. */
export interface Serving {
  /**
   * Takes a message of the client, as `exchange.client` makes it, and completes when the next one may come: not while 256
   * answers or merges wait. What is malformed, or out of its turn, ends the exchange.
   */
  readonly receive: (message: string) => Effect.Effect<void>
  /**
   * The messages for the client, as `exchange.client` takes them; one reader. It ends behind an `End`, or with the scope. A
   * reader that is slow gets the last form of each cell, and no frame that was judged by older rights.
   */
  readonly messages: Stream.Stream<string>
}

/** What serving needs of a pool's handle. */
export interface Calls {
  readonly merge: (patch: Patch, options: MergeOptions) => Effect.Effect<unknown, MergeError | StoreEnded>
  readonly open: (
    first: Beginning,
    as: As | undefined
  ) => Effect.Effect<Watcher<PoolCell>, FollowEnded, Scope.Scope>
}

const rules = {
  as: optional(that("{ principal, client? }", isAs)),
  session: optional(text)
}

interface Served {
  readonly peer: Peers.Peer
  readonly calls: Calls
  readonly session: string | undefined
  readonly scope: Scope.Scope
}

const end = ({ peer }: Served, reason: EndReason, message: string): void =>
  Peers.answer(peer, endConnection(peer.connection, reason, message))

/** Why a client could not begin to follow. */
const refusalOf = (error: FollowEnded): EndReason => {
  if (error._tag === "StoreEnded") return error.reason
  return error._tag === "WatchEnded" && error.reason === "Unauthorized" ? "Unauthorized" : "Refused"
}

/** Waits until the pool holds a revision: where several processes write it, it is read when it was committed. */
const arrived = ({ parts }: Pool, seq: number): Effect.Effect<void> =>
  parts === undefined
    ? Effect.void
    : Effect.async((resume) => {
        const stop = parts.reached.whenAt(seq, () => resume(Effect.void))
        return Effect.sync(stop)
      })

/** Follows what comes after the client's position, if it can resume there; else what comes from now on. */
const followFor = (
  { calls, peer, scope }: Served,
  { epoch, position }: Hello
): Effect.Effect<void, FollowEnded> => {
  const open = (first: Beginning) => Scope.extend(calls.open(first, peer.as), scope)
  const fromNow = Effect.flatMap(open({}), (watcher) =>
    // The first frame names where it begins. What was before it is in the state that the client gets.
    Effect.flatMap(watcher.take, (first) => {
      if (first._tag === "Gap") return Effect.void
      Peers.follow(peer, watcher, first.revision, false)
      return arrived(peer.pool, first.revision.seq)
    })
  )
  const after = position === null || epoch !== peer.pool.epoch ? undefined : Peers.revisionAt(epoch, position)
  if (after === undefined) return fromNow
  const resumed = Effect.map(open({ after }), (watcher) => Peers.follow(peer, watcher, after, true))
  return Effect.catchTags(resumed, { Compacted: () => fromNow, EpochChanged: () => fromNow })
}

const begin = (served: Served, hello: Hello): Effect.Effect<void> =>
  Effect.match(followFor(served, hello), {
    onFailure: (failed) => {
      // What fails because the pool has ended is named by its end.
      const error = served.peer.pool.ended ?? failed
      end(served, refusalOf(error), error.message)
    },
    onSuccess: () => Peers.answerLater(served.peer, hello)
  })

const send = (message: ServerMessage): ServerActions => [{ _tag: "Send", message }]

/** What a client gets for a merge that has failed. */
const failed = ({ peer }: Served, n: number, error: MergeError | StoreEnded): ServerActions => {
  // Who follows a pool that has ended gets its end.
  if (error._tag === "StoreEnded") return []
  const { message, reason, serverTime = null } = error
  // It may be stored all the same: the client keeps the edit, and sends it again with its stamps.
  const isOpen = reason === "NotStored" || reason === "Unavailable"
  return isOpen
    ? endConnection(peer.connection, "Failed", message)
    : send({ _tag: "Rejected", n, reason, message, serverTime })
}

/** The longest pause of a merge that is too early, in milliseconds. */
const maxPause = 10

/** How often a merge that is too early is tried again: a timer may be early, too. */
const maxPauses = 3

/**
 * Merges; a patch that is too early by little waits for the server's clock. Where a stamp is as far ahead as may be, the next
 * ones of all who have seen it are too early by a millisecond: refused, they would be sent again and again meanwhile.
 */
const mergeInTime = (
  served: Served,
  patch: Patch,
  pauses = maxPauses
): Effect.Effect<unknown, MergeError | StoreEnded> => {
  const { calls, peer, session } = served
  return Effect.catchTag(calls.merge(patch, { as: peer.as, session }), "MergeError", (error) => {
    const { serverTime = 0, takenAt = Number.POSITIVE_INFINITY } = error
    const pause = takenAt - serverTime
    if (pauses === 0 || pause > maxPause) return error
    return Effect.andThen(Effect.sleep(pause), mergeInTime(served, patch, pauses - 1))
  })
}

const merge = (
  served: Served,
  n: number,
  patch: Patch,
  reply: (actions: ServerActions) => void
): Effect.Effect<void> =>
  Effect.match(mergeInTime(served, patch), {
    onFailure: (error) => reply(failed(served, n, error)),
    onSuccess: () => reply(send({ _tag: "Acknowledged", n }))
  })

/** Merges; where that waits for a commit, the next message may come meanwhile, and is answered behind this one. */
const mergeNext = (served: Served, n: number, patch: Patch): Effect.Effect<void> => {
  const { peer, scope } = served
  if (peer.pool.parts === undefined) return merge(served, n, patch, (actions) => Peers.answer(peer, actions))
  return Effect.suspend(() => {
    const place = Peers.reserve(peer)
    const reply = (actions: ServerActions): void => Peers.reply(peer, place, actions)
    return Effect.asVoid(Effect.forkIn(merge(served, n, patch, reply), scope))
  })
}

/** Takes what needs an answer only when that is taken; merges at once. */
const take = (served: Served, message: ClientMessage): Effect.Effect<void> => {
  const { peer } = served
  if (message._tag === "Hello" && peer.watcher === undefined && message.version === exchangeVersion) {
    return begin(served, message)
  }
  if (message._tag !== "Merge") return Effect.sync(() => Peers.answerLater(peer, message))
  const [action] = receiveFromClient(peer.connection, message, peer.pool.shared.wall())
  if (action?._tag === "Merge") return mergeNext(served, action.n, action.patch)
  return Effect.sync(() => Peers.reply(peer, Peers.reserve(peer), action === undefined ? [] : [action]))
}

const receive = (served: Served, text: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    const message = decodeClientMessage(text)
    if (message._tag === "Malformed") return Effect.sync(() => end(served, "Malformed", message.message))
    return take(served, message)
  })

const next = (peer: Peers.Peer): Effect.Effect<string, Option.Option<never>> =>
  Effect.suspend(() => {
    const message = Peers.poll(peer)
    if (message !== undefined) return Effect.succeed(encodeMessage(message))
    if (peer.isOver) return Effect.fail(Option.none())
    const waited = Effect.async<void>((resume) => {
      const stop = Peers.wait(peer, () => resume(Effect.void))
      return Effect.sync(stop)
    })
    return Effect.andThen(waited, next(peer))
  })

/** Serves a pool to one client, as long as the scope lives. */
export const serve = (
  pool: Pool,
  calls: Calls,
  options: ServeOptions
): Effect.Effect<Serving, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { as, session } = yield* resolve<ServeOptions>()(rules, options)
    const alone = yield* Effect.makeSemaphore(1)
    const peer = Peers.make(pool, as)
    const scope = yield* Scope.make()
    // First the peer: a transport that has gone is sent no end.
    const release = Effect.suspend(() => {
      Peers.close(peer)
      return Scope.close(scope, Exit.void)
    })
    yield* Effect.addFinalizer(() => release)
    const served: Served = { peer, calls, session, scope }
    const room = Effect.async<void>((resume) => {
      const stop = Peers.waitForRoom(peer, () => resume(Effect.void))
      return Effect.sync(stop)
    })
    return {
      receive: (text) =>
        alone.withPermits(1)(
          Effect.suspend(() => (peer.isOver ? Effect.void : Effect.andThen(room, receive(served, text))))
        ),
      messages: Stream.ensuring(Stream.repeatEffectOption(next(peer)), release)
    }
  })
