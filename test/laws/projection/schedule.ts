/** What a schedule is made of: how projections are set, and what happens to them, their log, their tier and time. */
import fc from "fast-check"
import type { By, Key, Kind } from "./definitions.js"

export type ReadHow =
  | "consistent"
  | "changed"
  | "stale 0"
  | "stale 50"
  | "stale 100"
  | "stale 1000"
  | "at least known"
  | "at least ahead"
  | "transaction"

export interface EventOf {
  readonly key: Key
  readonly kind: Kind
}

/** What an entry expects of its log. */
export type Expects =
  | "generation"
  | "wrong generation"
  | "nothing"
  | "nothing since before"
  | "nothing of a kind"
  | "known id"

/** How a row of the tier is changed, so that it is of no state that this log ever had. */
export type Forgery = "epoch" | "tag" | "ahead" | "generation"

export type Action =
  | { readonly do: "read"; readonly by: By; readonly key: Key; readonly how: ReadHow }
  | { readonly do: "append"; readonly events: ReadonlyArray<EventOf> }
  | { readonly do: "expect"; readonly event: EventOf; readonly expects: Expects }
  | { readonly do: "race"; readonly event: EventOf; readonly writers: number }
  | { readonly do: "many"; readonly key: Key }
  | { readonly do: "compact"; readonly back: number }
  | { readonly do: "renew" | "back up" | "restore" | "settle" | "release" | "flush" | "sweep" }
  | { readonly do: "hold"; readonly when: "before" | "after" }
  | { readonly do: "log fails"; readonly by: By }
  | { readonly do: "tier"; readonly mode: "right" | "fails" | "hangs" | "late" }
  | { readonly do: "lose" | "old" | "foreign" | "garbage"; readonly at: number; readonly to: number }
  | { readonly do: "forge"; readonly at: number; readonly how: Forgery }
  | { readonly do: "time"; readonly millis: number }
  | { readonly do: "wall"; readonly ahead: number }
  | { readonly do: "restart"; readonly by: By }
  | { readonly do: "interrupt"; readonly at: number }

export interface Setting {
  readonly slots: number
  readonly tier: boolean
  /** The tier lets any row replace any other one. */
  readonly unordered: boolean
  readonly snapshotEvery: number
  readonly prefetch: "on" | "off"
  readonly incremental: "on" | "off"
  /** The log answers during the call, as one in memory does. */
  readonly now: boolean
  readonly random: number
}

export interface Sample {
  readonly setting: Setting
  readonly actions: ReadonlyArray<Action>
}

export const tierTimeout = 200

const of = <const A extends string>(...all: ReadonlyArray<A>) => fc.constantFrom(...all)
const by = fc.constantFrom<By>(0, 0, 1, 1, 2)
const key = of<Key>("a", "a", "a", "b", "c")
const at = fc.nat({ max: 7 })

const kind = fc.oneof(
  { weight: 20, arbitrary: of<Kind>("Added", "Added", "Moved", "Shifted", "Noted", "Noted") },
  { weight: 4, arbitrary: of<Kind>("Closed", "erased", "forgotten") },
  { weight: 1, arbitrary: of<Kind>("malformed", "unknown", "removed") }
)
const event = fc.record({ key, kind })

const how = of<ReadHow>(
  "consistent",
  "consistent",
  "consistent",
  "consistent",
  "changed",
  "stale 0",
  "stale 50",
  "stale 100",
  "stale 1000",
  "at least known",
  "at least ahead",
  "transaction"
)

const expects = of<Expects>(
  "generation",
  "wrong generation",
  "nothing",
  "nothing since before",
  "nothing of a kind",
  "known id"
)

const inAnyLog: ReadonlyArray<{ readonly weight: number; readonly arbitrary: fc.Arbitrary<Action> }> = [
  { weight: 24, arbitrary: fc.record({ do: of("read"), by, key, how }) },
  {
    weight: 16,
    arbitrary: fc.record({ do: of("append"), events: fc.array(event, { minLength: 1, maxLength: 3 }) })
  },
  { weight: 3, arbitrary: fc.record({ do: of("expect"), event, expects }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: of("race"), event, writers: fc.constantFrom(2, 3) })
  },
  { weight: 2, arbitrary: fc.record({ do: of("compact"), back: fc.nat({ max: 4 }) }) },
  { weight: 8, arbitrary: fc.record({ do: of("settle", "settle", "release") }) },
  { weight: 1, arbitrary: fc.record({ do: of("renew", "sweep") }) },
  { weight: 3, arbitrary: fc.record({ do: of("hold"), when: of("before", "after") }) },
  { weight: 1, arbitrary: fc.record({ do: of("log fails"), by }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: of("tier"), mode: of("right", "right", "fails", "hangs", "late") })
  },
  { weight: 1, arbitrary: fc.record({ do: of("flush") }) },
  { weight: 4, arbitrary: fc.record({ do: of("lose", "old", "old", "foreign", "garbage"), at, to: at }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: of("forge"),
      at,
      how: of<Forgery>("epoch", "tag", "ahead", "generation")
    })
  },
  { weight: 5, arbitrary: fc.record({ do: of("time"), millis: fc.constantFrom(1, 49, 50, 100, 1_000) }) },
  { weight: 1, arbitrary: fc.record({ do: of("wall"), ahead: fc.constantFrom(-3_600_000, 0, 3_600_000) }) },
  { weight: 2, arbitrary: fc.record({ do: of("restart"), by }) },
  { weight: 1, arbitrary: fc.record({ do: of("interrupt"), at }) }
]

const setting: fc.Arbitrary<Setting> = fc.record({
  slots: fc.constantFrom(0, 1, 100, 100, 100),
  tier: fc.constantFrom(true, true, true, false),
  unordered: fc.boolean(),
  snapshotEvery: fc.constantFrom(1, 1, 2, 4),
  prefetch: of("on", "off"),
  incremental: of("on", "on", "off"),
  now: fc.boolean(),
  random: fc.nat()
})

const actionText = (action: Action): string =>
  Object.values(action)
    .map((part) => (typeof part === "object" ? JSON.stringify(part) : String(part)))
    .join(" ")

/** Prints a schedule as a list of what is done. */
const printed = (sample: Sample): Sample =>
  Object.defineProperty({ ...sample }, fc.toStringMethod, {
    value: () => `${JSON.stringify(sample.setting)}:\n${sample.actions.map(actionText).join("\n")}\n`
  })

/** A transaction of a database is none that a test makes up. */
const inDatabase = (action: Action): Action =>
  action.do === "read" && action.how === "transaction" ? { ...action, how: "consistent" } : action

const samplesOf = (action: fc.Arbitrary<Action>): fc.Arbitrary<Sample> =>
  fc
    .record({ setting, actions: fc.array(action, { minLength: 10, maxLength: 40, size: "max" }) })
    .map(printed)

/** For a log in a database. */
export const databaseSamples = samplesOf(fc.oneof(...inAnyLog).map(inDatabase))

const inMemory = [
  ...inAnyLog,
  { weight: 2, arbitrary: fc.record({ do: of("back up", "restore", "restore") }) }
]

/** For a log in memory, which can also be restored from a backup. Few have keys of several pages: they cost the most. */
export const samples = fc.oneof(
  { weight: 60, arbitrary: samplesOf(fc.oneof(...inMemory)) },
  {
    weight: 1,
    arbitrary: samplesOf(fc.oneof(...inMemory, { weight: 2, arbitrary: fc.record({ do: of("many"), key }) }))
  }
)
