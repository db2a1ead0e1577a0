/** Commits the writes of one call, with their changes in a log, and finds out which of them the database refuses. */
import { Effect, Either, identity } from "effect"
import type { CheckedWrite } from "../../../internal/columns/checkWrite.js"
import type { RowChange } from "../../../internal/columns/planWrites.js"
import type { AnyRow } from "../../../internal/columns/rowCodec.js"
import type { Revision } from "../../../internal/log/events.js"
import { storageError } from "../../../internal/log/storageError.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, Executor, Run } from "../dialect.js"
import { SqlFailure, whileBusy } from "../errors.js"
import { type OpenLog, ringEverywhere } from "../log/sqlChangeLog.js"
import { appendLocked, lockHead, now } from "../log/store.js"
import type { State } from "../storage/saving.js"
import { attempt, step, transaction } from "../transaction.js"
import { type Applied, Raced, type WriteSteps } from "./applyWrites.js"
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

const codeOf = ({ cause }: StorageError): string => (cause instanceof SqlFailure ? (cause.code ?? "") : "")

/** A matter of single writes: the others can be stored without them. */
const isOfWrites = ({ blame, kind, outcome }: StorageError): boolean =>
  outcome === "NotStored" && (kind === "Poison" || blame === "size")

/** Whether a value is there already that must be unique. */
export const isDuplicate = (error: StorageError): boolean =>
  /^(23505|23P01|SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID))$/.test(codeOf(error))

/** The server has rolled the transaction back for the sake of another one. */
const isVictim = (error: StorageError): boolean =>
  error.outcome === "NotStored" && codeOf(error).startsWith("40")

/** How often a call begins anew that met other transactions. */
const maxTries = 5

/** Makes what commits. `log` is the open log of the same database and the way to its entries. */
export const makeCommitWrites = (
  dialect: Dialect,
  executor: Executor,
  state: State,
  apply: WriteSteps,
  log: { readonly open: OpenLog; readonly encode: EncodeChanges } | undefined
): CommitWrites => {
  const attemptOf = (connection: Run, writes: ReadonlyArray<CheckedWrite>, isLastTry: boolean) =>
    attempt(
      dialect,
      connection,
      Effect.tap(apply.apply(connection, writes, isLastTry), () =>
        dialect.checkDeferred === undefined
          ? Effect.void
          : step(dialect, connection, state)(dialect.checkDeferred)
      )
    )

  /** Halves what fails until the writes that cannot be done are alone. */
  const isolate = (
    connection: Run,
    writes: ReadonlyArray<CheckedWrite>,
    isLastTry: boolean
  ): Effect.Effect<ReadonlyArray<Applied>, StorageError | Raced> =>
    Effect.gen(function* () {
      const done = yield* attemptOf(connection, writes, isLastTry)
      if (Either.isRight(done)) return done.right
      const error = done.left
      if (error instanceof Raced || !isOfWrites(error)) return yield* error
      if (writes.length === 1) {
        if (!isDuplicate(error)) return [error]
        // A row that two transactions add may meet itself in another unique index first. Now its id is found.
        const again = yield* attemptOf(connection, writes, isLastTry)
        return Either.isRight(again)
          ? again.right
          : again.left instanceof Raced
            ? yield* again.left
            : [again.left]
      }
      const half = Math.ceil(writes.length / 2)
      const first = yield* isolate(connection, writes.slice(0, half), isLastTry)
      return [...first, ...(yield* isolate(connection, writes.slice(half), isLastTry))]
    })

  const isolated = (connection: Run, writes: ReadonlyArray<CheckedWrite>, isLastTry: boolean) =>
    // All rows in one order, before the parts take them in another.
    Effect.andThen(apply.lock(connection, writes), isolate(connection, writes, isLastTry))

  const append = (connection: Run, applied: ReadonlyArray<Applied>, batch: string) =>
    Effect.gen(function* () {
      const changes = applied.flatMap(
        (one): ReadonlyArray<RowChange<AnyRow>> =>
          one._tag === "Done" && one.change !== undefined ? [one.change] : []
      )
      if (log === undefined || changes.length === 0) return undefined
      const { encode, open } = log
      const entry = yield* Either.mapLeft(encode(changes, batch), storageError)
      const run = step(dialect, connection, state)
      const at = yield* now
      // As the last thing: every other commit to the log waits from here on.
      const head = yield* lockHead(open.store, run)
      return (yield* appendLocked(open.store, run, head, [entry], at))[0]
    })

  const once = (writes: ReadonlyArray<CheckedWrite>, batch: string, isolating: boolean, isLastTry: boolean) =>
    whileBusy(
      transaction(dialect, executor.reserve, identity, (connection) =>
        Effect.gen(function* () {
          yield* step(dialect, connection, state)(dialect.begin)
          const applied = yield* (isolating ? isolated : apply.apply)(connection, writes, isLastTry)
          return { applied, revision: yield* append(connection, applied, batch) }
        })
      )
    )

  const commit = (
    writes: ReadonlyArray<CheckedWrite>,
    batch: string,
    isolating: boolean,
    tries: number
  ): Effect.Effect<Committed, StorageError> =>
    Effect.matchEffect(once(writes, batch, isolating, tries === maxTries), {
      onSuccess: Effect.succeed,
      onFailure: (error) => {
        const isRace = error instanceof Raced
        // The last try has no race.
        if (isRace || (isVictim(error) && tries < maxTries)) {
          return commit(writes, batch, isolating, tries + 1)
        }
        return isolating || !isOfWrites(error) ? Effect.fail(error) : commit(writes, batch, true, tries)
      }
    })

  return (writes, batch) =>
    Effect.tap(commit(writes, batch, false, 1), ({ revision }) => {
      state.saved = true
      return log === undefined || revision === undefined
        ? Effect.void
        : ringEverywhere(log.open, revision.seq)
    })
}
