/**
 * What a handle stands for: a store or pool that is open, one that is being loaded, and one that has left memory and comes
 * back with the next call. Writes that come while it is loaded are applied in their order, before any that come later.
 */
import { Effect, Either, type Scope } from "effect"
import { type OpenError, StoreEnded } from "./ended.js"

/** What handles keep of a store or pool: after its end that alone, so that what it held is free. */
export interface Life<S> {
  store: S | undefined
  ended: StoreEnded | undefined
}

/** A store or pool in memory. */
export interface Held<S> {
  readonly id: string
  readonly life: Life<S>
  /** How many of its operations are not stored yet. */
  readonly pending: number
}

/** The store or pool, or why it is not there. */
type Answer<S> = Either.Either<S, StoreEnded>

/** How the stores or pools of handles are loaded. */
export interface Loading<S> {
  readonly thing: "store" | "pool"
  /** Opens it again after it has left memory. */
  readonly reopen: Effect.Effect<S, OpenError>
  /** Ends it if its time is over, and answers whether it has ended. No use of a permanent one. */
  readonly look: (store: S) => StoreEnded | undefined
  /** A load ends with it. */
  readonly scope: Scope.Scope
  /** Runs an effect outside of the caller's fiber; `false`: no more. */
  readonly inBackground: (task: Effect.Effect<void>) => boolean
}

export interface Slot<S> extends Loading<S> {
  readonly id: string
  /** Opens it for the first time. */
  readonly first: Effect.Effect<S, OpenError>
  /** Left out until it is loaded for the first time. */
  life: Life<S> | undefined
  /** Why it could not be loaded for the first time. */
  failed: StoreEnded | undefined
  /** What waits for it, in order; `undefined` while it is not being loaded. */
  waiting: Array<(answer: Answer<S>) => void> | undefined
}

/** The most writes that wait for one store or pool to be loaded. */
const maxWaiting = 100_000

/** Makes the slot of a store or pool that is open. */
export const ofStore = <S extends Held<S>>({ id, life }: S, loading: Loading<S>): Slot<S> => ({
  ...loading,
  id,
  first: loading.reopen,
  life,
  failed: undefined,
  waiting: undefined
})

/** Makes the slot of a store or pool that is loaded with the first call. */
export const ofOpening = <S>(id: string, first: Slot<S>["first"], loading: Loading<S>): Slot<S> => ({
  ...loading,
  id,
  first,
  life: undefined,
  failed: undefined,
  waiting: undefined
})

const closedBefore = ({ id, thing }: { readonly id: string; readonly thing: string }): StoreEnded =>
  new StoreEnded({ reason: "Closed", id, message: `the catalog was closed before the ${thing} was loaded` })

const failedToOpen = <S>(slot: Slot<S>, cause: OpenError): StoreEnded =>
  cause.reason === "Closed"
    ? closedBefore(slot)
    : new StoreEnded({
        reason: "Failed",
        id: slot.id,
        message: `the ${slot.thing} could not be opened: ${cause.message}`,
        cause
      })

const settle = <S extends Held<S>>(slot: Slot<S>, answer: Answer<S>): void => {
  const { waiting } = slot
  if (waiting === undefined) return
  if (Either.isRight(answer)) slot.life = answer.right.life
  // One that was there before is looked for again by the next call.
  else if (slot.life === undefined) slot.failed = answer.left
  slot.waiting = undefined
  for (const go of waiting) go(answer)
}

/** Loads it, and hands it to what waits, in order. What still waits when the catalog is closed gets that. */
const load = <S extends Held<S>>(slot: Slot<S>): Effect.Effect<void> => {
  const opening = slot.life === undefined ? slot.first : slot.reopen
  const loaded = Effect.map(Effect.either(opening), (opened) =>
    settle(
      slot,
      Either.mapLeft(opened, (cause) => failedToOpen(slot, cause))
    )
  )
  const closed = Effect.sync(() => settle(slot, Either.left(closedBefore(slot))))
  // The fiber inherits that it cannot be interrupted: otherwise one that has not begun yet would end without a word.
  const loading = Effect.ensuring(Effect.interruptible(loaded), closed)
  return Effect.asVoid(Effect.uninterruptible(Effect.forkIn(loading, slot.scope)))
}

/** Begins to load it, unless it is being loaded or not needed. Returns what must run then. */
const begin = <S extends Held<S>>(slot: Slot<S>): Effect.Effect<void> | undefined => {
  if (slot.waiting !== undefined) return undefined
  slot.waiting = []
  return load(slot)
}

/** Returns the store or pool if it is in memory. */
export const present = <S>({ life }: Slot<S>): S | undefined => life?.store

/** The store or pool, or its end for good; `undefined`: it is to be loaded. */
const known = <S>({ failed, life }: Slot<S>): Answer<S> | undefined => {
  if (failed !== undefined) return Either.left(failed)
  if (life?.store !== undefined) return Either.right(life.store)
  return life?.ended === undefined || life.ended.reason === "Unloaded" ? undefined : Either.left(life.ended)
}

/**
 * What a store or pool is doing. `Unloaded`: it was idle, and the next call loads it. `unsaved`: operations that were accepted, and
 * are not stored yet.
 */
export type StoreStatus =
  | { readonly _tag: "Loading" | "Unloaded" }
  | { readonly _tag: "Open"; readonly unsaved: number }
  | { readonly _tag: "Ended"; readonly error: StoreEnded }

/** Returns what the store or pool of a handle is doing now, after what is over has ended. */
export const statusOf = <S extends Held<S>>(slot: Slot<S>): StoreStatus => {
  const store = present(slot)
  const ended = store && slot.look(store)
  if (ended !== undefined) return { _tag: "Ended", error: ended }
  const answer = known(slot)
  if (answer === undefined) return { _tag: slot.waiting === undefined ? "Unloaded" : "Loading" }
  return Either.match(answer, {
    onLeft: (error): StoreStatus => ({ _tag: "Ended", error }),
    onRight: ({ pending }): StoreStatus => ({ _tag: "Open", unsaved: pending })
  })
}

/** Waits for the store or pool; one that has left memory is loaded again. */
export const live = <S extends Held<S>>(slot: Slot<S>): Effect.Effect<S, StoreEnded> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend((): Answer<S> | Effect.Effect<S, StoreEnded> => {
      const answer = known(slot)
      if (answer !== undefined) return answer
      const loading = begin(slot) ?? Effect.void
      const there = Effect.async<S, StoreEnded>((resume) => {
        const after = known(slot)
        if (after === undefined) slot.waiting?.push(resume)
        else resume(after)
      })
      return Effect.andThen(loading, restore(there))
    })
  )

/** Begins to load it, if it is not there. */
export const start = <S extends Held<S>>(slot: Slot<S>): Effect.Effect<void> =>
  Effect.suspend(() => begin(slot) ?? Effect.void)

/** Calls `go` when it is there, behind what waits already; `false`: too much waits. */
export const whenThere = <S extends Held<S>>(slot: Slot<S>, go: (answer: Answer<S>) => void): boolean => {
  const answer = known(slot)
  if (answer !== undefined) {
    go(answer)
    return true
  }
  const loading = begin(slot)
  const waiting = slot.waiting!
  if (waiting.length >= maxWaiting) return false
  waiting.push(go)
  if (loading !== undefined && !slot.inBackground(loading)) settle(slot, Either.left(closedBefore(slot)))
  return true
}
