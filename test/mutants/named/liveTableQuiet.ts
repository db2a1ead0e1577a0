/** Guards of follows that nothing wakes but time, and of tiers that answer wrong. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("live table")

const coherence = "internal/liveTable/coherence"
const deadlines = "internal/liveTable/deadlines"
const following = "internal/liveTable/following"

const quiet = (title: string) => ["liveTable/followQuiet", title] as const

const lag = quiet("gets a list as the master shows it when targetLag is over")

export const liveTableQuietMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "end a doubt only when something is read",
    coherence,
    ["  c.effects.settleAt(doubt.until)\n", ""],
    quiet("gets a write of unknown outcome that commits while it is doubted")
  ),
  guard(
    "end a target's lag only when something is read",
    coherence,
    ["revision, until)\n  c.effects.settleAt(until)\n}\n\n/** The log", "revision, until)\n}\n\n/** The log"],
    lag
  ),
  guard("sleep until a doubt is over that was noted before", deadlines, ["  deadlines.wake?.()\n", ""], lag),
  guard(
    "take what is served in place of the master for its answer",
    following,
    ["            follower.dirty = true\n          } else", "          } else"],
    quiet("looks again, later and later, while it gets what is served in place of the master")
  ),
  guard(
    "look as often as it fails, without an interval",
    following,
    ["Math.max(base, firstPause)", "Math.max(base, 1)"],
    quiet("leaves a master alone that fails, also without an interval between its reads")
  ),
  guard(
    "use what a tier returns for other keys than were asked for",
    "internal/liveTable/tierCache",
    ["Array.isArray(texts) && texts.length === keys.length", "Array.isArray(texts)"],
    ["liveTable/badTier", "returns more values than keys is counted as a fault, and the master answers"]
  ),
  guard(
    "believe a row that a tier returns for another id",
    "internal/liveTable/tierEntry",
    [" || row[id] !== of", ""],
    ["liveTable/badTier", "returns the row of another id is counted as a fault, and the master answers"]
  )
]
