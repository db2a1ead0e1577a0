/** Clients that send operations to stores, each of them several times, and note what they are answered. */
import { Effect, Either, Option } from "effect"
import fc from "fast-check"
import type * as Datastore from "../../../src/Datastore.js"
import { ensure } from "../../support/laws/ensure.js"
import type { Call } from "./history.js"
import { type Item, isAlike, type Reply, type Steps } from "./model.js"

const keys = ["a", "b", "c"]

/** What a step expects: nothing, what its client has seen last, or that there is no record. */
type Expectation = "any" | "seen" | "absent"

interface Plan {
  readonly steps: ReadonlyArray<{
    readonly kind: "Set" | "Patch" | "Delete"
    readonly key: string
    readonly expects: Expectation
    readonly value: number
  }>
  /** How often it is sent, and with how many turns between. */
  readonly times: number
  readonly pause: number
}

const plan: fc.Arbitrary<Plan> = fc.record({
  steps: fc.array(
    fc.record({
      kind: fc.constantFrom("Set" as const, "Set" as const, "Patch" as const, "Delete" as const),
      key: fc.constantFrom(...keys),
      expects: fc.constantFrom<Expectation>("any", "seen", "seen", "absent"),
      value: fc.nat(9)
    }),
    { minLength: 1, maxLength: 3 }
  ),
  times: fc.constantFrom(1, 1, 1, 2, 3, 5),
  pause: fc.nat(3)
})

/** How many clients there are, and how many operations each of them sends. */
export const plansOf = (clients: number, operations: number) =>
  fc.array(fc.array(plan, { minLength: operations, maxLength: operations }), {
    minLength: clients,
    maxLength: clients
  })

export type Store = Datastore.StoreHandle<Item>

/** An operation that was sent, to send it again. */
export interface Sent {
  readonly as: { readonly principal: string; readonly client: string; readonly n: number }
  readonly steps: Steps
  readonly reply: Reply
}

export interface World {
  readonly stores: ReadonlyArray<Store>
  readonly calls: Array<Call>
  readonly sent: Array<Sent>
  /** The next moment. */
  now: number
}

export const worldOf = (stores: ReadonlyArray<Store>): World => ({ stores, calls: [], sent: [], now: 0 })

export const replyOf = (
  answer: Either.Either<Datastore.Batched<Item>, Datastore.WriteError | Datastore.StoreEnded>
): Reply => {
  if (Either.isRight(answer)) {
    const { revision, rows } = answer.right
    return { ok: true, revision, rows: rows.map(Option.getOrUndefined) }
  }
  const error = answer.left
  if (error._tag === "StoreEnded") throw error
  return { ok: false, reason: error.reason, step: error.step, seq: error.row?.seq }
}

const expectOf = (seen: ReadonlyMap<string, number>, key: string, expects: Expectation) => {
  if (expects === "any") return {}
  return { expect: expects === "absent" ? expects : (seen.get(key) ?? ("absent" as const)) }
}

const stepsOf = ({ steps }: Plan, seen: ReadonlyMap<string, number>): Steps =>
  steps.map(({ expects, key, kind, value }): Datastore.Step<Item> => {
    const expect = expectOf(seen, key, expects)
    if (kind === "Set") return { _tag: kind, data: { id: key, v: value }, ...expect }
    if (kind === "Patch") return { _tag: kind, key, set: { w: value }, ...expect }
    return { _tag: kind, key, ...expect }
  })

const pauses = (count: number) => Effect.forEach(Array.from({ length: count }), () => Effect.yieldNow())

const send = (store: Store, { as, steps }: Omit<Sent, "reply">) =>
  Effect.map(Effect.either(store.batch(steps, { as })), replyOf)

/** Sends an operation as often as it is planned, to any of the stores: it acts once, and is answered alike. */
const sendOften = (
  world: World,
  who: number,
  { pause, times }: Plan,
  as: Sent["as"],
  steps: Steps
): Effect.Effect<Reply> =>
  Effect.gen(function* () {
    const start = world.now++
    const replies = yield* Effect.forEach(
      Array.from({ length: times }, (_, i) => i),
      (i) =>
        Effect.andThen(
          pauses(i * pause),
          send(world.stores[(who + i) % world.stores.length]!, { as, steps })
        ),
      { concurrency: "unbounded" }
    )
    const [reply] = replies
    const others = replies.filter((other) => !isAlike(reply, other))
    ensure(
      others.length === 0,
      `K2: an operation that is sent again is answered ${JSON.stringify(reply)} again, not ${JSON.stringify(others)}`
    )
    world.calls.push({ steps, start, end: world.now++, reply: reply! })
    world.sent.push({ as, steps, reply: reply! })
    return reply!
  })

/** Its numbers go up, but for two that change places now and then. */
const numberOf = (index: number): number =>
  index % 7 === 3 ? index + 2 : index % 7 === 4 ? index : index + 1

const note = (seen: Map<string, number>, steps: Steps, reply: Reply): void => {
  if (reply.ok) {
    for (const row of reply.rows) if (row !== undefined) seen.set(row.key, row.seq)
    return
  }
  const step = steps[reply.step ?? 0]
  if (step === undefined || reply.seq === undefined) return
  seen.set(step._tag === "Set" ? step.data.id : step.key, reply.seq)
}

/** Runs a client to its end. Those of even and odd numbers have one client id, under two principals. */
const runClient = (world: World, who: number, plans: ReadonlyArray<Plan>): Effect.Effect<void> => {
  const seen = new Map<string, number>()
  return Effect.forEach(
    plans,
    (one, index) =>
      Effect.gen(function* () {
        yield* pauses(one.pause)
        const steps = stepsOf(one, seen)
        const as = { principal: `p${who % 2}`, client: `c${who >> 1}`, n: numberOf(index) }
        note(seen, steps, yield* sendOften(world, who, one, as, steps))
      }),
    { discard: true }
  )
}

export type Plans = ReadonlyArray<ReadonlyArray<Plan>>

/** Runs clients, which are numbered from `first`: those of other processes have other numbers. */
export const runClients = (world: World, plans: Plans, first = 0): Effect.Effect<void> =>
  Effect.forEach(plans, (one, index) => runClient(world, first + index, one), {
    concurrency: "unbounded",
    discard: true
  })

/** Sends everything again, the last first: it is answered as it was, and changes nothing. */
export const sendAgain = ({ sent }: World, store: Store): Effect.Effect<void> =>
  Effect.forEach(
    [...sent].reverse(),
    (one) =>
      Effect.map(send(store, one), (reply) =>
        ensure(
          isAlike(reply, one.reply),
          `K2: an operation that comes again later is answered ${JSON.stringify(one.reply)}, not ${JSON.stringify(reply)}`
        )
      ),
    { discard: true }
  )
