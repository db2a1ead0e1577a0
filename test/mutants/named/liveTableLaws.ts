/** Guards of the live table: what may be stored, what a write does before its reply, and who loads. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("liveTable")

const coherence = "internal/liveTable/coherence"
const landing = "internal/liveTable/landing"
const outcomes = "internal/liveTable/outcomes"

const trap = (title: string) => ["liveTable/traps", title] as const
const fresh = (title: string) => ["liveTable/freshness", title] as const
const law = [
  "laws/liveTable",
  "L3-L8: over memory returns what was acknowledged or later, and accounts for every write, under any schedule"
] as const

export const liveTableLawMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "refresh unguarded",
    landing,
    ["if (!isOvertaken && unshown", "if (unshown"],
    trap("does not fill the successor of an evicted cell by the old load (rule 2)")
  ),
  guard(
    "list rows unguarded",
    landing,
    ["KeyJournal.isOutdated(c.changedRows, key, stamp) || isReadSince", "isReadSince"],
    law
  ),
  guard(
    "bring a row by a list that was under way together with its load",
    landing,
    ["KeyJournal.isOutdated(readRows, key, stamp) || ", ""],
    trap("brings no row by a list that was under way with a load of the row (rules 1, 2)")
  ),
  guard(
    "put a late row over that of a list that was under way with it",
    landing,
    ["landing.detached || isListed || ", "landing.detached || "],
    trap("puts no late row over that of a list that was under way with it (rules 1, 2)")
  ),
  guard(
    "bring a row by a list that was under way together with another list",
    landing,
    [" || KeyJournal.isOutdated(listedRows, key, stamp)\n", "\n"],
    trap("brings no row by a list that was under way with another list of it (rules 1, 2)")
  ),
  guard(
    "keep the row of a write that a load has overtaken",
    outcomes,
    ["if (!toTarget && isReadSince(c, id, call.begun)) return", ""],
    trap("does not keep the row of a write once a load may have read what came after it (rule 1)")
  ),
  guard(
    "forget while a write is under way what loads have brought",
    "internal/liveTable/loading",
    [" && !c.effects.isWriting()) forgetReads", ") forgetReads"],
    trap(
      "does not keep the row of a write once a load, behind which others follow may have read what came after it (rule 1)"
    )
  ),
  guard(
    "store a list that a change has overtaken",
    landing,
    ["changes?.every((change) => survives(basis, change)) === true", "changes !== undefined"],
    law
  ),
  guard(
    "no invalidation at a write's end",
    outcomes,
    ["  rowChanged(c, changeOf(write, written, id, call.batch))\n", ""],
    trap("drops a list that never held the row which begins to match it (rule 10)")
  ),
  guard(
    "no invalidation at the end of a write of unknown outcome",
    outcomes,
    ["else unknown.add(id)", "else unknown.add(id), unknown.delete(id)"],
    law
  ),
  guard(
    "reply first",
    "internal/liveTable/writing",
    [
      "  settleCall(\n    core,",
      "  const after = (...all: Parameters<typeof settleCall>) =>\n    void Promise.resolve().then(() => Promise.resolve().then(() => settleCall(...all)))\n  after(\n    core,"
    ],
    law
  ),
  guard(
    "no doubt",
    "internal/liveTable/doubts",
    [
      "if (ids === undefined || ids.has(id)) return true",
      "if (ids === undefined || ids.has(id)) return false"
    ],
    trap("does not store what may be older than a write which may still commit (rule 5)")
  ),
  guard(
    "let what was loaded before a commit stay when its doubt ends",
    coherence,
    ["      else for (const id of ids) rowChanged(c, unknownChange(id))\n", ""],
    trap("does not store a load from before such a commit when the doubt has ended")
  ),
  guard(
    "events that change nothing",
    "internal/liveTable/events",
    ["        rowChanged(c, change)\n", ""],
    [
      "liveTable/ownEvents",
      "invalidates by an own event that comes before its reply, and serves the write then"
    ]
  ),
  guard("an id twice", "internal/columns/writeRuns", [" && !seen.has(id)", ""], law),
  guard(
    "load on the caller's fiber",
    "internal/liveTable/slots",
    [
      "    join: Effect.map(join, share),\n",
      '    join: Effect.map(core.master.getMany([key as never]), ({ value }) => shareRow(core, { value: value[0]!, revision: Option.none(), freshness: { _tag: "Fresh" } } as RowAnswer)) as typeof join,\n'
    ],
    trap("gives the answer to the others when the first caller is interrupted (rule 8)")
  ),
  guard(
    "grace after invalidation",
    coherence,
    [
      "  KeyJournal.note(c.changedRows, change.id, stamp)\n  Cells.invalidate(c.cells, change.id)\n",
      "  KeyJournal.note(c.changedRows, change.id, stamp)\n  Cells.expire(c.cells, change.id)\n"
    ],
    fresh("is never served stale, though the master is slow or fails")
  )
]
