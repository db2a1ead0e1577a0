/** The decorator that plays a script of faults over a storage, and keeps what happened. */
import { Clock, Deferred, Effect, Exit, FiberId } from "effect"
import type { InvalidOptions } from "../../../internal/options.js"
import { type Saved, type Storage, StorageError } from "../../../Storage.js"
import {
  committed,
  type Fault,
  match,
  type Rule,
  type Running,
  type Script,
  startScript,
  validateScript
} from "./script.js"

/** One call, from its beginning on. */
interface Call<out Answer> {
  /** Counted from 1, for saves and loads by themselves. */
  readonly nth: number
  /** When it began, in milliseconds of the clock. */
  readonly at: number
  /** What it met; nothing when it went through. */
  readonly fault: Fault | undefined
  /** How it ended; undefined while it runs. */
  readonly exit: Exit.Exit<Answer, unknown> | undefined
}

/** One call of `save`. */
export interface SaveCall<out Record> extends Call<Saved | void> {
  /** A copy of the batch, in its order. */
  readonly batch: ReadonlyArray<Record>
  /** How many records at the start of the batch the storage below has acknowledged. */
  readonly stored: number
}

/** One call of `load`. */
export interface LoadCall<out Query, out Result> extends Call<Result> {
  readonly query: Query
}

/** A storage that fails by a script. */
export interface FaultStorage<in out Record, in out Query = never, out Result = unknown> {
  /** The storage for the recorder, or for what else is under test. */
  readonly storage: Storage<Record, Query, Result>
  /** What has happened until now, in the order in which the calls began. */
  readonly saves: ReadonlyArray<SaveCall<Record>>
  readonly loads: ReadonlyArray<LoadCall<Query, Result>>
  /** How many calls began while another one was running. A recorder makes none. */
  readonly overlaps: () => number
  /** The next saves meet these, one each and before the script; `undefined` lets one through. */
  readonly next: (...faults: ReadonlyArray<Fault | undefined>) => Effect.Effect<void>
  /** The same for the next loads. */
  readonly nextLoads: (...faults: ReadonlyArray<Fault | undefined>) => Effect.Effect<void>
  /** Replaces the script. Calls are counted on. */
  readonly play: (script: Script<Record>) => Effect.Effect<void, InvalidOptions>
  /** The nth save, as soon as it has begun. */
  readonly saveBegun: (nth: number) => Effect.Effect<SaveCall<Record>>
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

const refusal = <Record>(batch: ReadonlyArray<Record>, rule: Rule<Record>, reports: string): StorageError => {
  const isBad = rule.record ?? (() => true)
  const at = batch.flatMap((record, index) => (isBad(record) ? [index] : []))
  const cause = "refused by the script"
  return new StorageError({
    kind: "Poison",
    outcome: "NotStored",
    message: `${at.length} of ${batch.length} records are refused by the script`,
    ...(reports === "positions" ? { bad: at.map((index) => ({ index, cause })) } : {}),
    ...(reports === "prefix" ? { stored: at[0] ?? 0 } : {})
  })
}

const failure = (fault: Extract<Fault, { readonly _tag: "Fail" }>, stored: number): StorageError => {
  const { kind, outcome } = fault
  return new StorageError({
    kind,
    outcome,
    message: `a scripted failure of kind ${kind}`,
    ...(outcome === "NotStored" && stored > 0 ? { stored } : {})
  })
}

const withInterruption =
  (interruption: "heeded" | "ignored") =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    interruption === "ignored" ? Effect.uninterruptible(effect) : effect

const delayed = <A, E>(
  fault: Extract<Fault, { readonly _tag: "Delay" }>,
  call: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  withInterruption(fault.interruption)(
    fault.when === "before"
      ? Effect.delay(call, fault.duration)
      : Effect.zipLeft(call, Effect.sleep(fault.duration))
  )

/** The effect of one fault: `commit` saves so many records at the start of the batch, `whole` is the call itself. */
const faulty = <Record, A>(
  rule: Rule<Record>,
  batch: ReadonlyArray<Record>,
  commit: (count: number) => Effect.Effect<unknown, unknown>,
  whole: Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> => {
  const { fault } = rule
  if (fault._tag === "Delay") return delayed(fault, whole)
  if (fault._tag === "Refuse") {
    const error = refusal(batch, rule, fault.reports)
    return Effect.zipRight(commit(error.stored ?? 0), Effect.fail(error))
  }
  const count = committed(fault.commits, batch.length)
  switch (fault._tag) {
    case "Fail":
      return Effect.zipRight(commit(count), Effect.fail(failure(fault, count)))
    case "Raise":
      return Effect.zipRight(commit(count), Effect.fail(fault.error))
    case "Die":
      return Effect.zipRight(commit(count), Effect.die(fault.defect))
    case "Hang":
      return withInterruption(fault.interruption)(Effect.zipRight(commit(count), Effect.never))
  }
}

/** The state of a decorated storage. */
interface State<Record, Query, Result> {
  readonly saves: Array<Mutable<SaveCall<Record>>>
  readonly loads: Array<Mutable<LoadCall<Query, Result>>>
  readonly nextSaves: Array<Fault | undefined>
  readonly nextLoads: Array<Fault | undefined>
  /** The waits for a save to begin, by its number. */
  readonly awaited: Map<number, Deferred.Deferred<SaveCall<Record>>>
  running: Running<Record>
  open: number
  overlaps: number
}

const ruleOf = <Record, Query, Result>(
  state: State<Record, Query, Result>,
  of: "save" | "load",
  nth: number,
  batch: ReadonlyArray<Record>
): Rule<Record> | undefined => {
  const set = of === "save" ? state.nextSaves : state.nextLoads
  if (set.length === 0) return match(state.running, of, nth, batch)
  const fault = set.shift()
  return fault === undefined ? undefined : { fault }
}

/** Begins a call, keeps how it ends, and whether it was alone. */
const recorded = <Answer, C extends Mutable<Call<Answer>>>(
  state: { open: number; overlaps: number },
  begin: (at: number) => readonly [call: C, effect: Effect.Effect<Answer, unknown>]
): Effect.Effect<Answer, unknown> =>
  Effect.flatMap(Clock.currentTimeMillis, (at) =>
    Effect.uninterruptibleMask((restore) => {
      const [call, effect] = begin(at)
      if (state.open++ > 0) state.overlaps++
      return Effect.onExit(restore(effect), (exit) =>
        Effect.sync(() => {
          state.open--
          call.exit = exit
        })
      )
    })
  )

const makeSave =
  <Record, Query, Result>(below: Storage<Record, Query, Result>, state: State<Record, Query, Result>) =>
  (given: ReadonlyArray<Record>, through: Effect.Effect<Saved | void, unknown>) =>
    recorded<Saved | void, Mutable<SaveCall<Record>>>(state, (at) => {
      const batch = given.slice()
      const nth = state.saves.length + 1
      const rule = ruleOf(state, "save", nth, batch)
      const call: Mutable<SaveCall<Record>> = {
        nth,
        at,
        batch,
        stored: 0,
        fault: rule?.fault,
        exit: undefined
      }
      state.saves.push(call)
      const acknowledged = (count: number) => () => {
        call.stored = count
      }
      const whole = Effect.tap(through, acknowledged(batch.length))
      const commit = (count: number) =>
        count === 0 ? Effect.void : Effect.tap(below.save(batch.slice(0, count)), acknowledged(count))
      const waiter = state.awaited.get(nth)
      if (waiter !== undefined) Deferred.unsafeDone(waiter, Exit.succeed(call))
      return [call, rule === undefined ? whole : faulty(rule, batch, commit, whole)]
    })

const makeLoad =
  <Record, Query, Result>(below: Storage<Record, Query, Result>, state: State<Record, Query, Result>) =>
  (query: Query) =>
    recorded<Result, Mutable<LoadCall<Query, Result>>>(state, (at) => {
      const nth = state.loads.length + 1
      const rule = ruleOf(state, "load", nth, [])
      const call: Mutable<LoadCall<Query, Result>> = { nth, at, query, fault: rule?.fault, exit: undefined }
      state.loads.push(call)
      const whole = Effect.suspend(() => below.load(query))
      return [call, rule === undefined ? whole : faulty(rule, [], () => Effect.void, whole)]
    })

const started = <Record>(script: Script<Record>): Effect.Effect<Running<Record>, InvalidOptions> =>
  Effect.suspend(() => {
    const problem = validateScript(script)
    return problem === undefined ? Effect.succeed(startScript(script)) : Effect.fail(problem)
  })

/**
 * Decorates a storage. Each call takes the next fault that was set, else the first rule of the script that fits it,
 * else it goes through. Time passes by the `Clock` alone. Fails with `InvalidOptions` when a rule can fit no call.
 */
export const make = <Record, Query, Result>(
  below: Storage<Record, Query, Result>,
  script: Script<Record> = []
): Effect.Effect<FaultStorage<Record, Query, Result>, InvalidOptions> =>
  Effect.map(started(script), (running) => {
    const state: State<Record, Query, Result> = {
      saves: [],
      loads: [],
      nextSaves: [],
      nextLoads: [],
      awaited: new Map(),
      running,
      open: 0,
      overlaps: 0
    }
    const save = makeSave(below, state)
    const { prepare } = below
    return {
      storage: {
        save: (batch) =>
          save(
            batch,
            Effect.suspend(() => below.save(batch))
          ),
        load: makeLoad(below, state),
        ...(below.maxBatch === undefined ? {} : { maxBatch: below.maxBatch }),
        ...(prepare === undefined
          ? {}
          : { prepare: (batch: ReadonlyArray<Record>) => save(batch, prepare.call(below, batch)) })
      },
      saves: state.saves,
      loads: state.loads,
      overlaps: () => state.overlaps,
      next: (...faults) =>
        Effect.sync(() => {
          state.nextSaves.push(...faults)
        }),
      nextLoads: (...faults) =>
        Effect.sync(() => {
          state.nextLoads.push(...faults)
        }),
      play: (script) =>
        Effect.map(started(script), (running) => {
          state.running = running
        }),
      saveBegun: (nth) =>
        Effect.suspend(() => {
          const call = state.saves[nth - 1]
          if (call !== undefined) return Effect.succeed(call)
          const waiter = state.awaited.get(nth) ?? Deferred.unsafeMake<SaveCall<Record>>(FiberId.none)
          state.awaited.set(nth, waiter)
          return Deferred.await(waiter)
        })
    }
  })
