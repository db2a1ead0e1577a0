/** A live table as a table, for whatever takes one. */
import { Effect, Option } from "effect"
import { StorageError } from "../../Storage.js"
import * as Table from "../../Table.js"
import type { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition, Id, Write } from "../columns/writes.js"
import { earlier, type Revision } from "../log/events.js"
import type { Answer, AnyRow } from "./answers.js"
import type { QueryAnswer, RowAnswer } from "./coherence.js"
import type { ReadFailed } from "./errors.js"
import type { Outcome } from "./outcomes.js"
import { count, getMany, readQuery, whenUp } from "./readCalls.js"
import { type Runtime, stoppedWrite } from "./runtime.js"
import type { Reads } from "./slots.js"
import * as Writing from "./writing.js"

const storageErrorOf = (error: ReadFailed | InvalidQuery): StorageError | InvalidQuery =>
  error._tag === "InvalidQuery"
    ? error
    : new StorageError({ kind: "Transient", outcome: "NotStored", message: error.message, cause: error })

const asRead = <A>({ revision, value }: Answer<A>): Table.Read<A> => ({
  value,
  revision: Option.getOrUndefined(revision)
})

/** The revision that all answers hold. */
const earliestOf = ([first, ...others]: ReadonlyArray<RowAnswer>): Revision | undefined =>
  first === undefined
    ? undefined
    : others.reduce(
        (least, { revision }) => earlier(least, Option.getOrUndefined(revision)),
        Option.getOrUndefined(first.revision)
      )

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
          ) as ReadonlyArray<AnyRow> as ReadonlyArray<Table.Row<D>>,
          revision: earliestOf(answers)
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
