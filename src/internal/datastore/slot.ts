/**
 * What a handle stands for: a store that is open, one that is being loaded, and one that has left memory and comes back with
 * the next call. Writes that come while it is loaded are applied in their order, before any that come later.
 */
import { Effect, Either, type Scope } from "effect"
import { type OpenError, StoreEnded } from "./errors.js"
import { access, type Life, type Store } from "./store.js"

/** The store, or why it is not there. */
type Answer = Either.Either<Store, StoreEnded>

/** How the stores of handles are loaded. */
export interface Loading {
  /** Opens the store again after it has left memory. */
  readonly reopen: Effect.Effect<Store, OpenError>
  /** A load ends with it. */
  readonly scope: Scope.Scope
  /** Runs an effect outside of the caller's fiber; `false`: no more. */
  readonly inBackground: (task: Effect.Effect<void>) => boolean
}

export interface Slot extends Loading {
  readonly id: string
  /** Opens the store for the first time. */
  readonly first: Effect.Effect<Store, OpenError>
  /** Left out until it is loaded for the first time. */
  life: Life | undefined
  /** Why it could not be loaded for the first time. */
  failed: StoreEnded | undefined
  /** What waits for the store, in order; `undefined` while it is not being loaded. */
  waiting: Array<(answer: Answer) => void> | undefined
}

/** The most writes that wait for one store to be loaded. */
const maxWaiting = 100_000

/** Makes the slot of a store that is open. */
export const ofStore = ({ id, life }: Store, loading: Loading): Slot => ({
  ...loading,
  id,
  first: loading.reopen,
  life,
  failed: undefined,
  waiting: undefined
})

/** Makes the slot of a store that is loaded with the first call. */
export const ofOpening = (id: string, first: Slot["first"], loading: Loading): Slot => ({
  ...loading,
  id,
  first,
  life: undefined,
  failed: undefined,
  waiting: undefined
})

const closedBefore = (id: string): StoreEnded =>
  new StoreEnded({ reason: "Closed", id, message: "the catalog was closed before the store was loaded" })

const failedToOpen = (id: string, cause: OpenError): StoreEnded =>
  cause.reason === "Closed"
    ? closedBefore(id)
    : new StoreEnded({
        reason: "Failed",
        id,
        message: `the store could not be opened: ${cause.message}`,
        cause
      })

const settle = (slot: Slot, answer: Answer): void => {
  const { waiting } = slot
  if (waiting === undefined) return
  if (Either.isRight(answer)) slot.life = answer.right.life
  // One that was there before is looked for again by the next call.
  else if (slot.life === undefined) slot.failed = answer.left
  slot.waiting = undefined
  for (const go of waiting) go(answer)
}

/** Loads the store, and hands it to what waits, in order. What still waits when the catalog is closed gets that. */
const load = (slot: Slot): Effect.Effect<void> => {
  const opening = slot.life === undefined ? slot.first : slot.reopen
  const loaded = Effect.map(Effect.either(opening), (opened) =>
    settle(
      slot,
      Either.mapLeft(opened, (cause) => failedToOpen(slot.id, cause))
    )
  )
  const closed = Effect.sync(() => settle(slot, Either.left(closedBefore(slot.id))))
  // The fiber inherits that it cannot be interrupted: otherwise one that has not begun yet would end without a word.
  const loading = Effect.ensuring(Effect.interruptible(loaded), closed)
  return Effect.asVoid(Effect.uninterruptible(Effect.forkIn(loading, slot.scope)))
}

/** Begins to load the store, unless it is being loaded or not needed. Returns what must run then. */
const begin = (slot: Slot): Effect.Effect<void> | undefined => {
  if (slot.waiting !== undefined) return undefined
  slot.waiting = []
  return load(slot)
}

/** Returns the store if it is in memory. */
export const present = ({ life }: Slot): Store | undefined => life?.store

/** The store, or its end for good; `undefined`: it is to be loaded. */
const known = ({ failed, life }: Slot): Answer | undefined => {
  if (failed !== undefined) return Either.left(failed)
  if (life?.store !== undefined) return Either.right(life.store)
  return life?.ended === undefined || life.ended.reason === "Unloaded" ? undefined : Either.left(life.ended)
}

/**
 * What a store is doing. `Unloaded`: it was idle, and the next call loads it. `unsaved`: operations that were accepted, and
 * are not stored yet.
 */
export type StoreStatus =
  | { readonly _tag: "Loading" | "Unloaded" }
  | { readonly _tag: "Open"; readonly unsaved: number }
  | { readonly _tag: "Ended"; readonly error: StoreEnded }

/** Returns what the store of a handle is doing now, after what is over has ended. */
export const statusOf = (slot: Slot): StoreStatus => {
  const store = present(slot)
  // An access would keep a permanent one in memory.
  const ended = store?.lifetime && access(store, store.shared.timers.now())
  if (ended !== undefined) return { _tag: "Ended", error: ended }
  const answer = known(slot)
  if (answer === undefined) return { _tag: slot.waiting === undefined ? "Unloaded" : "Loading" }
  return Either.match(answer, {
    onLeft: (error): StoreStatus => ({ _tag: "Ended", error }),
    onRight: ({ pending }): StoreStatus => ({ _tag: "Open", unsaved: pending })
  })
}

/** Waits for the store; one that has left memory is loaded again. */
export const live = (slot: Slot): Effect.Effect<Store, StoreEnded> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend((): Answer | Effect.Effect<Store, StoreEnded> => {
      const answer = known(slot)
      if (answer !== undefined) return answer
      const loading = begin(slot) ?? Effect.void
      const there = Effect.async<Store, StoreEnded>((resume) => {
        const after = known(slot)
        if (after === undefined) slot.waiting?.push(resume)
        else resume(after)
      })
      return Effect.andThen(loading, restore(there))
    })
  )

/** Begins to load the store, if it is not there. */
export const start = (slot: Slot): Effect.Effect<void> => Effect.suspend(() => begin(slot) ?? Effect.void)

/** Calls `go` when the store is there, behind what waits already; `false`: too much waits. */
export const whenThere = (slot: Slot, go: (answer: Answer) => void): boolean => {
  const answer = known(slot)
  if (answer !== undefined) {
    go(answer)
    return true
  }
  const loading = begin(slot)
  const waiting = slot.waiting!
  if (waiting.length >= maxWaiting) return false
  waiting.push(go)
  if (loading !== undefined && !slot.inBackground(loading)) settle(slot, Either.left(closedBefore(slot.id)))
  return true
}
