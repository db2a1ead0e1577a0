/** What a history is made of: what is written, followed, read, resumed and restarted, and what goes wrong meanwhile. */
import fc from "fast-check"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type * as Watch from "../../../src/Watch.js"

const keys = ["a", "b", "dir/a", "dir/b", "dir/sub/a", "dirextra", "z"]

/** One of the two handles of the log, and the watch over it. */
export type Side = 0 | 1

/** What happens to a key. The values are drawn when it is written: each is another one. */
export interface Step {
  readonly key: string
  readonly to: "put" | "remove"
}

/**
 * - `end`: the server ends the backends of a connection.
 * - `cut`, `reset`: a link is cut at one of its next chunks of bytes, which are lost.
 */
export interface Fault {
  readonly what: "listener" | "ringer" | "log"
  readonly how: "end" | "cut" | "reset"
  readonly from: "client" | "server"
  /** How many chunks pass before. */
  readonly after: number
}

export type Action =
  /** The writer does it when it has done what came before. */
  | {
      readonly do: "write"
      readonly how: "publish" | "commit"
      readonly side: Side
      readonly entries: ReadonlyArray<ReadonlyArray<Step>>
    }
  | { readonly do: "compact"; readonly side: Side; readonly keep: number }
  | { readonly do: "renew" | "restart"; readonly side: Side }
  /** `settle`: until nobody has anything to do. `answer`: until the database has answered somebody. */
  | { readonly do: "settle" | "answer" | "heartbeat" }
  | { readonly do: "open"; readonly side: Side; readonly follow: Follow }
  /** Reads some frames of one watcher, as far as there are any. */
  | { readonly do: "read"; readonly which: number; readonly count: number }
  | { readonly do: "leave"; readonly which: number }
  /** One goes away, and comes again where it stands. */
  | { readonly do: "resume"; readonly side: Side; readonly which: number; readonly policy: Watch.Policy }
  | { readonly do: "fault"; readonly fault: Fault }

export interface Follow {
  readonly selector: ChangeLog.Selector
  readonly filters: boolean
  readonly policy: Watch.Policy
  readonly buffer: number
  readonly previous: boolean
  readonly autoResnapshot: boolean
  readonly start: "now" | "snapshot" | "beginning"
}

export interface Sample {
  /** Without the state there are no snapshots and no previous values: nobody asks for them then. */
  readonly state: "latest" | "none"
  /** How many the log holds, when it is one that gives them up by itself. */
  readonly maxRevisions: number
  /** Two of three snapshots fail as unavailable, or take their time. */
  readonly snapshots: "well" | "away" | "slow"
  readonly actions: ReadonlyArray<Action>
}

const part = fc.oneof(
  fc.constantFrom(...keys).map(ChangeLog.key),
  fc.constantFrom("", "dir/", "dir/sub/").map(ChangeLog.prefix),
  fc.constantFrom(ChangeLog.range("a", "c"), ChangeLog.range("dir/", "dir/c"), ChangeLog.range("b", "zz")),
  fc.constantFrom("a", "dir/", "dir/c", "zz").map(ChangeLog.from)
)

const selector: fc.Arbitrary<ChangeLog.Selector> = fc.oneof(
  { weight: 3, arbitrary: part },
  {
    weight: 1,
    arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => ChangeLog.anyOf(...parts))
  }
)

const policy = fc.constantFrom<Watch.Policy>("resync", "block", "block", "conflate", "cancel", "drop-oldest")

const side = fc.constantFrom<Side>(0, 0, 1)

const follow: fc.Arbitrary<Follow> = fc.record({
  selector,
  filters: fc.boolean(),
  policy,
  buffer: fc.integer({ min: 1, max: 4 }),
  previous: fc.boolean(),
  autoResnapshot: fc.boolean(),
  start: fc.constantFrom("now", "snapshot", "beginning")
})

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom(...keys),
  to: fc.constantFrom("put" as const, "put" as const, "put" as const, "remove" as const)
})

const write = (how: "publish" | "commit", most: number): fc.Arbitrary<Action> =>
  fc.record({
    do: fc.constant("write" as const),
    how: fc.constant(how),
    side,
    entries: fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: most })
  })

const fault: fc.Arbitrary<Action> = fc.record({
  do: fc.constant("fault" as const),
  fault: fc.record({
    what: fc.constantFrom("listener" as const, "ringer" as const, "log" as const, "log" as const),
    how: fc.constantFrom("end" as const, "cut" as const, "reset" as const),
    from: fc.constantFrom("client" as const, "server" as const),
    after: fc.nat(5)
  })
})

const only = <Name extends string>(name: Name) => fc.constant(name)

const calm: ReadonlyArray<fc.WeightedArbitrary<Action>> = [
  { weight: 5, arbitrary: write("commit", 4) },
  { weight: 4, arbitrary: write("publish", 1) },
  { weight: 1, arbitrary: fc.record({ do: only("compact"), side, keep: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("renew" as const, "restart" as const), side }) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom("settle" as const, "settle" as const, "answer" as const, "heartbeat" as const)
      .map((one) => ({ do: one }))
  },
  { weight: 4, arbitrary: fc.record({ do: only("open"), side, follow }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: only("read"), which: fc.nat(20), count: fc.integer({ min: 1, max: 6 }) })
  },
  { weight: 1, arbitrary: fc.record({ do: only("leave"), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: only("resume"), side, which: fc.nat(20), policy }) }
]

const stateless = ({ actions, ...sample }: Sample): Sample => ({
  ...sample,
  actions: actions.map((action) => {
    if (action.do !== "open") return action
    const { follow } = action
    const start = follow.start === "snapshot" ? "now" : follow.start
    return { ...action, follow: { ...follow, previous: false, autoResnapshot: false, start } }
  })
})

const histories = (
  actions: ReadonlyArray<fc.WeightedArbitrary<Action>>,
  length: { readonly minLength: number; readonly maxLength: number }
): fc.Arbitrary<Sample> =>
  fc
    .record({
      state: fc.constantFrom("latest" as const, "none" as const),
      maxRevisions: fc.constantFrom(3, 8, 1000),
      snapshots: fc.constantFrom("well" as const, "well" as const, "away" as const, "slow" as const),
      actions: fc.array(fc.oneof(...actions), length)
    })
    .map((sample) => (sample.state === "none" ? stateless(sample) : sample))

export const samples = histories(calm, { minLength: 10, maxLength: 40 })

/** With killed listeners and cut links. Shorter: a round trip to a server takes its time. */
export const faultySamples = histories([...calm, { weight: 1, arbitrary: fault }], {
  minLength: 8,
  maxLength: 20
})
