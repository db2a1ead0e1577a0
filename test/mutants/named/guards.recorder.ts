/** Guards of the recorder, each held by one test. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("recorder")

export const recorderGuards: ReadonlyArray<NamedMutant> = [
  guard(
    "take a save of a bisection for a wait",
    "internal/recorder/bisection",
    ['._tag === "Wait"', '._tag !== "Done"'],
    ["recorder/timeouts", "holds for the saves of a bisection that follows unknown failures"]
  ),
  guard(
    "try a sink a fourth time",
    "internal/recorder/sink",
    ["const maxSinkTries = 3", "const maxSinkTries = 4"],
    ["recorder/deadLetters", "one that fails is tried 3 times; then the record is handed back as SinkFailed"]
  ),
  guard(
    "forget the sizes of what is saved again",
    "internal/recorder/settlement",
    ["held.map(({ bytes }) => bytes)", "undefined"],
    ["recorder/deadLetters", "takes the room by bytes of its records again, and frees it"]
  ),
  guard(
    "leave the scope of a failed acquisition open",
    "internal/acquire",
    ["yield* Scope.close(own, exit)", "void exit"],
    ["recorder/start", "may need a Scope and services; the scopes of failed attempts are closed"]
  ),
  guard(
    "retry a failure of unknown kind for ever",
    "internal/recorder/bisectionRounds",
    ["unknownRetries = 5", "unknownRetries = Number.POSITIVE_INFINITY"],
    ["recorder/retryTimes", "does not block the trail: 5 retries and a bisection later it is set aside"]
  ),
  guard(
    "retry a failure of unknown kind once more",
    "internal/recorder/bisectionRounds",
    ["unknownRetries = 5", "unknownRetries = 6"],
    ["recorder/poison", "a defect is retried 5 times like transient, then bisected"]
  ),
  guard(
    "leave the status of a batch that was given up",
    "internal/recorder/batchRun",
    ["  run.attempt = 0\n", "  if (run.attempt === 0) return\n  run.attempt = 0\n"],
    ["recorder/fatal", "a finite schedule that ends counts as fatal: set-aside, and Running again"]
  ),
  guard(
    "leave the status although the storage answers",
    "internal/recorder/behavior",
    ["control.setOutage(undefined)", "void 0"],
    ["recorder/transient", "status is Degraded with since, cause and attempt; one attempt is under way"]
  ),
  guard(
    "retry without a cap",
    "internal/recorder/options",
    ['  Schedule.union(Schedule.spaced("30 seconds")),\n', ""],
    ["recorder/transient", "the same batch is retried from 100 ms by factor 2, at most each 30 s, for ever"]
  ),
  guard(
    "ask no storage for its greatest batch",
    "internal/recorder/behavior",
    ["=> storage.maxBatch", "=> undefined"],
    ["recorder/batches", "holds at most as many as a storage names that can take fewer"]
  ),
  guard(
    "log each bad record of a batch",
    "internal/recorder/behavior",
    ["=== batch) return", "=== null) return"],
    ["recorder/logs", "there is no line per record: one for all the bad ones of a batch"]
  ),
  guard(
    "end the recorder when a storage throws",
    "internal/recorder/batchRunner",
    ["return Effect.die(defect)", "throw defect"],
    ["recorder/transient", "a storage that throws is retried like one that dies"]
  ),
  guard(
    "send the stored prefix of a failure again",
    "internal/recorder/bisection",
    ["    bisection.ranges.pop()\n    progressed", "    progressed"],
    ["recorder/transient", "the stored prefix of a failure of kind Poison is not sent again"]
  ),
  guard(
    "forget where newcomers stood",
    "internal/recorder/settlement",
    ["position: first }", "position: index }"],
    [
      "recorder/batchRun",
      "take newcomers in whose receipts are resolved, also behind records that were dropped"
    ]
  ),
  guard(
    "let a durable saver that has gone wait for room",
    "internal/recorder/saver",
    ["=== undefined) cancel()", "=== undefined) void cancel"],
    ["recorder/bounds", "a durable saver that goes away while it waits was not accepted"]
  ),
  guard(
    "make no room for the outcomes of newcomers",
    "internal/recorder/bisection",
    ["bisection.unknownOutcome = longer", "void longer"],
    ["recorder/bisection", "keep what is known of the outcomes when newcomers come"]
  ),
  guard(
    "know a half for bad because the other one is good",
    "internal/recorder/bisection",
    ["right?.rightHalf", "right !== undefined"],
    ["recorder/bisection", "that end in the midst of a bisection leave the other half whole"]
  ),
  guard(
    "save a half that must hold the bad record",
    "internal/recorder/bisection",
    ["right?.rightHalf", "false"],
    ["laws/bisection", "A17: of which one is bad cost at most 22 saves, at each of the 1,000 positions"]
  ),
  guard(
    "keep where the newcomers of the batch before stood",
    "internal/recorder/settlement",
    ["settlement.extensions = []", "void 0"],
    [
      "recorder/batchRun",
      "take newcomers in whose receipts are resolved, also behind records that were dropped"
    ]
  ),
  guard(
    "give a query no limit",
    "Recorder",
    ["{ limit: loadTimeout }", "{}"],
    ["recorder/queries", "takes at most loadTimeout once it is its turn, and fails typed"]
  ),
  guard(
    "link the caller of a record that is not queued",
    "internal/recorder/saver",
    [" && control.nextPosition() > position", ""],
    ["recorder/spans", "it is linked to no caller without a span, nor to one whose record was not queued"]
  ),
  guard(
    "refuse who could wait for room, where there is a tracer",
    "internal/recorder/saver",
    ["waits ? (record) => accepted([record]) : ", ""],
    ["recorder/spans", "it is linked to a caller that has waited for room"]
  ),
  guard(
    "link without an end",
    "internal/recorder/spans",
    ["links.length < maxLinks", "true"],
    ["recorder/spans", "it has at most 128 links"]
  ),
  guard(
    "make spans for the default tracer",
    "Recorder",
    ["tracer === defaultTracer", "tracer === undefined"],
    ["recorder/spans", "there is no span: none is made, and the storage sees none"]
  ),
  guard(
    "cut one record off instead of halving",
    "internal/recorder/bisectionRounds",
    ["(from + to + 1) >> 1", "from + 1"],
    ["laws/bisection", "A17: of which one is bad cost at most 22 saves, at each of the 1,000 positions"]
  ),
  guard(
    "forget at the hand-back what was known of what is saved again",
    "internal/recorder/settlement",
    [
      "for (const entry of entries) yield unsaved(entry)",
      'for (const entry of entries) yield unsaved({ ...entry, outcome: "NotStored" })'
    ],
    ["recorder/batchRun", "that has not begun is handed back with what was known"]
  ),
  guard(
    "leave the saves that wait at a deadline without an answer",
    "internal/recorder/settlement",
    ["  failReceipts(settlement, Option.getOrUndefined(cause))\n", ""],
    ["recorder/saves", "HandedBack and OutcomeUnknown, when a deadline ends the close"]
  ),
  guard(
    "confirm a record that is set aside",
    "internal/recorder/settlement",
    [
      "positionOf(settlement, index), receiptErrorOf(entry, sink))",
      "positionOf(settlement, index), undefined)"
    ],
    ["recorder/saves", "SetAside, while the rest of its batch is not stored yet"]
  ),
  guard(
    "confirm a record that is dropped",
    "internal/recorder/behavior",
    [
      "Receipts.settle(settlement.receipts, position, droppedError)",
      "Receipts.settle(settlement.receipts, position, undefined)"
    ],
    ["recorder/saves", "Dropped, when the policy gives the record up"]
  ),
  guard(
    "release the newest",
    "internal/recorder/settlement",
    [
      "if (DeadLetters.size(deadLetters) > 0) DeadLetters.shift(deadLetters)",
      "if (DeadLetters.size(deadLetters) > 0) deadLetters.entries.pop()"
    ],
    ["recorder/held", "the oldest are released: counted, and held by nothing any more"]
  ),
  guard(
    "take newcomers uncounted",
    "internal/actor/batches",
    [
      "    intake.inFlight += more.items.length\n    intake.inFlightBytes += bytes - intake.mailbox.bytes\n",
      ""
    ],
    ["actor/actor", "extend over questions that read nothing, and over those whose caller has gone"]
  )
]
