/** The decorator that plays a script of faults over a storage, and keeps what happened. */

import { Deferred, Effect, Exit, FiberId } from "effect"
import { check, handle } from "../../../internal/arguments.js"
import type { InvalidOptions } from "../../../internal/options.js"
import type { Made } from "../../../internal/remedy.js"
import { type Saved, type Storage, StorageError } from "../../../Storage.js"
import { type Call, type Mutable, playing, recorded } from "./calls.js"
import {
  type Fault,
  match,
  type Rule,
  type Running,
  type Script,
  startScript,
  storageScripts
} from "./script.js"

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

/** The effect of one fault: `commit` saves so many records at the start of the batch, `whole` is the call itself. */
const faulty = <Record, A>(
  rule: Rule<Record>,
  batch: ReadonlyArray<Record>,
  commit: (count: number) => Effect.Effect<unknown, unknown>,
  whole: Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> => {
  const { fault } = rule
  if (fault._tag !== "Refuse") return playing(fault, batch.length, commit, whole)
  const error = refusal(batch, rule, fault.reports)
  return Effect.andThen(commit(error.stored ?? 0), Effect.fail(error))
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

const makeSave =
  <Record, Query, Result>(below: Storage<Record, Query, Result>, state: State<Record, Query, Result>) =>
  (given: ReadonlyArray<Record>, through: Effect.Effect<Saved | void, unknown>) =>
    recorded<Saved | void>(state, (at) => {
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
    recorded<Result>(state, (at) => {
      const nth = state.loads.length + 1
      const rule = ruleOf(state, "load", nth, [])
      const call: Mutable<LoadCall<Query, Result>> = { nth, at, query, fault: rule?.fault, exit: undefined }
      state.loads.push(call)
      const whole = Effect.suspend(() => below.load(query))
      return [call, rule === undefined ? whole : faulty(rule, [], () => Effect.void, whole)]
    })

/**
 * Decorates a storage. Each call takes the next fault that was set, else the first rule of the script that fits it,
 * else it goes through. Time passes by the `Clock` alone. Fails with `InvalidOptions` when a rule can fit no call.
 */
export const make = <Record, Query, Result>(
  below: Made & Storage<Record, Query, Result>,
  script: Script<Record> = []
): Effect.Effect<FaultStorage<Record, Query, Result>, InvalidOptions> =>
  Effect.map(
    Effect.andThen(
      check("storage", handle("a Storage", "save", "load"), below),
      startScript(storageScripts, script)
    ),
    (running) => {
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
          Effect.map(startScript(storageScripts, script), (running) => {
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
    }
  )
