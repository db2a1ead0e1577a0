/** Clients write stores, send everything again, also after a restart; their calls have one order. */
import { Effect, type Scope } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import { ensure } from "../../support/laws/ensure.js"
import { type Plans, runClients, type Store, sendAgain, worldOf } from "./clients.js"
import { checkOrder, isLinearizable } from "./history.js"
import { type Item, isAlike } from "./model.js"

/** Opens the stores that clients write, all of one content. */
export type Open = (
  backend: Datastore.Backend
) => Effect.Effect<
  { readonly stores: ReadonlyArray<Store>; readonly close: Effect.Effect<unknown> },
  unknown,
  Scope.Scope
>

export const openWith =
  (opening: Datastore.OpenOptions<Item, Item>, catalogs = 1): Open =>
  (backend) =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach(Array.from({ length: catalogs }), () => Datastore.make(backend))
      const stores = yield* Effect.forEach(all, (one) => one.open<Item>({ id: "board", ...opening }))
      return { stores, close: Effect.forEach(all, ({ close }) => close) }
    })

/** The records of one batch have one seq, and no order among them. */
const inOrder = ({ rows, seq }: Datastore.Snapshot<Item>) => ({
  seq,
  rows: [...rows].sort((a, b) => a.seq - b.seq || (a.key < b.key ? -1 : 1))
})

/** Holds clients of stores over a backend to the laws. A search of all orders takes few operations only. */
export const checkClients = (
  made: Effect.Effect<Datastore.Backend, unknown, Scope.Scope>,
  open: Open,
  isKept: boolean,
  plans: Plans,
  isSmall: boolean
) =>
  Effect.gen(function* () {
    const backend = yield* made
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
    ensure(
      isAlike(inOrder(after), inOrder(before)),
      "K2: what is sent again changes nothing, also after a restart"
    )
  })
