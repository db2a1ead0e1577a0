/** What runs a catalog of stores or pools, whatever they hold. */
import { Deferred, Effect, ExecutionStrategy, type Option, Scope } from "effect"
import * as Actor from "../../Actor.js"
import { defaultRetry } from "../../Recorder.js"
import { StorageError } from "../../Storage.js"
import { acquireWith } from "../acquire.js"
import { check, handle } from "../arguments.js"
import { type Leases, make as makeLeases } from "../lease/leases.js"
import type { InvalidOptions } from "../options.js"
import { makeRandom, randomName } from "../random.js"
import { classify } from "./acquired.js"
import type { Backend } from "./backend.js"
import * as Clients from "./clients.js"
import * as Endings from "./endings.js"
import * as Places from "./places.js"

export interface Host {
  readonly leases: Leases
  /** Names this process in saves; never the same name again. */
  readonly process: string
  /** Names a save; never the same name again. */
  readonly nextName: () => string
  /** Runs openings of one id one after the other. */
  readonly inOrder: <A, E>(id: string, effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly clients: Clients.Clients
  readonly places: Places.Places
  /** Completes when the backend is there; fails with what keeps it away for ever. */
  readonly backend: Effect.Effect<Backend, StorageError>
  readonly actor: Actor.Actor<Backend, never, Option.Option<Backend>>
  /** Starts what runs outside of a caller's fiber. */
  readonly tasks: Actor.Actor<void, Effect.Effect<void>, unknown>
  readonly endings: Endings.Endings
  /** Ends with the close. */
  readonly scope: Scope.CloseableScope
}

/** Runs tasks side by side in a scope: one that waits or dies holds up no other. */
const makeTasks = (
  name: string,
  scope: Scope.Scope
): Effect.Effect<Host["tasks"], InvalidOptions, Scope.Scope> => {
  const start = (task: Effect.Effect<void>) =>
    task.pipe(
      Effect.catchAllCause((cause) => Effect.logError(`${name}: a task failed`, cause)),
      Effect.forkIn(scope)
    )
  return Actor.make<void, Effect.Effect<void>, unknown>(() => ({
    name: `${name}-tasks`,
    acquire: Effect.void,
    // A task saves nothing: tasks that wait for each other are no cheaper.
    linger: 0,
    onBatch: (_, batch) => Effect.forEach(batch.items, start, { discard: true }),
    report: () => undefined
  }))
}

/** Makes what runs effects of one name in turn. A name that nothing waits for is forgotten. */
const makeOrder: Effect.Effect<Host["inOrder"]> = Effect.sync(() => {
  const turns = new Map<string, { readonly alone: Effect.Semaphore; waiting: number }>()
  return (id, effect) =>
    Effect.suspend(() => {
      const turn = turns.get(id) ?? { alone: Effect.unsafeMakeSemaphore(1), waiting: 0 }
      turns.set(id, turn)
      turn.waiting++
      return Effect.ensuring(
        turn.alone.withPermits(1)(effect),
        Effect.sync(() => {
          if (--turn.waiting === 0) turns.delete(id)
        })
      )
    })
})

const neverUp = (cause: Actor.ActorStopped): StorageError =>
  new StorageError({
    kind: "Fatal",
    outcome: "NotStored",
    message: "the backend never came up, see the cause",
    cause
  })

/** Fails if what a catalog is to stand on is no backend. */
export const checkBackend = (given: unknown): Effect.Effect<void, InvalidOptions> =>
  check("backend", handle("a Backend", "open", "save"), given)

/** What a host reads of a catalog's settings. */
export interface HostSettings {
  readonly name: string
  /** Milliseconds in which a store or pool ends whose log does not answer. */
  readonly closeDeadline: number
  readonly leases: Leases | undefined
}

/** Makes a host over a backend that comes up, or never does. */
export const make = (
  acquire: Effect.Effect<Backend, unknown>,
  { closeDeadline, leases: shared, name }: HostSettings
): Effect.Effect<Host, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const leases = shared ?? (yield* makeLeases)
    const process = randomName(yield* makeRandom)
    const tasks = yield* makeTasks(name, scope)
    const up = yield* Deferred.make<Backend, StorageError>()
    const actor = yield* Actor.make<Backend, never, Option.Option<Backend>, Scope.Scope>((control) => ({
      name,
      acquire: acquireWith(acquire, {
        schedule: defaultRetry,
        classify,
        isFatal: ({ kind }) => kind === "Fatal",
        onFailure: (cause, attempt) => control.setOutage({ cause, attempt })
      }).pipe(
        Effect.tap(() => Effect.sync(() => control.setOutage(undefined))),
        Effect.tap(checkBackend),
        Effect.tap((backend) => Deferred.succeed(up, backend))
      ),
      // It takes no items.
      linger: 0,
      onBatch: () => Effect.void,
      report: ({ resource }) => resource
    }))
    yield* Effect.forkScoped(
      Effect.interruptible(Effect.catchAll(actor.ready, (cause) => Deferred.fail(up, neverUp(cause))))
    )
    let names = 0
    return {
      leases,
      process,
      nextName: () => `${process}/${++names}`,
      inOrder: yield* makeOrder,
      clients: Clients.make(),
      places: Places.make(),
      backend: Deferred.await(up),
      actor,
      tasks,
      endings: Endings.make(tasks.unsafeOffer, closeDeadline),
      scope
    }
  })
