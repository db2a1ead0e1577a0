/** A table in memory whose calls do what a test wants: wait, answer late, fail, answer wrong. */
import { Effect } from "effect"
import type { AnyDefinition } from "../../../src/internal/columns/writes.js"
import { makeMemorySource } from "../../../src/internal/table/memory.js"
import { StorageError } from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"

/** The calls that a source gets. */
export type Call = "list" | "getMany" | "count" | "write"

/** What becomes of a call. */
export type How = <A>(call: Effect.Effect<A, unknown>) => Effect.Effect<A, unknown>

/** A call that waits before it does anything. */
export const held =
  (latch: Effect.Latch): How =>
  (call) =>
    Effect.andThen(latch.await, call)

/** A call that is done at once, and whose answer is late. It is not done again if its caller leaves. */
export const late =
  (latch: Effect.Latch): How =>
  (call) =>
    Effect.tap(call, latch.await)

/** A call that ignores its interruption, and does what it should once the latch opens. */
export const deaf =
  (latch: Effect.Latch): How =>
  (call) =>
    Effect.uninterruptible(Effect.andThen(latch.await, call))

export const never: How = () => Effect.never

export const failing =
  (error: unknown): How =>
  () =>
    Effect.fail(error)

/** A call that is not done, and answers with anything. */
export const answering =
  (value: unknown): How =>
  () =>
    Effect.succeed(value as never)

/** The error of a call that has proven that nothing was stored, or that has not. */
export const away = (outcome: StorageError["outcome"] = "NotStored"): StorageError =>
  new StorageError({ kind: "Transient", outcome, message: "the master is away" })

export interface Master<in out D extends AnyDefinition> {
  /** The table that a live table gets. */
  readonly table: Table.Table<D>
  /** The same rows for other programs: its calls are neither scripted nor counted. */
  readonly foreign: Table.Table<D>
  /** Does the next call of this kind, after those that were scripted before, in this way. */
  readonly next: (call: Call, how: How) => void
  /** Does all calls of this kind in this way; without one, as they are. What is scripted by `next` goes first. */
  readonly always: (call: Call, how: How | undefined) => void
  /** How many calls there were of this kind. */
  readonly count: (call: Call) => number
  /** What the calls of this kind were given. */
  readonly asked: (call: Call) => ReadonlyArray<unknown>
}

/** Makes a master of a definition. */
export const master = <const D extends AnyDefinition>(
  definition: D,
  maxBatch?: number
): Effect.Effect<Master<D>, Table.InvalidOptions> =>
  Effect.gen(function* () {
    const source = yield* makeMemorySource(definition, undefined)
    const next = new Map<Call, Array<How>>()
    const always = new Map<Call, How>()
    const asked = new Map<Call, Array<unknown>>()
    const plain: How = (call) => call
    const scripted = <A>(name: Call, given: unknown, call: Effect.Effect<A, unknown>) =>
      Effect.suspend(() => {
        asked.set(name, [...(asked.get(name) ?? []), given])
        const how = next.get(name)?.shift() ?? always.get(name) ?? plain
        return how(call)
      })
    const table = yield* Table.make(definition, {
      list: (query) => scripted("list", query, source.list(query)),
      getMany: (ids) => scripted("getMany", ids, source.getMany(ids)),
      count: (where) => scripted("count", where, source.count(where)),
      write: (writes, batch) => scripted("write", writes, source.write(writes, batch)),
      maxBatch
    })
    return {
      table,
      foreign: yield* Table.make(definition, source),
      next: (call, how) => {
        next.set(call, [...(next.get(call) ?? []), how])
      },
      always: (call, how) => {
        if (how === undefined) always.delete(call)
        else always.set(call, how)
      },
      count: (call) => asked.get(call)?.length ?? 0,
      asked: (call) => asked.get(call) ?? []
    }
  })
