/** The supervisor of an actor: awaits its worker, replaces it, and ends the actor. */
import { type Cause, Deferred, Effect, Exit, Fiber, FiberId, Option } from "effect"
import { alarm } from "./alarm.js"
import * as Batches from "./batches.js"
import {
  type Engine,
  endStep,
  phaseChanged,
  publish,
  type Request,
  runBackgroundWork,
  signal,
  stoppedError
} from "./engine.js"
import * as Intake from "./intake.js"
import * as Mailbox from "./mailbox.js"
import type { Leftover } from "./options.js"
import { watchdog } from "./watchdog.js"
import { work } from "./worker.js"

const hasEnded = <R, I>(engine: Engine<R, I>): boolean => engine.phase === "Closed"

type Ended = Exit.Exit<void, unknown> | "Busy"

const runWorker = <R, I>(engine: Engine<R, I>): Effect.Effect<Ended> =>
  Effect.flatMap(Effect.forkDaemon(work(engine)), (worker) =>
    Effect.async<Ended>((resume) => {
      engine.worker = worker
      engine.leaveWorkerBehind = () => resume(Effect.succeed("Busy"))
      worker.addObserver((exit) => resume(Effect.succeed(exit)))
    })
  )

const stepInterrupted = <R, I>(engine: Engine<R, I>): void => {
  const why = engine.interruption
  engine.interruption = undefined
  if (engine.step === 0 || why === undefined) return
  endStep(engine)
  const { batches, request } = engine
  engine.request = undefined
  if (request !== undefined) request.stopped(why)
  else if (batches.current !== undefined && why === "Timeout") engine.behavior.onTimeout(batches.current)
}

const stopRequests = <R, I>(engine: Engine<R, I>): void => {
  const running = engine.request
  engine.request = undefined
  running?.stopped("Stopped")
  // The mailbox holds what `post` was given: requests of this engine.
  const queued: ReadonlyArray<unknown> = Mailbox.drainRequests(engine.intake.mailbox)
  engine.intake.inSlices(queued as ReadonlyArray<Request<R>>, (request) => request.stopped("Stopped"))
}

/** Accepts nothing more; what waits for an answer, for room or for the resource gets the reason. */
const stop = <R, I>(engine: Engine<R, I>): void => {
  Intake.shut(engine.intake)
  stopRequests(engine)
  Deferred.unsafeDone(engine.acquired, Exit.fail(stoppedError(engine)))
}

const fail = <R, I>(engine: Engine<R, I>, cause: Cause.Cause<unknown>): void => {
  endStep(engine)
  engine.phase = "Failed"
  engine.cause = cause
  stop(engine)
  phaseChanged(engine)
}

/** Ends the actor, and takes what is left, however much it is. */
const close = <R, I>(engine: Engine<R, I>, busy: boolean): Leftover<R, I> => {
  endStep(engine)
  engine.phase = "Closed"
  stop(engine)
  return {
    resource: Option.fromNullable(engine.resource),
    current: engine.batches.current?.items ?? [],
    queued: Batches.takeAll(engine.batches),
    busy,
    cause: Option.fromNullable(engine.cause)
  }
}

/** Accepts nothing more, finishes what was accepted, then ends. */
export const requestClose = <R, I>(engine: Engine<R, I>): void => {
  if (engine.closing) return
  engine.closing = true
  Intake.shut(engine.intake)
  Deferred.unsafeDone(engine.closeRequested, Effect.void)
  publish(engine)
  signal(engine)
}

/** How long an interrupted step may take to end before it is left behind, in milliseconds. */
const graceMillis = 50

/** Ends the actor now: the step under way is interrupted, and left behind when it ignores that. */
export const forceClose = <R, I>(engine: Engine<R, I>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (engine.phase === "Closed" || engine.phase === "Failed") return Effect.void
    engine.phase = "Closed"
    engine.worker?.unsafeInterruptAsFork(FiberId.none)
    return Effect.andThen(
      Effect.sleep(graceMillis),
      Effect.sync(() => engine.leaveWorkerBehind?.())
    )
  })

/**
 * Runs the actor to its end. Ends only after `requestClose`. What is left is taken and accounted for, by `report`, in one
 * synchronous piece.
 */
export const supervise = <R, I, A>(
  engine: Engine<R, I>,
  report: (leftover: Leftover<R, I>) => A
): Effect.Effect<A> =>
  Effect.gen(function* () {
    const watch = yield* Effect.forkDaemon(Effect.interruptible(watchdog(engine)))
    const clock =
      engine.intake.linger.millis > 0
        ? yield* Effect.forkDaemon(Effect.interruptible(alarm(engine)))
        : undefined
    let busy = false
    while (!hasEnded(engine)) {
      const ended = yield* runWorker(engine)
      if (ended === "Busy" || hasEnded(engine)) busy = ended === "Busy"
      // A step that was interrupted from here has not failed, whatever its finalizers did.
      else if (Exit.isFailure(ended) && engine.interruption === undefined) {
        fail(engine, ended.cause)
        yield* Deferred.await(engine.closeRequested)
        break
      } else stepInterrupted(engine)
    }
    const reported = report(close(engine, busy))
    yield* runBackgroundWork(engine)
    yield* Fiber.interruptFork(watch)
    if (clock !== undefined) yield* Fiber.interruptFork(clock)
    return reported
  })
