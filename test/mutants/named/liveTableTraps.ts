/** Guards of live tables: what is not stored, what goes on without callers, and what ends. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("live table")

const traps = "liveTable/traps"
const coherence = "internal/liveTable/coherence"
const landing = "internal/liveTable/landing"
const following = "internal/liveTable/following"
const reads = "internal/liveTable/readCalls"

const lookGate = "liveTable/lookGate"

const ownEvents = "liveTable/ownEvents"
const tierEntry = "internal/liveTable/tierEntry"
const beliefs = "liveTable/tierEntry"

/** What makes a list of rows that the memory holds. */
const listFromRows = [
  "Object.freeze(rows.map((row) => c.sharing.own(row)))",
  'Object.freeze(rows.map((row) => { const known = Cells.get(c.cells, row[id] as Key); return (known !== undefined && Cells.stateOf(c.cells, known) === "Current" ? Option.getOrUndefined(rowIn(known)!.value) : undefined) ?? c.sharing.own(row) }))'
] as const

export const liveTableTrapMutants: ReadonlyArray<NamedMutant> = [
  guard("list from rows", landing, listFromRows, [
    traps,
    "answers a list by one read of the master, without rows that are newer (rule 10)"
  ]),
  guard("list from rows that are older", landing, listFromRows, [
    traps,
    "answers a list by one read of the master, without rows that are older (rule 10)"
  ]),
  guard(
    "count the lag from the answer of the log",
    "internal/liveTable/changesState",
    ["monotonicMillis(fields.clock) - headAge)", "monotonicMillis(fields.clock) - headAge * 0)"],
    [
      "liveTable/observing",
      "counts the lag from the question that the log was asked, however late its answer is"
    ]
  ),
  guard(
    "publish no metrics of what has landed",
    "internal/cache/flight",
    ["  flights.settings.onLanded?.()\n", ""],
    ["liveTable/observing", "count what its stats count, under its name, once a load or a write has ended"]
  ),
  guard(
    "give an id that is asked for twice one answer",
    "internal/liveTable/slots",
    ["if (given.has(key)) return shareRow(core, answer)", "if (given.has(key)) return answer"],
    [traps, "gives an id that is asked for twice an answer of its own each time (rule 7)"]
  ),
  guard(
    "forget reads that ignore their interruption",
    "internal/liveTable/starting",
    ["state.running > 0 || Option.exists(resource, ", "state.running > 0 || Option.exists(Option.none(), "],
    ["liveTable/lifecycle", "waits for a read of a row that ignores its interruption, and reports it"]
  ),
  guard(
    "do not wait for reads at a close",
    "internal/liveTable/closing",
    ["Effect.andThen(Effect.forkDaemon(wait), Effect.yieldNow())", "Effect.as(Effect.yieldNow(), wait)"],
    ["liveTable/lifecycle", "waits for a read of a list that ignores its interruption, and reports it"]
  ),
  guard(
    "take the options of a read as they are",
    "internal/liveTable/readOptions",
    [
      "return settings instanceof Rules.InvalidOptions ? Effect.fail(refused(settings)) :",
      "return settings instanceof Rules.InvalidOptions ? use(options as ReadSettings) :"
    ],
    ["liveTable/readOptions", "fails as InvalidQuery, and names it: wait"]
  ),
  guard(
    "believe an entry of a tier whose row has changed since",
    tierEntry,
    ["  if ((changes.lastChangeOf(prefix + key) ?? 0) > revision.seq) return false\n", ""],
    [beliefs, "is believed if the key has not changed since its revision"]
  ),
  guard(
    "miss the epoch of an entry of a tier",
    tierEntry,
    ["position.epoch !== revision.epoch || revision.seq", "revision.seq"],
    [beliefs, "is not believed if its epoch is another one"]
  ),
  guard(
    "believe an entry of a tier from before what is known",
    tierEntry,
    [" || revision.seq < changes.knownFrom()", ""],
    [beliefs, "is not believed from before what is known of the changes"]
  ),
  guard(
    "believe an own entry of a tier that a change has overtaken",
    tierEntry,
    ["  !KeyJournal.isOutdated(changedRows, id, stamp) &&\n", ""],
    [beliefs, "is believed by its stamp alone: no later change of its row, and none of all rows"]
  ),
  guard(
    "skip an own event that comes before the reply",
    "internal/liveTable/events",
    ["return call <= own.settledUpTo && call > own.forgottenUpTo", "return call > own.forgottenUpTo"],
    [ownEvents, "invalidates by an own event that comes before its reply, and serves the write then"]
  ),
  guard(
    "look as often as there are followers in one turn",
    "internal/liveTable/lookGate",
    ["  gate.left--\n", ""],
    [lookGate, "lets 16 look in one turn, and the others in later ones, in their order"]
  ),
  guard(
    "keep the place of a follower that has left",
    "internal/liveTable/lookGate",
    ["      gate.waiting.delete(go)\n", ""],
    [lookGate, "keeps no place for one that has left"]
  ),
  guard(
    "store a load from before the end of a doubt",
    landing,
    [
      "landing.detached || isListed || KeyJournal.isOutdated(c.changedRows, key, landing.stamp)",
      "landing.detached || isListed"
    ],
    [traps, "does not store a load from before such a commit when the doubt has ended"]
  ),
  guard(
    "store a list that was dropped by its query while it was loaded",
    coherence,
    ["  KeyJournal.note(c.changedRows, key, Cells.nextStamp(c.cells))\n", ""],
    [traps, "stores no such list though nothing was loaded since (its query)"]
  ),
  guard(
    "no doubt",
    "internal/liveTable/outcomes",
    ["  doubt(c, { batch, ids, until })\n", ""],
    [traps, "does not store what may be older than a write which may still commit (rule 5)"]
  ),
  guard(
    "give writers the row that the memory keeps",
    "internal/liveTable/outcomes",
    [
      'isFrozen || outcome._tag !== "Written" ? outcome : {',
      'isFrozen || outcome._tag !== "never" ? outcome : {'
    ],
    [traps, "is not changed by a caller who changes an answer (rule 7)"]
  ),
  guard(
    "expire no loads by their tags",
    "internal/liveTable/targets",
    ["      Interest.keysWith(interests, target.tag).forEach(expireKey)\n", ""],
    ["liveTable/freshness", "ends the freshness of what is being loaded, by a tag"]
  ),
  guard(
    "let each follower poll",
    following,
    ["Effect.andThen(sleep(follows, millis), due)", "sleep(follows, millis)"],
    ["liveTable/follow", "polls a master without events by refresh, not at once, once for all followers"]
  ),
  guard(
    "leave followers in the pause after failures that are over",
    following,
    [
      "if (followed.failures === 0) return sleep(follows, millis)",
      "if (millis >= 0) return sleep(follows, millis)"
    ],
    ["liveTable/followQuiet", "gets with the others what the master answers after it has failed for long"]
  ),
  guard(
    "poll as often after failures",
    following,
    ["failures === 0 ? base", "failures >= 0 ? base"],
    ["liveTable/follow", "emits nothing of a poll that fails, and polls slower then"]
  ),
  guard(
    "read a page of the master after the close",
    reads,
    [
      "life.end === undefined\n          ? Effect.mapError(OtherReads.untilEnded(otherReads, tracedPull(traced, pull))",
      "otherReads !== undefined\n          ? Effect.mapError(pull"
    ],
    ["liveTable/lifecycle", "ends a stream in its middle: it reads no further page"]
  ),
  guard(
    "note in a reader's own span what a page held",
    "internal/liveTable/spans",
    [
      "const untraced: Traced = (_operation, _count, effect) => effect",
      "const untraced: Traced = (_operation, _count, effect, countOf) => counted(effect, countOf)"
    ],
    ["liveTable/observing", "are not there where no tracer listens"]
  ),
  guard(
    "put no span around events",
    "internal/liveTable/changes",
    ['return traced("events", first.events.length, applied, ({ count }) => count)', "return applied"],
    ["liveTable/observing", "are around the events of the log, which no call asked for"]
  ),
  guard(
    "let the end of a stream fail its span",
    reads,
    ["Effect.catchIf(pull, Option.isNone, () => Effect.succeed(undefined))", "pull"],
    ["liveTable/observing", "are around each page of a stream, of which the last one found its end"]
  ),
  guard(
    "take the key of a query for an id",
    reads,
    [
      ' || !("value" in answer) ? undefined : shareRow(core, answer)',
      " ? undefined : shareRow(core, answer as never)"
    ],
    ["liveTable/badInput", "fails as InvalidQuery for an id that is none: of another type, or with U+0000"]
  )
]
