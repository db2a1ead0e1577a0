/** What a schedule is made of: how a live table is set, what its callers do, and when its master does what. */
import fc from "fast-check"
import type { Id } from "./rows.js"

export type ReadHow =
  | "plain"
  | "master"
  | "fresh"
  | "queued"
  | "pending"
  | "queued pending"
  | "log"
  | "tagged"

export type FollowHow = "plain" | "pending" | "tagged"

export type WriteKind = "insert" | "replace" | "patch" | "patch if x" | "move" | "delete" | "delete all"

export type Action =
  | { readonly do: "get"; readonly id: Id; readonly how: ReadHow }
  | { readonly do: "getMany"; readonly how: ReadHow }
  | { readonly do: "list"; readonly at: number; readonly how: ReadHow }
  | { readonly do: "count"; readonly how: ReadHow }
  | { readonly do: "unsafeGet"; readonly id: Id }
  /** A list is read from the master, page by page. */
  | { readonly do: "stream"; readonly at: number }
  /** A reader that stays: of a row, or of a list. */
  | { readonly do: "follow"; readonly of: Id | number; readonly how: FollowHow }
  /** What is not in use leaves a small memory. */
  | { readonly do: "evict" }
  | {
      readonly do: "write" | "unsafeWrite" | "stage" | "foreign" | "statements"
      readonly id: Id
      readonly kind: WriteKind
    }
  /** All reads under way have read the master when the write is done, and are answered later. */
  | {
      readonly do: "overtake"
      readonly id: Id
      readonly kind: WriteKind
      readonly by: "write" | "statements" | "unknown"
    }
  /**
   * What was read with a tag is dropped after a foreign write that no event shows yet: as it is, after it has left a small
   * memory, or while a list without the tag is under way.
   */
  | {
      readonly do: "drop"
      readonly target: "tag" | "id"
      readonly id: Id
      readonly kind: WriteKind
      readonly by: "invalidate" | "expire"
      readonly first: "nothing" | "evict" | "list"
    }
  | { readonly do: "invalidate" | "expire"; readonly id: Id | "all" }
  | { readonly do: "invalidate list" | "expire list"; readonly at: number }
  | { readonly do: "read" | "answer" | "fail before" | "fail after" | "die"; readonly at: number }
  | { readonly do: "answer all" | "settle" | "close" | "compact" | "renew" }
  /** The log is asked later; it is asked now and answers later; what waits is let through; all is. */
  | { readonly do: "hold" | "hold answers" | "release one" | "release" }
  | { readonly do: "close within"; readonly millis: number }
  /** The master shows the next writes of its target. */
  | { readonly do: "show"; readonly at: number }
  | { readonly do: "invalidate tagged" | "expire tagged" | "break tier" | "slow tier" | "mend tier" }
  | { readonly do: "interrupt" | "put"; readonly at: number }
  | { readonly do: "other get"; readonly id: Id }
  | { readonly do: "other write"; readonly id: Id; readonly kind: WriteKind }
  | { readonly do: "time"; readonly millis: number }

export interface Setting {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly grace: number
  readonly softTimeout: boolean
  readonly maxEntries: number
  readonly maxBatch: number
  /** What is followed is read again after so many milliseconds; 0: never. */
  readonly refresh: number
  /** Calls of the master ignore their interruption. */
  readonly stubborn: boolean
  /** Others write to the master too. */
  readonly foreign: boolean
  /** Whether writes go to a target, which the master shows later, and whether it has the revisions of these. */
  readonly target: "none" | "late" | "late with revisions"
  /** The seed of what is random. */
  readonly random: number
}

export interface Sample {
  readonly setting: Setting
  readonly actions: ReadonlyArray<Action>
}

export const hardTimeout = 1_000
export const tierTimeout = 500
export const writeTimeout = 1_500
export const doubt = 2_000
export const targetLag = 1_000

const of = <const A extends string>(...all: ReadonlyArray<A>) => fc.constantFrom(...all)

const id = of<Id>("a", "a", "a", "b", "c")
const how = of<ReadHow>(
  "plain",
  "plain",
  "plain",
  "plain",
  "tagged",
  "master",
  "fresh",
  "queued",
  "pending",
  "queued pending",
  "log"
)
const kind = of<WriteKind>(
  "insert",
  "replace",
  "replace",
  "patch",
  "patch",
  "patch if x",
  "move",
  "delete",
  "delete all"
)
const at = fc.nat({ max: 5 })

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: of("get"), id, how }) },
  { weight: 1, arbitrary: fc.record({ do: of("getMany"), how }) },
  { weight: 4, arbitrary: fc.record({ do: of("list"), at: fc.nat({ max: 2 }), how }) },
  { weight: 1, arbitrary: fc.record({ do: of("count"), how }) },
  { weight: 2, arbitrary: fc.record({ do: of("unsafeGet"), id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: of("follow"),
      of: fc.constantFrom<Id | number>("a", "b", 0, 1, 2),
      how: of<FollowHow>("plain", "plain", "pending", "tagged")
    })
  },
  { weight: 1, arbitrary: fc.record({ do: of("stream"), at: fc.nat({ max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ do: of("evict") }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: of("write", "write", "write", "write", "stage", "unsafeWrite"), id, kind })
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: of("overtake"), id, kind, by: of("write", "statements", "unknown") })
  },
  { weight: 2, arbitrary: fc.record({ do: of("foreign", "statements"), id, kind }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: of("invalidate", "expire"), id: of<Id | "all">("a", "b", "all") })
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: of("invalidate list", "expire list"), at: fc.nat({ max: 2 }) })
  },
  { weight: 6, arbitrary: fc.record({ do: of("read"), at }) },
  { weight: 6, arbitrary: fc.record({ do: of("answer"), at }) },
  { weight: 2, arbitrary: fc.record({ do: of("fail before", "fail after", "die"), at }) },
  { weight: 6, arbitrary: fc.record({ do: of("answer all", "settle", "settle") }) },
  { weight: 1, arbitrary: fc.record({ do: of("interrupt"), at }) },
  { weight: 3, arbitrary: fc.record({ do: of("hold", "hold answers", "release one", "release") }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: of("drop"),
      target: of("tag", "tag", "id"),
      id,
      kind,
      by: of("invalidate", "invalidate", "expire"),
      first: of("nothing", "evict", "list")
    })
  },
  { weight: 1, arbitrary: fc.record({ do: of("compact", "renew", "invalidate tagged", "expire tagged") }) },
  { weight: 2, arbitrary: fc.record({ do: of("show"), at }) },
  { weight: 2, arbitrary: fc.record({ do: of("time"), millis: fc.constantFrom(1, 50, 300, 1_000, 2_000) }) }
)

const settingOf = (target: Setting["target"]): fc.Arbitrary<Setting> =>
  fc.record({
    ttl: fc.constantFrom(100, 100_000, 100_000),
    staleWhileRevalidate: fc.constantFrom(0, 0, 200),
    grace: fc.constantFrom(0, 0, 400),
    softTimeout: fc.boolean(),
    maxEntries: fc.constantFrom(1, 2, 100, 100),
    maxBatch: fc.constantFrom(1, 2, 1_000),
    refresh: fc.constantFrom(0, 0, 0, 300),
    stubborn: fc.constantFrom(false, false, true),
    // Who writes past a target is seen after its lag only.
    foreign: target === "none" ? fc.constantFrom(false, false, true) : fc.constant(false),
    target: fc.constant(target),
    random: fc.nat()
  })

const setting = settingOf("none")

const actionText = (action: Action): string =>
  Object.values(action)
    .map((part) => String(part))
    .join(" ")

const settingText = (setting: Setting): string =>
  Object.entries(setting)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")

/** Prints a schedule as a list of what is done. */
const printed = (sample: Sample): Sample =>
  Object.defineProperty({ ...sample }, fc.toStringMethod, {
    value: () => `${settingText(sample.setting)}:\n${sample.actions.map(actionText).join("\n")}\n`
  })

const closing: fc.Arbitrary<Action> = fc.oneof(
  fc.constant<Action>({ do: "close" }),
  fc.record({ do: of("close within"), millis: fc.constantFrom(0, 300) })
)

const samplesOf = (action: fc.Arbitrary<Action>, setting: fc.Arbitrary<Setting>): fc.Arbitrary<Sample> =>
  fc
    .record({
      setting,
      actions: fc
        .tuple(
          fc.array(action, { minLength: 8, maxLength: 50, size: "max" }),
          fc.oneof(
            { weight: 4, arbitrary: fc.constant<ReadonlyArray<Action>>([]) },
            {
              weight: 1,
              arbitrary: fc
                .tuple(closing, fc.array(action, { maxLength: 6, size: "max" }))
                .map(([close, after]): ReadonlyArray<Action> => [close, ...after])
            }
          )
        )
        .map(([before, after]) => [...before, ...after])
    })
    .map(printed)

export const samples = samplesOf(action, setting)

const lateSetting = fc.oneof(settingOf("late"), settingOf("late with revisions"))

/** With a write target, which the master shows later. */
export const targetSamples = samplesOf(action, lateSetting)

/** With and without a write target. */
export const equalSamples = samplesOf(
  action,
  fc.oneof({ weight: 2, arbitrary: setting }, { weight: 1, arbitrary: lateSetting })
)

/** What lets a tier be asked often: rows leave the memories, and what is put is there. */
const tierAction = fc.oneof(
  { weight: 8, arbitrary: action },
  { weight: 2, arbitrary: fc.record({ do: of("write"), id, kind: of<WriteKind>("insert", "replace") }) },
  { weight: 4, arbitrary: fc.record({ do: of("get"), id, how: of<ReadHow>("plain") }) },
  { weight: 5, arbitrary: fc.record({ do: of("other get"), id }) },
  { weight: 3, arbitrary: fc.record({ do: of("other write"), id, kind }) },
  { weight: 8, arbitrary: fc.record({ do: of("put"), at }) },
  { weight: 9, arbitrary: fc.record({ do: of("answer all", "answer all", "evict") }) },
  { weight: 1, arbitrary: fc.record({ do: of("break tier", "slow tier", "mend tier", "mend tier") }) }
)

const tierSetting = (setting: fc.Arbitrary<Setting>): fc.Arbitrary<Setting> =>
  fc
    .tuple(setting, fc.constantFrom(1, 1, 2, 100), fc.constantFrom(100, 100_000, 100_000, 100_000))
    .map(([given, maxEntries, ttl]) => ({ ...given, maxEntries, ttl }))

/** With another live table of the same tier, whose entries are put at any time. */
export const tierSamples = samplesOf(
  tierAction,
  tierSetting(
    fc.tuple(setting, fc.constantFrom(true, true, false)).map(([given, foreign]) => ({ ...given, foreign }))
  )
)

/** With such a tier and a write target. */
export const tierTargetSamples = samplesOf(tierAction, tierSetting(lateSetting))

const simple = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: of("get"), id, how: of("plain") }) },
  { weight: 2, arbitrary: fc.record({ do: of("write"), id, kind: of<WriteKind>("replace", "delete") }) },
  { weight: 3, arbitrary: fc.record({ do: of("read", "answer"), at }) },
  { weight: 2, arbitrary: fc.record({ do: of("answer all", "settle") }) }
)

/** Reads and writes of rows, by a master that never fails: what any cache can be used with. */
export const simpleSamples: fc.Arbitrary<Sample> = fc
  .record({
    setting: setting.map((given) => ({
      ...given,
      ttl: 100_000,
      maxEntries: 100,
      stubborn: false,
      foreign: false
    })),
    actions: fc.array(simple, { minLength: 8, maxLength: 50, size: "max" })
  })
  .map(printed)
