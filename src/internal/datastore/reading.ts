/** The reading calls of a store. What a principal may not see is missing to it. */
import { Effect, Option } from "effect"
import type { StorageError } from "../../Storage.js"
import { live, type Slot } from "../catalog/slot.js"
import { type As, readable } from "./accept.js"
import type { Codec } from "./data.js"
import type { StoreEnded } from "./errors.js"
import type { Row } from "./operation.js"
import * as Records from "./records.js"
import type { SharedParts } from "./sharedStore.js"
import { access, type Store } from "./store.js"

/** Options of a read. */
export interface ReadOptions {
  /** Default: the server itself, which may see everything. */
  readonly as?: As | undefined
  /**
   * `latest`: asks the backend first, so that what any process was answered before is seen. `local`, the default: as of the
   * last revision that was read here. Only of stores that several processes write.
   */
  readonly read?: "local" | "latest" | undefined
}

/** All records that may be seen, as of one revision. */
export interface Snapshot<out A> {
  /** The number of the revision. */
  readonly seq: number
  /** Ascending by seq: a record that was written again is behind the others. */
  readonly rows: ReadonlyArray<Row<A>>
}

const upToDate = (store: Store, { head, mirror }: SharedParts): Effect.Effect<Store, StorageError> =>
  Effect.flatMap(head, (head) =>
    Effect.async((resume) => Effect.sync(mirror.whenAt(head, () => resume(Effect.succeed(store)))))
  )

const ready = (slot: Slot<Store>, { read }: ReadOptions): Effect.Effect<Store, StoreEnded | StorageError> =>
  Effect.flatMap(live(slot), (store): Effect.Effect<Store, StoreEnded | StorageError> => {
    const ended = access(store, store.shared.timers.now())
    if (ended !== undefined) return Effect.fail(ended)
    return store.parts === undefined || read !== "latest"
      ? Effect.succeed(store)
      : upToDate(store, store.parts)
  })

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
  options: ReadOptions
): Effect.Effect<Option.Option<Row<A>>, StoreEnded | StorageError> =>
  Effect.map(ready(slot, options), (store) => {
    const { holding } = store
    const row = holding.get(key)
    const mayRead = readable(store, options.as)
    const isHidden = row === undefined || isOver(store, key) || mayRead?.(row) === false
    return isHidden ? Option.none() : Option.some(codec.row(row))
  })

export const snapshot = <A>(
  slot: Slot<Store>,
  codec: Codec<A>,
  options: ReadOptions
): Effect.Effect<Snapshot<A>, StoreEnded | StorageError> =>
  Effect.map(ready(slot, options), (store) => {
    const { holding } = store
    const mayRead = readable(store, options.as)
    const rows = holding.bySeq()
    const present = store.parts === undefined ? rows : rows.filter(({ key }) => !isOver(store, key))
    const seen = mayRead === undefined ? present : present.filter(mayRead)
    return { seq: holding.seq(), rows: seen.map(codec.row) }
  })
