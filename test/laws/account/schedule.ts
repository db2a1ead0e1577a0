/** What a schedule is made of: how a recorder is set, what its callers do, and what goes wrong meanwhile. */
import { Schedule } from "effect"
import fc from "fast-check"
import type * as Recorder from "../../../src/Recorder.js"
import type { Blame, FailureKind } from "../../../src/Storage.js"

export interface Row {
  readonly id: number
  /** What is wrong with it until it is mended: the storage knows, or has no word for it. */
  readonly bad: "no" | "poison" | "unknown"
}

/** How much of the batch is committed before the trouble. */
export type Commits = "nothing" | "some" | "all"

/** What goes wrong in one save, whatever it holds. */
export type Fault =
  | { readonly do: "nothing" }
  /** Its kind and its blame may lie: the batch is good, or the backend is away and looks as if the data were bad. */
  | {
      readonly do: "fail"
      readonly commits: Commits
      readonly kind: FailureKind
      readonly blame: Blame | undefined
      /** The number of records that it says would fit; undefined: it says none. */
      readonly fits: number | undefined
      readonly told: boolean
    }
  | { readonly do: "die"; readonly commits: Commits }
  /** Hangs, or goes on after so many milliseconds; stubborn: it ignores its interruption. */
  | {
      readonly do: "hang"
      readonly commits: Commits
      readonly millis: number | undefined
      readonly stubborn: boolean
    }
  /** The schedule goes on while the backend works, and may interrupt it there. */
  | { readonly do: "race" }

export type LoadFault = "nothing" | "fail" | "die" | "hang" | "race"

export type Action =
  | { readonly do: "save"; readonly how: "unsafeSave" | "save" | "saveDurable"; readonly bad: Row["bad"] }
  | { readonly do: "saveAll"; readonly bad: ReadonlyArray<Row["bad"]> }
  | { readonly do: "load" | "flush" | "redrive" | "mend" | "settle" | "close" }
  | { readonly do: "interrupt"; readonly which: number }
  /** So many saves, so far from each other that an adaptive linger begins. */
  | { readonly do: "stream"; readonly count: number; readonly millis: number }
  | { readonly do: "advance" | "closeWithin"; readonly millis: number }

export interface Setting {
  readonly maxBatchSize: number
  readonly maxBatch: number | undefined
  readonly linger: number | "adaptive" | undefined
  readonly overflow: Recorder.Overflow | undefined
  readonly count: number
  readonly bytes: number | undefined
  readonly onFatal: "stop" | "set-aside"
  readonly sink: "none" | "takes" | "fails" | "hangs"
  readonly maxHeld: number | undefined
  readonly retry: keyof typeof schedules
  readonly prepares: boolean
  /**
   * How the storage meets a bad record: it refuses the whole batch, it names the bad ones, or it stores what stands
   * before the first one, and says so.
   */
  readonly refuses: "whole" | "named" | "from the first"
  readonly start: "at once" | "late" | "after failures" | "fatal" | "never"
  readonly end: "close" | "closeWithin" | "scope"
}

export interface Sample {
  readonly setting: Setting
  readonly faults: ReadonlyArray<Fault>
  readonly loadFaults: ReadonlyArray<LoadFault>
  readonly actions: ReadonlyArray<Action>
}

export const schedules = {
  spaced: Schedule.spaced(50),
  exponential: Schedule.exponential(20),
  twice: Schedule.intersect(Schedule.spaced(50), Schedule.recurs(2)),
  never: Schedule.stop
}

/** In milliseconds. */
export const saveTimeout = 200
export const loadTimeout = 300
export const closeDeadline = 500

const sizeOf = ({ id }: Row): number => 1 + (id % 3)
/** The largest size that it gives. */
export const largest = 3

export const boundOf = ({ bytes, count, overflow }: Setting): Recorder.Bound<Row> | undefined => {
  if (overflow === undefined) return undefined
  return bytes === undefined ? { overflow, count } : { overflow, count, bytes, sizeOf }
}

const commits = fc.constantFrom<Commits>("nothing", "some", "all")
const kind = fc.constantFrom<FailureKind>("Transient", "Transient", "Transient", "Poison", "Unknown", "Fatal")

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Fault>({ do: "nothing" }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("fail" as const),
      commits,
      kind,
      blame: fc.constantFrom<Blame | undefined>(undefined, undefined, "record", "either", "size", "backend"),
      fits: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined, freq: 6 }),
      told: fc.boolean()
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const), commits }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("hang" as const),
      commits,
      millis: fc.option(fc.integer({ min: 1, max: 2500 }), { nil: undefined }),
      stubborn: fc.boolean()
    })
  },
  { weight: 1, arbitrary: fc.constant<Fault>({ do: "race" }) }
)

const bad = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Row["bad"]>("no") },
  { weight: 2, arbitrary: fc.constant<Row["bad"]>("poison") },
  { weight: 1, arbitrary: fc.constant<Row["bad"]>("unknown") }
)

/** An outage that looks the same in each save: as data, as a limit, as a lost connection. */
const outage: fc.Arbitrary<ReadonlyArray<Fault>> = fc
  .tuple(
    fc.integer({ min: 0, max: 4 }),
    fc.integer({ min: 2, max: 12 }),
    kind,
    fc.constantFrom<Blame | undefined>(undefined, "record", "either", "size")
  )
  .map(([before, length, kind, blame]) => [
    ...Array.from({ length: before }, (): Fault => ({ do: "nothing" })),
    ...Array.from(
      { length },
      (): Fault => ({ do: "fail", commits: "nothing", kind, blame, fits: undefined, told: true })
    )
  ])

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("save" as const),
      how: fc.constantFrom("unsafeSave" as const, "save" as const, "saveDurable" as const),
      bad
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("saveAll" as const), bad: fc.array(bad, { maxLength: 6 }) })
  },
  { weight: 4, arbitrary: fc.constantFrom<Action>({ do: "load" }, { do: "flush" }) },
  { weight: 4, arbitrary: fc.constant<Action>({ do: "settle" }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("stream" as const),
      count: fc.integer({ min: 8, max: 16 }),
      millis: fc.integer({ min: 1, max: 4 })
    })
  },
  { weight: 4, arbitrary: fc.constantFrom<Action>({ do: "redrive" }, { do: "redrive" }, { do: "mend" }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("interrupt" as const), which: fc.nat({ max: 20 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("advance" as const), millis: fc.integer({ min: 0, max: 700 }) })
  }
)

const ending: fc.Arbitrary<ReadonlyArray<Action>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<ReadonlyArray<Action>>([]) },
  { weight: 1, arbitrary: fc.constant<ReadonlyArray<Action>>([{ do: "close" }]) },
  {
    weight: 1,
    arbitrary: fc
      .record({ do: fc.constant("closeWithin" as const), millis: fc.nat({ max: 900 }) })
      .map((end) => [end])
  }
)

const setting: fc.Arbitrary<Setting> = fc.record({
  maxBatchSize: fc.integer({ min: 1, max: 8 }),
  maxBatch: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
  linger: fc.constantFrom<Setting["linger"]>(0, 40, "adaptive", undefined, undefined),
  overflow: fc.constantFrom(undefined, "reject", "suspend", "drop-newest", "drop-oldest"),
  count: fc.integer({ min: 1, max: 12 }),
  bytes: fc.option(fc.integer({ min: 3, max: 20 }), { nil: undefined }),
  onFatal: fc.constantFrom("stop", "set-aside"),
  sink: fc.constantFrom<Setting["sink"]>("none", "none", "takes", "fails", "hangs"),
  maxHeld: fc.constantFrom(undefined, undefined, 0, 1, 2, 4),
  retry: fc.constantFrom("spaced", "exponential", "twice", "never"),
  prepares: fc.boolean(),
  refuses: fc.constantFrom<Setting["refuses"]>("whole", "named", "from the first", "from the first"),
  start: fc.oneof(
    { weight: 8, arbitrary: fc.constant("at once" as const) },
    { weight: 3, arbitrary: fc.constantFrom("late" as const, "after failures" as const) },
    { weight: 1, arbitrary: fc.constantFrom("fatal" as const, "never" as const) }
  ),
  end: fc.constantFrom("close" as const, "closeWithin" as const, "scope" as const)
})

export const samples: fc.Arbitrary<Sample> = fc.record({
  setting,
  faults: fc.oneof(
    { weight: 4, arbitrary: fc.array(fault, { maxLength: 14, size: "max" }) },
    { weight: 1, arbitrary: outage }
  ),
  loadFaults: fc.array(
    fc.constantFrom<LoadFault>("nothing", "nothing", "nothing", "fail", "die", "hang", "race"),
    { maxLength: 6 }
  ),
  actions: fc
    .tuple(
      fc.array(action, { minLength: 5, maxLength: 45, size: "max" }),
      ending,
      fc.array(action, { maxLength: 8, size: "max" })
    )
    .map(([before, end, after]) => [...before, ...end, ...(end.length === 0 ? [] : after)])
})
