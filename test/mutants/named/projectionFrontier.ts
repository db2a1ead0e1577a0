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

export const projectionFrontierMutants: ReadonlyArray<NamedMutant> = [...deciding, ...reading, ...following]
