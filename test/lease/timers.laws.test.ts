/** Timers against a sorted array: scheduled, moved, cancelled, met by accesses and by the fiber in random orders. */
import { describe, it } from "@effect/vitest"
import { type Clock, Effect, Exit, Runtime, Scope } from "effect"
import fc from "fast-check"
import * as Timers from "../../src/internal/lease/timers.js"
import { ensure, ensureList, ensureSame } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { runtimeIn, virtualTime } from "../support/time/virtualTime.js"

// Few different deadlines, some of them in the past: many are equal.
const from = fc.integer({ min: -2, max: 12 })

const of = <const Act extends string>(...acts: ReadonlyArray<Act>) => fc.constantFrom(...acts)

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: of("schedule"), from }) },
  { weight: 4, arbitrary: fc.record({ act: of("move"), at: fc.nat(40), from }) },
  { weight: 2, arbitrary: fc.record({ act: of("cancel"), at: fc.nat(40) }) },
  { weight: 5, arbitrary: fc.record({ act: of("pass"), millis: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ act: of("access") }) }
)

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

const sample = fc.record({
  steps: fc.array(step, { minLength: 5, maxLength: 60 }),
  /** Time passes before the fiber can run: accesses alone meet what is due. */
  late: fc.boolean()
})

type Sample = typeof sample extends fc.Arbitrary<infer A> ? A : never

interface Planned {
  readonly id: number
  readonly timer: Timers.Timer
  deadline: number
  /** When the deadline was given. */
  givenAt: number
}

const makeWorld = ({ late }: Sample) => {
  const time = virtualTime()
  let ahead = 0
  const clock: Clock.Clock = {
    ...time.clock,
    unsafeCurrentTimeNanos: () => time.clock.unsafeCurrentTimeNanos() + BigInt(ahead) * 1_000_000n
  }
  const runtime = runtimeIn({ ...time, clock })
  const scope = Effect.runSync(Scope.make())
  const timers = Runtime.runSync(runtime)(Scope.extend(Timers.make, scope))
  const pass = async (millis: number): Promise<void> => {
    if (late) ahead += millis
    else await time.advance(millis)
  }
  return {
    late,
    settle: time.settle,
    scope,
    timers,
    pass,
    /** What waits, by deadlines, equal ones in the order in which these were given. */
    waiting: [] as Array<Planned>,
    fired: [] as Array<readonly [id: number, at: number]>,
    gone: [] as Array<Timers.Timer>,
    scheduled: 0
  }
}

type World = ReturnType<typeof makeWorld>

const plan = (world: World, planned: Planned): void => {
  const later = world.waiting.findIndex(({ deadline }) => deadline > planned.deadline)
  world.waiting.splice(later === -1 ? world.waiting.length : later, 0, planned)
}

const take = (world: World, at: number): Planned | undefined => {
  const index = at % Math.max(1, world.waiting.length)
  return world.waiting.splice(index, 1)[0]
}

const schedule = (world: World, from: number): void => {
  const { fired, timers } = world
  const id = ++world.scheduled
  const givenAt = timers.now()
  const deadline = givenAt + from
  const timer = timers.schedule(deadline, () => fired.push([id, timers.now()]))
  plan(world, { id, timer, deadline, givenAt })
}

const change = (world: World, step: Extract<Step, { at: number }>): void => {
  const planned = take(world, step.at)
  if (planned === undefined) return
  if (step.act === "cancel") {
    world.timers.cancel(planned.timer)
    world.gone.push(planned.timer)
    return
  }
  const givenAt = world.timers.now()
  const deadline = givenAt + step.from
  ensure(world.timers.move(planned.timer, deadline), "what waits is moved")
  plan(world, { ...planned, deadline, givenAt })
}

/** What is due by now has fired, in order, and nothing else. */
const check = (world: World): void => {
  const now = world.timers.now()
  const due = world.waiting.filter(({ deadline }) => deadline < now)
  world.waiting.splice(0, due.length)
  const fired = world.fired.splice(0)
  ensureList(
    fired.map(([id]) => id),
    due.map(({ id }) => id),
    "what is due has fired, by its deadlines"
  )
  for (const [index, { deadline, givenAt, timer }] of due.entries()) {
    const at = fired[index]![1]
    if (!world.late) ensureSame(at, Math.max(deadline + 1, givenAt), "the fiber fires at the first moment")
    world.gone.push(timer)
  }
  ensureSame(world.timers.size(), world.waiting.length, "what waits is counted")
  for (const timer of world.gone) ensure(!world.timers.move(timer, now + 1), "what is gone stays so")
}

const play = async (given: Sample): Promise<void> => {
  const world = makeWorld(given)
  await world.settle()
  for (const step of given.steps) {
    if (step.act === "schedule") schedule(world, step.from)
    else if ("at" in step) change(world, step)
    else {
      if (step.act === "pass") await world.pass(step.millis)
      if (step.act === "access" || given.late) world.timers.runDue()
      check(world)
    }
    // Others run between two steps, unless an access comes first.
    if (!given.late && step.act !== "access" && step.act !== "pass") {
      await world.settle()
      check(world)
    }
  }
  await world.pass(20)
  world.timers.runDue()
  check(world)
  ensureSame(world.timers.size(), 0, "all have fired")
  await Effect.runPromise(Scope.close(world.scope, Exit.void))
}

describe("timers", () => {
  it.effect(
    "fire strictly after their last deadline, in order, once, whether an access or the fiber meets them",
    () => holdsSeeded("timers", sample, 100, play),
    seededTimeout
  )
})
