/** The source of a table in memory. With a log, a call's changes are one revision, and appear with it. */
import { Effect, Option } from "effect"
import type { CheckedWrite } from "../columns/checkWrite.js"
import type { IdValue } from "../columns/ids.js"
import { applyChange, type PlannedWrite, planWrites, refusals } from "../columns/planWrites.js"
import { makeRowStore, type RowStore } from "../columns/rowStore.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import type { ChangeLog } from "../log/changeLog.js"
import type { Revision } from "../log/events.js"
import { storageError } from "../log/storageError.js"
import { compileTableChange, type TableChange } from "../log/tableChange.js"
import { type Read, type Row, type Source, WriteRefused, type WriteResult } from "./contract.js"

/** Does what was planned, and returns the outcomes. */
const applied = <D extends AnyDefinition>(
  store: RowStore<Row<D>>,
  planned: ReadonlyArray<PlannedWrite<Row<D>>>,
  revision: Revision | undefined
): ReadonlyArray<WriteResult<D>> =>
  planned.map((plan) => {
    if (plan._tag === "Refused") {
      return new WriteRefused({ reason: plan.reason, message: refusals[plan.reason] })
    }
    const { change, row } = plan
    if (change !== undefined) applyChange(store, change)
    return {
      _tag: "Written",
      row: Option.fromNullable(row),
      change: change === undefined ? "Unchanged" : "Changed",
      revision: change === undefined ? Option.none() : Option.fromNullable(revision)
    }
  })

/** How reads and writes meet the log of a table. */
interface Logging<R> {
  /** Reads in one moment, together with the log's head. */
  readonly read: <A>(value: () => A) => Effect.Effect<Read<A>, unknown>
  /** Plans in one moment, logs, and applies what was planned once it is in the log. */
  readonly write: <A>(
    plan: () => ReadonlyArray<PlannedWrite<R>>,
    batch: string,
    apply: (planned: ReadonlyArray<PlannedWrite<R>>, revision: Revision | undefined) => A
  ) => Effect.Effect<A, unknown>
}

const withoutLog = <R>(): Logging<R> => ({
  read: (value) => Effect.sync(() => ({ value: value() })),
  write: (plan, _, apply) => Effect.sync(() => apply(plan(), undefined))
})

const changesOf = <R>(planned: ReadonlyArray<PlannedWrite<R>>) =>
  planned.flatMap((plan) => (plan._tag === "Done" && plan.change !== undefined ? [plan.change] : []))

const makeLogging = <R extends object>(
  definition: AnyDefinition,
  log: ChangeLog<TableChange>
): Effect.Effect<Logging<R>> =>
  // A fiber may yield between the append and what follows it: no other call of the table comes between.
  Effect.map(Effect.makeSemaphore(1), (gate) => {
    const entry = compileTableChange(definition)
    const append = log.append.now ?? log.append
    return {
      read: (value) =>
        gate.withPermits(1)(
          Effect.mapBoth(log.head, {
            onFailure: storageError,
            onSuccess: ({ head }) => ({ value: value(), revision: head })
          })
        ),
      write: (plan, batch, apply) =>
        gate.withPermits(1)(
          Effect.uninterruptible(
            Effect.suspend(() => {
              const planned = plan()
              const changes = changesOf(planned)
              if (changes.length === 0) return Effect.sync(() => apply(planned, undefined))
              return Effect.mapBoth(append(changes.map((change) => entry(change, batch))), {
                onFailure: storageError,
                onSuccess: (revision) => apply(planned, revision)
              })
            })
          )
        )
    }
  })

/** Makes the source of a table in memory, for a checked definition. */
export const makeMemorySource = <D extends AnyDefinition>(
  definition: D,
  log: ChangeLog<TableChange> | undefined
): Effect.Effect<Source<D>> =>
  Effect.gen(function* () {
    const { columns, id } = definition
    // The rows of the store have the columns of the definition, whose type is D's.
    const store = makeRowStore(columns, id) as RowStore<Row<D>>
    const { read, write } =
      log === undefined ? withoutLog<Row<D>>() : yield* makeLogging<Row<D>>(definition, log)
    return {
      list: (query) => read(() => store.select(query)),
      getMany: (ids) =>
        read(() =>
          ids.flatMap((id) => {
            // The table gives ids in normal form.
            const row = store.get(id as IdValue)
            return row === undefined ? [] : [row]
          })
        ),
      count: (where) => read(() => store.count(where)),
      write: (writes: ReadonlyArray<Write<D>>, batch) =>
        write(
          // The table has checked them.
          () =>
            planWrites(columns, id, store, writes as ReadonlyArray<unknown> as ReadonlyArray<CheckedWrite>),
          batch,
          (planned, revision) => applied<D>(store, planned, revision)
        )
    }
  })
