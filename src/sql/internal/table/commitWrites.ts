/** Commits the writes of one call, with their changes in a log. */
import { Effect, Either, identity } from "effect"
import type { CheckedWrite } from "../../../internal/columns/checkWrite.js"
import type { RowChange } from "../../../internal/columns/planWrites.js"
import type { AnyRow } from "../../../internal/columns/rowCodec.js"
import type { Revision } from "../../../internal/log/events.js"
import { storageError } from "../../../internal/log/storageError.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, Executor, Run } from "../dialect.js"
import { whileBusy } from "../errors.js"
import { appendLocked } from "../log/append.js"
import { type OpenLog, ringEverywhere } from "../log/sqlChangeLog.js"
import { lockHead, now } from "../log/store.js"
import type { State } from "../storage/saving.js"
import { step, transaction } from "../transaction.js"
import { type Applied, Raced, type WriteSteps } from "./applyWrites.js"
import { codeOf, isOfWrites, makeIsolate } from "./isolateWrites.js"
import type { EncodeChanges } from "./logChanges.js"

/** What became of the writes of one call, and the revision of their changes. */
export interface Committed {
  readonly applied: ReadonlyArray<Applied>
  readonly revision: Revision | undefined
}

/** Commits the writes of one call. */
export type CommitWrites = (
  writes: ReadonlyArray<CheckedWrite>,
  batch: string
) => Effect.Effect<Committed, StorageError>

/** The server has rolled the transaction back for the sake of another one. */
const isVictim = (error: StorageError): boolean =>
  error.outcome === "NotStored" && codeOf(error).startsWith("40")

/** How often a call begins anew that met other transactions. */
const maxTries = 5

/** The open log of the same database, and the way to its entries. */
export interface TableLogging {
  readonly open: OpenLog
  readonly encode: EncodeChanges
}

/** Appends the changes of what was done as one revision, as the last thing: other commits to the log wait from here on. */
const append = (
  { encode, open: { store } }: TableLogging,
  connection: Run,
  applied: ReadonlyArray<Applied>,
  batch: string,
  state: State
): Effect.Effect<Revision | undefined, StorageError> =>
  Effect.gen(function* () {
    const changes = applied.flatMap(
      (one): ReadonlyArray<RowChange<AnyRow>> =>
        one._tag === "Done" && one.change !== undefined ? [one.change] : []
    )
    if (changes.length === 0) return undefined
    const entry = yield* Either.mapLeft(encode(changes, batch), storageError)
    const run = step(store.statements.dialect, connection, state)
    const at = yield* now
    const head = yield* lockHead(store, run)
    const [revision] = yield* appendLocked(store, run, head, [entry], at)
    return revision
  })

/** Makes what commits. */
export const makeCommitWrites = (
  dialect: Dialect,
  executor: Executor,
  state: State,
  steps: WriteSteps,
  log: TableLogging | undefined
): CommitWrites => {
  const isolate = makeIsolate(dialect, state, steps)

  const once = (
    writes: ReadonlyArray<CheckedWrite>,
    batch: string,
    apply: WriteSteps["apply"],
    isLastTry: boolean
  ) =>
    whileBusy(
      transaction(dialect, executor.reserve, identity, (connection) =>
        Effect.gen(function* () {
          yield* step(dialect, connection, state)(dialect.begin)
          const applied = yield* apply(connection, writes, isLastTry)
          const revision =
            log === undefined ? undefined : yield* append(log, connection, applied, batch, state)
          return { applied, revision }
        })
      )
    )

  const commit = (
    writes: ReadonlyArray<CheckedWrite>,
    batch: string,
    apply: WriteSteps["apply"],
    tries: number
  ): Effect.Effect<Committed, StorageError> =>
    Effect.matchEffect(once(writes, batch, apply, tries === maxTries), {
      onSuccess: Effect.succeed,
      onFailure: (error) => {
        // The last try has no race.
        if (error instanceof Raced || (isVictim(error) && tries < maxTries)) {
          return commit(writes, batch, apply, tries + 1)
        }
        return apply === isolate || !isOfWrites(error)
          ? Effect.fail(error)
          : commit(writes, batch, isolate, tries)
      }
    })

  return (writes, batch) =>
    Effect.tap(commit(writes, batch, steps.apply, 1), ({ revision }) => {
      state.saved = true
      return log === undefined || revision === undefined
        ? Effect.void
        : ringEverywhere(log.open, revision.seq)
    })
}
