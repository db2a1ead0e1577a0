/** Guards of live tables: calls that take a bounded time, memory that ends, and how a live table ends. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("live table")

const hanging = (title: string) => ["liveTable/hangingTier", title] as const
const target = (title: string) => ["liveTable/target", title] as const
const staleness = (title: string) => ["liveTable/staleness", title] as const
const closing = (title: string) => ["liveTable/closing", title] as const

export const liveTableBoundMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "forget a call of the tier that its caller leaves",
    "internal/cache/guard",
    ["return outliving(guard, judged)", "return judged"],
    hanging("is asked by one caller that leaves sooner, and the master answers the others")
  ),
  guard(
    "ask a tier again that has not answered a caller that has left",
    "internal/cache/guard",
    ["guard.restsForLeft && guard.left > 0", "guard.left < 0"],
    hanging("is asked by one caller that leaves sooner, and the master answers the others")
  ),
  guard(
    "let calls of the tier outlive the live table",
    "internal/cache/guard",
    ["return Effect.forkIn(ended, guard.scope)", "return Effect.void"],
    hanging("is not used after the close, though its callers have left")
  ),
  guard(
    "keep what was written until something is read",
    "internal/liveTable/starting",
    ["      forgetAcknowledged(core.c)\n", ""],
    target("forgets what it has written when targetLag is over, though nothing is read")
  ),
  guard(
    "keep what was written until the next read begins",
    "internal/liveTable/core",
    ["      forgetAcknowledged(c)\n", ""],
    target("forgets what it has written when the last read from before has landed")
  ),
  guard(
    "declare no staleness of what was loaded before a gap",
    "internal/liveTable/health",
    ["changes.isTrusted() && isGapOver", "changes.isTrusted() || isGapOver"],
    staleness("holds for what is served from before a gap, as long as that may be served")
  ),
  guard(
    "declare the staleness of a gap before which nothing was loaded",
    "internal/liveTable/coherence",
    ["if (c.cells.map.size > 0) c.gap", "c.gap"],
    staleness("is not longer after a gap before which nothing was read")
  ),
  guard(
    "let a row go that has a staged write",
    "internal/liveTable/staging",
    ["const cell = key === undefined ? ", "const cell = key === undefined || number > 0 ? "],
    ["liveTable/staged", "keeps its row in memory until it has its outcome, whatever else is read"]
  ),
  guard(
    "name the revision of the last row for all",
    "internal/liveTable/asTable",
    ["earlier(least, Option", "earlier(least, least) && earlier(Option.getOrUndefined(revision), Option"],
    ["liveTable/asTable", "names the earliest revision of the rows that it answers with"]
  ),
  guard(
    "never end the failures",
    "internal/liveTable/starting",
    ["  failures.unsafeOffer(undefined)\n", ""],
    closing("ends `failures` behind the last one, for readers that come later too")
  ),
  guard(
    "report pages and samples that run as none",
    "internal/liveTable/closing",
    ["queries.fibers.size + running > 0", "queries.fibers.size > 0 && running >= 0"],
    closing("waits for a sample that ignores its interruption, and reports it")
  ),
  guard(
    "close while a page is read",
    "internal/liveTable/closing",
    [", whenStopped(otherReads)", ""],
    closing("waits for a page of a stream that ignores its interruption, and reports it")
  ),
  guard(
    "report by `onClosed` before the last use of the tier",
    "internal/liveTable/starting",
    ["Effect.andThen(Scope.close(inner, Exit.void), report", "Effect.andThen(Effect.void, report"],
    closing("by its scope has ended the use of the tier and the master before `onClosed`")
  )
]
