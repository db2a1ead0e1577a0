/** Plays a schedule: makes its calls, lets its time pass, and keeps what can be seen from outside. */
import { Cause, Effect, Either, Exit, type Fiber, Runtime, Scope } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { type Storage, StorageError } from "../../../src/Storage.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../../support/time/virtualTime.js"
import { type Backend, faultyBackend, type Table } from "./backend.js"
import {
  type Action,
  boundOf,
  closeDeadline,
  largest,
  loadTimeout,
  type Row,
  type Sample,
  type Setting,
  saveTimeout,
  schedules
} from "./schedule.js"

/** A record with what is known of it from outside. */
export interface Known {
  readonly row: Row
  readonly durable: boolean
  /** Its call came back at once. When it did not, only the end tells whether it was accepted. */
  atOnce: boolean
  /** What its caller was told; an interrupted one hears nothing. */
  told: "accepted" | "refused" | "nothing" | "stored" | Recorder.NotStored["reason"]
  /** When it was accepted, as far as that is known. */
  readonly at: number
}

type Rows = Storage<Row, void, ReadonlyArray<number>>
export type Report = Recorder.CloseReport<Row, void, ReadonlyArray<number>>

export interface World {
  readonly sample: Sample
  readonly table: Table
  readonly time: VirtualTime
  readonly backend: Backend
  readonly recorder: Recorder.Recorder<Row, void, ReadonlyArray<number>>
  readonly runtime: Runtime.Runtime<never>
  readonly scope: Scope.CloseableScope
  readonly known: Array<Known>
  /** What the dead-letter sink took. */
  readonly sunk: Array<Recorder.SetAside<Row>>
  readonly loads: Array<{ readonly at: number; readonly seen: ReadonlyArray<number> }>
  /** What another reader saw when a durable save was told to be stored. */
  readonly receipts: Array<{ readonly id: number; readonly seen: Promise<ReadonlyArray<number>> }>
  readonly waiters: Array<Fiber.RuntimeFiber<unknown, unknown>>
  readonly reports: Array<Report>
  readonly broken: Array<unknown>
  /** Counts the actions. */
  now: number
  readonly redriven: { count: number }
  closing: boolean
}

/** A law that breaks inside of a fiber of the recorder would be taken for a failure of its storage. */
const lawful = (broken: Array<unknown>, law: () => void): void => {
  try {
    law()
  } catch (error) {
    broken.push(error)
  }
}

const ensureBalance = (
  stats: Recorder.Stats,
  { bytes, count: most, overflow }: Setting,
  redriven: number
): void => {
  const { accepted, dropped, gaps, handedBack, pending, pendingBytes, released, setAside, stored } = stats
  ensureSame(accepted, stored + setAside + dropped + handedBack + pending, "A1: the account at every instant")
  for (const count of [accepted, stored, setAside, dropped, handedBack, pending, released]) {
    ensure(Number.isInteger(count) && count >= 0, "a count is a count")
  }
  // What was set aside takes no room until it is redriven, and then also beyond the bound.
  ensure(overflow === undefined || pending <= most + redriven, "A2: what is pending is within the bound")
  ensure(overflow === undefined || pendingBytes <= (bytes ?? 0) + redriven * largest, "A2: its bytes are too")
  ensure(released <= setAside, "A3: what was released was set aside")
  const noted = { dropped: 0, released: 0 }
  for (const { count, reason } of gaps) noted[reason === "released" ? "released" : "dropped"] += count
  ensureSame(noted.dropped, dropped, "A3: the gap notes count every drop")
  ensureSame(noted.released, released, "A3: and every release")
}

const acquire = (storage: Rows, start: Setting["start"]): Effect.Effect<Rows, unknown> => {
  const made = Effect.succeed(storage)
  let failures = 2
  switch (start) {
    case "at once":
      return made
    case "late":
      return Effect.delay(made, 300)
    case "after failures":
      return Effect.suspend(() => (failures-- > 0 ? Effect.fail(new Error("not yet")) : made))
    case "fatal":
      return Effect.fail(new StorageError({ kind: "Fatal", outcome: "NotStored", message: "no such table" }))
    case "never":
      return Effect.never
  }
}

/** A recorder over a table, as the sample sets it. */
export const makeWorld = (sample: Sample, table: Table): World => {
  const { setting } = sample
  const time = virtualTime()
  const sunk: World["sunk"] = []
  const reports: World["reports"] = []
  const broken: World["broken"] = []
  const redriven: World["redriven"] = { count: 0 }
  let made: World["recorder"] | undefined
  const balances = () =>
    lawful(broken, () => {
      if (made !== undefined) ensureBalance(made.unsafeStats(), setting, redriven.count)
    })
  const backend = faultyBackend(table, sample, time, balances)
  const takes = (entry: Recorder.SetAside<Row>) =>
    Effect.sync(() => {
      sunk.push(entry)
      balances()
    })
  const sinks = { takes, fails: () => Effect.fail("no room"), hangs: () => Effect.never }
  const options: Recorder.Options<Row> = {
    maxBatchSize: setting.maxBatchSize,
    linger: setting.linger,
    bound: boundOf(setting),
    onFatal: setting.onFatal,
    retry: schedules[setting.retry],
    saveTimeout,
    loadTimeout,
    closeDeadline,
    maxHeld: setting.maxHeld,
    deadLetters: setting.sink === "none" ? undefined : sinks[setting.sink],
    onClosed: (report) => Effect.sync(() => reports.push(report as Report))
  }
  const runtime = runtimeIn(time)
  const scope = Runtime.runSync(runtime)(Scope.make())
  made = Runtime.runSync(runtime)(
    Scope.extend(Recorder.makeDeferred(acquire(backend.storage, setting.start), options), scope)
  )
  return {
    sample,
    table,
    time,
    backend,
    recorder: made,
    runtime,
    scope,
    known: [],
    sunk,
    loads: [],
    receipts: [],
    waiters: [],
    reports,
    broken,
    now: 0,
    redriven,
    closing: false
  }
}

const balances = (world: World): void =>
  lawful(world.broken, () =>
    ensureBalance(world.recorder.unsafeStats(), world.sample.setting, world.redriven.count)
  )

/** Starts an effect in this very moment. */
export const start = <A, E>(
  world: World,
  effect: Effect.Effect<A, E>,
  told: (exit: Exit.Exit<A, E>) => void
): void => {
  const fiber = Runtime.runFork(world.runtime)(effect)
  world.waiters.push(fiber)
  fiber.addObserver((exit) => {
    balances(world)
    lawful(world.broken, () => told(exit))
  })
}

const newRow = (world: World, bad: Row["bad"], durable = false): Known => {
  const known: Known = {
    row: { id: world.known.length, bad },
    durable,
    atOnce: false,
    told: "nothing",
    at: world.now
  }
  world.known.push(known)
  return known
}

const save = (world: World, known: ReadonlyArray<Known>, call: Effect.Effect<boolean>): void => {
  let atOnce = true
  start(world, call, (exit) => {
    ensure(Exit.isSuccess(exit) || Exit.isInterrupted(exit), "a save does not fail")
    for (const one of known) {
      one.atOnce = atOnce
      if (Exit.isSuccess(exit)) one.told = exit.value ? "accepted" : "refused"
    }
  })
  atOnce = false
}

const saveDurable = (world: World, known: Known): void => {
  const { recorder, receipts, table } = world
  const before = recorder.unsafeStats()
  start(world, recorder.saveDurable(known.row), (exit) => {
    if (Exit.isSuccess(exit)) {
      known.told = "stored"
      // Begun in the callback that tells of the receipt: what a reader sees from then on.
      receipts.push({ id: known.row.id, seen: Effect.runPromise(table.peek) })
    } else {
      const failure = Cause.failureOrCause(exit.cause)
      if (Either.isLeft(failure)) known.told = failure.left.reason
      else ensure(Exit.isInterrupted(exit), "a durable save fails only with NotStored")
    }
  })
  const after = recorder.unsafeStats()
  known.atOnce = after.accepted > before.accepted || after.refused > before.refused
}

const saveOne = (world: World, { bad, how }: Extract<Action, { readonly do: "save" }>): void => {
  const { closing, recorder } = world
  const known = newRow(world, bad, how === "saveDurable")
  if (how === "saveDurable") saveDurable(world, known)
  else if (how === "save") save(world, [known], recorder.save(known.row))
  else {
    known.told = recorder.unsafeSave(known.row) ? "accepted" : "refused"
    known.atOnce = true
    ensure(!closing || known.told === "refused", "A15: a closing recorder takes nothing more")
  }
}

const load = (world: World): void => {
  const at = world.now
  start(world, world.recorder.load(), (exit) => {
    if (Exit.isSuccess(exit)) world.loads.push({ at, seen: exit.value })
  })
}

const flush = (world: World): void => {
  const { accepted } = world.recorder.unsafeStats()
  start(world, world.recorder.flush, (exit) => {
    if (!Exit.isSuccess(exit) || world.closing || world.redriven.count > 0) return
    const stats = world.recorder.unsafeStats()
    ensure(stats.accepted - stats.pending >= accepted, "A11: a flush covers what was accepted before it")
  })
}

const interrupt = (world: World, which: number): void => {
  const open = world.waiters.filter((fiber) => fiber.unsafePoll() === null)
  const fiber = open[which % Math.max(1, open.length)]
  if (fiber !== undefined) fiber.unsafeInterruptAsFork(fiber.id())
}

export const close = (world: World, call: Effect.Effect<Report>): void => {
  world.closing = true
  start(world, call, (exit) => {
    if (Exit.isSuccess(exit)) world.reports.push(exit.value)
    world.backend.abandon()
  })
}

const stream = async (world: World, { count, millis }: Extract<Action, { readonly do: "stream" }>) => {
  for (let n = 0; n < count; n++) {
    saveOne(world, { do: "save", how: "unsafeSave", bad: "no" })
    await world.time.advance(millis)
  }
}

const act = (world: World, action: Action): Promise<void> | void => {
  const { backend, recorder, runtime, time } = world
  switch (action.do) {
    case "save":
      return saveOne(world, action)
    case "saveAll": {
      const known = action.bad.map((bad) => newRow(world, bad))
      return save(world, known, recorder.saveAll(known.map(({ row }) => row)))
    }
    case "load":
      return load(world)
    case "flush":
      return flush(world)
    case "redrive":
      world.redriven.count += Runtime.runSync(runtime)(recorder.redrive)
      return
    case "mend":
      return backend.mend()
    case "interrupt":
      return interrupt(world, action.which)
    case "settle":
      return time.settle()
    case "stream":
      return stream(world, action)
    case "advance":
      return time.advance(action.millis)
    case "close":
      return close(world, recorder.close)
    case "closeWithin":
      return close(world, recorder.closeWithin(action.millis))
  }
}

export const play = async (world: World, action: Action): Promise<void> => {
  world.now++
  await act(world, action)
  balances(world)
}
