/** What can go wrong in a call of a storage, as data, and which call meets it. */
import { Data, type Duration } from "effect"
import {
  func,
  InvalidOptions,
  invalid,
  millis,
  nested,
  oneOf,
  optional,
  or,
  that,
  whole
} from "../../../internal/options.js"
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
 * - `Fail`: fails with a `StorageError`. With the outcome `NotStored` it reports what was committed (`stored`); with
 *   `Unknown` the answer is lost.
 * - `Raise`: fails with an error that is no `StorageError`, as a driver would.
 * - `Die`: ends with a defect.
 * - `Refuse`: refuses the records that its rule names, as kind `Poison`. It reports their positions and stores nothing;
 *   or stores what is before the first of them and reports that prefix; or stores nothing and reports nothing.
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
  /** The backend is away and has stored nothing, or the part in `commits`, which it reports. */
  fail: (kind: FailureKind = "Transient", commits: Commits = "none"): Fault =>
    fault.Fail({ kind, outcome: "NotStored", commits }),
  /** The batch, or the part in `commits`, is committed, and the answer is lost. */
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

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0

const isCalls = (given: unknown): boolean =>
  isCount(given) ||
  (Array.isArray(given) && given.length === 2 && given.every(isCount) && given[0] <= given[1])

const tags: { readonly [Tag in Fault["_tag"]]: true } = {
  Fail: true,
  Raise: true,
  Die: true,
  Refuse: true,
  Hang: true,
  Delay: true
}

const isFault = (given: unknown): boolean =>
  typeof given === "object" && given !== null && "_tag" in given && Object.hasOwn(tags, String(given._tag))

const ruleRules = nested<Rule<never>>()({
  fault: that("a Fault", isFault),
  of: or(oneOf("save", "load"), "save"),
  call: optional(
    that("the number of a call, counted from 1, or the first and the last of several calls", isCalls)
  ),
  record: optional(func("that tests a record")),
  times: optional(whole(1))
})

/** What is wrong with a rule of a script, or `undefined`. */
const validateRule = <Record>(option: string, rule: Rule<Record>): InvalidOptions | undefined => {
  const checked = ruleRules.read(option, rule)
  if (checked instanceof InvalidOptions) return checked
  if (rule.of === "load" && rule.record !== undefined) {
    return new InvalidOptions({
      option: `${option}.record`,
      message: "a load has no records: choose it by its call"
    })
  }
  if (rule.fault._tag !== "Delay") return undefined
  const duration = millis().read(`${option}.fault.duration`, rule.fault.duration)
  return duration instanceof InvalidOptions ? duration : undefined
}

/** What is wrong with a script, or `undefined`. */
export const validateScript = <Record>(script: Script<Record>): InvalidOptions | undefined => {
  if (!Array.isArray(script)) return invalid("script", "an array of rules", script)
  for (const [at, rule] of script.entries()) {
    const problem = validateRule(`script[${at}]`, rule)
    if (problem !== undefined) return problem
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
