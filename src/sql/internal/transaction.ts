/** Transactions on a connection of one's own, and parts of a transaction that the caller has begun. */
import { Effect, Either, Exit, type Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import { type Dialect, type FailedSave, plain, type Run, type Statement } from "./dialect.js"
import { classified, storageError, withOutcome } from "./errors.js"

const begun = { saved: true }

/** Nothing is committed before COMMIT was sent. */
const notStored = (error: StorageError): StorageError =>
  error.outcome === "NotStored" ? error : withOutcome(error, "NotStored")

/** Runs one statement and gives the driver's raw result. Its failure has the outcome `NotStored`. */
export type Step = (statement: Statement) => Effect.Effect<unknown, StorageError>

export const step =
  (dialect: Dialect, run: Run, state: { readonly saved: boolean } = begun, save?: FailedSave): Step =>
  (statement) =>
    Effect.mapError(storageError(dialect, state, save)(run(statement)), notStored)

/** Runs statements one after the other, and gives the result of the last. */
export const steps = (
  dialect: Dialect,
  run: Run,
  statements: ReadonlyArray<Statement>
): Effect.Effect<unknown, StorageError> =>
  Effect.reduce(statements, undefined as unknown, (_, statement) => step(dialect, run)(statement))

/**
 * Runs what begins a transaction and goes on in it, then commits. If it fails or is interrupted, it is rolled back, and
 * nothing is stored, unless COMMIT itself fails or is interrupted.
 */
export const transaction = <C, A, E, R>(
  dialect: Dialect,
  reserve: Effect.Effect<C, unknown, Scope.Scope>,
  runOn: (connection: C) => Run,
  body: (connection: C) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | StorageError, R> =>
  Effect.gen(function* () {
    const connection = yield* Effect.mapError(reserve, (error) => classified(dialect, error, true))
    const run = runOn(connection)
    let open = true
    const rollback = Effect.suspend(() => {
      open = false
      return Effect.exit(run(plain("ROLLBACK")))
    })
    // Also after an interruption between two statements.
    yield* Effect.addFinalizer(() => (open ? rollback : Effect.void))
    const done: Exit.Exit<A, E> = yield* Effect.exit(body(connection))
    if (Exit.isFailure(done)) {
      const undone = yield* rollback
      // A connection whose use fails is not used again. This one is as good as before, once it has rolled back.
      return Exit.isSuccess(undone) ? done : yield* Effect.failCause(done.cause)
    }
    yield* storageError(dialect, begun)(run(plain("COMMIT")))
    open = false
    return done
  }).pipe(Effect.scoped, Effect.flatten)

const part = "effect_recorder_part"
const begin = plain(`SAVEPOINT ${part}`)
const undo = plain(`ROLLBACK TO SAVEPOINT ${part}`)
const release = plain(`RELEASE SAVEPOINT ${part}`)

/** Runs a part of an open transaction, which goes on as if it had not been when it fails. */
export const savepoint = <A, E, R>(
  dialect: Dialect,
  run: Run,
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E | StorageError, R> => {
  const one = step(dialect, run)
  return Effect.zipRight(
    one(begin),
    Effect.onError(body, () => Effect.ignore(Effect.zipRight(one(undo), one(release))))
  ).pipe(Effect.zipLeft(one(release)))
}

/**
 * Runs a part of a transaction of one's own, and gives its failure as a value once nothing of it is left. Fails if the
 * transaction cannot go on, as when a trigger has rolled all of it back.
 */
export const attempt = <A, E, R>(
  dialect: Dialect,
  run: Run,
  body: Effect.Effect<A, E, R>
): Effect.Effect<Either.Either<A, E>, StorageError, R> =>
  Effect.gen(function* () {
    const one = step(dialect, run)
    yield* one(begin)
    const done = yield* Effect.either(body)
    if (Either.isLeft(done)) yield* one(undo)
    yield* one(release)
    return done
  })
