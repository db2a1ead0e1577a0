/** Guards of deciding, of following a key, and of how far projections are. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("projection")
const inside = (file: string) => `internal/projection/${file}`

const deciding: ReadonlyArray<NamedMutant> = [
  guard(
    "decide without a condition",
    inside("decide"),
    ["expect: [{ key, generation }]", "expect: []"],
    ["projection/decide", "decides anew on the state that another writer has made"]
  ),
  guard(
    "decide without its id",
    inside("decide"),
    ["changes, ...(id === undefined ? {} : { id }), ", "changes, "],
    ["projection/decide", "answers a repeated id as done, also if the state refuses it by now"]
  ),
  guard(
    "append what cannot be folded",
    inside("decide"),
    [
      "return after instanceof ProjectionError ? Either.left(after) :",
      "return after === undefined ? Either.left(after) :"
    ],
    ["projection/decide", "refuses what is no event of the definition, and what cannot be folded"]
  ),
  guard(
    "decide in a transaction of the caller's",
    inside("decide"),
    ["isInTransaction(currentContext)\n", "isInTransaction(currentContext) && attempts === 0\n"],
    ["projection/decide", "refuses to run in a transaction, and fails as Log if the log does not answer"]
  )
]

const reading: ReadonlyArray<NamedMutant> = [
  guard(
    "take a freshness as it is",
    inside("projecting"),
    [
      "    if (problem !== undefined) return refused(calls, key, problem)\n    const found",
      "    const found"
    ],
    ["projection/badInput", "that is none is Refused before the log is read, and named"]
  ),
  guard(
    "fold all kinds that are read at once",
    inside("all"),
    [
      "events.filter(({ event }) => isRelevant(event))",
      "events.filter(({ event }) => isRelevant(event) || true)"
    ],
    ["projection/all", "answers as each projection does by itself, or fails as the first that fails"]
  )
]

const following: ReadonlyArray<NamedMutant> = [
  guard(
    "drop a wake-up",
    inside("following"),
    ["(found) => next(watcher, found)", "(found) => next(watcher, found && last < 1)"],
    ["projection/following", "gives the state now, then each later one, and nothing for other keys"]
  ),
  guard(
    "end when the log is compacted",
    inside("following"),
    ["isCompacted(error) ? states :", "isCompacted(error) && last < 0 ? states :"],
    ["projection/following", "goes on when the log was compacted above it"]
  ),
  guard(
    "give a generation twice",
    inside("following"),
    ["if (generation <= last)", "if (generation < last)"],
    ["projection/following", "goes on when the log was compacted above it"]
  )
]

const least = "is the least of what is registered; only relevant events of projected keys hold it back"

const waiting: ReadonlyArray<NamedMutant> = [
  guard(
    "credit a newcomer at the frontier",
    inside("frontier"),
    ["if (applied === undefined || (least", "if (applied === undefined) continue\n    if ((least"],
    ["projection/frontier", least]
  ),
  guard(
    "credit one that was never used",
    inside("applied"),
    ["if (keys.size === 0) return undefined", "if (keys.size === 0) return passed"],
    ["projection/frontier", "times out for one that was never used, and names it"]
  ),
  guard(
    "let events of other kinds hold it back",
    inside("applied"),
    ["applied.isRelevant(event) ? ", "applied.passed !== undefined ? "],
    ["projection/frontier", least]
  ),
  guard(
    "count a key that is behind as applied",
    inside("applied"),
    ["if (last > proven.seq) behind.add(key)", "if (last > proven.seq) behind.delete(key)"],
    ["projection/frontier", least]
  ),
  guard(
    "leave keys that are behind while a caller waits",
    inside("observing"),
    ["size > 0 && isAwaited(observation)", "size < 0 && isAwaited(observation)"],
    ["projection/frontier", "completes as soon as the keys that it had projected hold what was committed"]
  ),
  guard(
    "project keys that are behind while no caller waits",
    inside("observing"),
    [
      "if (isAwaited()) return true\n  return false",
      "if (isAwaited()) return true\n  return observers.size > 0"
    ],
    ["projection/frontier", "projects keys that are behind one at a time, and only while a caller waits"]
  ),
  guard(
    "try a key that fails before all others",
    inside("applied"),
    ["if (behind.delete(key)) behind.add(key)", "if (behind.has(key)) behind.add(key)"],
    ["projection/frontier", "is held back by a key that cannot be projected, until it can"]
  ),
  guard(
    "count a read of a transaction",
    inside("projecting"),
    ["applied === undefined || inTransaction || ", "applied === undefined || "],
    ["projection/frontier", "counts no read of a transaction"]
  ),
  guard(
    "judge once before it waits",
    inside("frontier"),
    ["    // The frontier may have moved since it was judged.\n    moved(state)\n", ""],
    ["projection/frontier", "completes for what is applied between the look and the wait"]
  ),
  guard(
    "register a name twice",
    inside("frontier"),
    ["if (state.members.has(name)) {", "if (state.closed) {"],
    [
      "projection/frontier",
      "refuses a second one of a name and one of another log; both end with their scopes"
    ]
  )
]

export const projectionFrontierMutants: ReadonlyArray<NamedMutant> = [
  ...deciding,
  ...reading,
  ...following,
  ...waiting
]
