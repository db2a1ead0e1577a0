/** Stores as properties: whatever clients send, and how often; over stores in memory and backends in memory. */
import { describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { ensure } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { runtimeIn, virtualTime } from "../support/time/virtualTime.js"
import { plansOf, runClients, type Store, sendAgain, worldOf } from "./datastore/clients.js"
import { checkOrder, isLinearizable } from "./datastore/history.js"
import { type Item, isAlike } from "./datastore/model.js"

/** Opens the stores that clients write, all of one content. */
type Open = (
  backend: Datastore.Backend
) => Effect.Effect<
  { readonly stores: ReadonlyArray<Store>; readonly close: Effect.Effect<unknown> },
  unknown,
  Scope.Scope
>

const openWith =
  (opening: Datastore.OpenOptions<Item, Item>, catalogs = 1): Open =>
  (backend) =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach(Array.from({ length: catalogs }), () => Datastore.make(backend))
      const stores = yield* Effect.forEach(all, (one) => one.open<Item>({ id: "board", ...opening }))
      return { stores, close: Effect.forEach(all, ({ close }) => close) }
    })

const places: ReadonlyArray<readonly [name: string, open: Open, isKept: boolean]> = [
  ["a temporary store", openWith({}), false],
  ["a permanent store with ack memory", openWith({ kind: "permanent", ack: "memory" }), true],
  ["a permanent store with ack flushed", openWith({ kind: "permanent" }), true],
  ["a permanent store that two catalogs write", openWith({ kind: "permanent" }, 2), true]
]

const check = (open: Open, isKept: boolean, plans: Parameters<typeof runClients>[1], isSmall: boolean) =>
  Effect.gen(function* () {
    const backend = yield* Datastore.memory()
    const first = yield* open(backend)
    const world = worldOf(first.stores)
    yield* runClients(world, plans)
    const before = yield* first.stores[0]!.snapshot({ read: "latest" })
    const state = checkOrder(world.calls, before.seq)
    ensure(
      isAlike(before.rows, [...state.rows.values()]),
      "K1: a snapshot is what the last revision left, by seq"
    )
    if (isSmall) ensure(isLinearizable(world.calls), "K1: some order explains few operations")
    yield* sendAgain(world, first.stores[0]!)
    if (isKept) yield* first.close
    const { stores } = isKept ? yield* open(backend) : first
    yield* sendAgain(world, stores[0]!)
    const after = yield* stores[0]!.snapshot()
    ensure(isAlike(after, before), "K2: what is sent again changes nothing, also after a restart")
  })

const run = async (effect: Effect.Effect<unknown, unknown, Scope.Scope>): Promise<void> => {
  const time = virtualTime()
  let isDone = false
  const done = Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(runtimeIn(time)))).finally(() => {
    isDone = true
  })
  done.catch(() => undefined)
  for (await time.settle(); !isDone; ) await time.advance(100)
  await done
}

describe.each(places)("K1, K2: clients of %s", (_, open, isKept) => {
  it.live(
    "see one order of what they do, each operation once",
    () => holdsSeeded("K1", plansOf(5, 40), 3, (plans) => run(check(open, isKept, plans, false))),
    seededTimeout
  )

  it.live(
    "see an order that a search finds, of few operations",
    () => holdsSeeded("K1 of few", plansOf(4, 2), 12, (plans) => run(check(open, isKept, plans, true))),
    seededTimeout
  )
})
