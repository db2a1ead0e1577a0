/** Calls of what may hang: what becomes of them when their caller, or their scope, has ended. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import * as Guard from "../../src/internal/cache/guard.js"
import { scenario, started } from "../support/time/turn.js"

/** A call that is under way, and how it ends. */
const calling = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const guard = Guard.make({ clock: yield* Effect.clock, timeout: 1_000, scope, restsForLeft: true })
  const answer = yield* Deferred.make<string>()
  const left = yield* Deferred.make<void>()
  const call = Effect.onInterrupt(Deferred.await(answer), () => Deferred.succeed(left, undefined))
  const caller = yield* started(Guard.guarded(guard, call, ({ _tag }) => _tag))
  return { scope, guard, answer, left, caller }
})

describe("a call of what may hang", () => {
  scenario("is answered to who waits for it, though the scope has ended", function* () {
    const { answer, caller, scope } = yield* calling
    yield* Scope.close(scope, Exit.void)
    yield* Deferred.succeed(answer, "there")
    expect(yield* Fiber.await(caller)).toEqual(Exit.succeed("there"))
  })

  scenario("goes on without its caller until the scope ends", function* () {
    const { caller, guard, left, scope } = yield* calling
    yield* Fiber.interrupt(caller)
    expect([guard.left, yield* Deferred.isDone(left)]).toEqual([1, false])
    yield* Scope.close(scope, Exit.void)
    yield* Deferred.await(left)
    expect(guard.left).toBe(0)
  })

  scenario("does not go on without its caller after the scope has ended", function* () {
    const { caller, left, scope } = yield* calling
    yield* Scope.close(scope, Exit.void)
    yield* Fiber.interrupt(caller)
    yield* Deferred.await(left)
  })
})
