/** The reads that callers make, with the checks of what they pass. */
import { Chunk, Deferred, Effect, Option, Stream } from "effect"
import type * as Table from "../../Table.js"
import { noIds } from "../columns/checkQuery.js"
import type { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition } from "../columns/writes.js"
import type { Key, QueryAnswer, RowAnswer } from "./coherence.js"
import type { Asked } from "./core.js"
import { ReadFailed } from "./errors.js"
import * as OtherReads from "./otherReads.js"
import { hit } from "./reading.js"
import { type ReadOptions, type ReadSettings, withRead } from "./readOptions.js"
import type { Runtime } from "./runtime.js"
import { type Cached, querySlot, type Reads, readMany, readSlot, rowSlot, shareRow, valid } from "./slots.js"
import type { Traced } from "./spans.js"
import * as Staging from "./staging.js"

const notUp = new ReadFailed({
  reason: "TimedOut",
  message: "the master did not come up within hardTimeout: look at `status`, or raise hardTimeout"
})

/** Runs once the master is up. */
export const whenUp = <D extends AnyDefinition, A, E, R>(
  { life, settings, up }: Runtime<D>,
  use: (reads: Reads<D>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | ReadFailed, R> =>
  Effect.suspend(() => {
    if (life.reads !== undefined) return use(life.reads)
    if (life.end !== undefined) return Effect.fail(life.end)
    const waiting = Effect.timeoutFail(Deferred.await(up), {
      duration: settings.hardTimeout,
      onTimeout: () => notUp
    })
    return Effect.flatMap(waiting, use)
  })

const readRow = <D extends AnyDefinition>(
  reads: Reads<D>,
  key: Key,
  settings: ReadSettings | undefined
): Effect.Effect<RowAnswer, ReadFailed> => {
  const view = settings?.pending === "include" ? Staging.withRow(reads.core, key) : undefined
  return readSlot(reads, rowSlot(reads, key, settings?.tags), settings, view)
}

/** Reads a list or a count as its options ask for. */
export const readQuery = <D extends AnyDefinition>(
  reads: Reads<D>,
  asked: Asked,
  settings: ReadSettings | undefined
): Effect.Effect<QueryAnswer, ReadFailed> => {
  const view = settings?.pending === "include" ? Staging.withQuery(reads.core, asked) : undefined
  return readSlot(reads, querySlot(reads, asked, settings?.tags), settings, view)
}

/** Returns the fresh row of an id, as a caller writes it. */
export const unsafeGet = <D extends AnyDefinition>(
  { life }: Runtime<D>,
  id: unknown
): RowAnswer | undefined => {
  const { reads } = life
  if (reads === undefined) return undefined
  const { core, reading } = reads
  const found = hit(reading, id as Key)
  // Keys are normal ids. Another spelling of one is looked up again.
  const answer = found ?? (typeof id === "string" && core.hasSpellings ? hitNormal(reads, id) : undefined)
  // The cell of a row holds its answer. The text of a query's key is no id.
  return answer === undefined || !("value" in answer) ? undefined : shareRow(core, answer)
}

const hitNormal = <D extends AnyDefinition>({ core, reading }: Reads<D>, id: string): Cached | undefined => {
  const key = core.keyOf(id)
  return typeof key === "object" || key === id ? undefined : hit(reading, key)
}

export const get = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  id: unknown,
  options: ReadOptions | undefined
): Effect.Effect<RowAnswer, ReadFailed | InvalidQuery> =>
  Effect.suspend(() => {
    const answer = options === undefined ? unsafeGet(runtime, id) : undefined
    if (answer !== undefined) return Effect.succeed(answer)
    return withRead(options, (settings) =>
      whenUp(runtime, (reads) =>
        Effect.flatMap(valid(reads.core.keyOf(id)), (key) => readRow(reads, key, settings))
      )
    )
  })

const keysOf = <D extends AnyDefinition>(
  { core }: Reads<D>,
  ids: ReadonlyArray<unknown>
): Effect.Effect<ReadonlyArray<Key>, InvalidQuery> =>
  Array.isArray(ids) ? Effect.forEach(ids, (id) => valid(core.keyOf(id))) : Effect.fail(noIds)

export const getMany = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  ids: ReadonlyArray<unknown>,
  options: ReadOptions | undefined
): Effect.Effect<ReadonlyArray<RowAnswer>, ReadFailed | InvalidQuery> =>
  withRead(options, (settings) =>
    whenUp(runtime, (reads) =>
      Effect.flatMap(keysOf(reads, ids), (keys) =>
        readMany(reads.core, keys, (key) => readRow(reads, key, settings))
      )
    )
  )

export const list = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  query: unknown,
  options: ReadOptions | undefined
): Effect.Effect<QueryAnswer, ReadFailed | InvalidQuery> =>
  withRead(options, (settings) =>
    whenUp(runtime, (reads) =>
      Effect.flatMap(valid(reads.core.listOf(query)), (asked) => readQuery(reads, asked, settings))
    )
  )

export const count = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  where: unknown,
  options: ReadOptions | undefined
): Effect.Effect<QueryAnswer, ReadFailed | InvalidQuery> =>
  withRead(options, (settings) =>
    whenUp(runtime, (reads) =>
      Effect.flatMap(valid(reads.core.countOf(where)), (asked) => readQuery(reads, asked, settings))
    )
  )

const readFailedOf = (error: Table.ReadError): ReadFailed | InvalidQuery =>
  error._tag === "InvalidQuery"
    ? error
    : new ReadFailed({
        reason: error._tag === "Malformed" ? "Malformed" : "Master",
        message: error.message,
        cause: error
      })

/** Pulls under a span. The end of the stream is no failure of the call. */
const tracedPull = <A, E>(
  traced: Traced,
  pull: Effect.Effect<Chunk.Chunk<A>, Option.Option<E>>
): Effect.Effect<Chunk.Chunk<A>, Option.Option<E>> => {
  const page = Effect.catchIf(pull, Option.isNone, () => Effect.succeed(undefined))
  const sizeOf = (rows: Chunk.Chunk<A> | undefined) => (rows === undefined ? 0 : Chunk.size(rows))
  return Effect.flatMap(traced("stream", 0, page, sizeOf), (rows) =>
    rows === undefined ? Effect.fail(Option.none()) : Effect.succeed(rows)
  )
}

/** Ends a stream of the master with the live table: no page is read later. */
const untilEnded = <D extends AnyDefinition, A, E>(
  { life, otherReads }: Runtime<D>,
  traced: Traced,
  rows: Stream.Stream<A, E | ReadFailed>
): Stream.Stream<A, E | ReadFailed> =>
  Stream.fromPull(
    Effect.map(Stream.toPull(rows), (pull) =>
      Effect.suspend(() =>
        life.end === undefined
          ? Effect.mapError(OtherReads.untilEnded(otherReads, tracedPull(traced, pull)), (end) =>
              Option.isOption(end) ? end : Option.some<E | ReadFailed>(end)
            )
          : Effect.fail(Option.some(life.end))
      )
    )
  )

export const stream = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  query: unknown
): Stream.Stream<Table.Row<D>, ReadFailed | InvalidQuery> =>
  Stream.unwrap(
    whenUp(runtime, ({ core: { loading, master } }) =>
      // The master checks the query.
      Effect.succeed(
        untilEnded(runtime, loading.traced, Stream.mapError(master.stream(query as never), readFailedOf))
      )
    )
  )
