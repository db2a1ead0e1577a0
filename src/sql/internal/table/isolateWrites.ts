/** Finds out, inside of one transaction, which writes of a call the database refuses, and does the others. */
import { Effect, Either } from "effect"
import type { CheckedWrite } from "../../../internal/columns/checkWrite.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, Run } from "../dialect.js"
import { SqlFailure } from "../errors.js"
import type { State } from "../storage/saving.js"
import { attempt, step } from "../transaction.js"
import { type Applied, Raced, type WriteSteps } from "./applyWrites.js"

/** The code that the database has given, or an empty text. */
export const codeOf = ({ cause }: StorageError): string =>
  cause instanceof SqlFailure ? (cause.code ?? "") : ""

/** A matter of single writes: the others can be stored without them. */
export const isOfWrites = ({ blame, kind, outcome }: StorageError): boolean =>
  outcome === "NotStored" && (kind === "Poison" || blame === "size")

/** Whether a value is there already that must be unique. */
export const isDuplicate = (error: StorageError): boolean =>
  /^(23505|23P01|SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID))$/.test(codeOf(error))

/** Makes what does writes like `steps.apply`, and halves what fails until the writes that cannot be done are alone. */
export const makeIsolate = (dialect: Dialect, state: State, steps: WriteSteps): WriteSteps["apply"] => {
  /** Nothing of the writes is left if they fail, and nothing of them can fail at the COMMIT. */
  const tried = (connection: Run, writes: ReadonlyArray<CheckedWrite>, isLastTry: boolean) => {
    const { checkDeferred } = dialect
    const applied = steps.apply(connection, writes, isLastTry)
    const checked =
      checkDeferred === undefined
        ? applied
        : Effect.tap(applied, () => step(dialect, connection, state)(checkDeferred))
    return attempt(dialect, connection, checked)
  }

  const isolate: WriteSteps["apply"] = (connection, writes, isLastTry) =>
    Effect.gen(function* () {
      const done = yield* tried(connection, writes, isLastTry)
      if (Either.isRight(done)) return done.right
      const error = done.left
      if (error instanceof Raced || !isOfWrites(error)) return yield* error
      if (writes.length === 1) return yield* alone(connection, writes, isLastTry, error)
      const half = Math.ceil(writes.length / 2)
      const first = yield* isolate(connection, writes.slice(0, half), isLastTry)
      return [...first, ...(yield* isolate(connection, writes.slice(half), isLastTry))]
    })

  /** A row that two transactions add may meet itself in another unique index before it does in that of its id. */
  const alone = (
    connection: Run,
    writes: ReadonlyArray<CheckedWrite>,
    isLastTry: boolean,
    error: StorageError
  ): Effect.Effect<ReadonlyArray<Applied>, StorageError | Raced> =>
    isDuplicate(error)
      ? Effect.flatMap(tried(connection, writes, isLastTry), (again) => {
          if (Either.isRight(again)) return Effect.succeed(again.right)
          return again.left instanceof Raced ? Effect.fail(again.left) : Effect.succeed([again.left])
        })
      : Effect.succeed([error])

  return (connection, writes, isLastTry) =>
    // All rows in one order, before the parts take them in another.
    Effect.andThen(steps.lock(connection, writes), isolate(connection, writes, isLastTry))
}
