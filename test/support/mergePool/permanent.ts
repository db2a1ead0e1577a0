/** Permanent pools for tests: over a backend that outlives their catalogs. */
import { Effect, Fiber, type Scope, TestClock } from "effect"
import * as MergePool from "../../../src/MergePool.js"
import { strategies } from "./served.js"

export type Ack = "memory" | "flushed"

export const acks = ["memory", "flushed"] as const

/** How a pool of these tests is opened, but for its `ack`. */
export const permanent = { id: "board", kind: "permanent", strategies } as const

/** A catalog over a backend, whose pool `board` is open. */
export const opened = (
  backend: MergePool.Backend,
  opening: Partial<MergePool.OpenOptions> = {},
  options: MergePool.Options = {}
) =>
  Effect.gen(function* () {
    const pools = yield* MergePool.make(backend, options)
    return { pools, pool: yield* pools.open({ ...permanent, ...opening }) }
  })

/** Runs a merge that may wait for the end of a tick. */
export const ticked = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(100)
    return yield* Fiber.join(fiber)
  })

/** A client that sends each edit on behalf of a principal, and waits for the answer within two ticks. */
export const editorOf = (
  pool: MergePool.PoolHandle,
  principal: string,
  fields: MergePool.Fields = strategies
) =>
  Effect.gen(function* () {
    const replica = yield* MergePool.replica(fields)
    const { client } = replica
    const as = { principal, client }
    const send = (key: string, edits: { readonly [name: string]: MergePool.FieldEdit }) =>
      Effect.gen(function* () {
        const { n, patch } = yield* replica.edit(key, edits)
        const merged = yield* pool.merge(patch, { as })
        yield* replica.confirm(n)
        return merged
      })
    const remove = (key: string) =>
      Effect.gen(function* () {
        const { n, patch } = yield* replica.remove(key)
        yield* pool.merge(patch, { as })
        yield* replica.confirm(n)
      })
    return {
      replica,
      as,
      send,
      edit: (key: string, edits: { readonly [name: string]: MergePool.FieldEdit }) =>
        ticked(send(key, edits)),
      title: (key: string, value: string) => ticked(send(key, { title: { _tag: "Set", value } })),
      vote: (key: string, by = 1) => ticked(send(key, { votes: { _tag: "Increment", by } })),
      label: (key: string, member: string) =>
        ticked(send(key, { labels: { _tag: "Add", members: [member] } })),
      unlabel: (key: string, member: string) =>
        ticked(send(key, { labels: { _tag: "Remove", members: [member] } })),
      remove: (key: string) => ticked(remove(key))
    }
  })

/** What a pool shows of a row; nothing if there is none. */
export const shownIn = (pool: MergePool.PoolHandle, key: string) =>
  Effect.map(pool.get(key), (row) => Object.fromEntries(row._tag === "None" ? [] : row.value))
