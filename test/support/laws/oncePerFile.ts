import { Effect, Exit, Scope } from "effect"
import { afterAll } from "vitest"

/**
 * What is made once for the tests of a file, when the first one needs it. It ends with the file, so the file itself
 * calls this: a module keeps what it has made for the files that share its process.
 */
export const oncePerFile = <A>(make: Effect.Effect<A, unknown, Scope.Scope>): Effect.Effect<A> => {
  const scope = Effect.runSync(Scope.make())
  let ended = false
  afterAll(() => {
    ended = true
    return Effect.runPromise(Scope.close(scope, Exit.void))
  })
  const made = Effect.runSync(Effect.cached(Effect.orDie(Scope.extend(make, scope))))
  return Effect.suspend(() =>
    ended
      ? Effect.dieMessage("made for a file that has ended: call oncePerFile in each file, not in a module")
      : made
  )
}
