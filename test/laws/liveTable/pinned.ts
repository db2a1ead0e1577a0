/** Schedules that have broken a law once, as they were found. */
import type { Action, Sample, Setting } from "./schedule.js"

const setting: Setting = {
  ttl: 100_000,
  staleWhileRevalidate: 0,
  grace: 0,
  softTimeout: false,
  maxEntries: 1,
  maxBatch: 1,
  refresh: 0,
  stubborn: false,
  foreign: false,
  target: "none",
  random: 0
}

const sample = (actions: ReadonlyArray<Action>, over: Partial<Setting> = {}): Sample => ({
  setting: { ...setting, ...over },
  actions
})

/** A list that was read before a write is shown with what a staged write has made of its row (seed 100012). */
const staged = sample([
  { do: "write", id: "a", kind: "insert" },
  { do: "write", id: "a", kind: "delete all" },
  { do: "statements", id: "b", kind: "insert" },
  { do: "write", id: "c", kind: "replace" },
  { do: "write", id: "b", kind: "replace" },
  { do: "write", id: "a", kind: "insert" },
  { do: "stage", id: "a", kind: "patch if x" },
  { do: "list", at: 1, how: "pending" },
  { do: "overtake", id: "a", kind: "delete", by: "write" }
])

/** The log shows a write of unknown outcome, and the master does not yet (seed 900). */
const unshown = sample(
  [
    { do: "write", id: "a", kind: "insert" },
    { do: "list", at: 0, how: "plain" },
    { do: "overtake", id: "c", kind: "insert", by: "unknown" },
    { do: "getMany", how: "plain" }
  ],
  { target: "late with revisions" }
)

/** The changes are followed again only when a doubt is over (seed 902). */
const renewed = sample([{ do: "hold" }, { do: "renew" }, { do: "write", id: "a", kind: "insert" }], {
  target: "late"
})

/** A follow and a read of another row are answered one after the other, also by a database (seed 926607347). */
const together = sample(
  [
    { do: "write", id: "a", kind: "insert" },
    { do: "list", at: 0, how: "plain" },
    { do: "overtake", id: "b", kind: "insert", by: "write" },
    { do: "follow", of: "b", how: "plain" },
    { do: "read", at: 0 },
    { do: "write", id: "b", kind: "patch if x" },
    { do: "settle" },
    { do: "get", id: "a", how: "plain" }
  ],
  { ttl: 100 }
)

/** What was staged is confirmed, and written over, before a read that waits for both reads a row that is in doubt. */
const waited = sample([
  { do: "overtake", id: "a", kind: "insert", by: "unknown" },
  { do: "stage", id: "a", kind: "replace" },
  { do: "write", id: "a", kind: "replace" },
  { do: "get", id: "a", how: "queued pending" },
  { do: "list", at: 1, how: "queued pending" },
  { do: "answer all" }
])

/** A list that was read before a row, and is answered after it, would bring an older row (seed 757291923). */
const overlapping = sample(
  [
    { do: "follow", of: "a", how: "plain" },
    { do: "overtake", id: "a", kind: "insert", by: "write" },
    { do: "overtake", id: "a", kind: "replace", by: "write" },
    { do: "answer all" },
    { do: "time", millis: 1000 },
    { do: "list", at: 0, how: "plain" },
    { do: "read", at: 3 },
    { do: "statements", id: "a", kind: "delete" },
    { do: "read", at: 3 },
    { do: "answer all" }
  ],
  { ttl: 100 }
)

/** The log delivers an own write of a row, and not yet the next one, while the entry of another one holds the first. */
const inPieces = sample([
  { do: "write", id: "a", kind: "insert" },
  { do: "answer all" },
  { do: "hold answers" },
  { do: "write", id: "a", kind: "replace" },
  { do: "answer all" },
  { do: "other get", id: "a" },
  { do: "put", at: 0 },
  { do: "put", at: 0 },
  { do: "put", at: 0 },
  { do: "write", id: "a", kind: "replace" },
  { do: "answer all" },
  { do: "evict" },
  { do: "answer all" },
  { do: "release one" },
  { do: "settle" },
  { do: "get", id: "a", how: "plain" },
  { do: "answer all" }
])

/** A row leaves a small memory after it was read with a tag, or a list without the tag is under way. */
const dropped = (["evict", "list"] as const).flatMap((first) =>
  (["invalidate", "expire"] as const).flatMap((by) =>
    (["tag", "id"] as const).map((target) =>
      sample([{ do: "drop", id: "a", kind: "replace", by, target, first }], {
        foreign: true,
        maxEntries: first === "list" ? 100 : 1
      })
    )
  )
)

/** Two follow a list whose polls fail for long: what one of them gets then, the other one gets, too. */
const recovered = sample(
  [
    { do: "follow", of: 1, how: "plain" },
    { do: "follow", of: 1, how: "plain" },
    { do: "drop", id: "a", kind: "replace", by: "invalidate", target: "tag", first: "nothing" },
    { do: "answer all" },
    { do: "get", id: "a", how: "plain" }
  ],
  { foreign: true, maxEntries: 1, maxBatch: 1, refresh: 300, ttl: 100_000 }
)

/** A staged write is refused, and a read lands before its writer hears of it (seed 1774404163). */
const refused = sample(
  [
    { do: "stage", id: "a", kind: "move" },
    { do: "read", at: 0 },
    { do: "get", id: "a", how: "pending" },
    { do: "foreign", id: "a", kind: "insert" },
    { do: "read", at: 0 },
    { do: "answer all" },
    { do: "get", id: "a", how: "plain" },
    { do: "get", id: "a", how: "plain" },
    { do: "write", id: "a", kind: "insert" },
    { do: "overtake", id: "a", kind: "insert", by: "write" },
    { do: "answer all" },
    { do: "evict" },
    { do: "get", id: "a", how: "plain" },
    { do: "answer", at: 0 }
  ],
  { foreign: true, ttl: 100 }
)

/** A read shows what statements made of a row after a write that is acknowledged later (seed 296173801). */
const overwritten = sample([
  { do: "statements", id: "a", kind: "patch if x" },
  { do: "write", id: "a", kind: "insert" },
  { do: "read", at: 1 },
  { do: "read", at: 0 },
  { do: "get", id: "a", how: "plain" },
  { do: "answer", at: 2 },
  { do: "answer", at: 1 },
  { do: "get", id: "a", how: "plain" }
])

/** A staged write is shown before its writer has the handle (seed 1072210299). */
const shownEarly = sample(
  [
    { do: "write", id: "a", kind: "insert" },
    { do: "get", id: "a", how: "queued pending" },
    { do: "answer", at: 0 },
    { do: "statements", id: "a", kind: "insert" },
    { do: "stage", id: "a", kind: "patch" },
    { do: "hold" },
    { do: "write", id: "a", kind: "insert" },
    { do: "answer all" },
    { do: "hold" },
    { do: "write", id: "a", kind: "insert" }
  ],
  { ttl: 100 }
)

export const pinned: ReadonlyArray<Sample> = [
  shownEarly,
  refused,
  overwritten,
  recovered,
  staged,
  unshown,
  renewed,
  together,
  waited,
  overlapping,
  ...dropped
]

/** With a tier. */
export const pinnedTier: ReadonlyArray<Sample> = [inPieces, ...dropped]
