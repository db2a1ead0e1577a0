/** Plays a schedule: every lane reads one log, and each answer is held against the model. */
import { Context, Deferred, Duration, Effect, Either, Fiber, type Scope } from "effect"
import * as Projection from "../../../src/Projection.js"
import { TierError } from "../../../src/Tier.js"
import { ensureSame } from "../../support/laws/ensure.js"
import {
  type Account,
  accounts,
  type Log,
  type Scripted,
  scripted
} from "../../support/projection/accounts.js"
import { type ScriptedTier, tier } from "../../support/projection/tiers.js"
import { type Passing, passingClock } from "../../support/time/passing.js"
import { checkRead, countOf, type Model, makeModel, note, noteGone, noteSeq } from "./model.js"
import { keys, lanes, type Step } from "./schedule.js"

/** A log, and how an effect runs in a transaction of its client. */
export interface Place {
  readonly log: Log
  readonly inTransaction: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
}

const Connection = Context.GenericTag<"transaction", string>("@effect/sql/SqlClient/TransactionConnection")

/** A log without a client: its readers cannot know that. */
export const withoutClient = (log: Log): Place => ({
  log,
  inTransaction: (effect) => Effect.provideService(effect, Connection, "it")
})

interface World extends Place {
  readonly model: Model
  readonly cache: ScriptedTier
  readonly time: Passing
  /** The log as each lane sees it. */
  readonly logs: ReadonlyArray<Scripted>
  readonly projections: Array<Projection.Projection<Account>>
  /** The strategies that were met. */
  readonly seen: Set<string>
}

type Act<A extends Step["act"]> = Extract<Step, { readonly act: A }>
type Answer = Either.Either<Projection.Outcome<Account>, Projection.ProjectionError>

const makeLane = (
  { cache, logs, time }: Pick<World, "cache" | "logs" | "time">,
  lane: number
): Effect.Effect<Projection.Projection<Account>, unknown, Scope.Scope> => {
  const { cached, incremental, ...options } = lanes[lane] as (typeof lanes)[number]
  const tier = cached ? { tier: cache.tier } : {}
  const { log } = logs[lane] as Scripted
  return Effect.withClock(
    Projection.make({ ...accounts, incremental }, log, { ...options, ...tier }),
    time.clock
  )
}

const makeWorld = (place: Place, seen: Set<string>): Effect.Effect<World, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    // A log that answers later makes flights, one that answers during the call does not.
    const logs = lanes.map((_, lane) => scripted(place.log, lane % 2 === 0 ? "async" : "now"))
    const parts = { cache: yield* tier, logs, time: yield* passingClock }
    const projections = yield* Effect.forEach(lanes, (_, lane) => makeLane(parts, lane))
    return { ...place, ...parts, projections, model: makeModel(), seen }
  })

/** Appends events. What expects another generation than the key has appends nothing. */
const append = ({ log, model }: World, { events, expect }: Act<"append">) =>
  Effect.gen(function* () {
    const [first] = events
    const key = first?.key ?? ""
    const generation = countOf(model, key) + (expect === "wrong" ? 1 : 0)
    const condition = expect === "nothing" ? {} : { expect: [{ key, generation }] }
    if (expect === "wrong") {
      const nothing = note(makeModel(), key, "Paid")
      ensureSame(
        (yield* Effect.flip(log.commit([{ changes: [nothing], ...condition }])))._tag,
        "Conflict",
        "refused"
      )
      return
    }
    const changes = events.map(({ key, kind }) => note(model, key, kind))
    const { revisions } = yield* log.commit([{ changes, ...condition }])
    noteSeq(
      model,
      events.map(({ key }) => key),
      revisions[0]?.seq ?? 0
    )
  })

const compact = ({ log, model }: World, { keep }: Act<"compact">) =>
  Effect.gen(function* () {
    const { head } = yield* log.head
    yield* log.compact(head.seq - keep)
    noteGone(model, head.seq - keep)
  })

const down = new TierError({ reason: "Unavailable", message: "down" })

const setTier = ({ cache }: World, { to }: Act<"tier">) =>
  Effect.suspend(() => {
    for (const call of ["get", "put", "remove"] as const)
      cache.instead(call, to === "fails" ? down : undefined)
    if (to === "halved") return cache.spoil((row) => row.slice(0, row.length / 2))
    return to === "foreign"
      ? cache.spoil((row) => row.replace(/"epoch":"[^"]*"/, '"epoch":"x"'))
      : Effect.void
  })

/** A read that is answered after another commit, and after a later read. */
const across = (
  world: World,
  { key, lane }: Act<"read">,
  one: Effect.Effect<Answer>,
  check: (answer: Answer, owed: number) => void
) =>
  Effect.gen(function* () {
    const { logs, model } = world
    const owed = countOf(model, key)
    const gate = yield* Deferred.make<void>()
    const log = logs[lane] as Scripted
    log.afterNext(Deferred.await(gate))
    const early = yield* Effect.fork(one)
    // It has read, or it needs no reading, after so many turns of fibers.
    for (let n = 0; n < 8; n++) yield* Effect.yieldNow()
    yield* append(world, { act: "append", events: [{ key, kind: "Paid" }], expect: "nothing" })
    const late = yield* Effect.fork(one)
    for (let n = 0; n < 8; n++) yield* Effect.yieldNow()
    yield* Deferred.succeed(gate, undefined)
    check(yield* Fiber.join(late), countOf(model, key))
    check(yield* Fiber.join(early), owed)
    log.clear()
  })

const read = (world: World, step: Act<"read">) =>
  Effect.gen(function* () {
    const { inTransaction, model, projections, seen } = world
    const projection = projections[step.lane] as Projection.Projection<Account>
    const freshness = Projection.maybeStale(step.maxAge)
    const one = Effect.either(projection.projectOutcome(step.key, { freshness }))
    const owed = countOf(model, step.key)
    const check = (answer: Answer, owed: number) => {
      if (Either.isRight(answer)) seen.add(answer.right.strategy)
      checkRead(model, step.key, step.maxAge, answer, owed)
    }
    if (step.by === "across") return yield* across(world, step, one, check)
    const reads = step.by === "two" ? [one, one] : [step.by === "transaction" ? inTransaction(one) : one]
    for (const answer of yield* Effect.all(reads, { concurrency: "unbounded" })) check(answer, owed)
  })

const act = (world: World, step: Step): Effect.Effect<unknown, unknown, Scope.Scope> => {
  switch (step.act) {
    case "append":
      return append(world, step)
    case "read":
      return read(world, step)
    case "time":
      world.model.now += step.millis
      return world.time.pass(Duration.millis(step.millis))
    case "compact":
      return compact(world, step)
    case "restart":
      return Effect.map(makeLane(world, step.lane), (made) => {
        world.projections[step.lane] = made
      })
    case "tier":
      return setTier(world, step)
    case "renew":
      return world.log.renewEpoch
  }
}

/** Plays a schedule. At the end every lane reads every key. */
export const play = (place: Place, steps: ReadonlyArray<Step>, seen: Set<string>) =>
  Effect.gen(function* () {
    const world = yield* makeWorld(place, seen)
    for (const step of steps) yield* act(world, step)
    for (const lane of lanes.keys()) {
      for (const key of keys) yield* read(world, { act: "read", key, lane, maxAge: 0, by: "one" })
    }
  })
