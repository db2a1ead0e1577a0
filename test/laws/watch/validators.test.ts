/** Each validator is silent about an honest follow, and catches the fault that was planted for it. */
import { describe, expect, it } from "@effect/vitest"
import { Option } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { type Frame, type Policy, WatchEnded } from "../../../src/Watch.js"
import {
  type Change,
  citationOf,
  type Law,
  type Observed,
  type Truth,
  type Value,
  validate,
  validators
} from "./validators.js"

const epoch = "one"
const at = (seq: number): ChangeLog.Revision => ({ epoch, seq, tag: seq })

const change = (key: string, value: Value | undefined, previous?: Value): Change => ({
  key,
  value: Option.fromNullable(value),
  previous: Option.fromNullable(previous)
})

const revisions: ReadonlyArray<ReadonlyArray<Change>> = [
  [change("k/a", 1), change("k/b", 2)],
  [change("other", 3)],
  [change("k/a", 4, 1)],
  [change("k/b", undefined, 2), change("k/a", 5, 4)],
  [change("k/c", 6)]
]

const truth: Truth = new Map([[epoch, { base: new Map(), revisions }]])

type Told = Extract<Frame<Value>, { readonly _tag: "Events" }>

const events = (seq: number): Told => ({
  _tag: "Events",
  revision: at(seq),
  events: revisions[seq - 1]!.filter(({ key }) => key.startsWith("k/")).map(({ key, previous, value }) =>
    Option.isSome(value)
      ? { _tag: "Put", key, value: value.value, revision: at(seq), previous }
      : { _tag: "Delete", key, revision: at(seq), previous }
  )
})

const snapshot = (seq: number, entries: ReadonlyArray<readonly [string, Value]>): Frame<Value> => ({
  _tag: "Snapshot",
  revision: at(seq),
  entries: entries.map(([key, value]) => ({ key, value, revision: at(seq) })),
  deleted: []
})

const mark = (tag: "Synced" | "Progress", seq: number): Frame<Value> => ({ _tag: tag, revision: at(seq) })

const observed = (frames: ReadonlyArray<Frame<Value>>, policy: Policy = "resync"): Observed => ({
  selector: ChangeLog.prefix("k/"),
  where: undefined,
  policy,
  previous: true,
  start: { epoch, seq: 0 },
  frames,
  ended: undefined,
  drained: true,
  published: []
})

const honest = [events(1), mark("Synced", 2), events(3), events(4), mark("Progress", 4), events(5)]

const ended = (cursor: number) => new WatchEnded({ reason: "Overflow", message: "full", cursor: at(cursor) })

const without = (frame: Told, key: string): Told => ({
  ...frame,
  events: frame.events.filter((event) => event.key !== key)
})

const planted: ReadonlyArray<readonly [fault: string, law: Law, Observed]> = [
  [
    "two revisions change places",
    "ordered",
    observed([events(1), mark("Synced", 2), events(4), events(3), events(5)])
  ],
  [
    "a revision comes twice",
    "unique",
    observed([events(1), events(1), mark("Synced", 2), events(3), events(4), events(5)])
  ],
  [
    "a revision is split",
    "atomic",
    observed([events(1), mark("Synced", 2), events(3), without(events(4), "k/a"), events(5)])
  ],
  ["a revision is left out", "reliable", observed([events(1), mark("Synced", 2), events(4), events(5)])],
  ["the end stalls", "reliable", observed([events(1), mark("Synced", 2), events(3), events(4)])],
  [
    "a gap is too short",
    "reliable",
    observed([events(1), { _tag: "Gap", from: 4, to: 4, reason: "Overflow" }, events(5)], "drop-oldest")
  ],
  ["the cursor is ahead", "resumable", { ...observed([events(1)]), ended: ended(3) }],
  [
    "the cursor is behind what was told",
    "resumable",
    { ...observed([events(1), mark("Synced", 2), events(3)]), ended: ended(2) }
  ],
  [
    "progress is too early",
    "bookmarkable",
    observed([events(1), mark("Synced", 2), mark("Progress", 3), events(4), events(5)])
  ],
  ["it is live too early", "bookmarkable", observed([mark("Synced", 2), events(3), events(4), events(5)])],
  [
    "a conflated event comes behind a mark",
    "bookmarkable",
    observed([mark("Synced", 2), events(4), events(5)], "conflate")
  ],
  [
    "an event that does not match",
    "filtered",
    observed([
      events(1),
      {
        _tag: "Events",
        revision: at(2),
        events: [{ _tag: "Put", key: "other", value: 3, revision: at(2), previous: Option.none() }]
      },
      events(3)
    ])
  ],
  [
    "the value before is wrong",
    "previous-is-true",
    observed([
      events(1),
      mark("Synced", 2),
      {
        ...events(3),
        events: [{ _tag: "Put", key: "k/a", value: 4, revision: at(3), previous: Option.some(9) }]
      }
    ])
  ],
  [
    "a snapshot is older than it says",
    "snapshot-is-true",
    observed([
      snapshot(3, [
        ["k/a", 1],
        ["k/b", 2]
      ]),
      events(4),
      events(5)
    ])
  ],
  [
    "a snapshot hides what is gone",
    "snapshot-is-true",
    observed([events(1), snapshot(4, [["k/a", 5]]), events(5)])
  ],
  [
    "the last event of a key is lost",
    "last-is-true",
    observed([events(1), without(events(4), "k/a"), events(5)], "conflate")
  ],
  [
    "a gap ends before it begins",
    "announced",
    observed([
      events(1),
      { _tag: "Gap", from: 3, to: 2, reason: "Overflow" },
      events(3),
      events(4),
      events(5)
    ])
  ],
  [
    "a gap hides what no snapshot tells",
    "announced",
    observed([events(1), { _tag: "Gap", from: 3, to: 4, reason: "Compacted" }, mark("Synced", 4), events(5)])
  ],
  ["a renewed epoch is not told", "current", { ...observed([]), start: { epoch: "before", seq: 3 } }],
  [
    "a writer has not waited",
    "waits-for-it",
    { ...observed(honest, "block"), published: [{ revision: at(4), position: at(4), taken: 2, buffered: 1 }] }
  ],
  [
    "a writer has not waited for the dispatcher",
    "waits-for-it",
    { ...observed(honest, "block"), published: [{ revision: at(4), position: at(3), taken: 6, buffered: 0 }] }
  ]
]

describe("the validators", () => {
  it("are silent about honest follows", () => {
    const follows: ReadonlyArray<Observed> = [
      observed(honest),
      observed([
        snapshot(3, [
          ["k/a", 4],
          ["k/b", 2]
        ]),
        mark("Synced", 3),
        events(4),
        events(5)
      ]),
      observed([events(1), { _tag: "Gap", from: 3, to: 4, reason: "Overflow" }, events(5)], "drop-oldest"),
      observed([events(1), mark("Synced", 2), events(4), events(5)], "conflate"),
      { ...observed([events(1), mark("Synced", 2), events(3)], "cancel"), ended: ended(3) },
      {
        ...observed(honest, "block"),
        published: [
          { revision: at(3), position: at(3), taken: 2, buffered: 1 },
          { revision: at(5), position: at(5), taken: 2, buffered: 3 },
          { revision: at(5), position: at(5), taken: 6, buffered: 0 }
        ]
      }
    ]
    expect(follows.flatMap((follow) => validate(truth, follow))).toEqual([])
  })

  for (const [fault, law, follow] of planted) {
    it(`${citationOf(law)} catches it when ${fault}`, () => {
      expect(validators[law](truth, follow)).not.toEqual([])
      expect(validate(truth, follow)).not.toEqual([])
    })
  }

  it("each have a fault planted for them", () => {
    expect(Object.keys(validators).filter((law) => !planted.some(([, planted]) => planted === law))).toEqual(
      []
    )
  })
})
