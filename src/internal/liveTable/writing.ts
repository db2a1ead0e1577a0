/**
 * Writes: one actor takes them in order, and does neighbours by one call of the master. All that an outcome changes in
 * the memory is done before its writer gets the reply. No failure of the master ends the actor.
 */
import { Cause, type Clock, Effect, Exit, Option } from "effect"
import type * as Actor from "../../Actor.js"
import type { WriteResult } from "../../Table.js"
import * as Cells from "../cache/cells.js"
import { type CheckedWrite, idOfWrite } from "../columns/checkWrite.js"
import { runsOf } from "../columns/writeRuns.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import { isError } from "../realms.js"
import { monotonicMillis } from "../time.js"
import type { UnsavedWrite } from "./closeReport.js"
import type { Core } from "./core.js"
import { WriteFailed } from "./errors.js"
import { batchOf, noteSettled, type OwnCalls } from "./events.js"
import { forWriter, type Outcome, outcomeOf, settleCall } from "./outcomes.js"
import type { Traced } from "./spans.js"
import type { Counters } from "./stats.js"

/** One write in the queue. */
export interface Job<D extends AnyDefinition> {
  readonly write: Write<D>
  /** Runs in the step in which the outcome changes the memory. */
  readonly onOutcome: (outcome: Outcome<D>) => void
  readonly reply: (outcome: Outcome<D>) => void
}

export const makeJob = <D extends AnyDefinition>(
  write: Write<D>,
  reply: Job<D>["reply"],
  onOutcome: Job<D>["onOutcome"] = () => undefined
): Job<D> => ({ write, reply, onOutcome })

export interface Writing<D extends AnyDefinition> {
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly writeTimeout: number
  readonly own: OwnCalls
  readonly state: State<D>
  readonly traced: Traced
  /** A call of the master was settled. */
  readonly onSettled: () => void
}

/** Only this file writes it. */
interface State<D extends AnyDefinition> {
  calls: number
  /** Calls of the master that have not ended, also those that were given up. */
  running: number
  /** The writes that have no outcome yet, in order. */
  readonly open: Set<Job<D>>
  /** The writes that were given back, for the report. */
  readonly unsaved: Array<UnsavedWrite<D>>
}

export const makeState = <D extends AnyDefinition>(): State<D> => ({
  calls: 0,
  running: 0,
  open: new Set(),
  unsaved: []
})

/** Whether a call was not settled yet. Calls are settled in their order. */
export const isWriting = <D extends AnyDefinition>({
  own,
  state
}: Pick<Writing<D>, "own" | "state">): boolean => state.calls > own.settledUpTo

/** Why a write failed as a whole call did. */
const failureOf = (exit: Exit.Exit<unknown, unknown>, millis: number): WriteFailed => {
  if (Exit.isSuccess(exit)) {
    return new WriteFailed({
      reason: "TimedOut",
      outcome: "Unknown",
      message: `the master did not answer within ${millis} ms: the write may be done later`
    })
  }
  const cause = Cause.squash(exit.cause)
  const interrupted = Cause.isInterruptedOnly(exit.cause)
  return new WriteFailed({
    reason: interrupted ? "Closed" : "Master",
    outcome: "Unknown",
    message: interrupted
      ? "the live table was closed while the write was running: it may be done"
      : `the master failed: ${isError(cause) ? cause.message : String(cause)}`,
    cause
  })
}

interface Checked<D extends AnyDefinition> {
  readonly job: Job<D>
  readonly write: CheckedWrite
}

const finish = <D extends AnyDefinition>(
  { counters, state }: Writing<D>,
  job: Job<D>,
  outcome: Outcome<D>
): void => {
  state.open.delete(job)
  counters.pending = state.open.size
  if (outcome._tag === "WriteFailed" && (outcome.reason === "Closed" || outcome.reason === "Failed")) {
    state.unsaved.push({ write: job.write, outcome: outcome.outcome })
  }
  if (outcome._tag === "WriteRefused") counters.writesRefused++
  if (outcome._tag === "WriteFailed") counters.writesFailed++
  job.reply(outcome)
}

/** Settles one call: the memory first, then staged writes, then the replies. */
const settle = <D extends AnyDefinition>(
  writing: Writing<D>,
  core: Core<D>,
  run: ReadonlyArray<Checked<D>>,
  outcomes: ReadonlyArray<Outcome<D>>,
  call: { readonly number: number; readonly begun: number; readonly askedAt: number }
): void => {
  const { clock, onSettled, own } = writing
  const { master, target } = core
  const now = monotonicMillis(clock)
  const batch = batchOf(own, call.number)
  const writes = run.map(({ write }) => write)
  settleCall(
    core,
    { ...call, batch, now, toTarget: target !== master },
    writes,
    outcomes,
    master.definition.id
  )
  for (const [index, { job }] of run.entries()) job.onOutcome(outcomes[index]!)
  const isUnknown = (outcome: Outcome<D>) => outcome._tag === "WriteFailed" && outcome.outcome === "Unknown"
  noteSettled(own, call.number, outcomes.some(isUnknown))
  onSettled()
  for (const [index, { job }] of run.entries()) {
    finish(writing, job, forWriter(core.c.sharing, outcomes[index]!))
  }
}

/** What became of the writes of a call, for its span: the call itself succeeds. */
const countsOf = <D extends AnyDefinition>(
  count: number,
  results: ReadonlyArray<WriteResult<D>> | undefined
): Readonly<Record<string, number>> => ({
  "liveTable.refused": results?.filter(({ _tag }) => _tag === "WriteRefused").length ?? 0,
  "liveTable.failed": results?.filter(({ _tag }) => _tag === "StorageError").length ?? count
})

/** Does one run of writes by one call of the target. If it is interrupted, its outcomes are settled as unknown. */
const doRun = <D extends AnyDefinition>(
  writing: Writing<D>,
  core: Core<D>,
  run: ReadonlyArray<Checked<D>>
): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      const { clock, counters, own, state, traced, writeTimeout } = writing
      const begun = Cells.nextStamp(core.c.cells)
      const askedAt = monotonicMillis(clock)
      const number = ++state.calls
      counters.writeCalls++
      state.running++
      // A checked write is a write of this table.
      const writes = run.map(({ write }) => write as unknown as Write<D>)
      const call = Effect.ensuring(
        Effect.suspend(() => core.target.write(writes, batchOf(own, number))),
        Effect.sync(() => state.running--)
      )
      // A master that ignores its interruption is left behind.
      const limited = Effect.tap(
        Effect.timeoutOption(Effect.disconnect(Effect.interruptible(call)), writeTimeout),
        (results) => Effect.annotateCurrentSpan(countsOf(run.length, Option.getOrUndefined(results)))
      )
      return Effect.flatMap(Effect.exit(restore(traced("write", run.length, limited))), (exit) => {
        const results = Exit.isSuccess(exit) ? Option.getOrUndefined(exit.value) : undefined
        const outcomes = run.map((_, index): Outcome<D> => {
          const result = results?.[index]
          return result === undefined ? failureOf(exit, writeTimeout) : outcomeOf(result)
        })
        settle(writing, core, run, outcomes, { number, begun, askedAt })
        return Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause) ? Effect.interrupt : Effect.void
      })
    })
  )

/** Handles a batch of the queue. It never fails. */
export const handleBatch = <D extends AnyDefinition>(
  writing: Writing<D>,
  core: Core<D>,
  jobs: ReadonlyArray<Job<D>>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const checked: Array<Checked<D>> = []
    for (const job of jobs) {
      const write = core.checkWrite(job.write)
      if (write._tag !== "WriteRefused") checked.push({ job, write })
      else {
        job.onOutcome(write)
        finish(writing, job, write)
      }
    }
    const { id } = core.master.definition
    const runs = runsOf(checked, core.target.maxBatch, ({ write }) => idOfWrite(id, write))
    return Effect.forEach(runs, (run) => doRun(writing, core, run), { discard: true })
  })

/** Gives every write that has no outcome this one: the actor has ended. */
export const giveBack = <D extends AnyDefinition>(writing: Writing<D>, failed: WriteFailed): void => {
  for (const job of [...writing.state.open]) {
    job.onOutcome(failed)
    finish(writing, job, failed)
  }
}

/** So many writes wait; beyond it, writers wait. */
const maxQueued = 256

export const bound = { count: maxQueued, overflow: "suspend" } as const

/** Notes that a write was accepted. */
const accept = <D extends AnyDefinition>({ counters, state }: Writing<D>, job: Job<D>): void => {
  state.open.add(job)
  counters.writes++
  counters.pending = state.open.size
}

/**
 * Makes how a write is queued. It calls `placed` when the write is queued, at once or when there is room, or with why it
 * is not; and returns how to give up waiting for room, which answers whether the write was not queued.
 */
export const queue =
  <D extends AnyDefinition, Report>(
    writing: Writing<D>,
    actor: Actor.Actor<Core<D>, Job<D>, Report>,
    write: Write<D>,
    stopped: () => WriteFailed
  ) =>
  (
    onOutcome: Job<D>["onOutcome"],
    placed: (refused: WriteFailed | undefined) => void,
    reply: Job<D>["reply"] = () => undefined
  ): (() => boolean) => {
    const job = makeJob(write, reply, onOutcome)
    const state = { waits: true }
    const cancel = actor.unsafeOfferAll([job], (place) => {
      state.waits = false
      if (place === undefined) return placed(stopped())
      accept(writing, job)
      placed(undefined)
    })
    return () => {
      cancel()
      return state.waits
    }
  }

/** Queues a write, waits for room, and then for its outcome. Interrupting the caller after queueing undoes nothing. */
export const enqueue = <D extends AnyDefinition, Report>(
  writing: Writing<D>,
  actor: Actor.Actor<Core<D>, Job<D>, Report>,
  write: Write<D>,
  stopped: () => WriteFailed
): Effect.Effect<Outcome<D>> =>
  Effect.async((resume) => {
    const placed = (refused: WriteFailed | undefined) => {
      if (refused !== undefined) resume(Effect.succeed(refused))
    }
    const cancel = queue(
      writing,
      actor,
      write,
      stopped
    )(
      () => undefined,
      placed,
      (outcome) => resume(Effect.succeed(outcome))
    )
    return Effect.sync(cancel)
  })

/** Queues a write without waiting; `false`: there is no room, or the actor takes none any more. */
export const unsafeEnqueue = <D extends AnyDefinition, Report>(
  writing: Writing<D>,
  actor: Actor.Actor<Core<D>, Job<D>, Report>,
  job: Job<D>
): boolean => {
  const accepted = actor.unsafeOffer(job)
  if (accepted) accept(writing, job)
  return accepted
}
