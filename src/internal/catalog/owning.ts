/** The ownership of a catalog: what its stores or pools with `ack: "memory"` are decided and saved by. */
import { Effect, Scope } from "effect"
import type { Backend } from "./backend.js"
import { OpenError } from "./ended.js"
import * as Saving from "./saving.js"

const owned = (
  backend: Backend,
  name: string
): Effect.Effect<{ token: string; lost: Effect.Effect<string> }, OpenError, Scope.Scope> =>
  Effect.mapError(backend.own(name), (error) =>
    error._tag === "Owned"
      ? new OpenError({ reason: "Owned", message: `${error.message}: it is owned by ${error.by}` })
      : new OpenError({ reason: "Unavailable", message: "the ownership could not be taken", cause: error })
  )

/** The ownership of a catalog's name. */
export interface Owning {
  /** Takes it, if it is not held, and answers what saves with it. */
  readonly take: (backend: Backend) => Effect.Effect<Saving.Saving, OpenError>
  /** What saves with it, also while it hands back what it could not save when it was lost. */
  readonly savings: () => ReadonlyArray<Saving.Saving>
}

/**
 * Makes the ownership, which the first store or pool takes that is decided in memory. It is held as long as the scope lives.
 * `endOwned` ends all of them when it is lost.
 */
export const make = (
  name: string,
  scope: Scope.Scope,
  endOwned: (cause: unknown) => void
): Effect.Effect<Owning> =>
  Effect.map(Effect.makeSemaphore(1), (alone) => {
    let held: Saving.Saving | undefined
    const open = new Set<Saving.Saving>()
    /** Nothing that was decided under it can be saved any more. */
    const lose = (saving: Saving.Saving, cause: unknown): Effect.Effect<unknown> =>
      Effect.suspend(() => {
        held = undefined
        endOwned(cause)
        return Effect.andThen(
          saving.closeWithin(0),
          Effect.sync(() => open.delete(saving))
        )
      })
    const take = (backend: Backend) =>
      Effect.gen(function* () {
        if (held !== undefined) return held
        const { lost, token } = yield* owned(backend, name)
        // Its options are right.
        const saving = yield* Effect.orDie(Saving.make(`${name}-owned`, Effect.succeed(backend), token))
        const watching = Effect.flatMap(Effect.raceFirst(lost, saving.failed), (cause) => lose(saving, cause))
        yield* Effect.forkScoped(Effect.interruptible(watching))
        held = saving
        open.add(saving)
        return saving
      }).pipe(Scope.extend(scope))
    return { take: (backend) => alone.withPermits(1)(take(backend)), savings: () => Array.from(open) }
  })
