/**
 * The state of an actor's runtime, and the synchronous moves on it.
 *
 * Three fibers serve one actor. The *worker* runs the steps: acquire, a batch, a request. The *supervisor* awaits
 * the worker: it starts a new one when a step was interrupted, and ends the actor otherwise. The *watchdog* sleeps
 * until a step outlives its event-loop turn, and then looks after the time limits once a second or sooner, until
 * there are no steps any more. So no step costs a fiber, a timer or a race, and still each can be interrupted on its
 * own.
 *
 * Invariant: between two steps all state stands in `Engine`, so a new worker goes on where the old one was stopped.
 * State changes with the answer of a step in one synchronous piece: no interruption can come in between.
 */
import { type Cause, type Clock, type Deferred, Effect, type Fiber, FiberId } from "effect"
import type { Turn } from "../turn.js"
import * as Intake from "./intake.js"
import * as Mailbox from "./mailbox.js"

/** Why a step was interrupted from outside. */
export type Interruption = "Timeout" | "Cancelled"

/** A request with what the engine must know of it. */
export interface Request<Resource> extends Mailbox.Request<Resource> {
  readonly run: (resource: Resource) => Effect.Effect<void>
  /** Milliseconds that it may take. */
  readonly limit: number
  /** It was interrupted, or the actor stopped before it ran: its caller must be told. Called at most once. */
  readonly stopped: (why: Interruption | "Stopped") => void
}

/** What an actor does, told by its maker. */
export interface Behavior<Resource, Item> {
  readonly acquire: Effect.Effect<Resource, unknown>
  /** `false`: not finished, call again with the same batch. A failure stops the actor for good. */
  readonly onBatch: (resource: Resource, batch: Mailbox.Batch<Item>) => Effect.Effect<boolean | void, unknown>
  /** A head start for the batch after the present one. */
  readonly prepare: ((resource: Resource, batch: Mailbox.Batch<Item>) => void) | undefined
  readonly maxBatchSize: (resource: Resource) => number
  /** Milliseconds that one call of `onBatch` may take. */
  readonly limit: (batch: Mailbox.Batch<Item>) => number
  /** A call of `onBatch` took too long: it has been interrupted and has ended. It is called again next. */
  readonly onTimeout: (batch: Mailbox.Batch<Item>) => void
  /** The phase has changed. */
  readonly onPhase: () => void
  /** It takes nothing more, and finishes what it has. */
  readonly onClosing: () => void
  /** About once a second while there is work. */
  readonly onTick: () => void
}

/** What is left when an actor has ended. */
export interface Rest<Resource, Item> {
  readonly resource: Resource | undefined
  /** The batch that was being handled. */
  readonly current: Mailbox.Batch<Item> | undefined
  /** Items that no step has seen. */
  readonly queued: ReadonlyArray<Item>
  /** A step ignored its interruption and may still be running. */
  readonly busy: boolean
  readonly cause: Cause.Cause<unknown> | undefined
}

export type Phase = "Starting" | "Running" | "Failed" | "Closed"

export interface Engine<Resource, Item> {
  readonly intake: Intake.Intake<Item>
  readonly behavior: Behavior<Resource, Item>
  readonly turn: Turn
  /** Milliseconds that only grow, for durations. */
  readonly monotonic: () => number
  readonly clock: Clock.Clock
  /** Milliseconds to wait for more items before a batch is taken. */
  readonly linger: number
  phase: Phase
  closing: boolean
  resource: Resource | undefined
  cause: Cause.Cause<unknown> | undefined
  current: Mailbox.Batch<Item> | undefined
  prepared: Mailbox.Batch<Item> | undefined
  /** Batches of items that left the queue before: they stand before it. */
  requeued: Array<Mailbox.Batch<Item>>
  request: Request<Resource> | undefined
  /** The step under way; 0 is none. Every step has a number of its own. */
  step: number
  steps: number
  /** The last step that handled a batch. */
  batchStep: number
  /** When it began, in nanoseconds of the clock, and how many milliseconds it may take. */
  startedAt: bigint
  limit: number
  /** The shortest limit of any step until now. */
  shortestLimit: number
  /** The watchdog looks after the steps: nobody needs to wake it. */
  watched: boolean
  interruption: Interruption | undefined
  worker: Fiber.RuntimeFiber<void, unknown> | undefined
  /** The turn has ended in which the next batch began to gather. */
  turnIsOver: boolean
  wakeScheduled: boolean
  /** Made once: every turn with work schedules it. */
  readonly wakeAtEndOfTurn: () => void
  checkScheduled: boolean
  backgroundWork: Array<Effect.Effect<void>>
  /** Resume whoever sleeps, if they do. */
  wakeWorker: ((go: Effect.Effect<void>) => void) | undefined
  wakeWatchdog: (() => void) | undefined
  endLinger: (() => void) | undefined
  /** The next batch has nothing to wait for. */
  lingerIsOver: boolean
  abandonWorker: (() => void) | undefined
  readonly closeRequested: Deferred.Deferred<void>
  readonly acquired: Deferred.Deferred<void, Cause.Cause<unknown>>
}

/** The parts of an engine that its maker gives; the rest begins empty. */
export type Parts<Resource, Item> = Pick<
  Engine<Resource, Item>,
  "intake" | "behavior" | "turn" | "monotonic" | "clock" | "linger" | "closeRequested" | "acquired"
>

export const make = <Resource, Item>(parts: Parts<Resource, Item>): Engine<Resource, Item> => {
  const engine: Engine<Resource, Item> = {
    ...parts,
    phase: "Starting",
    closing: false,
    resource: undefined,
    cause: undefined,
    current: undefined,
    prepared: undefined,
    requeued: [],
    request: undefined,
    step: 0,
    steps: 0,
    batchStep: 0,
    startedAt: 0n,
    limit: Number.POSITIVE_INFINITY,
    shortestLimit: Number.POSITIVE_INFINITY,
    watched: false,
    interruption: undefined,
    worker: undefined,
    turnIsOver: false,
    wakeScheduled: false,
    wakeAtEndOfTurn: () => resumeWorker(engine),
    checkScheduled: false,
    backgroundWork: [],
    wakeWorker: undefined,
    wakeWatchdog: undefined,
    endLinger: undefined,
    lingerIsOver: false,
    abandonWorker: undefined
  }
  return engine
}

const resumeWorker = <R, I>(engine: Engine<R, I>): void => {
  engine.wakeScheduled = false
  const wake = engine.wakeWorker
  engine.wakeWorker = undefined
  wake?.(Effect.void)
}

/** There is something to do: the worker starts at the end of the turn. One who lingers looks how long still. */
export const signal = <R, I>(engine: Engine<R, I>): void => {
  engine.endLinger?.()
  if (engine.wakeWorker !== undefined) {
    if (engine.wakeScheduled) return
    engine.wakeScheduled = true
    engine.turn.schedule(engine.wakeAtEndOfTurn)
  } else if (mayPrepare(engine)) scheduleCheck(engine)
}

/** Waiting for more items brings nothing. */
export const stopLingering = <R, I>(engine: Engine<R, I>): void => {
  engine.lingerIsOver = true
  engine.endLinger?.()
}

/** Queues a request. */
export const post = <R, I>(engine: Engine<R, I>, request: Request<R>): void => {
  Mailbox.post(engine.intake.mailbox, request)
  signal(engine)
}

export const batchIsReady = <R, I>(engine: Engine<R, I>): boolean =>
  Mailbox.size(engine.intake.mailbox) >= engine.intake.mailbox.limit ||
  Mailbox.hasRequest(engine.intake.mailbox)

const scheduleCheck = <R, I>(engine: Engine<R, I>): void => {
  if (engine.checkScheduled) return
  engine.checkScheduled = true
  engine.turn.schedule(() => {
    engine.checkScheduled = false
    if (engine.step === 0) return
    engine.wakeWatchdog?.()
    prepareNext(engine)
  })
}

/** Queues an effect, such as a log line, that synchronous code has asked for. */
export const runInBackground = <R, I>(engine: Engine<R, I>, effect: Effect.Effect<void>): void => {
  engine.backgroundWork.push(effect)
  engine.wakeWatchdog?.()
}

/** Runs what was queued, once. A logger that throws costs its line, not the actor. */
export const runBackgroundWork = <R, I>(engine: Engine<R, I>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const work = engine.backgroundWork
    engine.backgroundWork = []
    return Effect.uninterruptible(Effect.forEach(work, Effect.exit, { discard: true }))
  })

/** Whether a full batch stands ready while another one is out. A smaller one may still grow. */
const mayPrepare = <R, I>({ behavior, current, intake, prepared, step }: Engine<R, I>): boolean =>
  behavior.prepare !== undefined &&
  step !== 0 &&
  current !== undefined &&
  prepared === undefined &&
  Mailbox.size(intake.mailbox) >= intake.mailbox.limit

const prepareNext = <R, I>(engine: Engine<R, I>): void => {
  if (!mayPrepare(engine)) return
  engine.prepared = takeBatch(engine)
  if (engine.prepared === undefined) return
  try {
    engine.behavior.prepare?.(engine.resource as R, engine.prepared)
  } catch {
    // It runs in no fiber that could fail. What is wrong with the batch shows when the batch is handled.
  }
}

export const takeBatch = <R, I>(engine: Engine<R, I>): Mailbox.Batch<I> | undefined => {
  const intake = engine.intake
  const bytes = intake.mailbox.bytes
  const batch = Mailbox.take(intake.mailbox, intake.mailbox.limit)
  if (batch === undefined) return undefined
  engine.lingerIsOver = false
  intake.inFlight += batch.items.length
  intake.inFlightBytes += bytes - intake.mailbox.bytes
  return batch
}

/** Whether a batch stands ready before the queue. */
export const hasBatchReady = <R, I>({ requeued, prepared }: Engine<R, I>): boolean =>
  prepared !== undefined || requeued.length > 0

/** The next batch: the one that was prepared, one that comes again, or one from the queue. */
export const nextBatch = <R, I>(engine: Engine<R, I>): Mailbox.Batch<I> | undefined => {
  const { prepared } = engine
  engine.prepared = undefined
  return prepared ?? engine.requeued.shift() ?? takeBatch(engine)
}

const sum = (sizes: ReadonlyArray<number> | undefined): number =>
  sizes === undefined ? 0 : sizes.reduce((total, size) => total + size, 0)

/** Takes up items again that had left the queue with an outcome. They take room, and stand before what is queued. */
export const requeue = <R, I>(
  engine: Engine<R, I>,
  items: Array<I>,
  sizes: Array<number> | undefined
): Mailbox.Batch<I> => {
  const { intake } = engine
  // They have no position in the queue any more.
  const batch = { items, sizes, first: Number.NEGATIVE_INFINITY, openedAt: engine.monotonic() }
  intake.inFlight += items.length
  intake.inFlightBytes += sum(sizes)
  engine.requeued.push(batch)
  signal(engine)
  return batch
}

/** Some items in flight have an outcome. */
export const settle = <R, I>(engine: Engine<R, I>, count: number, bytes: number): void => {
  engine.intake.inFlight -= count
  engine.intake.inFlightBytes -= bytes
  Intake.freed(engine.intake)
}

/** The present batch is finished: what of it was not settled yet is settled now. */
export const finishBatch = <R, I>(engine: Engine<R, I>): void => {
  const { requeued, intake, prepared } = engine
  engine.current = undefined
  let count = intake.inFlight - (prepared?.items.length ?? 0)
  for (const { items } of requeued) count -= items.length
  if (count === 0) return
  let bytes = intake.inFlightBytes - sum(prepared?.sizes)
  for (const { sizes } of requeued) bytes -= sum(sizes)
  settle(engine, count, bytes)
}

/** A batch takes at most about this many items more than the limit, however often it asks. */
const maxExtension = 1000

/** Takes the next items into the present batch; returns how many, and where the first of them stood. */
export const takeMore = <R, I>(engine: Engine<R, I>): { readonly count: number; readonly first: number } => {
  const { current, intake } = engine
  if (current === undefined || current.items.length >= intake.mailbox.limit + maxExtension) {
    return { count: 0, first: 0 }
  }
  const bytes = intake.mailbox.bytes
  const more = engine.prepared ?? Mailbox.takeBehind(intake.mailbox, intake.mailbox.limit)
  if (more === undefined) return { count: 0, first: 0 }
  if (engine.prepared === undefined) {
    intake.inFlight += more.items.length
    intake.inFlightBytes += bytes - intake.mailbox.bytes
  }
  engine.prepared = undefined
  Mailbox.append(current, more)
  return { count: more.items.length, first: more.first }
}

export const beginStep = <R, I>(engine: Engine<R, I>, limit: number): number => {
  engine.step = ++engine.steps
  engine.startedAt = engine.clock.unsafeCurrentTimeNanos()
  engine.limit = limit
  if (limit < engine.shortestLimit) {
    engine.shortestLimit = limit
    scheduleCheck(engine)
  } else if (!engine.watched || mayPrepare(engine)) scheduleCheck(engine)
  return engine.step
}

export const endStep = <R, I>(engine: Engine<R, I>): void => {
  engine.step = 0
}

/** Interrupts the step under way; a new worker goes on after it has ended. */
export const interruptStep = <R, I>(engine: Engine<R, I>, why: Interruption): void => {
  if (engine.step === 0 || engine.interruption !== undefined) return
  engine.interruption = why
  engine.worker?.unsafeInterruptAsFork(FiberId.none)
}
