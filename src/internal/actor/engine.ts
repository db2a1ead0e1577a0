/**
 * The state of an actor's runtime, and the synchronous moves on it.
 *
 * Three fibers serve one actor, and an alarm where batches linger (`alarm.ts`). The *worker* runs the steps: acquire, a batch, a request. The *supervisor* awaits
 * the worker: it starts a new one when a step was interrupted, and ends the actor otherwise. The *watchdog* sleeps
 * until a step outlives its event-loop turn. Then it looks after the time limits once a second or sooner, until
 * there are no steps any more. So no step costs a fiber, a timer or a race, and still each can be interrupted on its
 * own.
 *
 * Invariant: between two steps all state is in `Engine`, so a new worker goes on where the old one was stopped.
 * State changes with the answer of a step in one synchronous piece: no interruption can happen in between.
 */
import { Cause, type Clock, Deferred, Effect, type Fiber, FiberId } from "effect"
import { inSlices } from "../slices.js"
import { monotonicMillis } from "../time.js"
import { CurrentTurn, type Turn } from "../turn.js"
import * as Batches from "./batches.js"
import { ActorStopped } from "./errors.js"
import * as Intake from "./intake.js"
import * as Linger from "./linger.js"
import * as Mailbox from "./mailbox.js"
import type { Settings } from "./options.js"
import * as Status from "./status.js"

/** Why a step was interrupted from outside. */
export type Interruption = "Timeout" | "Cancelled"

/** A request with what the engine must know of it. */
export interface Request<Resource> extends Mailbox.Request<Resource> {
  readonly run: (resource: Resource) => Effect.Effect<void>
  /** Milliseconds that it may take. */
  readonly limit: number
  /** Reports to its caller that it was interrupted, or that the actor stopped before it ran. Called at most once. */
  readonly stopped: (why: Interruption | "Stopped") => void
}

/** What an actor does: its maker's settings, of which the acquisition has its scope and needs nothing any more. */
export interface Behavior<Resource, Item>
  extends Omit<Settings<Resource, Item, never, never>, "report" | "closeDeadline" | "onScopeClosed"> {}

export interface Engine<Resource, Item> extends Status.Life {
  readonly behavior: Behavior<Resource, Item>
  readonly intake: Intake.Intake<Item>
  readonly batches: Batches.Batches<Item>
  readonly statuses: Status.Statuses
  readonly turn: Turn
  readonly clock: Clock.Clock
  phase: Status.Phase
  closing: boolean
  resource: Resource | undefined
  cause: Cause.Cause<unknown> | undefined
  outage: Status.Outage | undefined
  /** The request that is being handled. */
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
  /** The watchdog looks after the steps: it needs no waking. */
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
  /** Each resumes the fiber that sleeps, and is absent while it does not. */
  wakeWorker: ((go: Effect.Effect<void>) => void) | undefined
  wakeWatchdog: (() => void) | undefined
  wakeAlarm: (() => void) | undefined
  /** When the linger of the next batch ends, in milliseconds that only grow; none while no batch lingers. */
  ringsAt: number | undefined
  leaveWorkerBehind: (() => void) | undefined
  readonly closeRequested: Deferred.Deferred<void>
  readonly acquired: Deferred.Deferred<void, ActorStopped>
}

/** Makes the engine of an actor that has not started. */
export const make = <Resource, Item>(
  behavior: Behavior<Resource, Item>
): Effect.Effect<Engine<Resource, Item>> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const turn = yield* CurrentTurn
    const intake = Intake.make<Item>({
      limit: behavior.maxBatchSize,
      bound: behavior.bound,
      linger: Linger.make(behavior.linger),
      now: () => clock.unsafeCurrentTimeMillis(),
      monotonic: () => monotonicMillis(clock),
      inSlices: inSlices(turn, clock),
      events: {
        work: () => signal(engine),
        crowded: () => hurry(engine),
        dropped: behavior.onDropped,
        refused: () => {
          if (engine.step === 0) behavior.onRefused()
        },
        gapOpened: (reason) => warn(engine, `the bound is reached, records are being dropped (${reason})`),
        grown: (pending) => warn(engine, `${pending} records are pending`)
      }
    })
    const engine: Engine<Resource, Item> = {
      behavior,
      intake,
      batches: Batches.make(intake),
      statuses: Status.make(),
      turn,
      clock,
      phase: "Starting",
      closing: false,
      resource: undefined,
      cause: undefined,
      outage: undefined,
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
      wakeAlarm: undefined,
      ringsAt: undefined,
      leaveWorkerBehind: undefined,
      closeRequested: yield* Deferred.make<void>(),
      acquired: yield* Deferred.make<void, ActorStopped>()
    }
    return engine
  })

const warn = <R, I>(engine: Engine<R, I>, message: string): void =>
  runInBackground(engine, Effect.logWarning(`${engine.behavior.name}: ${message}`))

/** Publishes the present status. */
export const publish = <R, I>(engine: Engine<R, I>): void =>
  Status.publish(engine.statuses, Status.statusOf(engine))

/** Publishes a change of the phase: what kept the actor from its resource is over. */
export const phaseChanged = <R, I>(engine: Engine<R, I>): void => {
  engine.outage = undefined
  if (engine.phase === "Failed") engine.behavior.onFailed(engine.cause ?? Cause.empty)
  publish(engine)
}

const stopped = {
  Closed: "is closed: make another one",
  Failed: "has failed for good, see the cause: mend what it names, and make another one"
}

/** The error of a request that is answered no more. */
export const stoppedError = <R, I>({ behavior, cause = Cause.empty, phase }: Engine<R, I>): ActorStopped => {
  const reason = phase === "Failed" ? "Failed" : "Closed"
  return new ActorStopped({ reason, message: `${behavior.name} ${stopped[reason]}`, cause })
}

/** Resumes the worker that waits for work, or for more of it. */
export const resumeWorker = <R, I>(engine: Engine<R, I>): void => {
  engine.wakeScheduled = false
  engine.ringsAt = undefined
  const wake = engine.wakeWorker
  engine.wakeWorker = undefined
  wake?.(Effect.void)
}

/** Signals that there is work: the worker starts at the end of the turn. A lingering worker looks how long still. */
export const signal = <R, I>(engine: Engine<R, I>): void => {
  if (engine.wakeWorker !== undefined) {
    if (engine.wakeScheduled) return
    engine.wakeScheduled = true
    engine.turn.schedule(engine.wakeAtEndOfTurn)
  } else if (mayPrepare(engine)) scheduleCheck(engine)
}

/** What is queued now lingers no longer. */
export const hurry = <R, I>(engine: Engine<R, I>): void => {
  const { linger, mailbox } = engine.intake
  linger.urgentBefore = mailbox.next
  if (engine.ringsAt !== undefined) signal(engine)
}

/** Queues a request. */
export const post = <R, I>(engine: Engine<R, I>, request: Request<R>): void => {
  Mailbox.post(engine.intake.mailbox, request)
  signal(engine)
}

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

const mayPrepare = <R, I>({ batches, behavior, step }: Engine<R, I>): boolean =>
  behavior.prepare !== undefined && step !== 0 && Batches.mayPrepare(batches)

const prepareNext = <R, I>(engine: Engine<R, I>): void => {
  if (!mayPrepare(engine)) return
  const batch = Batches.takePrepared(engine.batches)
  if (batch === undefined) return
  try {
    // A batch is prepared while another one is out: the resource is there.
    engine.behavior.prepare?.(engine.resource as R, batch)
  } catch {
    // It runs in no fiber that could fail. What is wrong with the batch shows when the batch is handled.
  }
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
