/** Guards of projections: what is proven before a cached state counts, and what no one shares. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("projection")
const inside = (file: string) => `internal/projection/${file}`
const lanes = "over memory give one state for one log, with its own generation, or none for a part"

const folding: ReadonlyArray<NamedMutant> = [
  guard(
    "leave the tier of a projection alone for a call that was left",
    inside("tierCache"),
    ["restsForLeft: false", "restsForLeft: true"],
    ["projection/tier", "is slow is asked by all readers, though some of them leave sooner"]
  ),
  guard(
    "filter kinds after they are read",
    inside("reading"),
    [
      "): HistoryOptions => ({ kinds, after, upTo,",
      "): HistoryOptions => ({ kinds: kinds && undefined, after, upTo,"
    ],
    ["projection/strategies", "is Empty for a key without an event that concerns it, by its generation"]
  ),
  guard(
    "read each page as of another instant",
    inside("reading"),
    ["optionsOf(kinds, after, upTo, pageSize)", "optionsOf(kinds, after, upTo && undefined, pageSize)"],
    ["projection/strategies", "reads many events in pages of one instant"]
  ),
  guard(
    "fold what came after a cached state without it",
    inside("attempt"),
    ["base && compiled.states.copy(base.cached.state)", "undefined"],
    ["projection/lanes.laws", lanes]
  ),
  guard(
    "skip an event that cannot be decoded",
    inside("fold"),
    [
      'if (decoded._tag === "Malformed") {',
      'if (decoded._tag === "Malformed") return\n  if (decoded._tag === ("" as never)) {'
    ],
    ["projection/badInput", "of an unknown kind fails as Malformed, is never skipped, and is named"]
  ),
  guard(
    "ignore that a key is forgotten",
    inside("fold"),
    ["    fold.state = undefined\n", ""],
    ["projection/history", "forgets a key gives none, from every cache, and begins anew after that"]
  ),
  guard(
    "fail by what is before a forgotten event",
    inside("fold"),
    ["    fold.problem = undefined\n", ""],
    ["projection/history", "forgets a key does not need to read what was before"]
  )
]

const proving: ReadonlyArray<NamedMutant> = [
  guard(
    "give the plan's generation to an old state",
    inside("cached"),
    ["events.length === 0 && !more", "events.length >= 0 || more"],
    ["projection/lanes.laws", lanes]
  ),
  guard(
    "fail by a row whose tag is none of the log",
    inside("tierProbe"),
    ['if (error._tag === "EpochChanged") return refused\n', ""],
    ["projection/tier", "with a tag that is none of the log is removed, counted, and replaced by a full fold"]
  ),
  guard(
    "keep a slot of another epoch",
    inside("attempt"),
    [
      "    Slots.drop(slots, key, slot)\n    return fromLog(attempt, undefined)",
      '    return Effect.succeed(equal(attempt, slot, { head: slot.head, last: slot.at, events: [], more: false }, "SlotHit"))'
    ],
    [
      "projection/history",
      "was renewed ends all cached states; its events give the same state under the new epoch"
    ]
  ),
  guard(
    "give none where events are gone",
    inside("attempt"),
    [
      "return Effect.fail(readFailed(attempt.runtime.name, attempt.key)(planned.left))",
      "return Effect.succeed(empty(attempt, { head: planned.left as never, last: undefined, events: [], more: false }))"
    ],
    ["projection/history", "is compacted beyond what is cached fails as Compacted, and gives no suffix"]
  ),
  guard(
    "read one row for kinds in each order",
    inside("decoder"),
    ["[...wanted].sort()", "[...wanted]"],
    ["projection/tier", "is one for kinds in any order, and another one for other kinds, versions and names"]
  )
]

const sharing: ReadonlyArray<NamedMutant> = [
  guard(
    "put the state of an older flight",
    inside("slots"),
    ["  if (known !== undefined && !isForward(known, slot)) return\n", ""],
    [
      "projection/flights",
      "is not joined after that: the later caller gets what was committed before its call"
    ]
  ),
  guard(
    "join a flight after its plan",
    inside("ways"),
    ["        Flights.detach(flights, key)\n", ""],
    [
      "projection/flights",
      "is not joined after that: the later caller gets what was committed before its call"
    ]
  ),
  guard(
    "share a state that a caller can change",
    inside("states"),
    ["    freeze(state.value)\n", ""],
    ["projection/flights", "with plain data cannot be changed for others by a caller or a fold"]
  ),
  guard(
    "share an instance between callers",
    inside("states"),
    ["return { text, shared: undefined }", "return { text, shared: state }"],
    ["projection/flights", "with an instance cannot be changed for others by a caller or a fold"]
  ),
  guard(
    "fold into the state that is cached",
    inside("states"),
    [
      "copy: (kept) => Option.getOrUndefined(own(kept))",
      "copy: (kept) => Option.getOrUndefined(kept.shared ?? own(kept))"
    ],
    ["projection/flights", "with plain data cannot be changed for others by a caller or a fold"]
  ),
  guard(
    "use caches in a transaction",
    inside("projecting"),
    ["isInTransaction(fiber.currentContext)", "isInTransaction(fiber.currentContext) && key === undefined"],
    [
      "projection/transactions",
      "reads the log in it, past slot, tier and flight, and leaves no trace in them"
    ]
  ),
  guard(
    "cache what cannot be encoded",
    inside("storing"),
    ["if (!isEncodable(state)) {", "if (!isEncodable(state) && state === undefined) {"],
    ["projection/tier", "holds states that no tier takes: they cannot be encoded, so no cache gets them"]
  )
]

const ageing: ReadonlyArray<NamedMutant> = [
  guard(
    "measure ages by the wall",
    inside("runtime"),
    ["monotonicMillis(clock)", "clock.unsafeCurrentTimeMillis() + 0 * monotonicMillis(clock)"],
    [
      "projection/freshness",
      "is not younger by a wall clock that goes back, nor older by one that goes forward"
    ]
  ),
  guard(
    "serve a state of exactly the age",
    inside("ways"),
    ["now(runtime) - slot.proven.at < millisOf(maxAge)", "now(runtime) - slot.proven.at <= millisOf(maxAge)"],
    ["projection/freshness", "is served from memory strictly below the age, without reading the log"]
  ),
  guard(
    "count the age from the answer",
    inside("storing"),
    ["proven: asked", "proven: { ...asked, at: asked.at + 1e9 }"],
    ["projection/freshness", "counts the age from when the log was asked, not from its answer"]
  ),
  guard(
    "wait for a ring alone",
    inside("atLeast"),
    ["Math.min(left, pollInterval)", "Math.max(left, pollInterval)"],
    ["projection/freshness", "finds without a ring what another process has committed"]
  ),
  guard(
    "take a revision of another history",
    inside("atLeast"),
    ["found === undefined || isSame(found, revision)", "found !== revision"],
    ["projection/freshness", "refuses a revision of another history"]
  ),
  guard(
    "wait for a tier that hangs",
    inside("tierCache"),
    ['if (fault._tag === "Slow") Guard.rest(guard, rest)', ""],
    ["projection/tier", "hangs makes no read wait longer than tierTimeout, and is left alone for a while"]
  )
]

export const projectionMutants: ReadonlyArray<NamedMutant> = [...folding, ...proving, ...sharing, ...ageing]
