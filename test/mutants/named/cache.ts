/** Guards of cached values: which load may store, who shares a flight, and what ends freshness. */
import { guardsOf } from "./guard.js"

const guard = guardsOf("cache")

const cells = (title: string) => ["cache/cells", title] as const
const flights = (title: string) => ["cache/flights", title] as const
const age = (title: string) => ["cache/freshness", title] as const

export const cacheGuards = [
  guard(
    "store without a check of the stamp",
    "internal/cache/cells",
    ["if (stamp <= Math.abs(known.stamp)) return undefined", ""],
    cells("is not stored if its key was invalidated since it began, though its cell is kept by a pin")
  ),
  guard(
    "overwrite a later load by an earlier one",
    "internal/cache/cells",
    ["if (stamp <= Math.abs(known.stamp)) return undefined", "if (stamp <= -known.stamp) return undefined"],
    cells("is not stored over a value that a later load has brought")
  ),
  guard(
    "forget by what a pinned cell was emptied",
    "internal/cache/cells",
    ["  cell.stamp = -stamp\n", "  cell.stamp = 0\n"],
    cells("is not stored if its key was invalidated since it began, though its cell is kept by a pin")
  ),
  guard(
    "count the stamps of each cell for itself",
    "internal/cache/cells",
    ["=> ++cells.lastStamp", "=> cells.map.size + 1"],
    cells("is not stored if everything was invalidated since it began")
  ),
  guard(
    "store what began before everything was invalidated",
    "internal/cache/cells",
    ["  if (stamp <= cells.invalidUpTo) return undefined\n", ""],
    cells("is not stored if everything was invalidated since it began")
  ),
  guard(
    "store what began before its tag was invalidated",
    "internal/cache/cells",
    ["  if (tags !== undefined && Tags.isOutdated(cells.tags, tags, stamp)) return undefined\n", ""],
    cells("by a tag drops the cells that have it, and what loads under way bring with it")
  ),
  guard(
    "take forgotten invalidations of tags for none",
    "internal/cache/journal",
    ["stamp < journal.forgottenUpTo || ", ""],
    cells("by very many tags is forgotten in favour of the loads: they are not stored")
  ),
  guard(
    "lose the tags of a value that is refreshed",
    "internal/cache/cells",
    ["    dropValue(cells, known)\n", "    forget(cells, known, 0)\n"],
    cells("by a tag reaches a value that a refresh without tags has replaced")
  ),
  guard(
    "hit what is suspect",
    "internal/cache/cells",
    ["Math.max(invalidUpTo, suspectUpTo, expiredUpTo)", "Math.max(invalidUpTo, expiredUpTo)"],
    cells("ends for a value with its next load")
  ),
  guard(
    "let trust end every suspicion",
    "internal/cache/cells",
    ["  cells.distrusted = false\n", "  cells.distrusted = false\n  cells.suspectUpTo = 0\n"],
    cells("of all that is loaded meanwhile ends with it, and leaves what was suspect or expired before")
  ),
  guard(
    "forget the age of what is expired",
    "internal/cache/cells",
    ["cell.freshUntil = -Math.abs(cell.freshUntil)", "cell.freshUntil = -1"],
    cells("is as old as it was, and stays until it is loaded again")
  ),
  guard(
    "move the ttl by reads",
    "internal/cache/cells",
    ["undefined\n  cell.visited = true\n", "undefined\n  cell.visited = true\n  cell.freshUntil += 1\n"],
    cells("is stored, and hit until it is not fresh any more")
  ),
  guard(
    "hit at the exact end of the freshness",
    "internal/cache/cells",
    ["now >= cell.freshUntil", "now > cell.freshUntil"],
    cells("is stored, and hit until it is not fresh any more")
  ),
  guard(
    "keep an older value where the newer has no room",
    "internal/cache/cells",
    [
      "    // The value that was there is older, so it goes also if the new one has no room. Its tags stay.\n    dropValue(cells, known)\n  }\n  const size = load.size ?? 0\n",
      "  }\n  const size = load.size ?? 0\n  if (size > cells.bound.maxBytes) return undefined\n"
    ],
    cells("are so many bytes; a value that alone has more is not kept, nor the older one")
  ),
  guard(
    "evict what is pinned",
    "internal/cache/cells",
    ["  if (cell.pins++ === 0) {\n    Sieve.remove(cells.sieve, cell)\n", "  if (cell.pins++ === 0) {\n"],
    cells("holds what is pinned, and nothing else if that takes all of it")
  ),
  guard(
    "evict the cell that is to hold the value",
    "internal/cache/cells",
    ["    Sieve.remove(cells.sieve, known)\n    evictUntil(", "    evictUntil("],
    cells("grows for a value that becomes larger, at the cost of others")
  ),
  guard(
    "spare nothing that was read",
    "internal/cache/sieve",
    ["node?.visited === true &&", "node?.visited === undefined &&"],
    cells("are so many entries; what was read stays")
  ),
  guard(
    "search for the entry to evict without a bound",
    "internal/cache/sieve",
    ["&& spared < maxSpared", ""],
    ["cache/sieve", "spares so many entries in one search at most, although all were read"]
  ),
  guard(
    "begin each search at the oldest",
    "internal/cache/sieve",
    ["  sieve.hand = node\n  remove(sieve, node)\n", "  remove(sieve, node)\n"],
    ["cache/sieve", "goes on where it stopped: what it has spared has until the next round to be read again"]
  ),
  guard(
    "revalidate at the exact end of the time for it",
    "internal/cache/freshness",
    [
      "now < aged.freshUntil + times.staleWhileRevalidate",
      "now <= aged.freshUntil + times.staleWhileRevalidate"
    ],
    age("is then stale at once while one refresh runs, exactly for `staleWhileRevalidate`")
  ),
  guard(
    "serve a value at the exact end of its grace",
    "internal/cache/freshness",
    ["return now < aged.loadedAt", "return now <= aged.loadedAt"],
    age("replaces an answer of the source below the age `ttl + grace`, which jitter does not shorten")
  ),
  guard(
    "shorten the grace by the jitter",
    "internal/cache/freshness",
    ["now < aged.loadedAt + times.ttl + times.grace", "now < aged.freshUntil + times.grace"],
    age("replaces an answer of the source below the age `ttl + grace`, which jitter does not shorten")
  ),
  guard(
    "take what ended early for fresh",
    "internal/cache/freshness",
    ["!endedEarly && ", ""],
    age("whose freshness was ended early is never fresh, and as old as it is")
  ),
  guard(
    "join a flight that is detached",
    "internal/cache/flight",
    ["  flight.detached = true\n  flights.index.delete(key)\n", "  flight.detached = true\n"],
    flights("answers its callers, lands as detached, and is joined no more")
  ),
  guard(
    "store what a detached flight brings",
    "internal/cache/flight",
    ["  flight.detached = true\n  flights.index.delete(key)\n", "  flights.index.delete(key)\n"],
    flights("answers its callers, lands as detached, and is joined no more")
  ),
  guard(
    "detach what has not begun",
    "internal/cache/flight",
    [
      "if (flight?.load === undefined) return\n  flight.detached = true",
      "if (flight === undefined) return\n  flight.detached = true"
    ],
    flights("is only one that has begun: another one asks later than the invalidation")
  ),
  guard(
    "take the stamp when the load lands",
    "internal/cache/flight",
    [
      "    return [flight, landed(flights, flight, outcomeOf(at))] as const\n",
      "    flight.stamp = flights.settings.nextStamp()\n    return [flight, landed(flights, flight, outcomeOf(at))] as const\n"
    ],
    flights("answers its callers, lands as detached, and is joined no more")
  ),
  guard(
    "end a shared load with one of its callers",
    "internal/cache/flight",
    ["  if (isWanted(flight)) return\n  if (flights.queued", "  if (flights.queued"],
    flights("affects no other, not even of the first one")
  ),
  guard(
    "end a load with the last caller of one of its keys",
    "internal/cache/flight",
    ["  if (load.wanted === 0) giveUp(", "  giveUp("],
    flights("ends the load with the last caller of its last key")
  ),
  guard(
    "let a load run on that nothing wants",
    "internal/cache/flight",
    ['  if (load.wanted === 0) giveUp(flights, load, { _tag: "Unwanted" })\n', ""],
    flights("ends the load with the last caller of its last key")
  ),
  guard(
    "end a refresh with a caller that has joined it",
    "internal/cache/flight",
    ["  refreshes || waiters.size > 0", "  waiters.size > 0 || (refreshes && waiters.size > 0)"],
    flights("does not end a load that refreshes")
  ),
  guard(
    "forget a caller that joins what nothing wanted",
    "internal/cache/flight",
    ["  if (!isWanted(flight)) want(flight)\n", ""],
    flights("does not end a load that another one has joined in the meantime")
  ),
  guard(
    "keep a load that hangs",
    "internal/cache/flights",
    ['Effect.sync(() => giveUp(flights, begun, { _tag: "TimedOut" }))', "Effect.void"],
    flights("abandons a load exactly when it has passed")
  ),
  guard(
    "wait until an abandoned load has stopped",
    "internal/cache/flight",
    [
      "  settle(flights, load, () => outcome)\n  load.fiber.unsafeInterruptAsFork(FiberId.none)\n",
      "  load.fiber.unsafeInterruptAsFork(FiberId.none)\n"
    ],
    flights("does not wait for a load that ignores its interruption, and its late answer is nothing")
  ),
  guard(
    "store what an abandoned load brings",
    "internal/cache/flight",
    ["  for (const flight of load.flights) flight.detached = true\n", ""],
    flights("abandons a load exactly when it has passed")
  ),
  guard(
    "take too few values for the first ones",
    "internal/cache/flight",
    ["received === expected\n", "received > 0\n"],
    flights("with too few values fails for all its callers")
  ),
  guard(
    "load more keys at once than a batch",
    "internal/cache/flight",
    ["=== batchSize(flights)) break", "=== Number.POSITIVE_INFINITY) break"],
    flights("become loads of at most the size of a batch")
  ),
  guard(
    "load each key of a turn for itself",
    "internal/cache/flight",
    ['settings.gather === "none" ? 1 : settings.maxBatch', "Math.min(1, settings.maxBatch)"],
    flights("become loads of at most the size of a batch")
  ),
  guard(
    "leave callers that wait for their turn when all ends",
    "internal/cache/flight",
    ["  const waiting = [...flights.queued]\n", "  const waiting: ReadonlyArray<OwnFlight<K, B, X>> = []\n"],
    flights("answers all callers, also those whose load has not begun, and interrupts the loads")
  ),
  guard(
    "start flights after the end",
    "internal/cache/flight",
    ["known !== undefined || flights.ended", "known !== undefined"],
    flights("answers all callers, also those whose load has not begun, and interrupts the loads")
  ),
  guard(
    "load in the transaction of the maker",
    "internal/cache/flights",
    ["withoutCallerContext(yield* Effect.context<never>())", "yield* Effect.context<never>()"],
    flights("outside of the transaction and the span of its caller and of its maker")
  )
]
