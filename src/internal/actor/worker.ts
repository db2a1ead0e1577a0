/** The worker of an actor: the loop that runs one step after the other. */
import { Deferred, Effect, Exit } from "effect"
import * as Batches from "./batches.js"
import { beginStep, type Engine, endStep, phaseChanged, type Request, signal } from "./engine.js"
import * as Linger from "./linger.js"
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
    Mailbox.setLimit(engine.intake.mailbox, maxBatchSizeOf(engine, resource))
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

/** Waits for more items, until the alarm rings or what is queued waits for no more. */
const lingering = <R, I>(engine: Engine<R, I>): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    engine.turnIsOver = true
    engine.wakeWorker = resume
    // What ends it may have happened before this fiber waits.
    const end = lingerEnd(engine)
    if (end === undefined) return signal(engine)
    engine.ringsAt = end
    engine.wakeAlarm?.()
  })

/** When the linger of what is queued ends; none if it does not linger. */
const lingerEnd = <R, I>({ closing, intake }: Engine<R, I>): number | undefined => {
  const { linger, mailbox } = intake
  if (linger.millis === 0 || closing || mailbox.first < linger.urgentBefore) return undefined
  if (Mailbox.hasRequest(mailbox) || Mailbox.size(mailbox) >= Linger.enough(linger, mailbox.limit))
    return undefined
  const openedAt = Mailbox.oldestAt(mailbox) ?? 0
  const millis = Linger.millisOf(linger, openedAt)
  return millis > 0 && openedAt + millis > intake.monotonic() ? openedAt + millis : undefined
}

/** Begins the next batch, if there is one. */
const beginBatch = <R, I>(engine: Engine<R, I>): Effect.Effect<boolean | void, unknown> => {
  const batch = Batches.begin(engine.batches)
  if (batch === undefined) return Effect.void
  const step = batchStep(engine, batch)
  Linger.began(engine.intake.linger, batch.openedAt, batch.items.length, Number(engine.startedAt) / 1e6)
  return step
}

/** How the worker waits; made once. */
interface Waiting {
  readonly idle: Effect.Effect<void>
  readonly lingering: Effect.Effect<void>
}

const nextStep = <R, I>(engine: Engine<R, I>, waiting: Waiting): Effect.Effect<boolean | void, unknown> => {
  // The interruption of a step that ended in the same moment is still on its way: it must not meet the next step.
  if (engine.interruption !== undefined) return Effect.never
  if (engine.phase === "Starting") return acquireStep(engine)
  const { batches, intake } = engine
  if (batches.current !== undefined) return batchStep(engine, batches.current)
  const { mailbox } = intake
  const isReady = Batches.hasReady(batches)
  if (mailbox.head === undefined && !isReady) {
    if (!engine.closing) return waiting.idle
    engine.phase = "Closed"
    return Effect.void
  }
  if (!isReady) {
    const request = Mailbox.shiftRequest(mailbox) as Request<R> | undefined
    if (request !== undefined) return requestStep(engine, request)
    if (lingerEnd(engine) !== undefined) return waiting.lingering
  }
  return engine.turnIsOver ? beginBatch(engine) : waiting.idle
}

/** Runs the steps until the actor is closed. A failure ends it; so does an interruption. */
export const work = <R, I>(engine: Engine<R, I>): Effect.Effect<void, unknown> => {
  const waiting = { idle: idle(engine), lingering: lingering(engine) }
  return Effect.interruptible(
    Effect.whileLoop({
      while: () => engine.phase !== "Closed",
      body: () => nextStep(engine, waiting),
      step: (finished) => stepEnded(engine, finished)
    })
  )
}
