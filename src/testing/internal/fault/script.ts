/** What can go wrong in a call of a storage, as data, and which call meets it. */
import { Data, Duration, Option } from "effect"
import { InvalidOptions } from "../../../internal/options.js"
import type { FailureKind, Outcome } from "../../../Storage.js"

/**
 * How much of a batch the storage below has saved before the fault shows: nothing, the first half (rounded down), all
 * of it, or so many records at its start.
 */
export type Commits = "none" | "half" | "all" | number

/** Whether a call ends when it is interrupted, or goes on as if nothing had happened. */
export type Interruption = "heeded" | "ignored"

/**
 * One thing that goes wrong.
 *
 * - `Fail`: fails with a `StorageError`. With the outcome `NotStored` it tells what was committed (`stored`); with
 *   `Unknown` the answer is lost.
 * - `Raise`: fails with an error that is no `StorageError`, as a driver would.
 * - `Die`: ends with a defect.
 * - `Refuse`: refuses the records that its rule names, as kind `Poison`. It tells their positions and stores nothing;
 *   or stores what stands before the first of them and tells that prefix; or stores nothing and tells nothing.
 * - `Hang`: never answers.
 * - `Delay`: answers late. It waits before the call, or holds back the answer of a call that is done.
 *
 * A `load` commits nothing: `commits` is ignored there, and `Refuse` fails as kind `Poison`.
 */
export type Fault = Data.TaggedEnum<{
  Fail: { readonly kind: FailureKind; readonly outcome: Outcome; readonly commits: Commits }
  Raise: { readonly error: unknown; readonly commits: Commits }
  Die: { readonly defect: unknown; readonly commits: Commits }
  Refuse: { readonly reports: "positions" | "prefix" | "nothing" }
  Hang: { readonly commits: Commits; readonly interruption: Interruption }
  Delay: {
    readonly duration: Duration.DurationInput
    readonly when: "before" | "after"
    readonly interruption: Interruption
  }
}>

const fault = Data.taggedEnum<Fault>()

/** The makers of faults, with the defaults that a test wants most. */
export const Fault = {
  /** The backend is away and has stored nothing (or what `commits` says, and tells it). */
  fail: (kind: FailureKind = "Transient", commits: Commits = "none"): Fault =>
    fault.Fail({ kind, outcome: "NotStored", commits }),
  /** The batch (or what `commits` says) is committed, and the answer is lost. */
  failAfterCommit: (kind: FailureKind = "Transient", commits: Commits = "all"): Fault =>
    fault.Fail({ kind, outcome: "Unknown", commits }),
  /** Fails with whatever this is, unclassified. */
  raise: (error: unknown, commits: Commits = "none"): Fault => fault.Raise({ error, commits }),
  die: (defect: unknown = new Error("a scripted defect"), commits: Commits = "none"): Fault =>
    fault.Die({ defect, commits }),
  /** Refuses the records that the rule names. */
  refuse: (reports: "positions" | "prefix" | "nothing" = "positions"): Fault => fault.Refuse({ reports }),
  hang: (commits: Commits = "none", interruption: Interruption = "heeded"): Fault =>
    fault.Hang({ commits, interruption }),
  delay: (
    duration: Duration.DurationInput,
    when: "before" | "after" = "before",
    interruption: Interruption = "heeded"
  ): Fault => fault.Delay({ duration, when, interruption })
} as const

/** Which calls meet a fault: all conditions hold. */
export interface Rule<in Record> {
  readonly fault: Fault
  /** Default `save`. */
  readonly of?: "save" | "load" | undefined
  /** Only this call, or those from one to another (both included), counted from 1 and for each of `of` by itself. */
  readonly call?: number | readonly [from: number, to: number] | undefined
  /** Only saves whose batch holds such a record. */
  readonly record?: ((record: Record) => boolean) | undefined
  /** Only so many times. Default: always. */
  readonly times?: number | undefined
}

/** The rules, the first that fits a call decides. A call that none fits goes through. */
export type Script<Record> = ReadonlyArray<Rule<Record>>

/** A rule with the number of calls that it has met. */
interface Counted<in Record> {
  readonly rule: Rule<Record>
  met: number
}

/** A script under way. */
export type Running<Record> = ReadonlyArray<Counted<Record>>

export const startScript = <Record>(script: Script<Record>): Running<Record> =>
  script.map((rule) => ({ rule, met: 0 }))

const isCount = (value: number): boolean => Number.isInteger(value) && value > 0

/** What is wrong with a script, or `undefined`. */
export const validateScript = <Record>(script: Script<Record>): InvalidOptions | undefined => {
  for (const { call, fault, of, record, times } of script) {
    const [from, to] = typeof call === "object" ? call : [call ?? 1, call ?? 1]
    if (!isCount(from) || !isCount(to) || to < from) {
      return new InvalidOptions({
        option: "call",
        message: "calls are whole numbers from 1, the lower one first"
      })
    }
    if (times !== undefined && !isCount(times)) {
      return new InvalidOptions({ option: "times", message: "must be a whole number above 0" })
    }
    if (of === "load" && record !== undefined) {
      return new InvalidOptions({ option: "record", message: "a load has no records: name its call" })
    }
    if (fault._tag === "Delay" && Option.isNone(Duration.decodeUnknown(fault.duration))) {
      return new InvalidOptions({ option: "duration", message: 'must be a duration, such as "1 second"' })
    }
  }
  return undefined
}

const meets = <Record>(
  { met, rule: { call, of = "save", record, times } }: Counted<Record>,
  kind: "save" | "load",
  nth: number,
  batch: ReadonlyArray<Record>
): boolean => {
  if (of !== kind || (times !== undefined && met >= times)) return false
  const [from, to] = typeof call === "object" ? call : [call ?? nth, call ?? nth]
  return nth >= from && nth <= to && (record === undefined || batch.some(record))
}

/** The rule that this call meets. */
export const match = <Record>(
  running: Running<Record>,
  kind: "save" | "load",
  nth: number,
  batch: ReadonlyArray<Record>
): Rule<Record> | undefined => {
  const found = running.find((counted) => meets(counted, kind, nth, batch))
  if (found === undefined) return undefined
  found.met++
  return found.rule
}

/** How many records of a batch are committed. */
export const committed = (commits: Commits, length: number): number => {
  if (commits === "none") return 0
  if (commits === "all") return length
  return commits === "half" ? length >> 1 : Math.max(0, Math.min(length, Math.trunc(commits)))
}
