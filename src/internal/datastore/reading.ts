/** The reading calls of a store. What a principal may not see is missing to it. */
import { Effect, Option } from "effect"
import type { StorageError } from "../../Storage.js"
import { live, type Slot } from "../catalog/slot.js"
import type { InvalidOptions } from "../options.js"
import { readable } from "./accept.js"
import { type ReadOptions, resolveRead } from "./callOptions.js"
import type { Codec } from "./data.js"
import type { StoreEnded } from "./errors.js"
import type { Row } from "./operation.js"
import * as Records from "./records.js"
import type { SharedParts } from "./sharedStore.js"
import { access, type Store } from "./store.js"

/** All records that may be seen, as of one revision. */
export interface Snapshot<out A> {
  /** The number of the revision. */
  readonly seq: number
  /** Ascending by seq: a record that was written again is behind the others. */
  readonly rows: ReadonlyArray<Row<A>>
}

const upToDate = (
  store: Store,
  { head, mirror }: SharedParts
): Effect.Effect<Store, StoreEnded | StorageError> =>
  Effect.flatMap(head, (head) =>
    Effect.async((resume) =>
      // A store that ends meanwhile has not read so far.
      Effect.sync(mirror.whenAt(head, () => resume(store.ended ?? Effect.succeed(store))))
    )
  )

/** Why a read failed. */
export type ReadError = StoreEnded | StorageError | InvalidOptions

const ready = (slot: Slot<Store>, { read }: ReadOptions): Effect.Effect<Store, StoreEnded | StorageError> =>
  Effect.flatMap(live(slot), (store): Effect.Effect<Store, StoreEnded | StorageError> => {
    const ended = access(store, store.shared.timers.now())
    if (ended !== undefined) return Effect.fail(ended)
    return store.parts === undefined || read !== "latest"
      ? Effect.succeed(store)
      : upToDate(store, store.parts)
  })

/** Reads with options that are checked. */
const reading = <B>(
  slot: Slot<Store>,
  options: ReadOptions | undefined,
  read: (store: Store, options: ReadOptions) => B
): Effect.Effect<B, ReadError> => {
  const readBy = (checked: ReadOptions) => Effect.map(ready(slot, checked), (store) => read(store, checked))
  return options === undefined ? readBy(none) : Effect.flatMap(resolveRead(options), readBy)
}

const none: ReadOptions = {}

/** Whether a record's time is over, and its removal is not read here yet: other processes write the store too. */
const isOver = ({ parts, records, shared }: Store, key: string): boolean => {
  if (parts === undefined || records.extras.size === 0) return false
  const deadline = Records.deadlineOf(records, key)
  return deadline !== undefined && shared.timers.now() > deadline
}

export const get = <A>(
  slot: Slot<Store>,
  codec: Codec<A>,
  key: string,
  options: ReadOptions | undefined
): Effect.Effect<Option.Option<Row<A>>, ReadError> =>
  reading(slot, options, (store, { as }) => {
    const row = store.holding.get(key)
    const mayRead = readable(store, as)
    const isHidden = row === undefined || isOver(store, key) || mayRead?.(row) === false
    return isHidden ? Option.none() : Option.some(codec.row(row))
  })

export const snapshot = <A>(
  slot: Slot<Store>,
  codec: Codec<A>,
  options: ReadOptions | undefined
): Effect.Effect<Snapshot<A>, ReadError> =>
  reading(slot, options, (store, { as }) => {
    const { holding } = store
    const mayRead = readable(store, as)
    const rows = holding.bySeq()
    const present = store.parts === undefined ? rows : rows.filter(({ key }) => !isOver(store, key))
    const seen = mayRead === undefined ? present : present.filter(mayRead)
    return { seq: holding.seq(), rows: seen.map(codec.row) }
  })
