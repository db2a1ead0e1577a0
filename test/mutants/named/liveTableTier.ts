/** Guards of live tables: what a tier, a list or a write that was under way must not bring back. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("live table")

const coherence = "internal/liveTable/coherence"
const landing = "internal/liveTable/landing"
const outcomes = "internal/liveTable/outcomes"
const targets = "internal/liveTable/targets"
const tierCache = "internal/liveTable/tierCache"
const tierEntry = "internal/liveTable/tierEntry"

const tier = (title: string) => ["liveTable/tier", title] as const
const belief = (title: string) => ["liveTable/tierEntry", title] as const
const underWay = (title: string) => ["liveTable/underWay", title] as const
const badTier = (title: string) => ["liveTable/badTier", title] as const

export const liveTableTierMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "tier fill unguarded",
    "internal/liveTable/loading",
    [
      "const landing = { ...flight, askedAt, now,",
      "const landing = { ...flight, ...(outcome.value.askedAt === undefined ? {} : { detached: false, stamp: Cells.nextStamp(c.cells) }), askedAt, now,"
    ],
    tier("what it has answered before an invalidation, and is used after it, is not stored")
  ),
  guard(
    "put what a write has made while another one may still be committed",
    outcomes,
    [
      "  if (storeAcknowledged(c, id, row, revision, { stamp, askedAt }))\n    tier",
      "  storeAcknowledged(c, id, row, revision, { stamp, askedAt })\n  tier"
    ],
    tier("a write is not answered from it while another one may still be committed")
  ),
  guard(
    "bring rows back from a tier that have left the memory with the tag that is invalidated",
    targets,
    [
      "      tagChanged(c, target.tag, Interest.keysWith(interests, target.tag))\n      outdateTagged({ beliefs, c })\n",
      "      tagChanged(c, target.tag, Interest.keysWith(interests, target.tag))\n"
    ],
    tier("a row that is evicted and is invalidated by a tag is not brought back")
  ),
  guard(
    "bring rows by a list that an invalidation of their tag has overtaken",
    coherence,
    ["    KeyJournal.note(c.changedRows, key, c.cells.lastStamp)\n", ""],
    underWay("a list without a tag brings no row that was invalidated by its tag")
  ),
  guard(
    "keep what a write has made that an invalidation of its tag has overtaken",
    coherence,
    ["    KeyJournal.note(c.expiredRows, key, c.cells.lastStamp)\n    c.effects", "    c.effects"],
    underWay("a write keeps no row that was invalidated by its tag")
  ),
  guard(
    "tag no row that a load is answered with in place of its own",
    landing,
    ["  if (tags !== undefined) Cells.addTags(c.cells, cell, tags)\n", ""],
    underWay("a load that is answered with a later row gives that row its tag")
  ),
  guard(
    "bring expired rows by a list as fresh",
    landing,
    ["if (expired || isExpired(c, key, stamp))", "if (expired)"],
    underWay("a list brings no fresh row that was expired by its id")
  ),
  guard(
    "make expired rows fresh by a write",
    outcomes,
    [" || isExpired(c, id, call.begun)", ""],
    underWay("a write makes no fresh row that was expired by its id")
  ),
  guard(
    "bring expired rows by a tier as fresh",
    targets,
    ["    KeyJournal.note(c.expiredRows, key, Cells.nextStamp(c.cells))\n", ""],
    tier("the freshness of a row that is evicted and is expired by its id stays ended")
  ),
  guard(
    "bring expired rows by the entry of another one as fresh",
    targets,
    ["        noteChange(beliefs, key, undefined)\n", ""],
    tier("a row that another one has put, and that is expired by its id, is not brought back")
  ),
  guard(
    "bring what the meter has dropped back from a tier",
    "internal/liveTable/samples",
    ["      noteChange(core.beliefs, key, undefined)\n", ""],
    tier("what the staleness meter has dropped is not brought back by another one's entry")
  ),
  guard(
    "forget an own write when the log delivers an earlier one of its row",
    tierEntry,
    ["bar.epoch === epoch && bar.seq <= seq", "bar.epoch === epoch"],
    belief("is not believed before an own write when the log delivers an earlier change of the row")
  ),
  guard(
    "forget a change without a revision when the log delivers an earlier one of its row",
    tierEntry,
    ["? changes.currentAt() > bar :", "? true :"],
    belief("is not believed before a change without a revision, until one of after the log of its end")
  ),
  guard(
    "believe entries of others by the log of before an invalidation",
    tierEntry,
    ['typeof bar === "number" && changes.currentAt() > bar ?', 'typeof bar === "number" ?'],
    belief("is not believed before an invalidation of anything, until one of after the log of its end")
  ),
  guard(
    "never believe an entry of another one after an invalidation",
    tierEntry,
    ["{ ...position, seq: position.seq + 1 } : bar", "bar : bar"],
    belief("is not believed before an invalidation of anything, until one of after the log of its end")
  ),
  guard(
    "forget what was invalidated before the master was up",
    "internal/liveTable/runtime",
    ["  if (life.outdatedUntil !== undefined) invalidateEarly(reads.core, life.outdatedUntil)\n", ""],
    tier("what was dropped by invalidate before the master was up is not brought back")
  ),
  guard(
    "ask a tier again at once after a fault",
    tierCache,
    ["        Guard.rest(guard, graceBackoff)\n", ""],
    badTier("fails is left alone for graceBackoff")
  ),
  guard(
    "give a tier up that could not be opened",
    tierCache,
    ["      Effect.retry({ schedule: Schedule.spaced(Math.max(graceBackoff, 1_000)) }),\n", ""],
    badTier("dies when it is opened costs no answer, and holds up no close")
  ),
  guard(
    "queue puts for a slow tier without a bound",
    tierCache,
    ["count: maxQueued,", "count: maxQueued * 10,"],
    badTier("is slow loses the oldest of more than 1,000 puts that wait for it")
  )
]
