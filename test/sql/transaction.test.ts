/** What a lost connection leaves of its transaction: nothing is stored before COMMIT, and then nothing proves that. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { StorageError } from "../../src/Storage.js"
import { plain, type Run } from "../../src/sql/internal/dialect.js"
import { pgDialect } from "../../src/sql/internal/pg/dialect.js"
import { step, transaction } from "../../src/sql/internal/transaction.js"

/** A connection that is lost under the statement with this text. */
const losing =
  (lost: string): Run =>
  ({ text }) =>
    text === lost
      ? Effect.fail(new Error("Connection terminated unexpectedly"))
      : Effect.succeed({ rows: [] })

const failureOf = (lost: string) =>
  Effect.flip(
    transaction(
      pgDialect,
      Effect.succeed(losing(lost)),
      (run) => run,
      (run) => step(pgDialect, run)(plain("INSERT"))
    )
  )

describe("a transaction whose connection is lost", () => {
  it.effect("before COMMIT has stored nothing", () =>
    Effect.gen(function* () {
      const error = yield* failureOf("INSERT")
      expect(error).toBeInstanceOf(StorageError)
      expect(error).toMatchObject({ kind: "Transient", outcome: "NotStored" })
    })
  )

  it.effect("at COMMIT has an unknown outcome", () =>
    Effect.gen(function* () {
      expect(yield* failureOf("COMMIT")).toMatchObject({ kind: "Transient", outcome: "Unknown" })
    })
  )
})
