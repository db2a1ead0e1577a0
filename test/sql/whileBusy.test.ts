/** How long a statement is tried again while another connection holds the SQLite file. */
import { describe, expect } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { StorageError } from "../../src/Storage.js"
import { SqlFailure, whileBusy } from "../../src/sql/internal/errors.js"
import { scenario, started } from "../support/time/turn.js"
import { jumps, wallClock } from "../support/time/wallClock.js"

const busy = new StorageError({
  kind: "Transient",
  outcome: "NotStored",
  message: "busy",
  cause: new SqlFailure({ code: "SQLITE_BUSY", constraint: undefined, message: "busy" })
})

for (const [jump, ahead] of jumps) {
  describe(`a busy SQLite file, while the wall clock is set ${jump}`, () => {
    scenario("is waited for 10 seconds", function* () {
      const wall = yield* wallClock
      let tries = 0
      const statement = Effect.suspend(() => {
        tries++
        return Effect.fail(busy)
      })
      const waiting = yield* started(Effect.withClock(Effect.flip(whileBusy(statement)), wall.clock))
      yield* TestClock.adjust("1 second")
      wall.set(ahead)
      yield* TestClock.adjust("8 seconds")
      expect(waiting.unsafePoll()).toBeNull()
      const before = tries
      expect(before).toBeGreaterThan(10)
      yield* TestClock.adjust("2 seconds")
      expect(waiting.unsafePoll()).not.toBeNull()
      expect(tries).toBeGreaterThan(before)
    })
  })
}
