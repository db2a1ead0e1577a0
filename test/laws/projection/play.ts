/** Plays a schedule on projections. */
import { Context, Effect, Exit, Fiber, Option, Runtime, Scope } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import * as Projection from "../../../src/Projection.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import type { Backend, Step } from "./backend.js"
import { checkAnswers, longest } from "./checks.js"
import { type By, inWords, type Key, keys, type State, spoil } from "./definitions.js"
import { eventsOf, isBefore, type NewEvent } from "./model.js"
import type { Action, ReadHow, Sample } from "./schedule.js"
import { forge, spoilTier } from "./tier.js"
import {
  type Answered,
  type Begun,
  forgetKnown,
  happenedTo,
  makeWorld,
  millisOf,
  presentEpoch,
  processOf,
  restart,
  type World
} from "./world.js"
import { append, expectSomething, race } from "./writing.js"

const Connection = Context.GenericTag<"transaction", string>("@effect/sql/SqlClient/TransactionConnection")

const revisionFor = (world: World, how: ReadHow, at: number): ChangeLog.Revision | undefined => {
  const { model, revisions } = world
  if (how === "at least ahead") return { epoch: presentEpoch(world), seq: model.head.seq + 2, tag: 0 }
  // Mostly one of the last.
  if (how === "at least known") return revisions[Math.max(0, revisions.length - 1 - (at % 4))]
  return undefined
}

const beginOf = (world: World, by: By, key: Key, how: ReadHow): Begun => ({
  by,
  key,
  how,
  head: world.model.head,
  happened: happenedTo(world, by),
  revision: revisionFor(world, how, world.n),
  generation: eventsOf(world.model.head, key).length - (world.n % 2),
  known: how === "transaction" ? 0 : (processOf(world, by).known.get(key) ?? 0)
})

const freshnessOf = ({ how, revision }: Begun): Projection.Freshness | undefined => {
  if (revision !== undefined) return Projection.atLeast(revision, how === "at least ahead" ? 60 : 0)
  return how.startsWith("stale ") ? Projection.maybeStale(Number(how.slice(6))) : undefined
}

/** The answer in words, after which its caller does what it likes to it. */
const taken = (state: Option.Option<State>): string => {
  const words = inWords(state)
  spoil(state)
  return words
}

const callOf = (world: World, begun: Begun): Effect.Effect<Answered, Projection.ProjectionError> => {
  const { projection } = processOf(world, begun.by)
  if (begun.how === "changed") {
    return Effect.map(projection.projectIfChanged(begun.key, begun.generation), (changed) => ({
      _tag: "Changed",
      changed: Option.getOrUndefined(
        Option.map(changed, ({ generation, state }) => ({ generation, words: taken(state) }))
      )
    }))
  }
  const freshness = freshnessOf(begun)
  const call = Effect.map(
    projection.projectOutcome(begun.key, { freshness }),
    (outcome): Answered => ({ _tag: "Outcome", outcome, words: taken(outcome.state) })
  )
  return begun.how === "transaction" ? Effect.provideService(call, Connection, "a connection") : call
}

const read = (world: World, by: By, key: Key, how: ReadHow): void => {
  const begun = beginOf(world, by, key, how)
  const call = Effect.onExit(callOf(world, begun), (exit) =>
    Effect.sync(() => {
      if (Exit.isInterrupted(exit) && isInterrupted()) return
      world.answers.push({
        begun,
        exit,
        head: world.model.head,
        happened: happenedTo(world, by),
        at: millisOf(world),
        askedAt: processOf(world, by).watched.askedAt.get(key)
      })
    })
  )
  let mine: World["calls"][number] | undefined
  const isInterrupted = (): boolean => mine?.interrupted === true
  mine = {
    fiber: Runtime.runFork(world.runtime)(call),
    interrupted: false,
    text: `${how} read of ${key} by ${by}`
  }
  world.calls.push(mine)
}

const interrupt = async (world: World, at: number): Promise<void> => {
  await world.time.settle()
  const running = world.calls.filter(({ fiber }) => fiber.unsafePoll() === null)
  const call = running[at % Math.max(1, running.length)]
  if (call === undefined) return
  call.interrupted = true
  Runtime.runFork(world.runtime)(Fiber.interrupt(call.fiber))
}

const onLog = async (world: World, step: Step): Promise<void> => {
  await Effect.runPromise(step(world.backend.log))
  world.steps.push(step)
}

const compact = async (world: World, back: number): Promise<void> => {
  const { model } = world
  const upTo = model.head.seq - back
  if (upTo <= model.floor) return
  await onLog(world, (log) => log.compact(upTo))
  model.floor = upTo
}

const renew = async (world: World): Promise<void> => {
  // A restored log would draw a name that it has had before.
  if (world.counts.restores > 0) return
  // Calls that are answered meanwhile may meet either epoch.
  world.counts.renewals++
  await onLog(world, (log) => log.renewEpoch)
  const { head } = await Effect.runPromise(world.backend.log.head)
  ensureSame(head.seq, world.model.head.seq, "P6: a renewed log keeps its events")
  world.model.epochs.push(head.epoch)
  forgetKnown(world)
}

const restore = async (world: World): Promise<void> => {
  const { backend, backup, model } = world
  if (backup === undefined || backend.restore === undefined) return
  if (backup.epochs !== model.epochs.length || !isBefore(backup.head, model.head)) return
  // Calls that are answered meanwhile may be of either history.
  world.counts.restores++
  world.steps.length = backup.steps
  await Effect.runPromise(backend.restore(world.steps, backup.head.seq))
  model.head = backup.head
  model.floor = backup.floor
  forgetKnown(world)
}

const release = ({ holds }: World): void => {
  holds.before.unsafeOpen()
  holds.after.unsafeOpen()
}

const many = (world: World, key: Key): Promise<void> =>
  append(
    world,
    Array.from({ length: 501 }, (): NewEvent => ({ key, kind: "Added", n: ++world.n }))
  )

const apply = async (world: World, action: Action): Promise<void> => {
  const { holds, model, tier, time } = world
  switch (action.do) {
    case "read":
      return read(world, action.by, action.key, action.how)
    case "append":
      return append(
        world,
        action.events.map((event) => ({ ...event, n: ++world.n }))
      )
    case "expect":
      return expectSomething(world, action.event, action.expects)
    case "race":
      return race(world, action.event, action.writers)
    case "many":
      return many(world, action.key)
    case "compact":
      return compact(world, action.back)
    case "renew":
      return renew(world)
    case "back up":
      world.backup = {
        steps: world.steps.length,
        head: model.head,
        floor: model.floor,
        epochs: model.epochs.length
      }
      return
    case "restore":
      return restore(world)
    case "hold":
      return action.when === "before" ? holds.before.unsafeClose() : holds.after.unsafeClose()
    case "release":
      release(world)
      return time.settle()
    case "log fails":
      processOf(world, action.by).watched.failNext++
      return
    case "tier":
      tier.mode = action.mode
      return
    case "flush":
      for (const put of tier.late.splice(0)) put()
      return
    case "lose":
    case "old":
    case "foreign":
    case "garbage":
      return spoilTier(tier, action.do, action.at, action.to)
    case "forge":
      return forge(tier, action.how, action.at)
    case "sweep":
      Runtime.runFork(world.runtime)(processOf(world, 2).projection.sweep)
      return
    case "time":
      return time.advance(action.millis)
    case "wall":
      world.wall.ahead = action.ahead
      return
    case "restart":
      return restart(world, action.by)
    case "interrupt":
      return interrupt(world, action.at)
    case "settle":
      return time.settle()
  }
}

/** Every caller is answered. Then all projections give what the log has. */
const drain = async (world: World): Promise<void> => {
  const { calls, tier, time } = world
  release(world)
  tier.mode = "right"
  await time.advance(longest)
  checkAnswers(world)
  const open = calls.filter(({ fiber }) => fiber.unsafePoll() === null)
  const waiting = open.map(({ interrupted, text }) => `${text}${interrupted ? ", interrupted" : ""}`)
  ensureSame(waiting.join("; "), "", "P11: every caller is answered")
  for (const { watched } of world.processes) watched.failNext = 0
  for (const [how, some] of [
    ["consistent", keys],
    ["stale 50", keys.slice(0, 1)]
  ] as const) {
    for (const by of [0, 1, 2] as const) for (const key of some) read(world, by, key, how)
    await time.settle()
    ensure(world.answers.length === 3 * some.length, "P11: every caller is answered")
    checkAnswers(world)
  }
}

/** Plays a schedule, and fails with the law that it breaks. */
export const play = async ({ actions, setting }: Sample, backend: Backend): Promise<void> => {
  const world = await makeWorld(setting, backend)
  for (const action of actions) {
    await apply(world, action)
    if (backend.isOutside) await world.time.settle()
    checkAnswers(world)
  }
  await drain(world)
  for (const { scope } of world.processes) Runtime.runFork(world.runtime)(Scope.close(scope, Exit.void))
  await world.time.settle()
}
