/** What callers do with a running live table: reads, follows and writes, with the checks of what they pass. */
import { Deferred, Effect, Option, Stream } from "effect"
import { StorageError } from "../../Storage.js"
import * as Table from "../../Table.js"
import * as Cells from "../cache/cells.js"
import type { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition, Id, Write } from "../columns/writes.js"
import { monotonicMillis } from "../time.js"
import type { Answer, AnyRow } from "./answers.js"
import {
  type Cached,
  querySlot,
  type Reads,
  readMany,
  readSlot,
  rowSlot,
  shareRow,
  textOfQueryAnswer,
  textOfRowAnswer,
  valid
} from "./calls.js"
import type { Key, QueryAnswer, RowAnswer } from "./coherence.js"
import type { Asked } from "./core.js"
import { ReadFailed, type WriteFailed } from "./errors.js"
import * as Follows from "./following.js"
import type { Outcome } from "./outcomes.js"
import { hit, type ReadOptions, readMaster, type Slot } from "./reading.js"
import { type Runtime, stoppedWrite, writeEnd } from "./runtime.js"
import * as Staging from "./staging.js"
import * as Targets from "./targets.js"
import * as Writing from "./writing.js"

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
  options: ReadOptions | undefined
): Effect.Effect<RowAnswer, ReadFailed> => {
  const read = readSlot(reads, rowSlot(reads, key, options?.tags), options)
  return options?.pending === "include" ? Staging.withRow(reads.core, key, read) : read
}

const readQuery = <D extends AnyDefinition>(
  reads: Reads<D>,
  asked: Asked,
  options: ReadOptions | undefined
): Effect.Effect<QueryAnswer, ReadFailed> => {
  const read = readSlot(reads, querySlot(reads, asked, options?.tags), options)
  return options?.pending === "include" ? Staging.withQuery(reads.core, asked, read) : read
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
  // The cell of a row holds its answer.
  return answer === undefined ? undefined : shareRow(core, answer as RowAnswer)
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
    return whenUp(runtime, (reads) =>
      Effect.flatMap(valid(reads.core.keyOf(id)), (key) => readRow(reads, key, options))
    )
  })

export const getMany = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  ids: ReadonlyArray<unknown>,
  options: ReadOptions | undefined
): Effect.Effect<ReadonlyArray<RowAnswer>, ReadFailed | InvalidQuery> =>
  whenUp(runtime, (reads) =>
    Effect.flatMap(
      Effect.forEach(ids, (id) => valid(reads.core.keyOf(id))),
      (keys) => readMany(keys, (key) => readRow(reads, key, options))
    )
  )

export const list = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  query: unknown,
  options: ReadOptions | undefined
): Effect.Effect<QueryAnswer, ReadFailed | InvalidQuery> =>
  whenUp(runtime, (reads) =>
    Effect.flatMap(valid(reads.core.listOf(query)), (asked) => readQuery(reads, asked, options))
  )

export const count = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  where: unknown,
  options: ReadOptions | undefined
): Effect.Effect<QueryAnswer, ReadFailed | InvalidQuery> =>
  whenUp(runtime, (reads) =>
    Effect.flatMap(valid(reads.core.countOf(where)), (asked) => readQuery(reads, asked, options))
  )

const readFailedOf = (error: Table.ReadError): ReadFailed | InvalidQuery =>
  error._tag === "InvalidQuery"
    ? error
    : new ReadFailed({
        reason: error._tag === "Malformed" ? "Malformed" : "Master",
        message: error.message,
        cause: error
      })

export const stream = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  query: unknown
): Stream.Stream<Table.Row<D>, ReadFailed | InvalidQuery> =>
  Stream.unwrap(
    whenUp(runtime, ({ core: { master } }) =>
      // The master checks the query.
      Effect.succeed(Stream.mapError(master.stream(query as never), readFailedOf))
    )
  )

/** How a slot is followed. */
const sourceOf = <D extends AnyDefinition, A extends Answer<unknown>>(
  { clock }: Runtime<D>,
  reads: Reads<D>,
  slot: Slot<A, Cached>,
  how: {
    readonly textOf: (answer: A) => string
    readonly view: (read: Effect.Effect<A, ReadFailed>) => Effect.Effect<A, ReadFailed>
    /** Staged writes are not in the cell. */
    readonly peeks: boolean
  }
): Follows.Source<A> => {
  const { cells } = reads.core.c
  return {
    key: slot.key,
    peek: () => {
      const cell = how.peeks ? slot.cell() : undefined
      if (cell?.value === undefined || Cells.stateOf(cells, cell) !== "Current") return undefined
      return monotonicMillis(clock) < cell.freshUntil ? slot.answer(cell.value) : undefined
    },
    read: how.view(readSlot(reads, slot, undefined)),
    poll: how.view(readMaster(reads.reading, slot)),
    textOf: how.textOf,
    pin: () => {
      const cell = Cells.pin(cells, slot.key)
      return () => Cells.unpin(cells, cell)
    }
  }
}

const followSource = <D extends AnyDefinition, A extends Answer<unknown>>(
  runtime: Runtime<D>,
  source: Follows.Source<A>
): Stream.Stream<A, ReadFailed> => Follows.follow(runtime.follows, source, Deferred.await(runtime.ended))

const followRow = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  reads: Reads<D>,
  key: Key,
  { pending, tags }: ReadOptions
): Stream.Stream<RowAnswer, ReadFailed> =>
  followSource(
    runtime,
    sourceOf(runtime, reads, rowSlot(reads, key, tags), {
      textOf: textOfRowAnswer(reads.core),
      peeks: pending !== "include",
      view: (read) => (pending === "include" ? Staging.withRow(reads.core, key, read) : read)
    })
  )

const followQuery = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  reads: Reads<D>,
  asked: Asked,
  { pending, tags }: ReadOptions
): Stream.Stream<QueryAnswer, ReadFailed> =>
  followSource(
    runtime,
    sourceOf(runtime, reads, querySlot(reads, asked, tags), {
      textOf: textOfQueryAnswer(reads.core),
      peeks: pending !== "include",
      view: (read) => (pending === "include" ? Staging.withQuery(reads.core, asked, read) : read)
    })
  )

/** Follows a row, where `what` is an id, or the rows of a query. */
export const follow = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  what: unknown,
  options: ReadOptions = {}
): Stream.Stream<RowAnswer | QueryAnswer, ReadFailed | InvalidQuery> =>
  Stream.unwrap(
    whenUp(
      runtime,
      (reads): Effect.Effect<Stream.Stream<RowAnswer | QueryAnswer, ReadFailed>, InvalidQuery> =>
        typeof what === "object" && what !== null
          ? Effect.map(valid(reads.core.listOf(what)), (asked) => followQuery(runtime, reads, asked, options))
          : Effect.map(valid(reads.core.keyOf(what)), (key) => followRow(runtime, reads, key, options))
    )
  )

/** Why a write cannot be queued; `undefined`: it can, or the master is not up, and it is checked when it is. */
const refusalOf = <D extends AnyDefinition>(
  { life }: Runtime<D>,
  write: Write<D>
): Table.WriteRefused | undefined => {
  const checked = life.reads?.core.checkWrite(write)
  return checked?._tag === "WriteRefused" ? checked : undefined
}

type WriteError = Table.WriteRefused | WriteFailed

const resultOf = <D extends AnyDefinition>(
  outcome: Outcome<D>
): Effect.Effect<Table.Written<D>, WriteError> =>
  outcome._tag === "Written" ? Effect.succeed(outcome) : Effect.fail(outcome)

export const write = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  given: Write<D>
): Effect.Effect<Table.Written<D>, WriteError> =>
  Effect.suspend(() => {
    const refused = refusalOf(runtime, given)
    if (refused !== undefined) return Effect.fail(refused)
    const { actor, writing } = runtime
    return Effect.flatMap(
      Writing.enqueue(writing, actor, given, () => stoppedWrite(runtime)),
      resultOf
    )
  })

export const unsafeWrite = <D extends AnyDefinition>(runtime: Runtime<D>, given: Write<D>): boolean => {
  if (refusalOf(runtime, given) !== undefined) return false
  const { actor, failures, writing } = runtime
  const job = Writing.makeJob(given, (outcome) => {
    if (outcome._tag !== "Written") failures.unsafeOffer({ write: given, error: outcome })
  })
  return Writing.unsafeEnqueue(writing, actor, job)
}

export const stage = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  given: Write<D>
): Effect.Effect<Staging.Staged<D>, WriteError> => {
  const { actor, writing } = runtime
  const staged = whenUp(runtime, ({ core }): Effect.Effect<Staging.Staged<D>, WriteError> => {
    const checked = core.checkWrite(given)
    return checked._tag === "WriteRefused"
      ? Effect.fail(checked)
      : Staging.stage(
          core,
          given,
          checked,
          Writing.queue(writing, actor, given, () => stoppedWrite(runtime))
        )
  })
  return Effect.catchTag(staged, "ReadFailed", (error) => Effect.fail(writeEnd(error)))
}

const targeted = <D extends AnyDefinition, A, E, R>(
  runtime: Runtime<D>,
  target: Targets.Target<D>,
  use: (reads: Reads<D>, target: Targets.CheckedTarget) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | InvalidQuery | ReadFailed, R> =>
  whenUp(runtime, (reads) =>
    Effect.flatMap(valid(Targets.check(reads.core, target)), (checked) => use(reads, checked))
  )

/** Nothing is cached before the master is up. */
const now = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  target: Targets.Target<D>,
  use: (core: Reads<D>["core"], target: Targets.CheckedTarget) => void
): Effect.Effect<void, InvalidQuery> =>
  Effect.suspend(() =>
    runtime.life.reads === undefined
      ? Effect.void
      : Effect.catchTag(
          targeted(runtime, target, ({ core }, checked) => Effect.sync(() => use(core, checked))),
          "ReadFailed",
          () => Effect.void
        )
  )

export const invalidate = <D extends AnyDefinition>(runtime: Runtime<D>, target: Targets.Target<D>) =>
  now(runtime, target, Targets.invalidate)

export const expire = <D extends AnyDefinition>(runtime: Runtime<D>, target: Targets.Target<D>) =>
  now(runtime, target, Targets.expire)

export const invalidateAfter = <D extends AnyDefinition, A, E, R>(
  runtime: Runtime<D>,
  target: Targets.Target<D>,
  statements: Effect.Effect<A, E, R>
): Effect.Effect<A, E | InvalidQuery | ReadFailed, R> =>
  targeted(runtime, target, ({ core }, checked) =>
    Targets.invalidateAfter(core, checked, () => monotonicMillis(runtime.clock), statements)
  )

const storageErrorOf = (error: ReadFailed | InvalidQuery): StorageError | InvalidQuery =>
  error._tag === "InvalidQuery"
    ? error
    : new StorageError({ kind: "Transient", outcome: "NotStored", message: error.message, cause: error })

const asRead = <A>({ revision, value }: Answer<A>): Table.Read<A> => ({
  value,
  revision: Option.getOrUndefined(revision)
})

/** A live table as a table. Its reads come from the cache, and its writes are queued. */
const tableOf = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  { core: { master } }: Reads<D>
): Effect.Effect<Table.Table<D>, ReadFailed> => {
  const rows = (answer: QueryAnswer) => answer as Answer<ReadonlyArray<Table.Row<D>>>
  const source: Table.Source<D> = {
    list: (query) =>
      Effect.mapBoth(
        whenUp(runtime, (reads) => readQuery(reads, reads.core.askedList(query), undefined)),
        {
          onSuccess: (answer) => asRead(rows(answer)),
          onFailure: storageErrorOf
        }
      ),
    getMany: (ids: ReadonlyArray<Id<D>>) =>
      Effect.mapBoth(getMany(runtime, ids, undefined), {
        onSuccess: (answers) => ({
          value: answers.flatMap(({ value }) =>
            Option.toArray(value)
          ) as ReadonlyArray<AnyRow> as ReadonlyArray<Table.Row<D>>
        }),
        onFailure: storageErrorOf
      }),
    count: (where) =>
      Effect.mapBoth(count(runtime, where, undefined), {
        onSuccess: (answer) => asRead(answer as Answer<number>),
        onFailure: storageErrorOf
      }),
    write: (writes) =>
      Effect.forEach(writes, (one) => Effect.map(writeTotal(runtime, one), resultFor), {
        concurrency: "unbounded"
      })
  }
  return Effect.orDie(Table.make(master.definition, source))
}

/** This live table as a table, once its master is up. */
export const table = <D extends AnyDefinition>(
  runtime: Runtime<D>
): Effect.Effect<Table.Table<D>, ReadFailed> => whenUp(runtime, (reads) => tableOf(runtime, reads))

const writeTotal = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  one: Write<D>
): Effect.Effect<Outcome<D>> => {
  const { actor, writing } = runtime
  return Writing.enqueue(writing, actor, one, () => stoppedWrite(runtime))
}

const resultFor = <D extends AnyDefinition>(outcome: Outcome<D>): Table.WriteResult<D> =>
  outcome._tag === "WriteFailed"
    ? new StorageError({
        kind: "Transient",
        outcome: outcome.outcome,
        message: outcome.message,
        cause: outcome
      })
    : outcome
