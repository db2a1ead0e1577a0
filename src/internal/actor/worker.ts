/** The worker of an actor: the loop that runs one step after the other. */
import { Deferred, Effect, Exit } from "effect"
import * as Batches from "./batches.js"
import {
  batchIsReady,
  beginBatch,
  beginStep,
  type Engine,
  endStep,
  phaseChanged,
  type Request,
  signal
} from "./engine.js"
import * as Mailbox from "./mailbox.js"

/** The most items of one batch: the smaller of what the settings and the resource allow. */
const maxBatchSizeOf = <R, I>({ behavior }: Engine<R, I>, resource: R): number => {
  const { maxBatchSize, resourceMaxBatchSize } = behavior
  const most = resourceMaxBatchSize(resource)
  return most !== undefined && Number.isSafeInteger(most) && most > 0
    ? Math.min(most, maxBatchSize)
    : maxBatchSize
}

const acquireStep = <R, I>(engine: Engine<R, I>): Effect.Effect<void, unknown> => {
  const step = beginStep(engine, Number.POSITIVE_INFINITY)
  return Effect.map(engine.behavior.acquire, (resource) => {
    if (engine.step !== step || engine.phase !== "Starting") return
    endStep(engine)
    engine.resource = resource
    engine.phase = "Running"
    engine.intake.mailbox.limit = maxBatchSizeOf(engine, resource)
    Deferred.unsafeDone(engine.acquired, Exit.void)
    phaseChanged(engine)
  })
}

const batchStep = <R, I>(
  engine: Engine<R, I>,
  batch: Mailbox.Batch<I>
): Effect.Effect<boolean | void, unknown> => {
  engine.batchStep = beginStep(engine, engine.behavior.limit(batch))
  return engine.behavior.onBatch(engine.resource as R, batch)
}

/** Runs after every step. Acquisitions and requests have ended themselves by then: only a batch is left to end. */
const stepEnded = <R, I>(engine: Engine<R, I>, finished: boolean | void): void => {
  if (engine.step === 0 || engine.step !== engine.batchStep) return
  endStep(engine)
  if (finished === false) return
  Batches.finish(engine.batches)
  engine.turnIsOver = false
}

const requestStep = <R, I>(engine: Engine<R, I>, request: Request<R>): Effect.Effect<void> => {
  if (request.cancelled) return Effect.void
  engine.request = request
  const step = beginStep(engine, request.limit)
  return Effect.map(request.run(engine.resource as R), () => {
    if (engine.step !== step) return
    endStep(engine)
    engine.request = undefined
  })
}

/**
 * Waits for the end of a turn in which there is work. Every batch waits here once: the requests of one turn share a
 * batch, and a storage that answers at once does not keep the event loop from all other work.
 */
const idle = <R, I>(engine: Engine<R, I>): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    engine.turnIsOver = true
    engine.wakeWorker = resume
    if (engine.intake.mailbox.head !== undefined || Batches.hasReady(engine.batches) || engine.closing)
      signal(engine)
  })

const lingerStep = <R, I>(engine: Engine<R, I>, millis: number): Effect.Effect<void> =>
  Effect.raceFirst(
    Effect.sleep(millis),
    Effect.async<void>((resume) => {
      engine.endLinger = () => resume(Effect.void)
      // What ends it may have happened before this fiber began.
      if (lingerLeft(engine) <= 0) resume(Effect.void)
    })
  ).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        engine.endLinger = undefined
      })
    )
  )

const lingerLeft = <R, I>(engine: Engine<R, I>): number =>
  engine.closing || engine.lingerIsOver || batchIsReady(engine)
    ? 0
    : (Mailbox.oldestAt(engine.intake.mailbox) ?? 0) + engine.behavior.linger - engine.intake.monotonic()

const nextStep = <R, I>(
  engine: Engine<R, I>,
  idle: Effect.Effect<void>
): Effect.Effect<boolean | void, unknown> => {
  // The interruption of a step that ended in the same moment is still on its way: it must not meet the next step.
  if (engine.interruption !== undefined) return Effect.never
  if (engine.phase === "Starting") return acquireStep(engine)
  const { batches, intake } = engine
  if (batches.current !== undefined) return batchStep(engine, batches.current)
  const { mailbox } = intake
  const isReady = Batches.hasReady(batches)
  if (mailbox.head === undefined && !isReady) {
    if (!engine.closing) return idle
    engine.phase = "Closed"
    return Effect.void
  }
  if (!isReady) {
    const request = Mailbox.shiftRequest(mailbox) as Request<R> | undefined
    if (request !== undefined) return requestStep(engine, request)
    const left = engine.behavior.linger > 0 ? lingerLeft(engine) : 0
    if (left > 0) return lingerStep(engine, left)
  }
  if (!engine.turnIsOver) return idle
  const batch = beginBatch(engine)
  return batch === undefined ? Effect.void : batchStep(engine, batch)
}

/** Runs the steps until the actor is closed. A failure ends it; so does an interruption. */
export const work = <R, I>(engine: Engine<R, I>): Effect.Effect<void, unknown> => {
  const rest = idle(engine)
  return Effect.interruptible(
    Effect.whileLoop({
      while: () => engine.phase !== "Closed",
      body: () => nextStep(engine, rest),
      step: (finished) => stepEnded(engine, finished)
    })
  )
}
