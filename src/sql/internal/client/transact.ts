/** A user's transaction that appends to logs as the last thing before its COMMIT. */
import { SqlClient, TransactionConnection } from "@effect/sql/SqlClient"
import { Effect, Option } from "effect"
import {
  type Change,
  type ChangeLogError,
  Conflict,
  type Entry,
  type Revision,
  refusal
} from "../../../internal/log/events.js"
import type { InvalidOptions } from "../../../internal/options.js"
import { StorageError } from "../../../Storage.js"
import type { Dialect, Run } from "../dialect.js"
import { whileBusy } from "../errors.js"
import { appendExpected } from "../log/append.js"
import { changeLogError } from "../log/failures.js"
import { type Encoded, encodeEntries } from "../log/rows.js"
import { type OpenLog, openLogOf, ringEverywhere, type SqlChangeLog } from "../log/sqlChangeLog.js"
import { compareHeads, lockHead, now } from "../log/store.js"
import { pgDialect } from "../pg/dialect.js"
import { sqliteDialect } from "../sqlite/dialect.js"
import { step, transaction } from "../transaction.js"
import { byDialect, reserveConnection, runOn } from "./client.js"

/** Appends to logs in a transaction: remembered when called, and done when the transaction's body has succeeded. */
export interface Transaction {
  /** Will append one revision. Fails at once on changes that cannot be. */
  readonly append: <V>(
    log: SqlChangeLog<V>,
    changes: ReadonlyArray<Change<V>>
  ) => Effect.Effect<void, ChangeLogError>
  /**
   * Will append a revision for each entry whose id the log does not hold. What entries expect is judged when the body has
   * succeeded: if the log is otherwise, the transaction is rolled back, and fails with `Conflict`.
   */
  readonly commit: <V>(
    log: SqlChangeLog<V>,
    entries: ReadonlyArray<Entry<V>>
  ) => Effect.Effect<void, ChangeLogError>
}

/** A transaction that has been committed. */
export interface Transacted<out A> {
  readonly value: A
  /** What was appended, log by log. */
  readonly revisions: ReadonlyArray<Revision>
}

const invalid = (message: string): ChangeLogError => refusal("Invalid", message)

type Staged = Map<OpenLog, Array<Encoded>>

const stage = (staged: Staged, client: SqlClient): Transaction => {
  const commit: Transaction["commit"] = (log, entries) =>
    Effect.suspend(() => {
      const open = openLogOf(log)
      if (open?.client !== client) {
        return Effect.fail(
          invalid("the log must be made by SqlChangeLog.make over the client of the transaction")
        )
      }
      return Effect.map(encodeEntries(entries, open.store.random, open.store.feed), (encoded) => {
        const before = staged.get(open)
        if (before === undefined) staged.set(open, [...encoded])
        else before.push(...encoded)
      })
    })
  return { append: (log, changes) => commit(log, [{ changes }]), commit }
}

const inOrder = (staged: Staged): ReadonlyArray<readonly [OpenLog, ReadonlyArray<Encoded>]> =>
  [...staged].sort(([a], [b]) => compareHeads(a.store, b.store))

/** Of several entries with one id the first one counts, also when they were staged by several calls. */
const firstOfEach = (entries: ReadonlyArray<Encoded>): ReadonlyArray<Encoded> => {
  const ids = new Set<string>()
  return entries.filter(({ id }) => id === undefined || (!ids.has(id) && ids.add(id)))
}

const appendStaged = (
  staged: Staged,
  run: Run
): Effect.Effect<ReadonlyArray<readonly [OpenLog, ReadonlyArray<Revision>]>, Conflict | StorageError> =>
  Effect.flatMap(now, (at) =>
    Effect.forEach(inOrder(staged), ([open, entries]) => {
      const one = step(open.store.statements.dialect, run)
      return Effect.flatMap(lockHead(open.store, one), (head) =>
        Effect.map(
          appendExpected(open.store, one, head, firstOfEach(entries), at),
          (revisions) => [open, revisions] as const
        )
      )
    })
  )

/** A failure of the transaction's body, as distinct from one of the database. */
interface BodyFailure<E> {
  readonly of: "body"
  readonly error: E
}

/** {@link transact}, on a given client. */
const transactOn = <A, E, R>(
  client: SqlClient,
  dialect: Dialect,
  body: (transaction: Transaction) => Effect.Effect<A, E, R>
): Effect.Effect<Transacted<A>, E | ChangeLogError | Conflict, R> => {
  const staged: Staged = new Map()
  const all = transaction(dialect, reserveConnection(client), runOn, (connection) =>
    Effect.gen(function* () {
      const run = runOn(connection)
      yield* whileBusy(step(dialect, run)(dialect.begin))
      const value = yield* body(stage(staged, client)).pipe(
        Effect.provideService(TransactionConnection, [connection, 0] as const),
        Effect.mapError((error): BodyFailure<E> => ({ of: "body", error }))
      )
      return { value, appended: yield* appendStaged(staged, run) }
    })
  )
  return all.pipe(
    Effect.mapError((error) => {
      if (error instanceof StorageError) return changeLogError(error)
      return error instanceof Conflict ? error : error.error
    }),
    Effect.tap(({ appended }) =>
      Effect.forEach(appended, ([open, revisions]) => {
        const last = revisions.at(-1)
        return last === undefined ? Effect.void : ringEverywhere(open, last.seq)
      })
    ),
    Effect.map(({ appended, value }) => ({
      value,
      revisions: appended.flatMap(([, revisions]) => revisions)
    }))
  )
}

/** See `SqlChangeLog.transact`. */
export const transact = <A, E, R>(
  body: (transaction: Transaction) => Effect.Effect<A, E, R>
): Effect.Effect<Transacted<A>, E | ChangeLogError | Conflict | InvalidOptions, R | SqlClient> =>
  Effect.gen(function* () {
    const client = yield* SqlClient
    if (Option.isSome(yield* Effect.serviceOption(TransactionConnection))) {
      return yield* invalid("transact begins and commits a transaction: it cannot be a part of another one")
    }
    const dialect = yield* byDialect(client, sqliteDialect, pgDialect)
    return yield* transactOn(client, dialect, body)
  })
