/**
 * Guards of the account, here, and those of the other parts, in `named`. Each is broken by one change of the source.
 * `find` is exactly once in `file`; `test` is the one that must fail when `replace` is there instead: its file, and its
 * own name.
 */
import { admissionMutants } from "./named/admission.js"
import { blameMutants } from "./named/blame.js"
import { cacheGuards } from "./named/cache.js"
import { catalogMutants } from "./named/catalog.js"
import { changesGuards } from "./named/changes.js"
import { datastoreMutants } from "./named/datastore.js"
import { datastoreGuards } from "./named/datastoreBehaviour.js"
import { datastoreCoreMutants } from "./named/datastoreCore.js"
import { datastoreStoredGuards } from "./named/datastoreStored.js"
import { actorGuards } from "./named/guards.actor.js"
import { recorderGuards } from "./named/guards.recorder.js"
import { watchGuards } from "./named/guards.watch.js"
import { lawsOfCallsGuards } from "./named/lawsOfCalls.js"
import { leaseGuards } from "./named/lease.js"
import { lingerGuards } from "./named/linger.js"
import { liveTableMutants } from "./named/liveTable.js"
import { liveTableBoundMutants } from "./named/liveTableBounds.js"
import { liveTableLawMutants } from "./named/liveTableLaws.js"
import { liveTableQuietMutants } from "./named/liveTableQuiet.js"
import { liveTableTargetMutants } from "./named/liveTableTarget.js"
import { liveTableTierMutants } from "./named/liveTableTier.js"
import { liveTableTrapMutants } from "./named/liveTableTraps.js"
import { mergeExchangeMutants } from "./named/mergeExchange.js"
import { mergePoolMutants } from "./named/mergePool.js"
import { mergePoolPermanentMutants } from "./named/mergePoolPermanent.js"
import { mergePoolServerMutants } from "./named/mergePoolServer.js"
import { mergePoolServingMutants } from "./named/mergePoolServing.js"
import { platformMutants } from "./named/platform.js"
import { projectionMutants } from "./named/projection.js"
import { projectionFrontierMutants } from "./named/projectionFrontier.js"
import { projectionLawMutants } from "./named/projectionLaws.js"
import { projectionLogMutants } from "./named/projectionLog.js"
import { recorderMutants } from "./named/recorder.js"
import { seriesGuards } from "./named/series.js"
import { sqlMutants } from "./named/sql.js"
import { sqlDatastoreMutants } from "./named/sqlDatastore.js"
import { sqlite } from "./named/sqlite.js"
import { sqlKeysMutants } from "./named/sqlKeys.js"
import { sqlOwnerMutants } from "./named/sqlOwner.js"
import { sqlTableMutants } from "./named/sqlTable.js"
import { syncedGuards } from "./named/synced.js"
import { tableMutants } from "./named/table.js"
import { tierMutants } from "./named/tier.js"
import { untypedGuards } from "./named/untyped.js"
import { viewGuards } from "./named/views.js"
import { watchMutants } from "./named/watch.js"

export interface NamedMutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly test: { readonly file: string; readonly name: string }
  /** What the test cannot do without: the servers and threads of the whole suite. Default: nothing. */
  readonly needs?: "servers" | undefined
}

const internal = (file: string): string => `src/internal/${file}.ts`
const recorder = (file: string, name: string) => ({ file: `test/recorder/${file}.test.ts`, name })
const actor = (file: string, name: string) => ({ file: `test/actor/${file}.test.ts`, name })
const inside = (file: string, name: string) => ({ file: `test/${file}.test.ts`, name })

/** What is handed back, and with which outcome. */
const handingBack: ReadonlyArray<NamedMutant> = [
  {
    name: "drop the hand-back of what is queued",
    file: internal("recorder/settlement"),
    find: "    for (const record of withOutcome(queued, nothing, begunAgain)) yield unsaved(record)\n",
    replace: "",
    test: recorder("saves", "HandedBack and OutcomeUnknown, when a deadline ends the close")
  },
  {
    name: "drop the hand-back of what is being saved",
    file: internal("recorder/settlement"),
    find: "    for (const record of left.records) yield unsaved(record)\n",
    replace: "",
    test: recorder("closeWithin", "interrupts one that hangs: the storage is not busy")
  },
  {
    name: "drop the hand-back of what is saved again",
    file: internal("recorder/settlement"),
    find: "    for (const entries of redriven) for (const entry of entries) yield unsaved(entry)\n",
    replace: "",
    test: inside("recorder/batchRun", "that has not begun is handed back with what was known")
  },
  {
    name: "hand back twice what is saved again",
    file: internal("recorder/settlement"),
    find: "withOutcome(queued, nothing, begunAgain)",
    replace: "withOutcome(queued, nothing)",
    test: inside("recorder/batchRun", "that has not begun is handed back with what was known")
  },
  {
    name: "drop the hand-back of a prepared batch",
    file: internal("actor/batches"),
    find: "prepared === undefined ? requeued : [...requeued, prepared]",
    replace: "requeued",
    test: actor("actor", "is handed back in its place when the actor must end")
  },
  {
    name: "hand back uncounted",
    file: internal("recorder/settlement"),
    find: "  account.handedBack += count\n",
    replace: "",
    test: recorder("closeWithin", "of 0 hands back what is not written, at once")
  },
  {
    name: "drop the hand-back of what no sink took",
    file: internal("recorder/settlement"),
    find: "    yield* sinkFailed\n",
    replace: "",
    test: recorder(
      "deadLetters",
      "one that hangs is interrupted after saveTimeout, 3 times, and never runs twice at once"
    )
  },
  {
    name: "report of a save under way that nothing of it is stored",
    file: internal("recorder/settlement"),
    find: 'index < saving.to ? "Unknown"',
    replace: 'index < saving.to ? "NotStored"',
    test: recorder("closeWithin", "interrupts one that hangs: the storage is not busy")
  },
  {
    name: "report of a save under way, of a part of its batch, that nothing of it is stored",
    file: internal("recorder/batchRun"),
    find: 'outcome: inFlight ? "Unknown"',
    replace: 'outcome: inFlight ? "NotStored"',
    test: recorder("closeWithin", "knows of a half that was not tried again that it is not stored")
  },
  {
    name: "forget that an attempt had an unknown outcome",
    file: internal("recorder/bisection"),
    find: 'if (outcome === "Unknown") markUnknown(bisection, from, to)',
    replace: "",
    test: recorder("closeWithin", "a record known to have an unknown outcome keeps it through later failures")
  },
  {
    name: "forget in a redrive that an outcome is unknown",
    file: internal("recorder/settlement"),
    find: 'if (outcome === "Unknown") Bisection.markUnknown(bisection, index, index + 1)',
    replace: "",
    test: inside(
      "recorder/batchRun",
      "keeps what was known of the outcome, and its records are dropped by no policy"
    )
  },
  {
    name: "hand the storage back still waiting for a save that never ends",
    file: internal("actor/supervisor"),
    find: "Effect.sync(() => engine.leaveWorkerBehind?.())",
    replace: "Effect.void",
    test: recorder(
      "closeWithin",
      "abandons a save that ignores its interruption within 100 ms, and reports storageBusy"
    )
  },
  {
    name: "let a deadline go with its closer",
    file: internal("actor/lifetime"),
    find: ".pipe(Effect.interruptible, Effect.forkDaemon, Effect.zipRight(report))",
    replace: ".pipe(Effect.interruptible, Effect.zipRight(report))",
    test: recorder("closeWithin", "interrupting its closer abandons only the wait: the deadline holds")
  },
  {
    name: "release the storage before the drain",
    file: "src/Actor.ts",
    find: "yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)",
    replace: "yield* Effect.scope",
    test: recorder("close", "lives until the caller's scope ends, also one that was acquired late")
  }
]

/** What is stored, and counted as that. */
const storing: ReadonlyArray<NamedMutant> = [
  {
    name: "skip a retry",
    file: internal("recorder/batchRunner"),
    find: "if (!compareWithMore(config, run)) Bisection.retry(bisection)",
    replace: "if (!compareWithMore(config, run)) Bisection.exhausted(bisection)",
    test: recorder(
      "transient",
      "the same batch is retried from 100 ms by factor 2, at most each 30 s, for ever"
    )
  },
  {
    name: "forget how long the last wait was",
    file: internal("recorder/batchRunner"),
    find: "    run.driver = driver\n",
    replace: "",
    test: recorder(
      "transient",
      "the same batch is retried from 100 ms by factor 2, at most each 30 s, for ever"
    )
  },
  {
    name: "go on with the old schedule after a part was stored",
    file: internal("recorder/batchRun"),
    find: "  run.driver = undefined\n",
    replace: "",
    test: recorder("transient", "a stored part ends the outage: the schedule begins anew")
  },
  {
    name: "lose a prefix: it is not counted",
    file: internal("recorder/batchRunner"),
    find: "config.listener.onStored(batch, from, from + stored, 0)",
    replace: "",
    test: recorder("saves", "stored through an acknowledged prefix completes with that prefix")
  },
  {
    name: "count twice: a prefix is sent again",
    file: internal("recorder/bisection"),
    find: "    cut(bisection, start + stored)\n    bisection.ranges.pop()\n",
    replace: "",
    test: recorder("saves", "stored through an acknowledged prefix completes with that prefix")
  },
  {
    name: "count twice: a prepared batch ends with the one before it",
    file: internal("actor/batches"),
    find: "intake.inFlight - (prepared?.items.length ?? 0)",
    replace: "intake.inFlight",
    test: recorder(
      "prepare",
      "gets the next full batch while a save is out, and its effect saves it in order"
    )
  },
  {
    name: "count duplicates as nothing",
    file: internal("recorder/settlement"),
    find: "  account.duplicates += duplicates\n",
    replace: "",
    test: recorder(
      "transient",
      "one with it holds each record once, and counts those that were there already"
    )
  },
  {
    name: "let a storage change the records of the next attempt",
    file: internal("recorder/batchRunner"),
    find: "call(storage, batch.items.slice(from, to))",
    replace: "call(storage, whole ? batch.items : batch.items.slice(from, to))",
    test: recorder("contract", "a batch array belongs to the storage and is never reused")
  },
  {
    name: "let a save hang for ever",
    file: internal("actor/watchdog"),
    find: '  interruptStep(engine, "Timeout")\n',
    replace: "",
    test: recorder("timeouts", "the interrupted save is awaited before the retry: saves never overlap")
  },
  {
    name: "forget that a save was interrupted",
    file: internal("actor/supervisor"),
    find: 'else if (batches.current !== undefined && why === "Timeout") engine.behavior.onTimeout(batches.current)',
    replace: "",
    test: recorder("timeouts", "the interrupted save is awaited before the retry: saves never overlap")
  },
  {
    name: "let a load see saves that were made after it",
    file: internal("actor/mailbox"),
    find: "  closeSegment(mailbox)\n  link(mailbox, {",
    replace: "  link(mailbox, {",
    test: recorder("contract", "sees every save made before it and none made after")
  },
  {
    name: "let newcomers overtake a load",
    file: internal("actor/mailbox"),
    find: '    if (node.request.kind === "query" && !node.request.cancelled) return undefined\n',
    replace: "",
    test: inside(
      "actor/mailbox",
      "R4: is a queue of items and commands, whatever is done to it in whatever order"
    )
  }
]

/** What is set aside. */
const settingAside: ReadonlyArray<NamedMutant> = [
  {
    name: "condemn a batch for one bad record",
    file: internal("recorder/bisectionRounds"),
    find: 'else halve(bisection, blame === "record")',
    replace:
      "else for (const all = popFailed(bisection); all.from < all.to; all.from++) bisection.bad.push({ index: all.from, cause: failure, detail: undefined, times: 1 })",
    test: inside("recorder/bisection", "sets nothing aside that was not refused by itself")
  },
  {
    name: "condemn what fails in an outage",
    file: internal("recorder/bisectionRounds"),
    find: "lastRounds > 0 && lastRounds >= lastRoundsOf(blameOf(cause))",
    replace: "true",
    test: inside("recorder/bisection", "set nothing aside while nothing can be stored, however long")
  },
  {
    name: "try a sink once",
    file: internal("recorder/sink"),
    find: "run.sinkPauses = run.sinkTries < maxSinkTries",
    replace: "run.sinkPauses = false",
    test: recorder("deadLetters", "one that recovers on its third try has taken the record")
  },
  {
    name: "take a sink that failed for one that took the record",
    file: internal("recorder/sink"),
    find: 'entryOf(config, run, step), "failed")',
    replace: 'entryOf(config, run, step), "taken")',
    test: recorder(
      "deadLetters",
      "one that hangs is interrupted after saveTimeout, 3 times, and never runs twice at once"
    )
  },
  {
    name: "lose what is set aside without a sink",
    file: internal("recorder/settlement"),
    find: 'if (sink === "none") DeadLetters.add(deadLetters, { entry, bytes })',
    replace: "",
    test: recorder(
      "deadLetters",
      "records set aside stay with the recorder, and come back from close with cause and time"
    )
  },
  {
    name: "count what is saved again as set aside too",
    file: internal("recorder/settlement"),
    find: "  settlement.account.setAside -= held.length\n",
    replace: "",
    test: recorder("deadLetters", "saves again what was set aside and is held, and returns how many")
  }
]

/** When a caller that waits gets its answer, and which one. */
const reporting: ReadonlyArray<NamedMutant> = [
  {
    name: "acknowledge early",
    file: internal("recorder/saver"),
    find: "receipts.waiting.set(position, (failure) => resume(failure ?? Effect.void))",
    replace: "resume(Effect.void)",
    test: recorder("saves", "completes after the commit that holds the record, not before")
  },
  {
    name: "forget a waiter whose record is stored",
    file: internal("recorder/settlement"),
    find: "  if (receipts.waiting.size === 0) return\n  for",
    replace: "  return\n  for",
    test: recorder("saves", "completes after the commit that holds the record, not before")
  },
  {
    name: "forget a waiter whose record is set aside",
    file: internal("recorder/settlement"),
    find: "  Receipts.settle(receipts, positionOf(settlement, index), receiptErrorOf(entry, sink))\n",
    replace: "",
    test: recorder("saves", "SetAside, while the rest of its batch is not stored yet")
  },
  {
    name: "forget a waiter whose record is dropped",
    file: internal("actor/engine"),
    find: "dropped: behavior.onDropped",
    replace: "dropped: () => undefined",
    test: recorder("saves", "Dropped, when the policy gives the record up")
  },
  {
    name: "forget the waiters of a recorder that fails",
    file: internal("recorder/behavior"),
    find: "        Settlement.failReceipts(settlement, Cause.squash(cause))\n",
    replace: "",
    test: recorder(
      "saves",
      "HandedBack and OutcomeUnknown, when the recorder fails, before anybody closes it"
    )
  },
  {
    name: "report to a waiter whose outcome is unknown that nothing is stored",
    file: internal("recorder/settlement"),
    find: "return (position) => position >= batch.first + from && position < batch.first + to",
    replace: "return () => false",
    test: recorder("saves", "HandedBack and OutcomeUnknown, when a deadline ends the close")
  },
  {
    name: "forget who waits for room at the close",
    file: internal("actor/intake"),
    find: "    waiter.answer(undefined)\n",
    replace: "",
    test: actor("close", "refuses the offers that wait for room")
  },
  {
    name: "forget the question under way at the close",
    file: internal("actor/supervisor"),
    find: '  running?.stopped("Stopped")\n',
    replace: "",
    test: actor("close", "ends a question that hangs, with an answer")
  },
  {
    name: "forget why the resource never came when a close is pending",
    file: "src/Actor.ts",
    find: "wasClosed ? Engine.stoppedError(engine) : stopped",
    replace: "void stopped ?? Engine.stoppedError(engine)",
    test: actor("supervision", "of the acquisition is what `ready` fails with, also while a close is pending")
  },
  {
    name: "forget the questions that wait at the close",
    file: internal("actor/supervisor"),
    find: 'engine.intake.inSlices(queued as ReadonlyArray<Request<R>>, (request) => request.stopped("Stopped"))',
    replace: "void queued",
    test: actor("close", "ends the wait for a resource that never comes")
  }
]

export const namedMutants: ReadonlyArray<NamedMutant> = [
  ...handingBack,
  ...storing,
  ...settingAside,
  ...reporting,
  ...admissionMutants,
  ...sqlite,
  ...watchMutants,
  ...mergePoolServerMutants,
  ...mergePoolPermanentMutants,
  ...mergePoolServingMutants,
  ...platformMutants,
  ...recorderMutants,
  ...seriesGuards,
  ...lawsOfCallsGuards,
  ...sqlMutants,
  ...sqlKeysMutants,
  ...sqlOwnerMutants,
  ...sqlTableMutants,
  ...sqlDatastoreMutants,
  ...tableMutants,
  ...projectionMutants,
  ...projectionLogMutants,
  ...projectionFrontierMutants,
  ...projectionLawMutants,
  ...tierMutants,
  ...datastoreMutants,
  ...datastoreCoreMutants,
  ...datastoreGuards,
  ...datastoreStoredGuards,
  ...blameMutants,
  ...actorGuards,
  ...recorderGuards,
  ...watchGuards,
  ...liveTableMutants,
  ...liveTableBoundMutants,
  ...liveTableLawMutants,
  ...liveTableQuietMutants,
  ...liveTableTargetMutants,
  ...liveTableTierMutants,
  ...liveTableTrapMutants,
  ...mergePoolMutants,
  ...cacheGuards,
  ...syncedGuards,
  ...catalogMutants,
  ...changesGuards,
  ...lingerGuards,
  ...leaseGuards,
  ...untypedGuards,
  ...mergeExchangeMutants,
  ...viewGuards
]
