/** What can go wrong in a call of a storage, as data, and which call meets it. */
import { Data, type Duration, Effect } from "effect"
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

type FaultOf<Tag extends Fault["_tag"]> = Extract<Fault, { readonly _tag: Tag }>

/** The makers of faults, with the defaults that a test wants most. */
export const Fault = {
  /** The backend is away and has stored nothing, or the part in `commits`, which it reports. */
  fail: (kind: FailureKind = "Transient", commits: Commits = "none"): FaultOf<"Fail"> =>
    fault.Fail({ kind, outcome: "NotStored", commits }),
  /** The batch, or the part in `commits`, is committed, and the answer is lost. */
  failAfterCommit: (kind: FailureKind = "Transient", commits: Commits = "all"): FaultOf<"Fail"> =>
    fault.Fail({ kind, outcome: "Unknown", commits }),
  /** Fails with whatever this is, unclassified. */
  raise: (error: unknown, commits: Commits = "none"): FaultOf<"Raise"> => fault.Raise({ error, commits }),
  die: (defect: unknown = new Error("a scripted defect"), commits: Commits = "none"): FaultOf<"Die"> =>
    fault.Die({ defect, commits }),
  /** Refuses the records that the rule names. */
  refuse: (reports: "positions" | "prefix" | "nothing" = "positions"): FaultOf<"Refuse"> =>
    fault.Refuse({ reports }),
  hang: (commits: Commits = "none", interruption: Interruption = "heeded"): FaultOf<"Hang"> =>
    fault.Hang({ commits, interruption }),
  delay: (
    duration: Duration.DurationInput,
    when: "before" | "after" = "before",
    interruption: Interruption = "heeded"
  ): FaultOf<"Delay"> => fault.Delay({ duration, when, interruption })
} as const

/** Which calls meet a fault: all conditions hold. `Of` are the kinds of calls. */
export interface Rule<in Record, out F = Fault, out Of extends string = "save" | "load"> {
  readonly fault: F
  /** Default `save`, and `write` for tables. */
  readonly of?: Of | undefined
  /** Only this call, or those from one to another (both included), counted from 1 and for each of `of` by itself. */
  readonly call?: number | readonly [from: number, to: number] | undefined
  /** Only saves whose batch holds such a record; for tables: only calls that have such a write. */
  readonly record?: ((record: Record) => boolean) | undefined
  /** Only so many times. Default: always. */
  readonly times?: number | undefined
}

/** The rules, the first that fits a call decides. A call that none fits goes through. */
export type Script<Record, F = Fault, Of extends string = "save" | "load"> = ReadonlyArray<
  Rule<Record, F, Of>
>

/** A rule with the number of calls that it has met. */
interface Counted<in Record, out F, out Of extends string> {
  readonly rule: Rule<Record, F, Of>
  readonly of: Of
  met: number
}

/** A script under way. */
export type Running<Record, F = Fault, Of extends string = "save" | "load"> = ReadonlyArray<
  Counted<Record, F, Of>
>

/** What the scripts of one kind of subject may have. */
export interface Scripts<out Of extends string> {
  /** The kinds of calls that change something, and that do not. */
  readonly of: readonly [changing: Of, reading: Of]
  /** The tags of its faults. */
  readonly faults: ReadonlyArray<string>
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0

const isCalls = (given: unknown): boolean =>
  isCount(given) ||
  (Array.isArray(given) && given.length === 2 && given.every(isCount) && given[0] <= given[1])

/** The scripts of storages. */
export const storageScripts: Scripts<"save" | "load"> = {
  of: ["save", "load"],
  faults: ["Fail", "Raise", "Die", "Refuse", "Hang", "Delay"]
}

/** A fault, as far as every kind of it goes. */
interface AnyFault {
  readonly _tag: string
  readonly duration?: unknown
}

const ruleRules = <Of extends string>({ faults, of: [changing, reading] }: Scripts<Of>) =>
  nested<Rule<never, AnyFault, Of>>()({
    fault: that(
      "a Fault",
      (given) =>
        typeof given === "object" && given !== null && "_tag" in given && faults.includes(String(given._tag))
    ),
    of: or(oneOf(changing, reading), changing),
    call: optional(
      that("the number of a call, counted from 1, or the first and the last of several calls", isCalls)
    ),
    record: optional(func("that tests a record")),
    times: optional(whole(1))
  })

/** What is wrong with a rule of a script, or `undefined`. */
const validateRule = <Record, Of extends string>(
  scripts: Scripts<Of>,
  option: string,
  rule: Rule<Record, AnyFault, Of>
): InvalidOptions | undefined => {
  const checked = ruleRules(scripts).read(option, rule)
  if (checked instanceof InvalidOptions) return checked
  const [, reading] = scripts.of
  if (rule.of === reading && rule.record !== undefined) {
    return new InvalidOptions({
      option: `${option}.record`,
      message: `a ${reading} has no records: choose it by its call`
    })
  }
  if (rule.fault._tag !== "Delay") return undefined
  const duration = millis().read(`${option}.fault.duration`, rule.fault.duration)
  return duration instanceof InvalidOptions ? duration : undefined
}

/** What is wrong with a script, or `undefined`. */
const validateScript = <Record, Of extends string>(
  scripts: Scripts<Of>,
  script: Script<Record, AnyFault, Of>
): InvalidOptions | undefined => {
  if (!Array.isArray(script)) return invalid("script", "an array of rules", script)
  for (const [at, rule] of script.entries()) {
    const problem = validateRule(scripts, `script[${at}]`, rule)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Checks a script, and starts it. */
export const startScript = <Record, F extends AnyFault, Of extends string>(
  scripts: Scripts<Of>,
  script: Script<Record, F, Of>
): Effect.Effect<Running<Record, F, Of>, InvalidOptions> =>
  Effect.suspend(() => {
    const problem = validateScript(scripts, script)
    return problem === undefined
      ? Effect.succeed(script.map((rule) => ({ rule, of: rule.of ?? scripts.of[0], met: 0 })))
      : Effect.fail(problem)
  })

const meets = <Record, F, Of extends string>(
  { met, of, rule: { call, record, times } }: Counted<Record, F, Of>,
  kind: Of,
  nth: number,
  batch: ReadonlyArray<Record>
): boolean => {
  if (of !== kind || (times !== undefined && met >= times)) return false
  const [from, to] = typeof call === "object" ? call : [call ?? nth, call ?? nth]
  return nth >= from && nth <= to && (record === undefined || batch.some(record))
}

/** The rule that this call meets. */
export const match = <Record, F, Of extends string>(
  running: Running<Record, F, Of>,
  kind: Of,
  nth: number,
  batch: ReadonlyArray<Record>
): Rule<Record, F, Of> | undefined => {
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
