/**
 * What a handle stands for: a store that is open, one that is being loaded, and one that has left memory and comes back with
 * the next call. Writes that come while it is loaded are applied in their order, before any that come later.
 */
import { Effect, Either } from "effect"
import { type OpenError, StoreEnded } from "./errors.js"
import type { Store } from "./store.js"

/** Called with the store when it is there, or with why it is not. */
type Waiting = (store: Either.Either<Store, StoreEnded>) => void

export interface Slot {
  readonly id: string
  /** Opens the store again after it has left memory. */
  readonly reopen: Effect.Effect<Store, OpenError>
  /** Left out while it is loaded. */
  store: Store | undefined
  /** Why it could not be loaded. */
  failed: StoreEnded | undefined
  /** What waits for the store, in order; `undefined` once it was loaded. */
  waiting: Array<Waiting> | undefined
}

/** The most writes that wait for one store to be loaded. */
const maxWaiting = 100_000

/** Makes the slot of a store that is open. */
export const ofStore = (store: Store, reopen: Slot["reopen"]): Slot => ({
  id: store.id,
  reopen,
  store,
  failed: undefined,
  waiting: undefined
})

/** Makes the slot of a store that is loaded now. */
export const ofOpening = (id: string, reopen: Slot["reopen"]): Slot => ({
  id,
  reopen,
  store: undefined,
  failed: undefined,
  waiting: []
})

const failedToOpen = (id: string, cause: OpenError): StoreEnded =>
  new StoreEnded({ reason: "Failed", id, message: `the store could not be opened: ${cause.message}`, cause })

const settle = (slot: Slot, answer: Either.Either<Store, StoreEnded>): void => {
  const { waiting } = slot
  if (waiting === undefined) return
  if (Either.isRight(answer)) slot.store = answer.right
  else slot.failed = answer.left
  slot.waiting = undefined
  for (const go of waiting) go(answer)
}

const closedBefore = (id: string): StoreEnded =>
  new StoreEnded({ reason: "Closed", id, message: "the catalog was closed before the store was loaded" })

/** Loads the store, and hands it to what waits, in order. What still waits when the catalog is closed gets that. */
export const load = (slot: Slot): Effect.Effect<void> =>
  Effect.either(slot.reopen).pipe(
    Effect.map((opened) =>
      settle(
        slot,
        Either.mapLeft(opened, (cause) => failedToOpen(slot.id, cause))
      )
    ),
    Effect.ensuring(Effect.sync(() => settle(slot, Either.left(closedBefore(slot.id)))))
  )

const isUnloaded = ({ store }: Slot): boolean => store?.ended?.reason === "Unloaded"

/** Returns the store if it is there: open, or ended for good. */
export const present = (slot: Slot): Store | undefined => (isUnloaded(slot) ? undefined : slot.store)

/** Waits for the store; one that has left memory is loaded again. */
export const live = (slot: Slot): Effect.Effect<Store, StoreEnded> =>
  Effect.suspend(() => {
    const { failed, waiting } = slot
    if (failed !== undefined) return Effect.fail(failed)
    const store = present(slot)
    if (store !== undefined) return Effect.succeed(store)
    if (waiting !== undefined) {
      return Effect.async<Store, StoreEnded>((resume) => {
        waiting.push(resume)
      })
    }
    return Effect.mapBoth(slot.reopen, {
      onFailure: (cause) => failedToOpen(slot.id, cause),
      onSuccess: (store) => {
        slot.store = store
        return store
      }
    })
  })

/** Calls `go` when the store is there, behind what waits already; `false`: too much waits. */
export const whenThere = (slot: Slot, go: Waiting): boolean => {
  const { failed, waiting } = slot
  if (failed !== undefined) go(Either.left(failed))
  else if (waiting === undefined) {
    const store = slot.store
    if (store !== undefined) go(Either.right(store))
  } else if (waiting.length >= maxWaiting) return false
  else waiting.push(go)
  return true
}
