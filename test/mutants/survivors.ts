/** Mutants that no test can notice, or that do no harm, and why. */
import { harmlessInCache } from "./survivorsOfCache.js"

export interface Harmless {
  readonly file: string
  readonly reason: string
  /**
   * The declaration with how the line in it begins, and how the changed part and what stands there instead begin; white
   * space is folded.
   */
  readonly mutants: ReadonlyArray<readonly [at: string, from: string, to: string]>
}

const ofActor = (name: string): string => `src/internal/actor/${name}.ts`
const ofRecorder = (name: string): string => `src/internal/recorder/${name}.ts`

const actor = "src/Actor.ts"
const account = ofRecorder("account")
const batchRun = ofRecorder("batchRun")
const batchRunner = ofRecorder("batchRunner")
const batches = ofActor("batches")
const behavior = ofRecorder("behavior")
const bisection = ofRecorder("bisection")
const bisectionRounds = ofRecorder("bisectionRounds")
const bound = ofActor("bound")
const engine = ofActor("engine")
const intake = ofActor("intake")
const mailbox = ofActor("mailbox")
const saver = ofRecorder("saver")
const settlement = ofRecorder("settlement")
const sink = ofRecorder("sink")
const spans = ofRecorder("spans")
const status = ofActor("status")
const supervisor = ofActor("supervisor")
const turn = "src/internal/turn.ts"
const watchdog = ofActor("watchdog")
const worker = ofActor("worker")

export const harmless: ReadonlyArray<Harmless> = [
  ...harmlessInCache,
  {
    file: bisectionRounds,
    reason: "Outside a round there are no suspects, and its count of misses is set anew when one begins.",
    mutants: [["progressed: if (!bisection.inRound) return", "!bisection.inRound", "false"]]
  },
  {
    file: bisection,
    reason: "A shortcut: the answer of `next` is the same, or comes one step later.",
    mutants: [
      [
        'mustWait: (bisection.failure !== undefined || bisection.inRound) && next(bisection)._tag === "Wait"',
        "bisection.failure !== undefined || bisection.inRound",
        "true"
      ],
      [
        'isDone: bisection.ranges.length === 0 && next(bisection)._tag === "Done"',
        "bisection.ranges.length",
        ""
      ]
    ]
  },
  {
    file: bisection,
    reason: "The range is on top now, where the flag is not read; at worst a half is tried in two parts.",
    mutants: [["saved: right.rightHalf = false", "false", "true"]]
  },
  {
    file: bisection,
    reason: "What is no position is passed over, as other nonsense of a storage is.",
    mutants: [["failedByName: for (const { index, cause } of failure.bad ?? []) {", "[]", "["]]
  },
  {
    file: batchRunner,
    reason:
      "The worker of a batch that was given up has been interrupted, so that no answer comes here: a second lock.",
    mutants: [["make: if (run === undefined || run.isOver) return isFinished", "run === undefined", ""]]
  },
  {
    file: batchRunner,
    reason: "It is there whenever this line is reached; the types do not show it.",
    mutants: [
      ["saveFailed: const from = run.saving?.from ?? 0", "run.saving?.from", "run.saving.from"],
      ["saveSucceeded: const { from, to } = saving ?? { from: 0, to: 0 }", "{ from: 0, to: 0 }", "{}"]
    ]
  },
  {
    file: batchRunner,
    reason: "What is no effect dies just the same, only with a worse message.",
    mutants: [["call: } catch (defect) {", "{ return Effect.die(defect) }", "{}"]]
  },
  {
    file: batchRunner,
    reason:
      "A shortcut: the first step of a new machine is the save of the whole batch, and no batch is empty.",
    mutants: [
      [
        "step: if (run.bisection === undefined && length > 0 && fit === undefined)",
        "run.bisection === undefined",
        "false"
      ],
      ["step: if (run.bisection === undefined && length > 0 && fit === undefined)", "length > 0", ""]
    ]
  },
  {
    file: batchRun,
    reason: "What stands before a save under way has its outcome.",
    mutants: [["unsettledOf: const inFlight = saving !== undefined", "index >= saving.from", "true"]]
  },
  {
    file: sink,
    reason:
      "The worker of a batch that was given up has been interrupted, so that no answer comes here: a second lock.",
    mutants: [
      ["sinkStep: if (run.isOver) return true", "run.isOver", "false"],
      ["sinkStep: if (run.isOver) return true", "true", "false"]
    ]
  },
  {
    file: sink,
    reason: "The next step is this one whenever the line is reached; the types do not show it.",
    mutants: [['sinkFailed: if (step._tag === "Isolate") settleBad(', 'step._tag === "Isolate"', "true"]]
  },
  {
    file: sink,
    reason: "The batch takes one step more, and that one finds it done.",
    mutants: [
      ['settleBad: return Bisection.next(bisectionOf(run))._tag === "Done"', "Bisection.next", "false"],
      ['sinkStep: return Bisection.next(bisectionOf(run))._tag === "Done"', "Bisection.next", "false"]
    ]
  },
  {
    file: actor,
    reason: "The same is done, a little slower.",
    mutants: [["handle: intake.bound?.overflow === ", "intake.bound?.overflow", "true"]]
  },
  {
    file: settlement,
    reason: "An empty list is made empty again, or a shortcut is not taken.",
    mutants: [
      [
        "startRun: if (settlement.extensions.length > 0) settlement.extensions = []",
        "settlement.extensions.length > 0",
        "true"
      ],
      [
        "startRun: if (settlement.extensions.length > 0) settlement.extensions = []",
        "settlement.extensions.length > 0",
        "settlement.extensions.length >= 0"
      ],
      ["settleStored: if (receipts.waiting.size === 0) return", "receipts.waiting.size === 0", "false"]
    ]
  },
  {
    file: settlement,
    reason: "It is there whenever this line is reached; the types do not show it.",
    mutants: [
      ["startRun: const { entries } = settlement.redriven.shift()", "{ entries: [] }", "{}"],
      ["startRun: const { entries } = settlement.redriven.shift()", "[]", "["],
      ["positionOf: let position = (run?.batch", "run?.batch", "run.batch"],
      ["takeMore: const index = settlement.run?.batch", "settlement.run?.batch", "settlement.run.batch"]
    ]
  },
  {
    file: settlement,
    reason: "A text has no index: no record is found behind it.",
    mutants: [
      ["make: extensions: []", "[]", "["],
      ["startRun: if (settlement.extensions.length > 0) settlement.extensions = []", "[]", "["]
    ]
  },
  {
    file: settlement,
    reason: "A part that holds nothing: the next one begins at the same index, and is found instead.",
    mutants: [
      ["takeMore: if (count > 0) settlement.extensions.push(", "count > 0", "true"],
      ["takeMore: if (count > 0) settlement.extensions.push(", "count > 0", "count >="]
    ]
  },
  {
    file: mailbox,
    reason: "A request has no items, and stands behind no open segment: none is closed that was open.",
    mutants: [
      [
        'unlink: if (node._tag === "Segment" && node.items === mailbox.write)',
        'node._tag === "Segment"',
        "true"
      ]
    ]
  },
  {
    file: mailbox,
    reason:
      "Slots of the open segment are cut off when another one is read, on the way to it: sooner, or in time.",
    mutants: [
      ["cut: if (segment.items === mailbox.write) trim", "segment.items === mailbox.write", ""],
      ["dropOldest: if (node.items === mailbox.write) trim", "node.items === mailbox.write", ""]
    ]
  },
  {
    file: mailbox,
    reason: "There is no slot without an item: its length stays as it is.",
    mutants: [
      ["trim: if (write !== undefined && write.length > next - opened)", "write.length > next - opened", ""]
    ]
  },
  {
    file: mailbox,
    reason: "The first item is written over it.",
    mutants: [["openSegment: items: inBurst ?", "[]", "["]]
  },
  {
    file: mailbox,
    reason: "A mailbox keeps the sizes of all its items or of none.",
    mutants: [["append: if (batch.sizes !== undefined && more.sizes !== undefined)", "", ""]]
  },
  {
    file: intake,
    reason: "There is an item to drop: without one there would be room.",
    mutants: [
      ["dropQueued: if (position === undefined) return false", "false", "true"],
      ["dropQueued: if (position === undefined) return false", "position === undefined", "false"]
    ]
  },
  {
    file: intake,
    reason: "It is there whenever this line is reached; the types do not show it.",
    mutants: [["dropNew: noteDropped(", "intake.bound?.overflow", "intake.bound.overflow"]]
  },
  {
    file: intake,
    reason: "Under the other policies no offer waits.",
    mutants: [
      ['offerBounded: if (bound.overflow === "suspend" && ', 'bound.overflow === "suspend"', "true"],
      ["offerAll: const mustWait =", 'bound?.overflow === "suspend"', "true"]
    ]
  },
  {
    file: intake,
    reason: "Sizes of 0 are kept and never read: it costs room alone.",
    mutants: [["make: mailbox: Mailbox.make(options.limit", "options.bound?.sizeOf !== undefined", "true"]]
  },
  {
    file: intake,
    reason: "A shortcut: without a bound no offer waits, and where none waits none is let in.",
    mutants: [
      [
        "admitWaiters: if (intake.bound === undefined || intake.waiters.size === 0 || !intake.open) return",
        "intake.bound === undefined",
        ""
      ],
      [
        "admitWaiters: if (intake.bound === undefined || intake.waiters.size === 0 || !intake.open) return",
        "intake.waiters.size === 0",
        ""
      ]
    ]
  },
  {
    file: bound,
    reason: "A function that ends returns `undefined` too.",
    mutants: [["sizeIn: } catch {", "{ return undefined }", "{}"]]
  },
  {
    file: saver,
    reason: "The receipt stays until its record has an outcome; its caller waits no more then.",
    mutants: [["makeSaver: if (position === undefined) cancel()", "position === undefined", "true"]]
  },
  {
    file: saver,
    reason: "Without a tracer the same is done, a little slower.",
    mutants: [["makeSaver: save: spans === undefined ? actor.offer", "spans === undefined", "false"]]
  },
  {
    file: account,
    reason: "A counter grows by nothing: only the shortcut is gone.",
    mutants: [
      ["publisher: if (now === rare[name]) return", "now === rare[name]", "false"],
      ["publisher: if (acceptedNow !== accepted) {", "acceptedNow !== accepted", "true"],
      ["publisher: if (account.stored !== stored) {", "account.stored !== stored", "true"],
      ["publisher: if (pendingNow !== pending) {", "pendingNow !== pending", "true"],
      ["publisher: if (sum === rareSum) return", "sum === rareSum", "false"]
    ]
  },
  {
    file: engine,
    reason: "It is set when the watchdog begins, before the first step.",
    mutants: [["make: watched: false", "false", "true"]]
  },
  {
    file: engine,
    reason: "What is no effect is passed over, as an effect that fails.",
    mutants: [["make: backgroundWork: []", "[]", "["]]
  },
  {
    file: engine,
    reason: "It is reported a little sooner than at the end of the step.",
    mutants: [["make: if (engine.step === 0) behavior.onRefused()", "engine.step === 0", "true"]]
  },
  {
    file: engine,
    reason: "It is there whenever this line is reached; the types do not show it.",
    mutants: [
      ["resumeWorker: wake?.(Effect.void)", "wake?.", "wake("],
      ["prepareNext: engine.behavior.prepare?.(", "engine.behavior.prepare?.", "engine.behavior.prepare("],
      ["interruptStep: engine.worker?.", "engine.worker?.", "engine.worker.unsafe"]
    ]
  },
  {
    file: engine,
    reason:
      "The end of the turn, or a look of the watchdog, is asked for once more than needed, and changes nothing.",
    mutants: [
      ["signal: if (engine.wakeScheduled) return", "engine.wakeScheduled", "false"],
      ["signal: engine.wakeScheduled = true", "true", "false"],
      ["signal: } else if (mayPrepare(engine)) scheduleCheck(engine)", "mayPrepare(engine)", "true"],
      ["scheduleCheck: if (engine.checkScheduled) return", "engine.checkScheduled", "false"],
      ["scheduleCheck: engine.checkScheduled = true", "true", "false"],
      ["scheduleCheck: if (engine.step === 0) return", "engine.step === 0", "false"],
      ["beginStep: if (limit < engine.shortestLimit) {", "limit < engine.shortestLimit", "true"],
      ["beginStep: if (limit < engine.shortestLimit) {", "limit < engine.shortestLimit", "limit <="],
      ["beginStep: } else if (!engine.watched || mayPrepare(engine))", "!engine.watched", "true"]
    ]
  },
  {
    file: engine,
    reason: "Results are kept that are never read.",
    mutants: [
      ["runBackgroundWork: return Effect.uninterruptible(", "{ discard: true }", "{}"],
      ["runBackgroundWork: return Effect.uninterruptible(", "true", "false"]
    ]
  },
  {
    file: engine,
    reason:
      "A full batch is taken sooner than it must be, and handled in its turn: nothing else may come before it.",
    mutants: [
      ["mayPrepare: behavior.prepare !== undefined &&", "behavior.prepare !== undefined", ""],
      ["mayPrepare: behavior.prepare !== undefined && step !== 0", "step !== 0", "true"]
    ]
  },
  {
    file: engine,
    reason: "Every step has a number of its own all the same.",
    mutants: [["beginStep: engine.step = ++engine.steps", "++engine.steps", "--engine.steps"]]
  },
  {
    file: engine,
    reason:
      "What interrupts has looked whether there is a step, and a step that is interrupted twice ends once.",
    mutants: [
      ["interruptStep: if (engine.step === 0 || engine.interruption !== undefined) return", "engine.", ""]
    ]
  },
  {
    file: batches,
    reason: "A shortcut: nothing is settled.",
    mutants: [["finish: if (count === 0) return", "count === 0", "false"]]
  },
  {
    file: supervisor,
    reason: "An interruption that was sent ends its step before that can answer: a second lock.",
    mutants: [["stepInterrupted: if (engine.step === 0 || why === undefined) return", "", ""]]
  },
  {
    file: supervisor,
    reason: "Only a request can be cancelled, and only a batch or a request has a limit.",
    mutants: [
      [
        'stepInterrupted: else if (batches.current !== undefined && why === "Timeout")',
        "batches.current !== undefined",
        "true"
      ],
      [
        'stepInterrupted: else if (batches.current !== undefined && why === "Timeout")',
        "batches.current !== undefined",
        "batches.current !== undefined ||"
      ],
      [
        'stepInterrupted: else if (batches.current !== undefined && why === "Timeout")',
        'why === "Timeout"',
        "true"
      ]
    ]
  },
  {
    file: supervisor,
    reason:
      "What it does once more has been done: it changes nothing, or takes the grace of a closer that need not wait.",
    mutants: [
      ["requestClose: if (engine.closing) return", "engine.closing", "false"],
      ['forceClose: if (engine.phase === "Closed" || engine.phase === "Failed")', "engine.phase", ""]
    ]
  },
  {
    file: supervisor,
    reason: "It is there whenever this line is reached, or is Closed by then; the types do not show it.",
    mutants: [
      ["forceClose: engine.worker?.", "engine.worker?.", "engine.worker.unsafe"],
      [
        "forceClose: Effect.sync(() => engine.leaveWorkerBehind?.())",
        "engine.leaveWorkerBehind?.",
        "engine.leaveWorkerBehind("
      ],
      ['supervise: if (ended === "Busy" || hasEnded(engine))', 'ended === "Busy"', "false"]
    ]
  },
  {
    file: worker,
    reason: "A number above 0 is not undefined.",
    mutants: [["maxBatchSizeOf: return most !== undefined && ", "most !== undefined", "true"]]
  },
  {
    file: worker,
    reason: "A step that was interrupted gives no answer: a second lock.",
    mutants: [
      ['acquireStep: if (engine.step !== step || engine.phase !== "Starting") return', "engine.", ""],
      [
        "stepEnded: if (engine.step === 0 || engine.step !== engine.batchStep) return",
        "engine.step !== engine.batchStep",
        "false"
      ],
      ["requestStep: if (engine.step !== step) return", "engine.step !== step", "false"],
      [
        "nextStep: if (engine.interruption !== undefined) return",
        "engine.interruption !== undefined",
        "false"
      ]
    ]
  },
  {
    file: watchdog,
    reason: "A line that is asked for while others are written waits a second at most.",
    mutants: [
      ["watchdog: if (engine.backgroundWork.length > 0) return", "engine.backgroundWork.length > 0", "false"]
    ]
  },
  {
    file: watchdog,
    reason: "It is woken, or looks, more often than needed.",
    mutants: [
      ["watchdog: engine.watched = true", "true", "false"],
      ["watchdog: const watching = () => busy() || engine.steps !== seen", "engine.steps !== seen", "false"],
      ["millisLeft: if (engine.step === 0) return", "engine.step === 0", "false"]
    ]
  },
  {
    file: spans,
    reason: "A text has no position: no save is linked to it.",
    mutants: [["make: export const make", "[]", "["]]
  },
  {
    file: spans,
    reason: "A list of which nothing has passed is copied.",
    mutants: [
      ["linksOf: if (passed > 0)", "passed > 0", "true"],
      ["linksOf: if (passed > 0)", "passed > 0", "passed >= 0"]
    ]
  },
  {
    file: spans,
    reason:
      "The worker runs in no span, and a stack that is captured is shown by no tracer as part of the save.",
    mutants: [
      ["around: root: true", "true", "false"],
      ["around: captureStackTrace: false", "false", "true"]
    ]
  },
  {
    file: status,
    reason: "A watcher that has the last status goes by itself.",
    mutants: [["publish: if (statuses.ended) statuses.watchers.clear()", "statuses.ended", "false"]]
  },
  {
    file: turn,
    reason: "Each message has its task.",
    mutants: [["byMessages: port1.onmessage =", "tasks.shift()?.()", "tasks.shift()()"]]
  },
  {
    file: behavior,
    reason:
      "A storage that prepares nothing is asked for nothing: only its next batch is opened a step sooner.",
    mutants: [
      ["behaviorOf: if (storage.prepare !== undefined && ", "storage.prepare !== undefined", "true"],
      [
        "behaviorOf: Settlement.prepare(settlement, batch, () => storage.prepare?.(batch.items.slice()))",
        "storage.prepare?.(batch.items.slice())",
        "storage.prepare(batch.items.slice())"
      ]
    ]
  }
]
