/** Guards of the live table before a write target, of follows in schedules, and of what callers pass to invalidations. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("liveTable target")

const acknowledged = "internal/liveTable/acknowledged"
const outcomes = "internal/liveTable/outcomes"
const targets = "internal/liveTable/targets"

const target = (title: string) => ["liveTable/target", title] as const
const logged = (title: string) => ["liveTable/targetLog", title] as const
const bad = (title: string) => ["liveTable/badInput", title] as const

const meanwhile = target("answers a written row also if something invalidates it while it is written")
const gone = target("answers all rows as gone, and those written later, once everything was deleted")
const before = target(
  "answers a written row to who asked the master within targetLag, though it answers later"
)
const lists = target("stores a list only if it shows every write: one that began before does not count")

export const liveTableTargetMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "forget a written row that something invalidates meanwhile",
    outcomes,
    [
      "  if (toTarget) acknowledge(c, id, row, revision, now)\n",
      "  if (toTarget && foreign !== undefined && !foreign.has(id)) acknowledge(c, id, row, revision, now)\n"
    ],
    meanwhile
  ),
  guard(
    "forget that everything was deleted",
    outcomes,
    ["    if (call.toTarget) acknowledge(c, undefined, undefined, revision, call.now)\n", ""],
    gone
  ),
  guard(
    "take the deletion of everything for newer than later rows",
    acknowledged,
    ["some.get(id) ?? some.get(undefined)", "some.get(undefined) ?? some.get(id)"],
    gone
  ),
  guard(
    "answer what the master had before the end of the lag",
    acknowledged,
    ["    put(lapsed, id, acknowledged)\n", ""],
    before
  ),
  guard(
    "answer what was acknowledged for ever",
    acknowledged,
    [
      "if (found === undefined || askedAt >= found.until) return undefined",
      "if (found === undefined) return undefined"
    ],
    before
  ),
  guard(
    "store a list from before, as another load has shown the write",
    acknowledged,
    [
      "askedAt < one.until && !shows(revision, one)",
      "askedAt < one.until && !one.shown && !shows(revision, one)"
    ],
    lists
  ),
  guard(
    "doubt what a target commits late no longer than what a master does",
    outcomes,
    ["(toTarget ? c.lifetimes.targetLag : 0)", "(toTarget ? 0 : 0)"],
    target("stores nothing that a write of unknown outcome may reach, until the master must have shown it")
  ),
  guard(
    "take any record for a target",
    targets,
    [
      "  if (parts instanceof Rules.InvalidOptions) return refused(parts)\n",
      "  if (parts instanceof Rules.InvalidOptions) return target\n"
    ],
    bad("fails as InvalidQuery, and nothing is dropped or run: ids that are null")
  ),
  guard(
    "take two parts of a target for one",
    targets,
    ["if (names.length !== 1) return", "if (names.length < 1) return"],
    bad("fails as InvalidQuery, and nothing is dropped or run: two of its parts")
  ),
  guard(
    "check no target before the master is up",
    "internal/liveTable/targetCalls",
    [
      "Effect.map(valid(Targets.checkShape(target)), () => noteEarly",
      "Effect.map(Effect.void, () => noteEarly"
    ],
    bad("fails also before the master is up")
  ),
  guard(
    "take the master for up to date when the log has named a change of the target",
    "internal/liveTable/starting",
    [
      "target === undefined ? undefined : () => monotonicMillis(clock)",
      "undefined && (() => target && clock)"
    ],
    logged("stores nothing from before a write of unknown outcome that the log has shown")
  ),
  guard(
    "forget what was acknowledged when the log names the row",
    acknowledged,
    ["namedOr(open.get(id) ?? every)", "void every ?? none"],
    logged("answers what it has written, and not what was before, when others write the row too")
  ),
  guard(
    "forget what was acknowledged when the log names everything",
    acknowledged,
    ["put(open, each, named(known))", "void [open.delete(each), known]"],
    logged("answers what it has written, and not what was before, when others write the row too")
  ),
  guard(
    "wake no follow by a change of its row",
    "internal/liveTable/following",
    ["  if (followed !== undefined) notify(followed)\n", ""],
    [
      "laws/liveTable",
      "L3-L8: over memory returns what was acknowledged or later, and accounts for every write, under any schedule"
    ]
  ),
  guard(
    "hide what was staged from its confirmation until the master shows it",
    "internal/liveTable/staging",
    ["Acknowledged.markStaged(c.acknowledged, key)", "release(staging)"],
    target("shows what was staged from its confirmation until the master shows it, in a list too")
  ),
  guard(
    "hide what was staged when it is written again",
    acknowledged,
    [
      "const { revision: known, wasStaged = false } =",
      "const wasStaged = false\n  const { revision: known } ="
    ],
    target("shows what was staged from its confirmation until the master shows it, in a list too")
  ),
  guard(
    "take any answer of a late master for `atLeast`",
    "internal/liveTable/slots",
    ["return core.target === core.master || ", "return core.target !== undefined || "],
    logged("waits until the master shows the write of others, in a row and in a list")
  ),
  guard(
    "ask a late master until targetLag is over for what has not changed",
    "internal/liveTable/acknowledged",
    ['return found === undefined ? "Unchanged" : shows', "return found !== undefined && shows"],
    logged("does not wait for what no change in the log concerns")
  ),
  guard(
    "take an older revision for `atLeast` when targetLag is over",
    "internal/liveTable/slots",
    ["return isLower ? Effect.fail(notShown)", "return isLower && !isLast ? Effect.fail(notShown)"],
    logged("fails if the master has not shown it within targetLag")
  )
]
