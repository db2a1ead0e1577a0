/** Three projections of one log and one tier under a schedule, and what is known of them. */
import { type Clock, Effect, Exit, type Fiber, Runtime, Scope } from "effect"
import { ChangeLogError, type Revision } from "../../../src/ChangeLog.js"
import * as Projection from "../../../src/Projection.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../../support/time/virtualTime.js"
import type { Backend, Step } from "./backend.js"
import { type By, definitions, type Key, type State } from "./definitions.js"
import { type Holds, type Watched, watched } from "./log.js"
import { epochOf, type Model, makeModel, type Node } from "./model.js"
import { type ReadHow, type Setting, tierTimeout } from "./schedule.js"
import { makeTier, type WrongTier } from "./tier.js"

/** What has happened so far, counted: what happened during a call is the difference. */
export interface Happened {
  readonly renewals: number
  readonly restores: number
  readonly restarts: number
  readonly logFaults: number
  readonly tierFaults: number
}

/** What is known when a call begins. */
export interface Begun {
  readonly by: By
  readonly key: Key
  readonly how: ReadHow
  readonly head: Node
  readonly happened: Happened
  /** What `at least` and `changed` were given. */
  readonly revision: Revision | undefined
  readonly generation: number
  /** The least that the projection has in memory: it is not to be lost, whatever is removed. */
  readonly known: number
}

/** What a call has answered, and what was known then. */
export interface Answer {
  readonly begun: Begun
  readonly exit: Exit.Exit<Answered, Projection.ProjectionError>
  readonly head: Node
  readonly happened: Happened
  readonly at: number
  readonly askedAt: number | undefined
}

export type Answered =
  | { readonly _tag: "Outcome"; readonly outcome: Projection.Outcome<State>; readonly words: string }
  | {
      readonly _tag: "Changed"
      readonly changed: { readonly generation: number; readonly words: string } | undefined
    }

/** One projection, as one process has it. */
export interface Process {
  readonly by: By
  readonly projection: Projection.Projection<State>
  readonly watched: Watched
  readonly scope: Scope.CloseableScope
  /** By keys: the generation of the state that memory must have, in the present epoch. */
  readonly known: Map<string, number>
}

export interface World {
  readonly setting: Setting
  readonly backend: Backend
  readonly time: VirtualTime
  readonly wall: { ahead: number }
  readonly runtime: Runtime.Runtime<never>
  readonly model: Model
  readonly tier: WrongTier
  readonly holds: Holds
  readonly processes: Array<Process>
  readonly counts: { -readonly [K in "renewals" | "restores"]: number } & { readonly restarts: Array<number> }
  /** Failures of logs that are gone with their process. */
  readonly logFaults: Array<number>
  readonly calls: Array<{
    readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
    interrupted: boolean
    readonly text: string
  }>
  /** Answers that are not checked yet. */
  readonly answers: Array<Answer>
  /** All that was done to the log, in order, and the model after each. */
  readonly steps: Array<Step>
  backup:
    | { readonly steps: number; readonly head: Node; readonly floor: number; readonly epochs: number }
    | undefined
  readonly ids: Array<string>
  /** The revisions of entries with ids. */
  readonly idRevisions: Map<string, Node>
  /** Revisions as callers know them. */
  readonly revisions: Array<Revision>
  n: number
}

export const millisOf = ({ time }: Pick<World, "time">): number => time.clock.unsafeCurrentTimeMillis()

/** A clock whose wall is set by the schedule. */
const clockOf = ({ clock }: VirtualTime, wall: World["wall"]): Clock.Clock => {
  const millis = () => clock.unsafeCurrentTimeMillis() + wall.ahead
  return {
    ...clock,
    unsafeCurrentTimeMillis: millis,
    currentTimeMillis: Effect.sync(millis)
  }
}

/** Starts a projection. */
export const startProcess = async (world: World, by: By): Promise<Process> => {
  const { backend, holds, setting, tier, time } = world
  const scope = Effect.runSync(Scope.make())
  const log = watched(backend.log, holds, {
    now: setting.now && !backend.isOutside,
    millis: () => millisOf(world),
    outside: backend.isOutside ? time.outside : (call) => call,
    failure: (options) => new ChangeLogError(options)
  })
  const { incremental, prefetch, slots, snapshotEvery } = setting
  const options: Projection.Options = {
    slots,
    prefetch,
    snapshotEvery,
    tierTimeout,
    ...(setting.tier ? { tier: tier.tier } : {})
  }
  // Each gives states of its own, and reads events of the same set.
  const definition = definitions[incremental][by]
  const make = Projection.make(definition as unknown as Projection.Definition<State, never>, log.log, options)
  const projection = await Runtime.runPromise(world.runtime)(Scope.extend(make, scope))
  return { by, projection, watched: log, scope, known: new Map() }
}

export const makeWorld = async (setting: Setting, backend: Backend): Promise<World> => {
  const time = virtualTime()
  const wall = { ahead: 0 }
  const head = await Effect.runPromise(backend.log.head)
  const world: World = {
    setting,
    backend,
    time,
    wall,
    runtime: runtimeIn({ ...time, clock: clockOf(time, wall) }),
    model: makeModel(head.head.epoch),
    tier: makeTier(setting.unordered),
    holds: { before: Effect.unsafeMakeLatch(true), after: Effect.unsafeMakeLatch(true) },
    processes: [],
    counts: { renewals: 0, restores: 0, restarts: [0, 0, 0] },
    logFaults: [0, 0, 0],
    calls: [],
    answers: [],
    steps: [],
    backup: undefined,
    ids: [],
    idRevisions: new Map(),
    revisions: [],
    n: 0
  }
  for (const by of [0, 1, 2] as const) world.processes.push(await startProcess(world, by))
  return world
}

export const processOf = ({ processes }: World, by: By): Process => processes[by] as Process

export const happenedTo = (world: World, by: By): Happened => {
  const { counts, logFaults, tier } = world
  return {
    renewals: counts.renewals,
    restores: counts.restores,
    restarts: counts.restarts[by] as number,
    logFaults: (logFaults[by] as number) + processOf(world, by).watched.failed,
    tierFaults: tier.faults
  }
}

/** Ends a projection, and starts it anew over the same log and tier. */
export const restart = async (world: World, by: By): Promise<void> => {
  const { scope, watched: log } = processOf(world, by)
  ;(world.logFaults[by] as number) += log.failed
  ;(world.counts.restarts[by] as number)++
  Runtime.runFork(world.runtime)(Scope.close(scope, Exit.void))
  world.processes[by] = await startProcess(world, by)
}

/** States in memory do not count any more. */
export const forgetKnown = ({ processes }: World): void => {
  for (const { known } of processes) known.clear()
}

export const presentEpoch = ({ model }: World): string => epochOf(model)
