/** Backends in memory that a test stops, fails or takes the ownership of. */
import { Deferred, Effect } from "effect"
import type { ChangeLog } from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import type { StorageError } from "../../../src/Storage.js"

/** A backend whose stores and pools have other logs. */
export const withLogs = (
  backend: Datastore.Backend,
  change: <V>(log: ChangeLog<V>) => Partial<ChangeLog<V>>
): Datastore.Backend => ({
  ...backend,
  open: (stored) =>
    Effect.map(backend.open(stored), (opened) => ({
      ...opened,
      log: { ...opened.log, ...change(opened.log) }
    }))
})

export interface Scripted {
  readonly backend: Datastore.Backend
  /** Saves wait from now on, until they are let go. */
  readonly hold: () => void
  readonly release: Effect.Effect<void>
  /** How many saves have begun. */
  readonly saves: () => number
  /** Completes when a save has begun while they are held. */
  readonly held: Effect.Effect<void>
  /** Saves fail with this from now on, before anything is kept; `undefined`: no more. */
  readonly fail: (error: StorageError | undefined) => void
  /** Takes the ownership of all names away. */
  readonly disown: Effect.Effect<void>
}

export const scripted: Effect.Effect<Scripted> = Effect.gen(function* () {
  const memory = yield* Datastore.memory()
  const lost = yield* Deferred.make<string>()
  const held = yield* Deferred.make<void>()
  let gate: Deferred.Deferred<void> | undefined
  let error: StorageError | undefined
  let saves = 0
  const backend: Datastore.Backend = {
    ...memory,
    save: (batch, token) =>
      Effect.suspend(() => {
        saves++
        const waited =
          gate === undefined
            ? Effect.void
            : Effect.andThen(Deferred.succeed(held, undefined), Deferred.await(gate))
        return Effect.andThen(
          waited,
          Effect.suspend(() => (error === undefined ? memory.save(batch, token) : Effect.fail(error)))
        )
      }),
    own: (name) =>
      Effect.map(memory.own(name), (ownership) => ({
        ...ownership,
        lost: Effect.raceFirst(ownership.lost, Deferred.await(lost))
      }))
  }
  return {
    backend,
    hold: () => {
      gate = Effect.runSync(Deferred.make<void>())
    },
    release: Effect.suspend(() => (gate === undefined ? Effect.void : Deferred.succeed(gate, undefined))),
    saves: () => saves,
    held: Deferred.await(held),
    fail: (next) => {
      error = next
    },
    disown: Deferred.succeed(lost, "another process has taken it")
  }
})
