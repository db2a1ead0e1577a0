/** A live table under a schedule, and what a user was promised so far. */
import { Effect, type Fiber, Random, Runtime, Scope } from "effect"
import type { Revision } from "../../../src/ChangeLog.js"
import * as Follow from "../../../src/internal/liveTable/followCalls.js"
import * as Options from "../../../src/internal/liveTable/options.js"
import * as Reads from "../../../src/internal/liveTable/readCalls.js"
import type { Runtime as LiveRuntime } from "../../../src/internal/liveTable/runtime.js"
import { start } from "../../../src/internal/liveTable/starting.js"
import * as Targets from "../../../src/internal/liveTable/targetCalls.js"
import * as Writes from "../../../src/internal/liveTable/writeCalls.js"
import type * as Live from "../../../src/LiveTable.js"
import type * as Table from "../../../src/Table.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../../support/time/virtualTime.js"
import type { Backend } from "./backend.js"
import type { Begun, Key } from "./checks.js"
import { type Call, idsOf, type Master, makeMaster } from "./master.js"
import { type Items, strangers, type Write } from "./rows.js"
import { doubt, hardTimeout, type Setting, targetLag, tierTimeout, writeTimeout } from "./schedule.js"

/** One write of a caller. */
export interface Writer {
  readonly number: number
  readonly write: Write
  /** The call of the master that it was handed over with. */
  call: Call | undefined
  /** What its caller was answered. */
  outcome: "Written" | "Refused" | "NotStored" | "Unknown" | undefined
}

/** What the schedule uses of a live table: the functions that the public handle is made of. */
export type Handle = Pick<
  Live.LiveTable<Items>,
  | "get"
  | "getMany"
  | "list"
  | "count"
  | "unsafeGet"
  | "follow"
  | "stream"
  | "stage"
  | "unsafeWrite"
  | "invalidate"
  | "expire"
  | "invalidateAfter"
  | "closeWithin"
> & {
  readonly write: (write: Write) => Effect.Effect<unknown, unknown>
  readonly close: Effect.Effect<Live.CloseReport<Items>>
}

/** A staged write, or what it has made, and the number of its writer. */
export type ShownWrite = Pick<Writer, "number" | "write">

/** The staged writes that have no outcome, and how many were confirmed before. */
export interface Shown {
  readonly pending: ReadonlyArray<ShownWrite>
  readonly confirmed: number
}

/** A reader that stays. */
export interface Follower {
  readonly key: Key
  /** What is promised of its next answer. */
  begun: Begun
  /** The text of its last answer. */
  text: string | undefined
}

export interface World {
  readonly setting: Setting
  readonly time: VirtualTime
  readonly runtime: Runtime.Runtime<never>
  readonly scope: Scope.CloseableScope
  readonly master: Master
  readonly live: Handle
  /** Another live table of the same master, log and tier. */
  readonly other: Handle | undefined
  /** For each id, the first state that a read of the other one may return. */
  readonly otherFloors: Map<string, number>
  /** What the live table remembers. */
  readonly inside: LiveRuntime<Items> | undefined
  readonly fibers: Array<Fiber.RuntimeFiber<unknown, unknown>>
  /** They wait for the outcomes of staged writes. */
  readonly outcomes: Array<Fiber.RuntimeFiber<unknown, unknown>>
  readonly followers: Array<{
    readonly follower: Follower
    readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  }>
  readonly writers: Array<Writer>
  /** The writers whose write was not handed over yet, in order. */
  readonly queue: Array<Writer>
  /** For each id, the first state that a read may return. */
  readonly floors: Map<string, number>
  /** The first state that a list may return. */
  listFloor: number
  /** For each id, the first state that a read of the row may return, or return as fresh; lists may still hold it. */
  readonly rowFloors: Map<string, number>
  readonly freshFloors: Map<string, number>
  /** For each key, the state that was read last. */
  readonly forward: Map<string, number>
  /** The staged writes that are shown, one version for each change of them. */
  readonly shown: Array<Shown>
  /** What staged writes have made, in the order of their confirmations. */
  readonly confirmed: Array<ShownWrite>
  /** Something was written that is no acknowledged write of the live table, in order. */
  unordered: boolean
  /** The outcome of a write was not known. */
  anyUnknown: boolean
  /** Something was read past the memory. */
  anyStream: boolean
  requests: number
  closed: boolean
  /** It follows a log. */
  readonly logged: boolean
  /** Everything settles between two answers. */
  readonly inSteps: boolean
  /** What does not hold. */
  readonly broken: Array<string>
  /** What callers were answered, in order. */
  readonly trace: Array<string>
  /** The last revision that a caller knows, and the state that it is of. */
  known: { readonly revision: Revision; readonly at: number } | undefined
}

const handleOf = (runtime: LiveRuntime<Items>): Handle =>
  ({
    get: (id: string, options?: Live.ReadOptions) => Reads.get(runtime, id, options),
    getMany: (ids: ReadonlyArray<string>, options?: Live.ReadOptions) => Reads.getMany(runtime, ids, options),
    list: (query: unknown, options?: Live.ReadOptions) => Reads.list(runtime, query, options),
    count: (where: unknown, options?: Live.ReadOptions) => Reads.count(runtime, where, options),
    unsafeGet: (id: string) => Reads.unsafeGet(runtime, id),
    stream: (query: unknown) => Reads.stream(runtime, query),
    follow: (what: unknown, options?: Live.FollowOptions) => Follow.follow(runtime, what, options),
    stage: (write: Write) => Writes.stage(runtime, write),
    unsafeWrite: (write: Write) => Writes.unsafeWrite(runtime, write),
    write: (write: Write) => Writes.write(runtime, write),
    invalidate: (target: Live.Target<Items>) => Targets.invalidate(runtime, target),
    expire: (target: Live.Target<Items>) => Targets.expire(runtime, target),
    invalidateAfter: (target: Live.Target<Items>, statements: Effect.Effect<unknown, unknown>) =>
      Targets.invalidateAfter(runtime, target, statements),
    close: runtime.close,
    closeWithin: runtime.closeWithin
    // The handle has the types of the table's rows.
  }) as unknown as Handle

const optionsOf = (setting: Setting): Live.Options<Items> => {
  const { grace, maxEntries, refresh, softTimeout, staleWhileRevalidate, ttl } = setting
  return {
    ttl,
    absentTtl: ttl,
    staleWhileRevalidate,
    grace,
    graceBackoff: 50,
    softTimeout: softTimeout && grace > 0 ? 40 : undefined,
    hardTimeout,
    tierTimeout,
    writeTimeout,
    doubt,
    targetLag,
    maxEntries,
    refresh: refresh === 0 ? undefined : refresh,
    sample: 0,
    closeDeadline: 5_000
  }
}

/** The call is still waited for. */
export const isOpen = ({ setting, time }: World, call: Call): boolean => {
  if (call.answered || call.leftAt !== undefined) return false
  return !setting.stubborn || call.kind !== "write" || nowOf(time) < call.begunAt + writeTimeout
}

/** The call may be done now: also after it was given up, as long as the live table doubts it. */
export const mayBeDone = (world: World, call: Call): boolean => {
  if (call.answered || call.done !== undefined) return false
  if (isOpen(world, call)) return true
  return nowOf(world.time) < (call.leftAt ?? call.begunAt + writeTimeout) + doubt
}

/** Writes go to a target, which the master shows later. */
export const isLate = ({ target }: Setting): boolean => target !== "none"

export const nowOf = ({ clock }: VirtualTime): number => clock.unsafeCurrentTimeMillis()

/** Notes that an invalidation has detached the loads of ids, and those of all lists. */
export const detach = ({ master: { calls } }: World, ids: ReadonlyArray<string>): void => {
  for (const { detached, ids: keys, kind } of calls) {
    if (kind === "list" || kind === "count") for (const key of keys) detached.add(key)
    for (const id of ids) detached.add(id)
  }
}

const idOf = (write: Write): string => idsOf([write]).join()

/** The writes that the master gets are those of the callers, each once, in their order. */
const handOver = (world: World, call: Call): void => {
  for (const write of call.writes) {
    let writer = world.queue.shift()
    while (writer !== undefined && writer.outcome !== undefined) writer = world.queue.shift()
    const same =
      writer !== undefined && writer.write._tag === write._tag && idOf(writer.write) === idOf(write)
    if (!same) world.broken.push(`L5: the master gets ${write._tag} of ${idOf(write)} out of order`)
    else writer!.call = call
  }
  if (new Set(call.ids).size < call.ids.length) world.broken.push("L5: no id stands twice in a call")
}

const noteCall = (world: World, call: Call): void => {
  if (call.kind === "write") handOver(world, call)
  // The end of a doubt, an event of the log, and the end of a target's lag detach loads when they are noticed.
  if (call.writes.length > 0 || world.setting.stubborn || world.anyUnknown) return
  if (world.logged || world.anyStream || isLate(world.setting)) return
  // A poll asks the master anew, also while it reads.
  if (world.setting.refresh > 0) return
  for (const other of world.master.calls) {
    if (other === call || other.kind !== call.kind || !isOpen(world, other)) continue
    const twice = call.ids.find(
      (id) => other.ids.includes(id) && !strangers.includes(id) && !other.detached.has(id)
    )
    if (twice !== undefined) world.broken.push(`L6: ${twice} is loaded twice at a time`)
  }
}

/** What a schedule plays with, over a master. */
export type Open = (
  master: Table.Table<Items>,
  setting: Setting,
  /** Notes the state of the master after a write past it. */
  note: Effect.Effect<unknown, unknown>,
  time: VirtualTime
) => Effect.Effect<Pick<World, "live" | "inside"> & { readonly other?: Handle }, unknown, Scope.Scope>

/** A live table that gets to know of changes by itself, or by a log. */
export const openLiveTable: (
  master: Table.Table<Items>,
  setting: Setting,
  options?: Pick<Live.Options<Items>, "changes" | "tier">
) => ReturnType<Open> = (master, setting, options) =>
  Options.resolve({
    ...optionsOf(setting),
    // Another one than the master: its writes are shown there later.
    ...(isLate(setting) ? { target: { ...master } } : {}),
    ...options
  }).pipe(
    Effect.flatMap((settings) => start(Effect.succeed(master), settings)),
    Effect.map((inside) => ({ live: handleOf(inside), inside }))
  )

export const makeWorld = async (
  setting: Setting,
  { changes, inSteps = false, open, table }: Backend
): Promise<World> => {
  const time = virtualTime()
  const runtime = runtimeIn(time)
  const scope = Effect.runSync(Scope.make())
  let world: World | undefined
  const onCall = (call: Call) => {
    if (world !== undefined) noteCall(world, call)
  }
  const onLeft = (call: Call) => {
    if (world === undefined || call.writes.length === 0) return
    world.anyUnknown = true
    detach(world, call.ids)
  }
  const master = await makeMaster(table, time, runtime, setting, onCall, onLeft)
  const opened = open(master.table, setting, master.note, time).pipe(
    Scope.extend(scope),
    Effect.withRandom(Random.make(setting.random))
  )
  const { inside, live, other } = await Runtime.runPromise(runtime)(opened)
  world = {
    setting,
    time,
    runtime,
    scope,
    master,
    live,
    other,
    inside,
    fibers: [],
    outcomes: [],
    followers: [],
    writers: [],
    queue: [],
    floors: new Map(),
    listFloor: 0,
    rowFloors: new Map(),
    freshFloors: new Map(),
    otherFloors: new Map(),
    forward: new Map(),
    shown: [{ pending: [], confirmed: 0 }],
    confirmed: [],
    unordered: false,
    anyUnknown: false,
    anyStream: false,
    requests: 0,
    closed: false,
    logged: changes !== undefined,
    inSteps,
    broken: [],
    trace: [],
    known: undefined
  }
  await time.settle()
  return world
}
