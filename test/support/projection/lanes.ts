/**
 * All lanes give one state for one log, whatever was cached before: slot, slot with new events, tier, tier with new
 * events, full fold, in and out of a transaction. The model folds every prefix of a key's events by a plain loop.
 */
import { Context, Deferred, Duration, Effect, Either, Fiber, Option, type Scope } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Projection from "../../../src/Projection.js"
import { TierError } from "../../../src/Tier.js"
import { ensure, ensureSame } from "../laws/ensure.js"
import { holdsEffect, runs } from "../laws/laws.js"
import { passingClock } from "../time/passing.js"
import { type Account, accounts, closed, type Log, noted, opened, paid, scripted } from "./accounts.js"
import { type ScriptedTier, tier } from "./tiers.js"

const keys = ["a", "b"] as const
const kinds = ["Opened", "Paid", "Paid", "Paid", "Noted", "Closed", "Erased", "Forgotten"] as const

/** Configurations that are read side by side; those with a tier share it. */
const lanes: ReadonlyArray<
  { readonly incremental: "on" | "off"; readonly cached: boolean } & Projection.Options
> = [
  { incremental: "on", cached: false },
  { incremental: "off", cached: false, slots: 1 },
  { incremental: "on", cached: true },
  { incremental: "off", cached: true, snapshotEvery: 2 },
  { incremental: "on", cached: true, slots: 0, snapshotEvery: 3 },
  { incremental: "on", cached: true, slots: 1, prefetch: "on" },
  { incremental: "off", cached: false, slots: 0 }
]

type Step =
  | {
      readonly act: "append"
      readonly events: ReadonlyArray<{ readonly key: string; readonly kind: (typeof kinds)[number] }>
    }
  | {
      readonly act: "read"
      readonly key: string
      readonly lane: number
      readonly maxAge: number
      readonly by: "one" | "two" | "transaction" | "across"
    }
  | { readonly act: "time"; readonly millis: number }
  | { readonly act: "compact"; readonly keep: number }
  | { readonly act: "restart"; readonly lane: number }
  | { readonly act: "tier"; readonly to: "ok" | "fails" | "spoilt" }
  | { readonly act: "renew" }

const key = fc.constantFrom(...keys)
const lane = fc.nat(lanes.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("append" as const),
      events: fc.array(fc.record({ key, kind: fc.constantFrom(...kinds) }), { minLength: 1, maxLength: 3 })
    })
  },
  {
    weight: 12,
    arbitrary: fc.record({
      act: fc.constant("read" as const),
      key,
      lane,
      maxAge: fc.constantFrom(0, 0, 10, 20),
      by: fc.constantFrom(
        "one" as const,
        "one" as const,
        "two" as const,
        "transaction" as const,
        "across" as const
      )
    })
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("time" as const), millis: fc.constantFrom(5, 10) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("compact" as const), keep: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("restart" as const), lane }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("tier" as const),
      to: fc.constantFrom("ok" as const, "fails" as const, "spoilt" as const)
    })
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("renew" as const) }) }
)

/** A key's state after each of its events, and what is known of it. */
interface Prefix {
  readonly state: Account | undefined
  readonly concerned: boolean
  readonly committedAt: number
}

interface Model {
  readonly prefixes: Map<string, Array<Prefix>>
  /** How many of a key's events are gone. */
  readonly gone: Map<string, number>
  /** The seq of each event, by key. */
  readonly seqs: Map<string, Array<number>>
  now: number
}

const none: Prefix = { state: undefined, concerned: false, committedAt: 0 }
const prefixOf = (model: Model, key: string, generation: number): Prefix =>
  generation === 0 ? none : (model.prefixes.get(key)?.[generation - 1] ?? none)
const countOf = (model: Model, key: string): number => model.prefixes.get(key)?.length ?? 0

const after = (before: Account | undefined, kind: (typeof kinds)[number], key: string, amount: number) => {
  const state = before ?? accounts.initial
  switch (kind) {
    case "Opened":
      return { ...state, owner: key }
    case "Paid":
      return { ...state, balance: state.balance + amount, payments: [...state.payments, amount] }
    case "Closed":
    case "Forgotten":
      return undefined
    default:
      return before
  }
}

const changeOf = (kind: (typeof kinds)[number], key: string, amount: number) => {
  switch (kind) {
    case "Opened":
      return opened(key)
    case "Paid":
      return paid(key, amount)
    case "Noted":
      return noted(key)
    case "Closed":
      return closed(key)
    case "Erased":
      return ChangeLog.put<Projection.EventValue>(key, { kind: "Paid", erased: true })
    case "Forgotten":
      return ChangeLog.forgotten(key)
  }
}

const append = (model: Model, log: Log, step: Extract<Step, { act: "append" }>) =>
  Effect.gen(function* () {
    const changes = step.events.map(({ key, kind }, index) => {
      const own = model.prefixes.get(key) ?? []
      const amount = own.length + index + 1
      const before = own.at(-1) ?? none
      own.push({
        state: after(before.state, kind, key, amount),
        concerned: before.concerned || kind !== "Noted",
        committedAt: model.now
      })
      model.prefixes.set(key, own)
      return changeOf(kind, key, amount)
    })
    const { seq } = yield* log.append(changes)
    for (const { key } of step.events) model.seqs.set(key, [...(model.seqs.get(key) ?? []), seq])
  })

/** What holds of each answer, whatever the lane. */
const checkAnswer = (
  model: Model,
  key: string,
  maxAge: number,
  outcome: Projection.Outcome<Account>,
  owed: number
): void => {
  const { applied, cache, freshness, generation, state, strategy } = outcome
  const { concerned, state: expected } = prefixOf(model, key, generation)
  ensureSame(
    JSON.stringify(Option.getOrUndefined(state)),
    JSON.stringify(expected),
    `the state of generation ${generation}`
  )
  ensureSame(applied !== undefined, concerned, "a revision is applied if an event concerns the projection")
  ensureSame(strategy === "Empty", freshness === "NotApplicable", "Empty is NotApplicable")
  ensureSame(
    ["SlotHit", "SlotIncremental", "Tier", "TierIncremental"].includes(strategy),
    cache._tag === "Hit",
    "a Hit"
  )
  if (freshness !== "StaleAllowed")
    ensure(generation >= owed, "a fresh state holds what was committed before its call")
  else {
    const limit = model.now - maxAge
    const young = (model.prefixes.get(key) ?? []).filter(({ committedAt }) => committedAt < limit).length
    ensure(generation >= young, "a stale state holds what was committed before the age")
  }
}

const checkRead = (
  model: Model,
  key: string,
  maxAge: number,
  answer: Either.Either<Projection.Outcome<Account>, Projection.ProjectionError>,
  owed: number
): void => {
  if (Either.isRight(answer)) checkAnswer(model, key, maxAge, answer.right, owed)
  else {
    ensureSame(answer.left.reason, "Compacted", "the only failure")
    ensure((model.gone.get(key) ?? 0) > 0, "Compacted, if events of the key are gone")
  }
}

const Connection = Context.GenericTag<"transaction", string>("@effect/sql/SqlClient/TransactionConnection")
const down = new TierError({ reason: "Unavailable", message: "down" })

const setTier = (cache: ScriptedTier, to: "ok" | "fails" | "spoilt") =>
  Effect.suspend(() => {
    for (const call of ["get", "put", "remove"] as const)
      cache.instead(call, to === "fails" ? down : undefined)
    // Half of each row, or a row of another epoch.
    return to === "spoilt" ? cache.spoil((row) => row.replace(/"epoch":"[^"]*"/, '"epoch":"x"')) : Effect.void
  })

const compact = (model: Model, log: Log, keep: number) =>
  Effect.gen(function* () {
    const { head } = yield* log.head
    yield* log.compact(head.seq - keep)
    for (const [key, seqs] of model.seqs) {
      const gone = seqs.filter((seq) => seq <= head.seq - keep).length
      model.gone.set(key, Math.max(gone, model.gone.get(key) ?? 0))
    }
  })

/** A log, and how an effect runs in a transaction of its client. */
export interface Place {
  readonly log: Log
  readonly inTransaction: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
}

/** A log without a client: its readers cannot know that. */
export const withoutClient = (log: Log): Place => ({
  log,
  inTransaction: (effect) => Effect.provideService(effect, Connection, "it")
})

const run = ({ inTransaction, log }: Place, steps: ReadonlyArray<Step>, seen: Set<string>) =>
  Effect.gen(function* () {
    const { clock, pass } = yield* passingClock
    const cache = yield* tier
    const model: Model = { prefixes: new Map(), gone: new Map(), seqs: new Map(), now: 0 }
    // A log that answers later makes flights, one that answers during the call does not.
    const logs = lanes.map((_, lane) => scripted(log, lane % 2 === 0 ? "async" : "now"))
    const make = (lane: number) => {
      const { cached, incremental, ...options } = lanes[lane] as (typeof lanes)[number]
      const tier = cached ? { tier: cache.tier } : {}
      return Effect.withClock(
        Projection.make({ ...accounts, incremental }, log, { ...options, ...tier }),
        clock
      )
    }
    const made = yield* Effect.forEach(lanes, (_, lane) => make(lane))
    const read = (step: Extract<Step, { act: "read" }>) => {
      const projection = made[step.lane] as Projection.Projection<Account>
      const freshness = Projection.maybeStale(step.maxAge)
      const one = Effect.either(projection.projectOutcome(step.key, { freshness }))
      const owed = countOf(model, step.key)
      const check = (answer: Effect.Effect.Success<typeof one>, owed: number) => {
        if (Either.isRight(answer)) seen.add(answer.right.strategy)
        checkRead(model, step.key, step.maxAge, answer, owed)
      }
      if (step.by === "across") return across(step, one, check)
      const inside = step.by === "transaction" ? inTransaction(one) : one
      return Effect.map(
        Effect.all(step.by === "two" ? [one, one] : [inside], { concurrency: 2 }),
        (answers) => {
          for (const answer of answers) check(answer, owed)
        }
      )
    }
    /** A read that is answered after another commit, and after a later read. */
    const across = <A>(
      { key, lane }: Extract<Step, { act: "read" }>,
      one: Effect.Effect<A>,
      check: (answer: A, owed: number) => void
    ) =>
      Effect.gen(function* () {
        const owed = countOf(model, key)
        const gate = yield* Deferred.make<void>()
        logs[lane]?.afterNext(Deferred.await(gate))
        const early = yield* Effect.fork(one)
        yield* Effect.yieldNow()
        yield* append(model, log, { act: "append", events: [{ key, kind: "Paid" }] })
        yield* Effect.yieldNow()
        const late = yield* Effect.fork(Effect.map(one, (answer) => check(answer, countOf(model, key))))
        for (let n = 0; n < 8; n++) yield* Effect.yieldNow()
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(late)
        check(yield* Fiber.join(early), owed)
        logs[lane]?.clear()
      })
    for (const step of steps) {
      switch (step.act) {
        case "append":
          yield* append(model, log, step)
          break
        case "read":
          yield* read(step)
          break
        case "time":
          model.now += step.millis
          yield* pass(Duration.millis(step.millis))
          break
        case "compact":
          yield* compact(model, log, step.keep)
          break
        case "restart":
          made[step.lane] = yield* make(step.lane)
          break
        case "tier":
          yield* setTier(cache, step.to)
          break
        case "renew":
          yield* log.renewEpoch
      }
    }
    // At the end every lane is read, of every key.
    for (const lane of lanes.keys()) {
      for (const key of keys) yield* read({ act: "read", key, lane, maxAge: 0, by: "one" })
    }
  }).pipe(Effect.scoped)

const every = "Direct,Empty,Replay,SlotHit,SlotIncremental,Tier,TierIncremental"

/** Holds the lanes over logs of a kind to the model, for so many schedules, times LAWS_RUNS. */
export const lanesAreEqual = <E>(place: Effect.Effect<Place, E, Scope.Scope>, count: number) =>
  Effect.gen(function* () {
    const seen = new Set<string>()
    yield* holdsEffect(fc.array(step, { minLength: 5, maxLength: 60 }), count, (steps) =>
      Effect.scoped(Effect.flatMap(place, (place) => run(place, steps, seen)))
    )
    if (runs(count) >= 50) ensureSame([...seen].sort().join(), every, "schedules meet every lane")
  })
