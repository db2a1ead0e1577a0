/**
 * Saves what permanent stores and pools have accepted, by a recorder. All that waits is saved in one transaction of the
 * backend. A store whose save cannot be stored ends before anything later of it is saved; the others go on.
 */
import { Deferred, type Duration, Effect, Option, type Scope, Stream } from "effect"
import * as Recorder from "../../Recorder.js"
import { type Storage, StorageError } from "../../Storage.js"
import type { InvalidOptions } from "../options.js"
import type { Backend, Save, SaveOutcome } from "./backend.js"

/** What a save came to; an error: it is not stored, or that is unknown. */
export type Outcome = SaveOutcome | StorageError

/** What takes saves. */
export interface Saving {
  /** Accepts a save at once; `false`: it takes none any more. `settle` is called once. */
  readonly offer: (save: Save, settle: (outcome: Outcome) => void) => boolean
  /** Completes when everything accepted before it has an outcome. */
  readonly flush: Effect.Effect<void>
  /** Completes with the reason when nothing can be saved any more. */
  readonly failed: Effect.Effect<unknown>
  /** How many saves have no outcome yet. */
  readonly waiting: () => number
  /** Finishes what was accepted, within the duration, and settles the rest. */
  readonly closeWithin: (duration: Duration.DurationInput) => Effect.Effect<void>
}

interface Item {
  readonly save: Save
  readonly settle: (outcome: Outcome) => void
  isSettled: boolean
}

const settle = (item: Item, outcome: Outcome): void => {
  if (item.isSettled) return
  item.isSettled = true
  item.settle(outcome)
}

/** Saves items in one transaction. */
const saveTogether = (
  backend: Backend,
  token: string | undefined,
  items: ReadonlyArray<Item>
): Effect.Effect<void, StorageError> =>
  // Between the commit and the outcomes an interruption would leave saves without one.
  Effect.uninterruptibleMask((restore) =>
    Effect.map(
      restore(
        backend.save(
          items.map(({ save }) => save),
          token
        )
      ),
      (outcomes) => {
        for (const [index, item] of items.entries()) {
          const outcome = outcomes[index]
          if (outcome !== undefined) settle(item, outcome)
        }
      }
    )
  )

const isOfOutage = ({ kind }: StorageError): boolean => kind === "Transient" || kind === "Fatal"

const brokenBy = (cause: StorageError): StorageError =>
  new StorageError({
    kind: cause.kind,
    outcome: "NotStored",
    message: "a save before it could not be stored: nothing later of the store is saved",
    cause
  })

/** Saves the items of one store one by one. The first that cannot be stored ends the store. */
const saveOneByOne = (
  backend: Backend,
  token: string | undefined,
  items: ReadonlyArray<Item>
): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    let first: StorageError | undefined
    for (const item of items) {
      if (first !== undefined) {
        settle(item, brokenBy(first))
        continue
      }
      const error = yield* Effect.flip(saveTogether(backend, token, [item])).pipe(Effect.option)
      if (Option.isNone(error)) continue
      if (isOfOutage(error.value)) return yield* error.value
      first = error.value
      settle(item, first)
    }
  })

const byStore = (items: ReadonlyArray<Item>): ReadonlyArray<ReadonlyArray<Item>> => {
  const groups = new Map<string, Array<Item>>()
  for (const item of items) {
    const group = groups.get(item.save.store)
    if (group === undefined) groups.set(item.save.store, [item])
    else group.push(item)
  }
  return Array.from(groups.values())
}

/** Finds the store whose save is at fault. */
const saveApart = (
  backend: Backend,
  token: string | undefined,
  items: ReadonlyArray<Item>
): Effect.Effect<void, StorageError> =>
  Effect.forEach(
    byStore(items),
    (group) =>
      Effect.catchAll(saveTogether(backend, token, group), (error) =>
        isOfOutage(error) ? Effect.fail(error) : saveOneByOne(backend, token, group)
      ),
    { discard: true }
  )

/**
 * A storage of saves. It keeps their order for each store, whatever fails, so it isolates a bad save itself: a recorder
 * may store later records first to judge the earlier ones.
 */
const storageOf = (backend: Backend, token: string | undefined): Storage<Item> => ({
  save: (batch) => {
    const items = batch.filter(({ isSettled }) => !isSettled)
    if (items.length === 0) return Effect.void
    return Effect.catchAll(saveTogether(backend, token, items), (error) =>
      isOfOutage(error) ? Effect.fail(error) : saveApart(backend, token, items)
    )
  },
  load: () => Effect.void
})

const handBack = ({ setAside, unsaved }: Recorder.CloseReport<Item>): void => {
  for (const { cause, record } of setAside) settle(record, cause)
  for (const { cause, outcome, reason, record } of unsaved) {
    const message = `it was not saved before the end: ${reason}`
    settle(record, new StorageError({ kind: "Fatal", outcome, message, cause: Option.getOrUndefined(cause) }))
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
    const recorder = yield* Recorder.makeDeferred(
      Effect.map(backend, (backend) => storageOf(backend, token)),
      { name, maxBatchSize }
    )
    let waiting = 0
    const watchStatus = Stream.runForEach(recorder.statusChanges, (status) =>
      status._tag === "Failed" ? Deferred.succeed(failed, Option.getOrUndefined(status.cause)) : Effect.void
    )
    yield* Effect.forkScoped(Effect.interruptible(watchStatus))
    return {
      offer: (save, onSettled) => {
        const item: Item = {
          save,
          isSettled: false,
          settle: (outcome) => {
            waiting--
            onSettled(outcome)
          }
        }
        waiting++
        const taken = recorder.unsafeSave(item)
        if (!taken) waiting--
        return taken
      },
      flush: Effect.ignore(recorder.flush),
      failed: Deferred.await(failed),
      waiting: () => waiting,
      closeWithin: (duration) => Effect.map(recorder.closeWithin(duration), (report) => handBack(report))
    }
  })
