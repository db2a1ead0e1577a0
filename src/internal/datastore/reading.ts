/** The reading calls of a store. What a principal may not see is missing to it. */
import { Effect, Option } from "effect"
import { type As, readable } from "./accept.js"
import type { Codec } from "./data.js"
import type { StoreEnded } from "./errors.js"
import type { Row } from "./operation.js"
import { access, type Store } from "./store.js"

/** Options of a read. */
export interface ReadOptions {
  /** Default: the server itself, which may see everything. */
  readonly as?: As | undefined
}

/** All records that may be seen, as of one revision. */
export interface Snapshot<out A> {
  /** The number of the revision. */
  readonly seq: number
  /** Ascending by seq: a record that was written again is behind the others. */
  readonly rows: ReadonlyArray<Row<A>>
}

const ready = (store: Store): Effect.Effect<Store, StoreEnded> =>
  Effect.suspend(() => {
    const ended = access(store, store.shared.timers.now())
    return ended === undefined ? Effect.succeed(store) : Effect.fail(ended)
  })

export const get = <A>(
  store: Store,
  codec: Codec<A>,
  key: string,
  { as }: ReadOptions
): Effect.Effect<Option.Option<Row<A>>, StoreEnded> =>
  Effect.map(ready(store), ({ holding }) => {
    const row = holding.get(key)
    const mayRead = readable(store, as)
    return row === undefined || mayRead?.(row) === false ? Option.none() : Option.some(codec.row(row))
  })

export const snapshot = <A>(
  store: Store,
  codec: Codec<A>,
  { as }: ReadOptions
): Effect.Effect<Snapshot<A>, StoreEnded> =>
  Effect.map(ready(store), ({ holding }) => {
    const mayRead = readable(store, as)
    const rows = holding.bySeq()
    const seen = mayRead === undefined ? rows : rows.filter(mayRead)
    return { seq: holding.seq(), rows: seen.map(codec.row) }
  })
