/** What a tier in a database does: reads, stores and removes entries of one table. */
import { Effect } from "effect"
import { compareText } from "../../../internal/text.js"
import { monotonicMillis } from "../../../internal/time.js"
import type { StorageError } from "../../../Storage.js"
import { type CheckedEntry, type Source, type SourceStore, TierError } from "../../../Tier.js"
import type { Dialect, Executor, Statement } from "../dialect.js"
import { ensureTable } from "../ensureTable.js"
import { reasonOf, storageError, whileBusy } from "../errors.js"
import { now } from "../log/store.js"
import { type TierStatements, tierStatements } from "./statements.js"
import { rowOf, storedKey, type TierTable } from "./table.js"

const advice = {
  Unavailable: "see whether the database is up and the tier's table is there",
  TooLarge: "put smaller values",
  Invalid: "see what the table refuses"
} as const

const tierError = (error: StorageError): TierError => {
  const reason = reasonOf(error)
  return new TierError({ reason, message: `${error.message}: ${advice[reason]}`, cause: error })
}

/** A database with the table of a tier. */
interface Place {
  readonly dialect: Dialect
  readonly statements: TierStatements
  readonly run: (statement: Statement) => Effect.Effect<unknown, TierError>
}

const sweepInterval = 1_000
const minSwept = 1_000

/**
 * Deletes expired rows behind a put: once a second at most, and each time twice as many as were put since, so that they
 * never outgrow those that are alive.
 */
const makeSweep = ({
  run,
  statements
}: Place): ((put: number, at: Date) => Effect.Effect<void, TierError>) => {
  let next = Number.NEGATIVE_INFINITY
  let putSince = 0
  return (put, at) =>
    Effect.flatMap(Effect.clock, (clock) => {
      putSince += put
      const millis = monotonicMillis(clock)
      if (millis < next) return Effect.void
      next = millis + sweepInterval
      const limit = Math.max(minSwept, 2 * putSince)
      putSince = 0
      return Effect.asVoid(run(statements.sweep(at, limit)))
    })
}

const rowsOf = (entries: ReadonlyArray<CheckedEntry>, at: Date) =>
  entries
    .map((entry) => rowOf(entry, at))
    // All writers lock rows in one order, so that none wait for each other.
    .sort((a, b) => compareText(a.key, b.key))

const storeOf = (
  { dialect, run, statements }: Place,
  sweep: ReturnType<typeof makeSweep>,
  namespace: string
): SourceStore => ({
  get: (keys) =>
    Effect.gen(function* () {
      const stored = keys.map(storedKey)
      const rows = dialect.rows(yield* run(statements.get(namespace, stored, yield* now)))
      const values = new Map(rows.map(({ key, value }) => [key, value]))
      // What is no text is refused by the tier as a malformed answer.
      return stored.map((key) => values.get(key) as string | undefined)
    }),
  put: (entries) =>
    Effect.gen(function* () {
      const at = yield* now
      yield* run(statements.put(namespace, rowsOf(entries, at), at))
      yield* sweep(entries.length, at)
    }),
  remove: (keys) =>
    Effect.suspend(() => run(statements.remove(namespace, keys.map(storedKey).sort(compareText)))).pipe(
      Effect.asVoid
    ),
  clear: Effect.suspend(() => Effect.asVoid(run(statements.clear(namespace))))
})

/** A tier in this table, which is made sure of when a namespace is opened. */
export const sqlSource = (dialect: Dialect, table: TierTable, executor: Executor): Source => {
  const place: Place = {
    dialect,
    statements: tierStatements(dialect, table),
    run: (statement) =>
      Effect.mapError(whileBusy(storageError(dialect, { saved: true })(executor.run(statement))), tierError)
  }
  const sweep = makeSweep(place)
  return {
    open: (namespace) =>
      Effect.as(
        Effect.mapError(ensureTable(dialect, table, executor), tierError),
        storeOf(place, sweep, namespace)
      )
  }
}
