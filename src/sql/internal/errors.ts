/** From a driver's failures to the storage's own. */
import { Cause, Data, Effect, Schedule } from "effect"
import { monotonicMillis } from "../../internal/time.js"
import { StorageError } from "../../Storage.js"
import type { Dialect, FailedSave } from "./dialect.js"
import { fitting, TooLarge } from "./statementSize.js"

/**
 * What a database answered if a statement failed. It is the cause of a {@link StorageError}: fit for logs, because it
 * holds names and codes only and never what a row holds.
 */
export class SqlFailure extends Data.TaggedError("SqlFailure")<{
  /** A result code of SQLite (`SQLITE_BUSY`), an SQLSTATE of Postgres (`23505`), or a system code (`ECONNRESET`). */
  readonly code: string | undefined
  /** The constraint that was violated, where one was. */
  readonly constraint: string | undefined
  readonly message: string
}> {}

/** A batch that was not sent: what of it can be, or that its one record never can. */
const oversized = (save: FailedSave): StorageError => {
  const { rows, table } = save
  if (rows.length > 1) {
    const message = `the batch of ${rows.length} records is too large for one statement`
    const fits = fitting(save)
    return new StorageError({ kind: "Transient", outcome: "NotStored", blame: "size", message, fits })
  }
  const message = `the record is larger than a statement can be (${table.limits.record} bytes)`
  const cause = new SqlFailure({ code: "54000", constraint: undefined, message })
  const bad = [{ index: 0, cause }]
  return new StorageError({ kind: "Poison", outcome: "NotStored", message, cause, bad })
}

/** Classifies what a driver failed or died with. */
export const classified = (
  dialect: Dialect,
  error: unknown,
  saved: boolean,
  save?: FailedSave
): StorageError => {
  if (error instanceof StorageError) return error
  if (error instanceof TooLarge && save !== undefined) return oversized(save)
  const { blame, code, constraint, kind, message, outcome } = dialect.classify(error, saved, save)
  const cause = new SqlFailure({ code, constraint, message })
  return new StorageError({ kind, outcome, message, cause, ...(blame === undefined ? {} : { blame }) })
}

/** The same failure, when more is known of what is stored. */
export const withOutcome = (
  { blame, cause, kind, message }: StorageError,
  outcome: StorageError["outcome"]
): StorageError =>
  new StorageError({ kind, outcome, message, cause, ...(blame === undefined ? {} : { blame }) })

/** Why a database did not store what no recorder isolates: it is down, the data is too large, or refused. */
export const reasonOf = ({ cause, kind }: StorageError): "Unavailable" | "TooLarge" | "Invalid" => {
  if (kind !== "Poison") return "Unavailable"
  const code = cause instanceof SqlFailure ? (cause.code ?? "") : ""
  return /^(54|SQLITE_TOOBIG)/.test(code) ? "TooLarge" : "Invalid"
}

/** Turns every failure and defect of a driver into a {@link StorageError}; an interruption stays one. */
export const storageError =
  (dialect: Dialect, state: { readonly saved: boolean }, save?: FailedSave) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, StorageError, R> =>
    Effect.catchAllCause(effect, (cause) =>
      Cause.isInterrupted(cause)
        ? Effect.failCause(Cause.stripFailures(cause))
        : Effect.fail(classified(dialect, Cause.squash(cause), state.saved, save))
    )

// Exponential at first, and every quarter of a second from then on.
const pauses = Schedule.exponential("10 millis", 1.5).pipe(
  Schedule.union(Schedule.spaced("250 millis")),
  Schedule.jittered
)

const busyTimeoutMillis = 10_000

const isBusy = ({ cause }: StorageError): boolean =>
  cause instanceof SqlFailure && /^SQLITE_(BUSY|LOCKED)/.test(cause.code ?? "")

/** Tries again while another connection holds the SQLite file, for 10 seconds at most. */
export const whileBusy = <A, E, R>(effect: Effect.Effect<A, E | StorageError, R>) =>
  Effect.clockWith((clock) => {
    // A schedule that ends after a while reads the wall clock, which may be set meanwhile.
    const end = monotonicMillis(clock) + busyTimeoutMillis
    return Effect.retry(effect, {
      schedule: pauses,
      while: (error) => error instanceof StorageError && isBusy(error) && monotonicMillis(clock) < end
    })
  })
