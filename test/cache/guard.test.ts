/** Calls of what may hang: what a caller gets whose call ends before it has an answer. */
import { expect } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as Guard from "../../src/internal/cache/guard.js"
import { scenario, started } from "../support/time/turn.js"

scenario("who waits for a call gets no answer when its scope ends, and is not interrupted", function* () {
  const scope = yield* Scope.make()
  const guard = Guard.make(yield* Effect.clock, 1_000, scope)
  const waiting = yield* started(Guard.guarded(guard, Effect.never, ({ _tag }) => _tag))
  yield* Scope.close(scope, Exit.void)
  expect(yield* Fiber.await(waiting)).toEqual(Exit.succeed("Resting"))
})
