/** Mutants that no test can notice, or that do no harm, and why. */
export interface Harmless {
  readonly file: string
  readonly reason: string
  /**
   * The declaration with how the line in it begins, and how the changed part and what stands there instead begin; white
   * space is folded.
   */
  readonly mutants: ReadonlyArray<readonly [at: string, from: string, to: string]>
}

const actor = "src/Actor.ts"
const admission = "src/internal/actor/bound.ts"
const book = "src/internal/recorder/settlement.ts"
const bulk = "src/internal/recorder/bisection.ts"
const engine = "src/internal/actor/engine.ts"
const intake = "src/internal/actor/intake.ts"
const ledger = "src/internal/recorder/account.ts"
const mailbox = "src/internal/actor/mailbox.ts"
const recorder = "src/Recorder.ts"
const records = "src/internal/recorder/saver.ts"
const saver = "src/internal/recorder/batchRun.ts"
const sentinel = "src/internal/actor/watchdog.ts"
const spans = "src/internal/recorder/spans.ts"
const supervisor = "src/internal/actor/supervisor.ts"
const worker = "src/internal/actor/worker.ts"

export const harmless: ReadonlyArray<Harmless> = [
  {
    file: bulk,
    reason: "It is set when a bisection begins, before anybody reads it.",
    mutants: [
      ["make: storedWhileProbing: false,", "false", "true"],
      ["make: begunByNewcomers: false,", "false", "true"],
      ["beginProbing: bulk.wantsMore = false", "false", "true"]
    ]
  },
  {
    file: bulk,
    reason: "The batch is finished there: nobody reads the rest of its state.",
    mutants: [
      ["endProbing: if (suspects.length === 0) return", "suspects.length === 0", "false"],
      ["condemn: bulk.probing = false", "false", "true"],
      ["condemn: bulk.doubted = false", "false", "true"],
      ["condemn: bulk.wantsMore = false", "false", "true"]
    ]
  },
  {
    file: bulk,
    reason: "It is there whenever this line is reached; the types do not know.",
    mutants: [
      [
        "endProbing: bulk.failure = suspects[suspects.length - 1]?.cause",
        "suspects[suspects.length - 1]?.cause",
        ""
      ],
      ['exhausted: if (failure?.kind === "Unknown" && bulk.unknowns > 0) {', "failure?.kind", "failure.kind"]
    ]
  },
  {
    file: bulk,
    reason: "A bad record is the next step in any case: only the order of the bookkeeping behind it changes.",
    mutants: [["next: if (bulk.bad.length === 0 && bulk.probing) {", "bulk.bad.length === 0", ""]]
  },
  {
    file: bulk,
    reason: "To accuse nobody changes nothing.",
    mutants: [["next: if (bulk.followed > 0) accuse(bulk)", "bulk.followed > 0", ""]]
  },
  {
    file: bulk,
    reason: "Outside a bisection there are no suspects, and its flag is set anew when one begins.",
    mutants: [["progressed: if (!bulk.probing) return", "!bulk.probing", "false"]]
  },
  {
    file: bulk,
    reason: "A shortcut: the answer of `next` is the same, a little later, or one step later.",
    mutants: [
      [
        'mustWait: (bulk.failure !== undefined || bulk.probing) && next(bulk)._tag === "Wait"',
        "bulk.failure !== undefined || bulk.probing",
        "true"
      ],
      ['isDone: bulk.ranges.length === 0 && next(bulk)._tag === "Done"', "bulk.ranges.length === 0", ""]
    ]
  },
  {
    file: bulk,
    reason: "The range is on top now, where the flag is not read; at worst a half is tried in two parts.",
    mutants: [["saved: right.rightHalf = false", "false", "true"]]
  },
  {
    file: bulk,
    reason: "What is no position is passed over, as other nonsense of a storage is.",
    mutants: [["failedPoison: for (const { index, cause } of failure.bad ?? []) {", "[]", "["]]
  },
  {
    file: bulk,
    reason:
      "Unknown failures are counted only in a row: where the count is above 0 the last one was of that kind.",
    mutants: [
      [
        'exhausted: if (failure?.kind === "Unknown" && bulk.unknowns > 0) {',
        'failure?.kind === "Unknown"',
        "true"
      ]
    ]
  },
  {
    file: saver,
    reason:
      "The worker of a batch that was given up has been interrupted, so that no answer comes here: a second lock.",
    mutants: [
      ["make: if (run === undefined || run.over) return isFinished", "run === undefined", ""],
      ["sinkStep: if (run.over) return true", "run.over", "false"],
      ["sinkStep: if (run.over) return true", "true", "false"]
    ]
  },
  {
    file: saver,
    reason: "It is there whenever this line is reached; the types do not know.",
    mutants: [
      ["fails: const from = run.saving?.from ?? 0", "run.saving?.from", "run.saving.from"],
      ["succeeds: const { from, to } = saving ?? { from: 0, to: 0 }", "{ from: 0, to: 0 }", "{}"],
      ['sinkFailed: if (step._tag === "Isolate") isolate(', 'step._tag === "Isolate"', "true"]
    ]
  },
  {
    file: saver,
    reason: "What is no effect dies just the same, only with a worse message.",
    mutants: [["call: } catch (defect) {", "{ return Effect.die(defect) }", "{}"]]
  },
  {
    file: saver,
    reason: "None of the batch is told as stored: nothing changes.",
    mutants: [["fails: if (stored > 0) config.listener.stored(", "stored > 0", ""]]
  },
  {
    file: saver,
    reason: "The batch takes one step more, and that one finds it done.",
    mutants: [
      ['isolate: return Bulk.next(bulkOf(run))._tag === "Done"', "Bulk.next", "false"],
      ['sinkStep: return Bulk.next(bulkOf(run))._tag === "Done"', "Bulk.next", "false"]
    ]
  },
  {
    file: saver,
    reason: "The machine says of a whole batch what this shortcut says, and no batch is empty.",
    mutants: [
      ["step: if (run.bulk === undefined && length > 0) return", "run.bulk === undefined", "false"],
      ["step: if (run.bulk === undefined && length > 0) return", "length > 0", ""]
    ]
  },
  {
    file: saver,
    reason: "What stands before a save under way has its outcome.",
    mutants: [["leftOf: const inFlight = saving !== undefined", "index >= saving.from", "true"]]
  },
  {
    file: actor,
    reason: "The same is done, a little slower, or told a little sooner.",
    mutants: [
      ["handle: engine.intake.bound?.overflow === ", "engine.intake.bound?.overflow", "true"],
      ["handle: intake.bound === undefined && !intake.lingers", "intake.bound === undefined", "false"],
      ["make: if (engine.step === 0) options.onRefused?.()", "engine.step === 0", "true"],
      ["make: lingers: linger > 0", "linger > 0", ""]
    ]
  },
  {
    file: actor,
    reason: "It is no number above 0 either.",
    mutants: [["make: return most !== undefined && wholeAbove0(most)", "most !== undefined", "true"]]
  },
  {
    file: book,
    reason: "An empty list is made empty again, or a shortcut is not taken.",
    mutants: [
      ["runOf: if (book.parts.length > 0) book.parts = []", "book.parts.length > 0", "true"],
      [
        "runOf: if (book.parts.length > 0) book.parts = []",
        "book.parts.length > 0",
        "book.parts.length >= 0"
      ],
      ["stored: if (book.receipts.waiting.size === 0) return", "book.receipts.waiting.size === 0", "false"]
    ]
  },
  {
    file: book,
    reason: "It is there whenever this line is reached; the types do not know.",
    mutants: [
      ["runOf: const { entries } = book.redriven.shift()", "{ entries: [] }", "{}"],
      ["runOf: const { entries } = book.redriven.shift()", "[]", "["],
      ["positionOf: let position = (book.run?.batch", "book.run?.batch", "book.run.batch"],
      ["extend: const index = book.run?.batch", "book.run?.batch", "book.run.batch"]
    ]
  },
  {
    file: book,
    reason: "A size behind the last record is none, and counts 0.",
    mutants: [["settled: if (batch.sizes !== undefined)", "i < to", "i <= to"]]
  },
  {
    file: book,
    reason: "A text has no index: no record is found behind it.",
    mutants: [
      ["make: parts: []", "[]", "["],
      ["runOf: if (book.parts.length > 0) book.parts = []", "[]", "["]
    ]
  },
  {
    file: book,
    reason: "A part that holds nothing: the next one begins at the same index, and is found instead.",
    mutants: [["extend: if (count > 0) book.parts.push(", "count > 0", ""]]
  },
  {
    file: book,
    reason:
      "What is left of a run has been asked for by then, which makes its machine; the types do not know.",
    mutants: [["handBack: const cause = Option.orElse(", "run?.bulk?.failure", "run?.bulk.failure"]]
  },
  {
    file: mailbox,
    reason: "A command has no items, and stands behind no open segment: none is closed that was open.",
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
    reason: "It is there whenever this line is reached; the types do not know.",
    mutants: [["dropNew: noteDropped(", "intake.bound?.overflow", "intake.bound.overflow"]]
  },
  {
    file: intake,
    reason: "The worker is called once more, and finds no more work than it knew of.",
    mutants: [["offer: if (taken) tellFull(intake)", "taken", "true"]]
  },
  {
    file: intake,
    reason: "Under the other policies nobody waits.",
    mutants: [
      ['offerBounded: if (bound.overflow === "suspend" && ', 'bound.overflow === "suspend"', "true"],
      ["offerAll: const mustWait =", 'bound?.overflow === "suspend"', "true"]
    ]
  },
  {
    file: intake,
    reason: "Sizes of 0 are kept that nobody asks for: it costs room alone.",
    mutants: [["make: mailbox: Mailbox.make(options.limit", "options.bound?.sizeOf !== undefined", "true"]]
  },
  {
    file: intake,
    reason: "A shortcut: without a bound nobody waits, and of nobody none is let in.",
    mutants: [["admitWaiters: if (intake.bound === undefined || intake.waiters.size === 0) return", "", ""]]
  },
  {
    file: admission,
    reason: "A function that ends returns `undefined` too.",
    mutants: [["sizeIn: } catch {", "{ return undefined }", "{}"]]
  },
  {
    file: records,
    reason: "The receipt stays until its record has an outcome; who hears of it then waits no more.",
    mutants: [["makeSaver: if (position === undefined) cancel()", "position === undefined", "true"]]
  },
  {
    file: records,
    reason: "Without a tracer the same is done, a little slower.",
    mutants: [["makeSaver: save: spans === undefined ? actor.offer", "spans === undefined", "false"]]
  },
  {
    file: ledger,
    reason: "A counter grows by nothing: only the shortcut is gone.",
    mutants: [
      ["publisher: if (now === rare[name]) return", "now === rare[name]", "false"],
      ["publisher: if (acceptedNow !== accepted) {", "acceptedNow !== accepted", "true"],
      ["publisher: if (ledger.stored !== stored) {", "ledger.stored !== stored", "true"],
      ["publisher: if (pendingNow !== pending) {", "pendingNow !== pending", "true"],
      ["publisher: if (sum === rareSum) return", "sum === rareSum", "false"]
    ]
  },
  {
    file: engine,
    reason: "It is set when the sentinel begins, before the first step.",
    mutants: [["make: watched: false", "false", "true"]]
  },
  {
    file: engine,
    reason: "What is no effect is passed over, as an effect that fails.",
    mutants: [["make: notices: []", "[]", "["]]
  },
  {
    file: engine,
    reason: "It is there whenever this line is reached; the types do not know.",
    mutants: [
      ["resumeWorker: wake?.(Effect.void)", "wake?.", "wake("],
      ["prepareNext: engine.behavior.prepare?.(", "engine.behavior.prepare?.", "engine.behavior.prepare("],
      ["interruptStep: engine.worker?.", "engine.worker?.", "engine.worker.unsafe"]
    ]
  },
  {
    file: engine,
    reason:
      "The end of the turn, or a look of the sentinel, is asked for once more than needed, and changes nothing.",
    mutants: [
      ["signal: if (engine.wakeScheduled) return", "engine.wakeScheduled", "false"],
      ["signal: engine.wakeScheduled = true", "true", "false"],
      ["signal: } else if (mayPrepare(engine)) scheduleCheck(engine)", "mayPrepare(engine)", "true"],
      ["scheduleCheck: if (engine.checkScheduled) return", "engine.checkScheduled", "false"],
      ["scheduleCheck: engine.checkScheduled = true", "true", "false"],
      ["scheduleCheck: if (engine.step === 0) return", "engine.step === 0", "false"],
      ["begin: if (limit < engine.shortest) {", "limit < engine.shortest", "true"],
      ["begin: if (limit < engine.shortest) {", "limit < engine.shortest", "limit <="],
      ["begin: } else if (!engine.watched || mayPrepare(engine))", "!engine.watched", "true"]
    ]
  },
  {
    file: engine,
    reason: "Results are kept that nobody reads.",
    mutants: [
      ["runNotices: return Effect.uninterruptible(", "{ discard: true }", "{}"],
      ["runNotices: return Effect.uninterruptible(", "true", "false"]
    ]
  },
  {
    file: engine,
    reason:
      "A full batch is taken sooner than it must be, and handled in its turn: nothing else may come before it.",
    mutants: [
      ["mayPrepare: behavior.prepare !== undefined &&", "behavior.prepare !== undefined", ""],
      ["mayPrepare: step !== 0 &&", "step !== 0", "true"]
    ]
  },
  {
    file: engine,
    reason: "A shortcut: nothing is settled.",
    mutants: [["finishBatch: if (count === 0) return", "count === 0", "false"]]
  },
  {
    file: engine,
    reason: "Every step has a number of its own all the same.",
    mutants: [["begin: engine.step = ++engine.steps", "++engine.steps", "--engine.steps"]]
  },
  {
    file: engine,
    reason:
      "Who interrupts has looked whether there is a step, and a step that is interrupted twice ends once.",
    mutants: [
      ["interruptStep: if (engine.step === 0 || engine.interruption !== undefined) return", "engine.", ""]
    ]
  },
  {
    file: supervisor,
    reason: "An interruption that was sent ends its step before that can answer: a second lock.",
    mutants: [["stepInterrupted: if (engine.step === 0 || why === undefined) return", "", ""]]
  },
  {
    file: supervisor,
    reason: "Only a question can be abandoned, and only a batch or a question has a limit.",
    mutants: [['stepInterrupted: else if (engine.current !== undefined && why === "Overrun")', "", ""]]
  },
  {
    file: supervisor,
    reason: "Whoever still waits there reads why the actor has stopped from the actor.",
    mutants: [
      [
        "close: Deferred.unsafeDone(engine.acquired",
        "engine.cause ?? Cause.empty",
        "engine.cause && Cause.empty"
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
    reason: "It is there whenever this line is reached, or is Closed by then; the types do not know.",
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
    reason: "A step that was interrupted gives no answer: a second lock.",
    mutants: [
      ['acquireStep: if (engine.step !== step || engine.phase !== "Starting") return', "engine.", ""],
      [
        "stepEnded: if (engine.step === 0 || engine.step !== engine.batchStep) return",
        "engine.step !== engine.batchStep",
        "false"
      ],
      ["commandStep: if (engine.step !== step) return", "engine.step !== step", "false"],
      [
        "nextStep: if (engine.interruption !== undefined) return",
        "engine.interruption !== undefined",
        "false"
      ]
    ]
  },
  {
    file: worker,
    reason: "Whom it would resume has gone on.",
    mutants: [["lingerStep: Effect.sync(() => {", "{ engine.endLinger = undefined }", "{}"]]
  },
  {
    file: worker,
    reason: "A shortcut: without a linger nothing of it is left.",
    mutants: [["nextStep: const left = engine.linger > 0 ?", "engine.linger > 0", ""]]
  },
  {
    file: worker,
    reason: "There is a batch, and otherwise the loop finds it in its next turn.",
    mutants: [["nextStep: return engine.current === undefined ?", "engine.current === undefined", ""]]
  },
  {
    file: sentinel,
    reason: "A line that is asked for while others are written waits a second at most.",
    mutants: [["sentinel: if (engine.notices.length > 0) return", "engine.notices.length > 0", "false"]]
  },
  {
    file: sentinel,
    reason: "It is woken, or looks, more often than needed.",
    mutants: [
      ["sentinel: engine.watched = true", "true", "false"],
      ["sentinel: const watching = () => busy() || engine.steps !== seen", "engine.steps !== seen", "false"],
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
    file: "src/internal/actor/status.ts",
    reason: "A watcher that was told the last status goes by itself.",
    mutants: [["publish: if (statuses.ended) statuses.watchers.clear()", "statuses.ended", "false"]]
  },
  {
    file: "src/internal/recorder/stats.ts",
    reason: "It is there whenever this line is reached; the types do not know.",
    mutants: [["oldestAge: const since = intake.inFlight > 0 ?", "run?.batch", "run.batch"]]
  },
  {
    file: "src/internal/turn.ts",
    reason: "Each message has its task.",
    mutants: [["byMessages: port1.onmessage =", "tasks.shift()?.()", "tasks.shift()()"]]
  },
  {
    file: recorder,
    reason:
      "A storage that prepares nothing is asked for nothing: only its next batch is opened a step sooner.",
    mutants: [
      ["makeDeferred: if (storage.prepare !== undefined)", "storage.prepare !== undefined", "true"],
      [
        "makeDeferred: Book.prepare(book, batch, () => storage.prepare?.(batch.items.slice()))",
        "storage.prepare?.(batch.items.slice())",
        "storage.prepare(batch.items.slice())"
      ]
    ]
  }
]
