/** Projections as a property: whatever happens to their log, their tier and time, and in whatever order. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { holdsSeeded, runs, seededTimeout } from "../support/laws/laws.js"
import { memoryBackend } from "./projection/backend.js"
import { play } from "./projection/play.js"
import { type Action, type Setting, samples } from "./projection/schedule.js"

const setting: Setting = {
  slots: 0,
  tier: true,
  unordered: true,
  snapshotEvery: 1,
  prefetch: "off",
  incremental: "on",
  now: true,
  random: 1
}

const append = (...events: ReadonlyArray<"a" | "b">): Action => ({
  do: "append",
  events: events.map((key) => ({ key, kind: "Added" }))
})

const read = (key: "a" | "b", how: "consistent" | "stale 100" = "consistent"): Action & { do: "read" } => ({
  do: "read",
  by: 0,
  key,
  how
})

const settle: Action = { do: "settle" }

/** What random schedules seldom meet, or what must be met each time. */
const schedules: ReadonlyArray<readonly [title: string, over: Partial<Setting>, ReadonlyArray<Action>]> = [
  [
    "P5: a tier that returns the row of another key, whose events are of the same revisions",
    {},
    [
      append("a", "b"),
      read("a"),
      settle,
      read("b"),
      settle,
      { do: "foreign", at: 0, to: 1 },
      read("a"),
      settle
    ]
  ],
  [
    "P5: a tier that returns a row with another tag",
    {},
    [append("a"), read("a"), settle, { do: "forge", at: 0, how: "tag" }, read("a"), settle]
  ],
  [
    "P5: a tier that returns a row of another epoch",
    {},
    [append("a"), read("a"), settle, { do: "forge", at: 0, how: "epoch" }, read("a"), settle]
  ],
  [
    "P5: a tier that returns a row from beyond the log's head",
    {},
    [append("a"), read("a"), settle, { do: "forge", at: 0, how: "ahead" }, read("a"), settle]
  ],
  [
    "P1: a log that was restored from a backup, and went on otherwise",
    { slots: 100, tier: false },
    [
      append("a"),
      { do: "back up" },
      append("a"),
      read("a"),
      settle,
      { do: "restore" },
      append("a"),
      read("a"),
      settle
    ]
  ],
  [
    "P1: a read that begins when the one before it has read the log, and is not answered",
    { slots: 100, tier: false },
    [append("a"), { do: "hold", when: "after" }, read("a"), settle, append("a"), read("a"), settle]
  ],
  [
    "P3: an answer of the log that came late, and a state that was over when it came",
    { slots: 100, tier: false, now: false },
    [
      append("a"),
      { do: "hold", when: "after" },
      read("a"),
      settle,
      append("a"),
      { do: "time", millis: 1_000 },
      { do: "release" },
      read("a", "stale 100"),
      settle
    ]
  ],
  [
    "P4: an answer of an epoch that was left, behind one of the present epoch in the same moment",
    { slots: 100, unordered: false, now: false, random: 0 },
    [
      { do: "hold", when: "after" },
      append("a"),
      { ...read("a"), by: 1 },
      read("a"),
      { do: "renew" },
      append("a"),
      { ...read("a"), by: 1 },
      { do: "release" },
      { do: "hold", when: "before" },
      settle,
      read("a"),
      { do: "back up" },
      read("a"),
      { do: "expect", event: { key: "a", kind: "Added" }, expects: "known id" },
      read("a"),
      { do: "compact", back: 0 },
      settle,
      append("a"),
      settle
    ]
  ],
  [
    "P3: a state whose age is its limit",
    { slots: 100 },
    [append("a"), read("a"), settle, { do: "time", millis: 100 }, read("a", "stale 100"), settle]
  ]
]

describe("projections", () => {
  for (const [title, over, actions] of schedules) {
    it.live(title, () =>
      Effect.flatMap(memoryBackend(1), (backend) =>
        Effect.promise(() => play({ setting: { ...setting, ...over }, actions }, backend))
      )
    )
  }

  it.live(
    "P1-P11: over memory give the fold of all events, and answer how fresh it is, under any schedule",
    () =>
      holdsSeeded("projections over memory", samples, runs(1) >= 10 ? 300 : 150, async (sample) => {
        await play(sample, await Effect.runPromise(memoryBackend(sample.setting.random)))
      }),
    seededTimeout
  )
})
