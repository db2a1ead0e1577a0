/** What a table makes of the failures and answers of foreign code. */
import { Cause, Effect, Option } from "effect"
import { ColumnError, StorageError } from "../../Storage.js"
import type { InvalidWrite } from "../columns/checkWrite.js"
import { InvalidQuery } from "../columns/query.js"
import { isRevision, ownRevision, type Revision } from "../log/events.js"
import { Malformed, type ReadError, WriteRefused } from "./contract.js"

/** Makes the error of a source that failed with something that is not classified. */
const unclassified = (name: string, cause: unknown): StorageError =>
  new StorageError({
    kind: "Unknown",
    outcome: "Unknown",
    message: `the source of the table "${name}" failed with an error that it has not classified: read the cause`,
    cause
  })

/** Makes the error of a source that does not keep its contract. */
export const malformed = (name: string, call: string, problem: string): Malformed =>
  new Malformed({
    message: `the source of the table "${name}" answered ${call} wrong: ${problem}. Mend the source`
  })

/** Makes the outcome of a write whose answer is wrong: the write may have been done. */
export const malformedWrite = (name: string, problem: string): StorageError =>
  new StorageError({
    kind: "Unknown",
    outcome: "Unknown",
    message: `the source of the table "${name}" has not answered a write as it should`,
    cause: malformed(name, "write", problem)
  })

/** Runs a call of a source. It may throw, die, fail with anything, or interrupt itself: all of it becomes a typed error. */
export const calling = <A>(
  name: string,
  call: () => Effect.Effect<A, unknown>
): Effect.Effect<A, ReadError> =>
  Effect.catchAllCause(Effect.suspend(call), (cause) => {
    const error = Cause.squash(cause)
    const isTyped =
      Option.isSome(Cause.failureOption(cause)) &&
      (error instanceof StorageError || error instanceof InvalidQuery || error instanceof Malformed)
    return Effect.fail(isTyped ? error : unclassified(name, error))
  })

/** Makes the refusal of a write that is not valid. */
export const refusalOf = ({ cause, message }: InvalidWrite): WriteRefused =>
  new WriteRefused({
    reason: "Invalid",
    message,
    ...(cause === undefined ? {} : { cause: cause instanceof InvalidQuery ? cause : new ColumnError(cause) })
  })

/** Copies a revision that a source gave; `undefined` if it is none. */
export const revisionOf = (given: unknown): Revision | undefined =>
  isRevision(given) ? ownRevision(given) : undefined
