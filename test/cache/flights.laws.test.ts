/**
 * Cells and flights before a source that changes: random schedules of reads, writes, refreshes, interruptions, evictions,
 * slow and failing loads. The source is read at one moment of a load, and its answer lands at another.
 */
import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FiberId, Runtime, Scope } from "effect"
import fc from "fast-check"
import * as Cells from "../../src/internal/cache/cells.js"
import * as Flights from "../../src/internal/cache/flights.js"
import { ensure, ensureSame } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../support/time/virtualTime.js"

const keys = ["a", "b", "c"] as const

const hardTimeout = 1_000

const key = fc.constantFrom(...keys)

const of = <const Act extends string>(...acts: ReadonlyArray<Act>) => fc.constantFrom(...acts)

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: of("get"), key }) },
  { weight: 5, arbitrary: fc.record({ act: of("commit", "acknowledge", "write", "overtake"), key }) },
  { weight: 2, arbitrary: fc.record({ act: of("refresh", "expire", "evict"), key }) },
  { weight: 4, arbitrary: fc.record({ act: of("read", "answer", "answer"), at: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ act: of("fail", "answer too few", "interrupt"), at: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ act: of("invalidate all", "settle", "settle") }) },
  { weight: 1, arbitrary: fc.record({ act: of("time"), millis: fc.constantFrom(1, 400, hardTimeout) }) }
)

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

const sample = fc.record({
  steps: fc.array(step, { minLength: 10, maxLength: 60 }),
  gather: of("turn", "none"),
  maxBatch: fc.integer({ min: 1, max: 3 }),
  /** Loads that mask their interruption. */
  stubborn: fc.boolean(),
  maxEntries: fc.integer({ min: 1, max: 4 })
})

type Sample = typeof sample extends fc.Arbitrary<infer A> ? A : never

interface Load {
  readonly keys: ReadonlyArray<string>
  readonly stamp: number
  readonly answer: Deferred.Deferred<ReadonlyArray<number>, string>
  readonly refreshed: Set<string>
  readonly detached: Set<string>
  versions: ReadonlyArray<number> | undefined
  /** Its flights have landed. */
  over: boolean
}

interface Caller {
  readonly key: string
  /** The version that was acknowledged when it began. */
  readonly atLeast: number
  readonly fiber: Fiber.RuntimeFiber<number, string>
  load: Load | undefined
  interrupted: boolean
}

const makeWorld = async ({ gather, maxBatch, maxEntries, stubborn }: Sample) => {
  const time = virtualTime()
  const runtime = runtimeIn(time)
  const scope = Effect.runSync(Scope.make())
  const versions = new Map<string, number>(keys.map((name) => [name, 0]))
  const acknowledged = new Map(versions)
  const loads: Array<Load> = []
  const callers: Array<Caller> = []
  /** Keys that a refresh waits for in the queue. */
  const refreshing = new Set<string>()
  /** What a load has noticed: its failure would be an answer as any other. */
  const broken: Array<string> = []
  const notice = (holds: boolean, law: string): void => void (holds || broken.push(law))
  let requests = 0
  const cells = Cells.make<string, number>(
    { maxEntries, maxBytes: Number.POSITIVE_INFINITY },
    () => undefined
  )
  const live = () => loads.filter(({ over }) => !over)
  const isLive = ({ fiber, interrupted }: Caller) => !interrupted && fiber.unsafePoll() === null
  const loadOf = (name: string) =>
    live().find(({ detached, keys }) => keys.includes(name) && !detached.has(name))
  const load = (names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<number>, string> => {
    for (const name of names) notice(loadOf(name) === undefined, `single: ${name} is loaded once at a time`)
    notice(names.length <= (gather === "none" ? 1 : maxBatch), "no load has more keys than a batch")
    notice(new Set(names).size === names.length, "no key stands twice in a load")
    const one: Load = {
      keys: names,
      stamp: cells.lastStamp,
      answer: Deferred.unsafeMake(FiberId.none),
      refreshed: new Set(names.filter((name) => refreshing.delete(name))),
      detached: new Set(),
      versions: undefined,
      over: false
    }
    loads.push(one)
    for (const caller of callers) {
      if (isLive(caller) && caller.load === undefined && names.includes(caller.key)) caller.load = one
    }
    const answer = Deferred.await(one.answer)
    return stubborn ? Effect.uninterruptible(answer) : answer
  }
  const flights = await Runtime.runPromise(runtime)(
    Scope.extend(
      Flights.make<string, number, string, number, string>({
        load,
        gather,
        maxBatch,
        hardTimeout,
        nextStamp: () => Cells.nextStamp(cells),
        land: (flight, outcome) => {
          const one = loads.find(({ stamp }) => stamp === flight.stamp)
          ensure(one !== undefined || outcome._tag === "Ended", "what lands has begun")
          if (one !== undefined) one.over = true
          if (outcome._tag !== "Loaded") return Exit.fail(outcome._tag)
          ensureSame(
            flight.detached,
            one?.detached.has(flight.key),
            "detached is what was invalidated meanwhile"
          )
          if (flight.detached) return Exit.succeed(outcome.value)
          const loadedAt = flight.begunAt
          const freshUntil = flight.expired ? loadedAt : loadedAt + 500
          Cells.fill(cells, flight.key, outcome.value, { stamp: flight.stamp, loadedAt, freshUntil })
          return Exit.succeed(outcome.value)
        }
      }),
      scope
    )
  )
  return {
    time,
    runtime,
    scope,
    versions,
    acknowledged,
    loads,
    live,
    loadOf,
    callers,
    isLive,
    broken,
    refreshing,
    cells,
    flights,
    request: () => ++requests,
    requests: () => requests
  }
}

type World = Awaited<ReturnType<typeof makeWorld>>

const nowOf = ({ clock }: VirtualTime): number => clock.unsafeCurrentTimeMillis()

const get = (world: World, name: string): void => {
  const atLeast = world.acknowledged.get(name)!
  const hit = Cells.hit(world.cells, name, nowOf(world.time))
  if (hit !== undefined) {
    ensure(hit.value! >= atLeast, `acknowledged: a hit of ${name} is ${hit.value}, not ${atLeast} or later`)
    return
  }
  world.request()
  const fiber = Runtime.runFork(world.runtime)(Flights.join(world.flights, name))
  world.callers.push({ key: name, atLeast, fiber, load: world.loadOf(name), interrupted: false })
}

const refresh = (world: World, name: string): void => {
  world.request()
  const load = world.loadOf(name)
  if (load === undefined) world.refreshing.add(name)
  else load.refreshed.add(name)
  Flights.refresh(world.flights, name)
}

const invalidate = (world: World, names: ReadonlyArray<string>): void => {
  for (const name of names) {
    world.acknowledged.set(name, world.versions.get(name)!)
    for (const load of world.loads) load.detached.add(name)
  }
}

const readSource = (world: World, load: Load): ReadonlyArray<number> => {
  load.versions ??= load.keys.map((name) => world.versions.get(name)!)
  return load.versions
}

const pick = <A>(all: ReadonlyArray<A>, at: number): A | undefined => all[at % Math.max(1, all.length)]

const onLoad = (world: World, load: Load, act: string): void => {
  if (act === "read") readSource(world, load)
  else if (act === "answer") Deferred.unsafeDone(load.answer, Exit.succeed(readSource(world, load)))
  else if (act === "fail") Deferred.unsafeDone(load.answer, Exit.fail("down"))
  else Deferred.unsafeDone(load.answer, Exit.succeed(readSource(world, load).slice(1)))
}

const onKey = (world: World, name: string, act: string): void => {
  const { cells, flights, versions } = world
  if (act === "get") get(world, name)
  else if (act === "refresh") refresh(world, name)
  else if (act === "commit") versions.set(name, versions.get(name)! + 1)
  else if (act === "evict") Cells.invalidate(cells, name)
  else if (act === "expire") {
    Cells.expire(cells, name)
    Flights.expire(flights, name)
  } else {
    // A load that has read the source is under way when the write is acknowledged.
    const overtaken = act === "overtake" ? world.loadOf(name) : undefined
    if (overtaken !== undefined) readSource(world, overtaken)
    if (act !== "acknowledge") onKey(world, name, "commit")
    Cells.invalidate(cells, name)
    Flights.detach(flights, name)
    invalidate(world, [name])
  }
}

const apply = async (world: World, step: Step): Promise<void> => {
  if (step.act === "time") return world.time.advance(step.millis)
  if ("key" in step) onKey(world, step.key, step.act)
  else if (step.act === "interrupt") {
    const caller = pick(world.callers.filter(world.isLive), step.at)
    if (caller === undefined) return
    Runtime.runFork(world.runtime)(Fiber.interrupt(caller.fiber))
    await world.time.settle()
    caller.interrupted = true
  } else if ("at" in step) {
    await world.time.settle()
    const load = pick(world.live(), step.at)
    if (load !== undefined) onLoad(world, load, step.act)
  } else if (step.act === "invalidate all") {
    Cells.invalidateAll(world.cells)
    Flights.detachAll(world.flights)
    invalidate(world, keys)
  } else await world.time.settle()
}

/** A load runs as long as a caller or a refresh wants one of its keys. */
const checkWanted = (world: World): void => {
  for (const load of world.live()) {
    const isWanted =
      load.refreshed.size > 0 || world.callers.some((caller) => caller.load === load && world.isLive(caller))
    ensure(isWanted, `the load of ${load.keys} that nothing wants any more has ended`)
  }
}

const checkAnswers = (world: World): void => {
  ensure(world.broken.length === 0, world.broken.join())
  for (const { atLeast, fiber, interrupted, key } of world.callers) {
    const exit = fiber.unsafePoll()
    if (interrupted || exit === null) continue
    if (Exit.isSuccess(exit)) {
      ensure(exit.value >= atLeast, `acknowledged: ${key} is ${exit.value}, not ${atLeast} or later`)
    } else {
      const failure = Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : "a defect"
      ensure(["Failed", "Malformed", "TimedOut"].includes(failure), `a caller gets no ${failure}`)
    }
  }
}

const drain = async (world: World): Promise<void> => {
  await world.time.advance(hardTimeout)
  await world.time.advance(hardTimeout)
  for (const { fiber } of world.callers) ensure(fiber.unsafePoll() !== null, "every caller is answered")
  checkAnswers(world)
  const asked = world.loads.reduce((sum, { keys }) => sum + keys.length, 0)
  ensure(asked <= world.requests(), `${world.requests()} requests load ${asked} keys: none loads twice`)
  const { fibers, index, loads, queued } = world.flights
  ensureSame(index.size + queued.size + loads.size, 0, "bounded: no flight is remembered")
  for (const load of world.loads) Deferred.unsafeDone(load.answer, Exit.fail("late"))
  await world.time.settle()
  ensureSame(fibers.size, 0, "bounded: no load is remembered that has stopped")
}

const play = async (given: Sample): Promise<void> => {
  const world = await makeWorld(given)
  for (const step of given.steps) {
    await apply(world, step)
    if (step.act !== "settle") continue
    checkWanted(world)
    checkAnswers(world)
  }
  await drain(world)
  await Effect.runPromise(Scope.close(world.scope, Exit.void))
}

describe("cells and flights", () => {
  it.effect(
    "return what was acknowledged or later, load each key once at a time, and remember nothing",
    () => holdsSeeded("flights", sample, 150, play),
    seededTimeout
  )
})
