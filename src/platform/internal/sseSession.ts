/**
 * The body of one response: takes frames from a follower only when the client has taken what was written before, so
 * that a slow client shows in the follower's buffer, and its policy acts.
 */
import { Cause, Chunk, Effect, Exit, Fiber, Option, type Scope, Stream } from "effect"
import type { Revision } from "../../internal/events.js"
import type { EventsFrame, Frame, WatchEnded } from "../../internal/frames.js"
import type { Follower } from "../../Watch.js"
import { describe } from "./faults.js"
import * as Sse from "./sse.js"
import * as Frames from "./sseFrames.js"

/** What all responses of one adapter share. */
export interface Wire<V> {
  readonly encode: Frames.Encode<V>
  readonly starts: Sse.Starts
  /** Followers share their frames: what one response has encoded, the others send as well. */
  readonly encoded: WeakMap<EventsFrame<V>, Uint8Array>
  /** In milliseconds; 0: never. */
  readonly heartbeat: number
}

/** Why a client that has come with a cursor is told a snapshot. */
export interface Lost {
  readonly from: number
  readonly reason: Frames.GapReason
}

/** A follow that has begun. */
export interface Opened<V> {
  readonly _tag: "Opened"
  readonly follower: Follower<V>
  readonly lost: Lost | undefined
}

const encoder = new TextEncoder()
const bytesOf = (text: string): Uint8Array => encoder.encode(text)
const heartbeat = bytesOf(Sse.comment)

/** A body that ends at once. */
export const ended = (
  retry: number,
  reason: Frames.EndReason,
  cursor: string | undefined
): Stream.Stream<Uint8Array> => Stream.succeed(bytesOf(Sse.retry(retry) + Frames.end(reason, cursor)))

function* encodeFrame<V>(wire: Wire<V>, frame: Frame<V>, lost: Lost | undefined): Generator<Uint8Array> {
  switch (frame._tag) {
    case "Events": {
      const bytes = wire.encoded.get(frame) ?? bytesOf(Frames.eventsOf(frame, wire.encode))
      wire.encoded.set(frame, bytes)
      yield bytes
      return
    }
    case "Snapshot":
      if (lost !== undefined) yield bytesOf(Frames.gap(lost.from, frame.revision.seq, lost.reason))
      for (const part of Frames.snapshotParts(frame, wire.encode)) yield bytesOf(part)
      return
    case "Synced":
      yield bytesOf(Frames.reached("synced", frame.revision))
      return
    case "Progress":
      yield bytesOf(Frames.reached("progress", frame.revision))
      return
    case "Gap":
      yield bytesOf(Frames.gap(frame.from, frame.to, frame.reason))
  }
}

interface Session<V> {
  readonly wire: Wire<V>
  readonly follower: Follower<V>
  readonly scope: Scope.Scope
  /** What is left of the frame that is being sent. */
  parts: Iterator<Uint8Array>
  /** The frame being sent, once a part of it is written. */
  sending: Frame<V> | undefined
  lost: Lost | undefined
  /** The id of the last event that was sent. */
  cursor: string | undefined
  /** Waits for the next frame, across heartbeats: one that is interrupted could take a frame with it. */
  taking: Fiber.RuntimeFiber<Frame<V>, WatchEnded> | undefined
  over: boolean
}

const none: Iterator<Uint8Array> = [][Symbol.iterator]()

/** A frame at the start of a log has an id that only this adapter gives out. */
const issued = <V>({ wire: { starts } }: Session<V>, frame: Frame<V>): Frame<V> =>
  frame._tag === "Gap" || frame.revision.seq !== 0
    ? frame
    : { ...frame, revision: Sse.issued(starts, frame.revision) }

const send = <V>(session: Session<V>, taken: Frame<V>): void => {
  const frame = issued(session, taken)
  session.sending = frame
  session.parts = encodeFrame(session.wire, frame, session.lost)
  if (frame._tag === "Snapshot") session.lost = undefined
}

const idOf = (frame: Frame<unknown>): Revision | undefined =>
  frame._tag === "Gap" ? undefined : frame.revision

/** The next part of the present frame, or of the next one; none when nothing waits. */
const nextPart = <V>(session: Session<V>): Uint8Array | undefined => {
  for (;;) {
    const part = session.parts.next()
    if (part.done !== true) return part.value
    const sent = session.sending === undefined ? undefined : idOf(session.sending)
    if (sent !== undefined) session.cursor = Sse.cursorOf(sent)
    session.sending = undefined
    session.parts = none
    // The fiber that waits is the one reader.
    const frame = session.taking === undefined ? session.follower.unsafePoll() : undefined
    if (frame === undefined) return undefined
    send(session, frame)
  }
}

const finish = <V>(session: Session<V>, reason: Frames.EndReason, cursor: string | undefined): Uint8Array => {
  session.over = true
  return bytesOf(Frames.end(reason, cursor))
}

/** What can be written now, about as much as a response takes at once. */
const gather = <V>(session: Session<V>): { readonly bytes: Array<Uint8Array>; readonly fault?: unknown } => {
  const bytes: Array<Uint8Array> = []
  let size = 0
  while (size < Frames.enough) {
    let part: Uint8Array | undefined
    try {
      part = nextPart(session)
    } catch (fault) {
      bytes.push(bytesOf(Frames.abandon), finish(session, "Failed", session.cursor))
      return { bytes, fault }
    }
    if (part === undefined) break
    bytes.push(part)
    size += part.length
  }
  return { bytes }
}

const written = <V>(session: Session<V>): Effect.Effect<Chunk.Chunk<Uint8Array>> =>
  Effect.suspend(() => {
    const { bytes, fault } = gather(session)
    const chunk = Effect.succeed(Chunk.unsafeFromArray(bytes))
    if (fault === undefined) return chunk
    // A value that cannot be encoded may stand in the error's message.
    return Effect.zipRight(
      Effect.logError(`a follow over HTTP has ended: encoding a value threw ${describe(fault)}`),
      chunk
    )
  })

const over = Effect.fail(Option.none())

/** Waits for a frame or for the end, and lets the client hear of it when that takes long. */
const wait = <V>(session: Session<V>): Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<never>> =>
  Effect.gen(function* () {
    session.taking ??= yield* Effect.forkIn(session.follower.take, session.scope)
    const next = Fiber.await(session.taking)
    const every = session.wire.heartbeat
    const exit = yield* every > 0 ? Effect.timeoutOption(next, every) : Effect.asSome(next)
    if (Option.isNone(exit)) return Chunk.of(heartbeat)
    session.taking = undefined
    if (Exit.isSuccess(exit.value)) {
      send(session, exit.value.value)
      return yield* written(session)
    }
    const ended = Option.getOrUndefined(Cause.failureOption(exit.value.cause))
    // The request's scope is closed: nobody is there to be told.
    if (ended === undefined) return yield* over
    if (ended.reason === "Failed") {
      yield* Effect.logError(`a follow over HTTP has ended: ${ended.message}, ${describe(ended.cause)}`)
    }
    return Chunk.of(finish(session, ended.reason, session.cursor))
  })

/** The body of a response, as long as the follower lives. The client has come with `cursor`, or with none. */
export const body = <V>(
  wire: Wire<V>,
  { follower, lost }: Opened<V>,
  scope: Scope.Scope,
  retry: number,
  cursor: string | undefined
): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    const session: Session<V> = {
      wire,
      follower,
      scope,
      // The client learns at once that it is connected.
      parts: [bytesOf(Sse.retry(retry))][Symbol.iterator](),
      sending: undefined,
      lost,
      // It is of no use when the client is told everything anew.
      cursor: lost === undefined ? cursor : undefined,
      taking: undefined,
      over: false
    }
    const pull = Effect.suspend(() => {
      if (session.over) return over
      return Effect.flatMap(written(session), (chunk) =>
        Chunk.isEmpty(chunk) ? wait(session) : Effect.succeed(chunk)
      )
    })
    return Stream.repeatEffectChunkOption(pull)
  })
