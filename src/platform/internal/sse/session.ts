/**
 * The body of one response: takes frames from a watcher only when the client has taken what was written before, so
 * that a slow client shows in the watcher's buffer, and its policy acts.
 */
import { Chunk, Duration, Effect, Option, Stream } from "effect"
import type { Revision } from "../../../internal/log/events.js"
import type { Frame, WatchEnded, Watcher } from "../../../Watch.js"
import { describe } from "../hookFaults.js"
import * as DueTimes from "./dueTimes.js"
import type { Encoding } from "./encodedFrames.js"
import * as Sse from "./encoding.js"
import * as Frames from "./frames.js"
import * as Slices from "./slices.js"
import * as Stall from "./stall.js"
import type { Values } from "./values.js"

/** What all responses of one adapter share. */
export interface Wire<V> {
  readonly values: Values<V>
  readonly encoding: Encoding<V>
  readonly starts: Sse.Starts
  readonly heartbeat: DueTimes.DueTimes
  /** Until when clients take what was written for them. */
  readonly stalls: DueTimes.DueTimes
  readonly slices: Slices.Slices
  /** Of responses that begin: most of their work follows their admission. */
  readonly admission: Slices.Slices
}

/** Why a client with a cursor gets a snapshot. */
export interface ResumeGap {
  readonly from: number
  readonly reason: Frames.GapReason
}

/** A follow that has begun. */
export interface Opened<V> {
  readonly _tag: "Opened"
  readonly watcher: Watcher<V>
  readonly resumeGap: ResumeGap | undefined
}

const encoder = new TextEncoder()
const bytesOf = (text: string): Uint8Array => encoder.encode(text)
const heartbeatBytes = bytesOf(Sse.comment)

/** A body that ends at once. */
export const ended = (
  retry: number,
  reason: Frames.EndReason,
  cursor: string | undefined
): Stream.Stream<Uint8Array> => Stream.succeed(bytesOf(Sse.retry(retry) + Frames.end(reason, cursor)))

function* encodeFrame<V>(
  wire: Wire<V>,
  frame: Frame<V>,
  resumeGap: ResumeGap | undefined
): Generator<Uint8Array> {
  switch (frame._tag) {
    case "Events":
      yield wire.encoding.events(frame)
      return
    case "Snapshot":
      if (resumeGap !== undefined)
        yield bytesOf(Frames.gap(resumeGap.from, frame.revision.seq, resumeGap.reason))
      for (const part of Frames.snapshotParts(frame, wire.values.encode, wire.encoding.entry))
        yield bytesOf(part)
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
  /** What is left of the frame that is being sent. */
  parts: Iterator<Uint8Array>
  /** The frame being sent, once a part of it is written. */
  sending: Frame<V> | undefined
  /** By which version of the rights it was judged. */
  version: number
  /** A part of it is written. */
  hasBegun: boolean
  /** The keys of snapshots that were not sent to their ends, because the rights changed. */
  unsent: Set<string> | undefined
  resumeGap: ResumeGap | undefined
  /** The id of the last event that was sent. */
  cursor: string | undefined
  readonly watcher: Watcher<V>
  /** As much was written as is at once: there may be more. */
  hasMore: boolean
  over: boolean
}

const none: Iterator<Uint8Array> = [][Symbol.iterator]()

/** A frame at the start of a log has an id that only this adapter gives out. */
const issued = <V>({ wire: { starts } }: Session<V>, frame: Frame<V>): Frame<V> =>
  frame._tag === "Gap" || frame.revision.seq !== 0
    ? frame
    : { ...frame, revision: Sse.toClient(starts, frame.revision) }

/** A snapshot does not name as deleted what an abandoned one may not have sent. */
const withoutUnsent = <V>(session: Session<V>, frame: Frame<V>): Frame<V> => {
  const { unsent } = session
  if (unsent === undefined || frame._tag !== "Snapshot") return frame
  session.unsent = undefined
  return { ...frame, deleted: frame.deleted.filter((key) => !unsent.has(key)) }
}

const send = <V>(session: Session<V>, taken: Frame<V>): void => {
  const frame = withoutUnsent(session, issued(session, taken))
  session.hasBegun = false
  session.sending = frame
  session.parts = encodeFrame(session.wire, frame, session.resumeGap)
  if (frame._tag === "Snapshot") session.resumeGap = undefined
}

const idOf = (frame: Frame<unknown>): Revision | undefined =>
  frame._tag === "Gap" ? undefined : frame.revision

/** Whether the rights have changed since the frame was taken. */
const isOutdated = <V>({ sending, version, watcher }: Session<V>): boolean =>
  sending !== undefined && watcher.unsafeVersion() !== version

/** Gives up the frame that is being sent. Returns what completes the part that is written. */
const abandon = <V>(session: Session<V>): Uint8Array | undefined => {
  const { hasBegun, sending } = session
  if (sending?._tag === "Snapshot") {
    session.unsent ??= new Set()
    for (const { key } of sending.entries) session.unsent.add(key)
  }
  session.sending = undefined
  session.parts = none
  return hasBegun ? bytesOf(Frames.abandon) : undefined
}

/** The next part of the present frame, or of the next one; none when nothing waits. */
const nextPart = <V>(session: Session<V>): Uint8Array | undefined => {
  for (;;) {
    const part = session.parts.next()
    if (part.done !== true && !isOutdated(session)) {
      session.hasBegun = true
      return part.value
    }
    const abandoned = part.done === true ? undefined : abandon(session)
    if (abandoned !== undefined) return abandoned
    const sent = session.sending === undefined ? undefined : idOf(session.sending)
    if (sent !== undefined) session.cursor = Sse.cursorOf(sent)
    session.sending = undefined
    session.parts = none
    session.version = session.watcher.unsafeVersion()
    const frame = session.watcher.unsafePoll()
    if (frame === undefined) return undefined
    send(session, frame)
  }
}

const finish = <V>(session: Session<V>, reason: Frames.EndReason, cursor: string | undefined): Uint8Array => {
  session.over = true
  return bytesOf(Frames.end(reason, cursor))
}

/** What can be written now, about as much as a response takes at once. */
const takeParts = <V>(session: Session<V>): ReadonlyArray<Uint8Array> => {
  const bytes: Array<Uint8Array> = []
  let size = 0
  while (size < Frames.chunkBytes) {
    const part = nextPart(session)
    if (part === undefined) break
    bytes.push(part)
    size += part.length
  }
  session.hasMore = size >= Frames.chunkBytes
  return bytes
}

const nextChunk = <V>(session: Session<V>): Effect.Effect<Chunk.Chunk<Uint8Array>> =>
  Effect.suspend(() => {
    const chunk = Effect.succeed(Chunk.unsafeFromArray(takeParts(session)))
    const line = session.wire.values.due()
    return line === undefined ? chunk : Effect.andThen(line, chunk)
  })

const over = Effect.fail(Option.none())

type WokenBy = "frame" | "heartbeat"

/** Waits until there is a frame or the end, or nothing was sent for too long; goes on in a slice that has time. */
const awaitWake = <V>({ watcher, wire: { heartbeat, slices } }: Session<V>): Effect.Effect<WokenBy> =>
  Effect.suspend(() => {
    let by: WokenBy | undefined
    let isAdmitted = false
    let resume = (): void => undefined
    let leave = (): void => undefined
    let stop = (): void => undefined
    const wake = (woken: WokenBy): void => {
      if (by !== undefined) return
      by = woken
      // Thousands are woken in one turn: nothing else is done before there is time.
      leave = Slices.queue(slices, () => {
        isAdmitted = true
        resume()
      })
    }
    const onDue: DueTimes.OnDue = () => {
      wake("heartbeat")
      return undefined
    }
    const waiting = Effect.async<WokenBy>((done) => {
      resume = () =>
        done(
          Effect.sync(() => {
            Slices.running(slices)
            heartbeat.due.delete(onDue)
            stop()
            return by ?? "frame"
          })
        )
      // The heartbeat may have been first.
      if (isAdmitted) resume()
      else stop = watcher.unsafeWhenReady(() => wake("frame"))
      return Effect.sync(() => {
        heartbeat.due.delete(onDue)
        stop()
        leave()
      })
    })
    return heartbeat.every > 0 ? Effect.zipRight(DueTimes.arm(heartbeat, onDue), waiting) : waiting
  })

const ending = <V>(
  session: Session<V>,
  { cause, message, reason }: WatchEnded
): Effect.Effect<Chunk.Chunk<Uint8Array>> => {
  const last = Effect.sync(() => Chunk.of(finish(session, reason, session.cursor)))
  return reason === "Failed"
    ? Effect.zipRight(Effect.logError(`a follow over HTTP has ended: ${message}, ${describe(cause)}`), last)
    : last
}

/** What comes next, or the end; after too long without either, a heartbeat. */
const next = <V>(session: Session<V>): Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<never>> =>
  Effect.flatMap(awaitWake(session), (by) =>
    Effect.flatMap(nextChunk(session), (chunk) =>
      Chunk.isEmpty(chunk) ? idle(session, by) : Effect.succeed(chunk)
    )
  )

/** There was nothing to write. */
const idle = <V>(
  session: Session<V>,
  by: WokenBy
): Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<never>> =>
  Effect.suspend(() => {
    const ended = session.watcher.unsafeEnded()
    if (ended !== undefined) return ending(session, ended)
    return by === "heartbeat" ? Effect.succeed(Chunk.of(heartbeatBytes)) : next(session)
  })

/** Ends the follow of a client that takes nothing, and its connection, which would be open for as long as it likes. */
const leave = (
  { every }: DueTimes.DueTimes,
  cancel: Effect.Effect<void>,
  disconnect: () => void
): Effect.Effect<void> =>
  Effect.logInfo(
    `a follow over HTTP is ended: its client has taken nothing for ${Duration.format(Duration.millis(every))}`
  ).pipe(Effect.andThen(cancel), Effect.andThen(Effect.sync(disconnect)))

const sizeOf = (chunk: Chunk.Chunk<Uint8Array>): number =>
  Chunk.reduce(chunk, 0, (size, part) => size + part.length)

/**
 * The body of a response, as long as the watcher lives. The client has sent `cursor`, or none; `disconnect` destroys
 * its connection.
 */
export const body = <V>(
  wire: Wire<V>,
  { watcher, resumeGap }: Opened<V>,
  retry: number,
  cursor: string | undefined,
  disconnect: () => void
): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    const session: Session<V> = {
      wire,
      watcher,
      // The client learns at once that it is connected.
      parts: [bytesOf(Sse.retry(retry))][Symbol.iterator](),
      sending: undefined,
      version: 0,
      hasBegun: false,
      unsent: undefined,
      resumeGap,
      // It is of no use when the client gets everything anew.
      cursor: resumeGap === undefined ? cursor : undefined,
      hasMore: false,
      over: false
    }
    const stall = Stall.make(wire.stalls, leave(wire.stalls, watcher.cancel, disconnect))
    const pull = Effect.suspend(() => {
      stall.taken()
      if (session.over) return over
      const more = session.hasMore
        ? Effect.zipRight(Slices.admit(wire.slices), nextChunk(session))
        : nextChunk(session)
      return Effect.flatMap(more, (chunk) => (Chunk.isEmpty(chunk) ? next(session) : Effect.succeed(chunk)))
    })
    return Stream.repeatEffectChunkOption(Effect.tap(pull, (chunk) => stall.written(sizeOf(chunk)))).pipe(
      Stream.ensuring(Effect.sync(stall.taken))
    )
  })
