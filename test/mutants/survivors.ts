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

const admission = "src/internal/admission.ts"
const book = "src/internal/book.ts"
const bulk = "src/internal/bulk.ts"
const intake = "src/internal/intake.ts"
const ledger = "src/internal/ledger.ts"
const mailbox = "src/internal/mailbox.ts"
const records = "src/internal/records.ts"
const saver = "src/internal/saver.ts"

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
  }
]
