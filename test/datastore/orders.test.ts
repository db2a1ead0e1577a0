/** Whatever comes first around the end of a store or a record, in every order: it ends once, strictly after its instant. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Option, type Scope } from "effect"
import type * as Datastore from "../../src/Datastore.js"
import { make, type Task, task } from "../support/datastore/stores.js"
import { passingClock } from "../support/time/passing.js"
import { microtasks, withTurn } from "../support/time/turn.js"

const ttl = 1000

const ordersOf = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.length === 0
    ? [[]]
    : all.flatMap((one) => ordersOf(all.filter((other) => other !== one)).map((rest) => [one, ...rest]))

const expired = { _tag: "StoreEnded", reason: "Expired" }

interface Life {
  readonly store: Datastore.StoreHandle<Task>
  readonly stores: Datastore.Datastores
  readonly epoch: string
  readonly expiry: "fixed" | "sliding"
  readonly tick: Effect.Effect<void>
}

/** What is done at the moment; it fails unless it is answered as one before the end, or behind it. */
const actions: {
  readonly [name: string]: (life: Life, isOver: boolean) => Effect.Effect<unknown, unknown>
} = {
  get: ({ store }, isOver) => answered(store.get("a"), isOver),
  touch: ({ expiry, store }, isOver) =>
    Effect.map(answered(store.touch, isOver), (did) => isOver || expect(did).toBe(expiry === "sliding")),
  set: ({ store }, isOver) => answered(store.set(task("b")), isOver),
  janitor: ({ tick }) => tick,
  open: ({ epoch, expiry, store, stores }, isOver) =>
    Effect.gen(function* () {
      const next = yield* stores.open<Task>({ id: store.id, ttl, expiry })
      const isSame = (yield* next.epoch) === epoch
      expect(isSame).toBe(!isOver)
      if (isOver) expect(yield* next.snapshot()).toEqual({ seq: 0, rows: [] })
    })
}

const answered = <A>(call: Effect.Effect<A, unknown>, isOver: boolean): Effect.Effect<unknown, unknown> =>
  isOver ? Effect.map(Effect.flip(call), (error) => expect(error).toMatchObject(expired)) : call

interface Still {
  readonly pass: (millis: number) => Effect.Effect<void>
  /** Wakes all that sleeps, as the janitor and the timers do: they see what the clock shows, and sleep again. */
  readonly tick: Effect.Effect<void>
}

/** Completes when every fiber that could run has run. */
const hostTurn = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))

/** Runs a body on a clock that stands still, where nothing that sleeps wakes by itself. */
const still = <A, E, R>(body: (still: Still) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { clock, pass } = yield* passingClock
    const sleepers = new Set<() => void>()
    const sleep = () =>
      Effect.async<void>((resume) => {
        const wake = () => resume(Effect.void)
        sleepers.add(wake)
        return Effect.sync(() => sleepers.delete(wake))
      })
    const wakeAll = Effect.sync(() => {
      const all = Array.from(sleepers)
      sleepers.clear()
      for (const wake of all) wake()
    })
    const given: Still = {
      pass: (millis) => pass(Duration.millis(millis)),
      tick: Effect.andThen(wakeAll, hostTurn)
    }
    return yield* body(given).pipe(withTurn(microtasks), Effect.withClock({ ...clock, sleep }))
  })

const moments = [
  ["a millisecond before its instant", -1],
  ["at its instant", 0],
  ["a millisecond after its instant", 1]
] as const

/** Opens a store of a name of its own for each order, does what the order has, and ends what is left. */
const inEachOrder = (
  names: ReadonlyArray<string>,
  opening: Datastore.OpenOptions<Task, Task>,
  body: (
    given: Still & Pick<Life, "store" | "stores"> & { readonly order: ReadonlyArray<string> }
  ) => Effect.Effect<unknown, unknown, Scope.Scope>
) =>
  still((clock) =>
    Effect.gen(function* () {
      const stores = yield* make()
      for (const order of ordersOf(names)) {
        const store = yield* stores.open<Task>({ id: order.join(), ...opening })
        yield* Effect.scoped(body({ ...clock, order, store, stores }))
        const left = yield* stores.get(order.join())
        if (Option.isSome(left)) yield* left.value.end
      }
    })
  )

describe.each(moments)("a temporary store %s", (_, after) => {
  const isOver = after > 0

  it.scoped.each(["fixed", "sliding"] as const)(
    "ends once, or not at all, whatever is first of get, open, touch, janitor and set (%s)",
    (expiry) =>
      inEachOrder(Object.keys(actions), { ttl, expiry }, ({ order, pass, store, stores, tick }) =>
        Effect.gen(function* () {
          yield* store.set(task("a"))
          const life: Life = { store, stores, epoch: yield* store.epoch, expiry, tick }
          yield* pass(ttl + after)
          for (const name of order) yield* actions[name]!(life, isOver)
          expect([order, yield* stores.purgeExpired]).toEqual([order, isOver ? 1 : 0])
          if (isOver) return
          // A set and a touch at this moment extend one that slides.
          yield* pass(expiry === "sliding" ? ttl : -after)
          yield* store.get("a")
          yield* pass(1)
          expect(yield* Effect.flip(store.get("a"))).toMatchObject(expired)
          expect([order, yield* stores.purgeExpired]).toEqual([order, 1])
        })
      )
  )
})

describe.each(moments)("a record %s", (_, after) => {
  const isOver = after > 0

  it.scoped.each([{ ttl: 1000 * ttl }, { kind: "permanent", ack: "memory" }] as const)(
    "is removed once by a revision of its own, or not at all, whatever is first of get, snapshot, janitor and set (%j)",
    (opening) =>
      inEachOrder(["get", "snapshot", "janitor", "set"], opening, ({ order, pass, store, tick }) =>
        Effect.gen(function* () {
          yield* store.set(task("a"), { ttl })
          yield* pass(ttl + after)
          let isSet = false
          for (const name of order) {
            if (name === "janitor") yield* tick
            if (name === "get") {
              const row = Option.getOrUndefined(yield* store.get("a"))
              expect([order, row?.seq]).toEqual([order, isOver ? (isSet ? 3 : undefined) : 1])
            }
            if (name === "snapshot") {
              const { seq } = yield* store.snapshot()
              expect([order, seq]).toEqual([order, isOver ? (isSet ? 3 : 2) : 1])
            }
            if (name !== "set") continue
            isSet = true
            const set = yield* Effect.either(store.set(task("a"), { expect: "absent" }))
            const answer = isOver ? { right: { seq: 3 } } : { left: { reason: "Conflict", row: { seq: 1 } } }
            expect([order, set]).toMatchObject([order, answer])
          }
          expect((yield* store.snapshot()).seq).toBe(isOver ? 3 : 1)
        })
      )
  )
})
