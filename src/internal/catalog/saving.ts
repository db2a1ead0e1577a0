/**
 * Saves what permanent stores and pools have accepted, by a recorder. All that waits is saved in one transaction of the
 * backend. A store whose save cannot be stored ends before anything later of it is saved; the others go on.
 */
import { Deferred, type Duration, Effect, Option, type Scope, Stream } from "effect"
import * as Recorder from "../../Recorder.js"
import { type Storage, StorageError } from "../../Storage.js"
import type { InvalidOptions } from "../options.js"
import type { Backend, Save } from "./backend.js"
import * as InOrder from "./saveInOrder.js"

export type { Outcome } from "./saveInOrder.js"

/** What takes saves. */
export interface Saving {
  /** Accepts a save at once; `false`: it takes none any more. `settle` is called once. */
  readonly offer: (save: Save, settle: (outcome: InOrder.Outcome) => void) => boolean
  /** Completes when everything accepted before it has an outcome. */
  readonly flush: Effect.Effect<void>
  /** Completes with the reason when nothing can be saved any more. */
  readonly failed: Effect.Effect<unknown>
  /** How many saves have no outcome yet. */
  readonly waiting: () => number
  /** Finishes what was accepted, within the duration, and settles the rest. */
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<void>
}

/** Completes when everything that was accepted before it, by any of them, has an outcome. */
export const flushAll = (savings: () => ReadonlyArray<Saving>): Effect.Effect<void> =>
  Effect.suspend(() => Effect.forEach(savings(), ({ flush }) => flush, { discard: true }))

const handBack = (
  waiting: InOrder.Waiting,
  { setAside, unsaved }: Recorder.CloseReport<InOrder.Item>
): void => {
  for (const { cause, record } of setAside) InOrder.fail(waiting, record, cause)
  for (const { cause, outcome, reason, record } of unsaved) {
    const message = `it was not saved before the end: ${reason}`
    const error = new StorageError({ kind: "Fatal", outcome, message, cause: Option.getOrUndefined(cause) })
    InOrder.settle(waiting, record, error)
  }
}

/** A transaction has a cost of its own: 10,000 operations on one store are 4 of them. */
const maxBatchSize = 2500

/** Makes a saving of a backend that comes up, or never does. `token`: of the ownership that every save is compared with. */
export const make = (
  name: string,
  backend: Effect.Effect<Backend, StorageError>,
  token: string | undefined
): Effect.Effect<Saving, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const failed = yield* Deferred.make<unknown>()
    const waiting = InOrder.makeWaiting()
    const storageOf = (backend: Backend): Storage<InOrder.Item> => ({
      save: (batch) => InOrder.saveItems({ backend, token, waiting }, batch),
      load: () => Effect.void
    })
    const recorder = yield* Recorder.makeDeferred(Effect.map(backend, storageOf), {
      name,
      maxBatchSize,
      // Callers that wait for their save wait in the store, where no recorder knows of them.
      linger: 0,
      // A save that never ends is judged by the recorder.
      deadLetters: ({ cause, record }) => Effect.sync(() => InOrder.fail(waiting, record, cause))
    })
    const closeWithin = (duration: Duration.DurationInput): Effect.Effect<void> =>
      Effect.map(recorder.closeWithin(duration), (report) => handBack(waiting, report))
    const watchStatus = Stream.runForEach(recorder.statusChanges, (status) =>
      status._tag === "Failed"
        ? // What waits would wait for ever.
          Effect.andThen(Deferred.succeed(failed, Option.getOrUndefined(status.cause)), closeWithin(0))
        : Effect.void
    )
    yield* Effect.forkScoped(Effect.interruptible(watchStatus))
    return {
      offer: (save, settle) => {
        const item = InOrder.add(waiting, save, settle)
        const taken = recorder.unsafeSave(item)
        if (!taken) InOrder.drop(waiting, item)
        return taken
      },
      flush: Effect.ignore(recorder.flush),
      failed: Deferred.await(failed),
      waiting: () => waiting.size,
      closeWithin
    }
  })
