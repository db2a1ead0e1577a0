/** The calls of a projection's tier: each within its time, none of which fails. */
import { Cause, type Clock, Effect, Scope } from "effect"
import type { Order, Store, Tier, TierError } from "../../Tier.js"
import * as Guard from "../cache/guard.js"
import { isError } from "../realms.js"
import { namespaceOf } from "./tierRow.js"

/** What the tier has of a key: a row, none, or a fault. */
export type Found =
  | { readonly _tag: "Row"; readonly text: string }
  | { readonly _tag: "None" }
  | { readonly _tag: "Fault"; readonly reason: string }

export interface TierCache {
  readonly get: (key: string) => Effect.Effect<Found>
  /** Whether the tier took the row. */
  readonly put: (key: string, text: string, order: Order) => Effect.Effect<boolean>
  readonly remove: (key: string) => Effect.Effect<void>
  /** Removes what the tier holds of lower versions. */
  readonly sweep: Effect.Effect<void, TierError>
}

/** What the tier works with. */
export interface TierSettings {
  readonly tier: Tier
  readonly clock: Clock.Clock
  readonly scope: Scope.Scope
  /** Of the projection. */
  readonly name: string
  /** Of the definition. */
  readonly definition: string
  readonly version: number
  /** In milliseconds. */
  readonly tierTimeout: number
  readonly onFault: () => void
}

interface State {
  store: Store | undefined
  readonly guard: Guard.Guard
}

/** How long a tier that hangs is left alone, in milliseconds. */
const rest = 10_000

const slow = "a call took longer than `tierTimeout`"
const resting = "it is left alone, since a call took longer than `tierTimeout`"

const reasonOf = (fault: Guard.Fault<TierError>): string => {
  if (fault._tag === "Resting") return resting
  if (fault._tag === "Slow") return slow
  const error = Cause.squash(fault.cause)
  return isError(error) ? error.message : "a call failed"
}

/** Opens the namespace at the first call, once at a time, and again after a failure. */
const opened = (
  { definition, name, scope, tier, version }: TierSettings,
  state: State,
  turns: Effect.Semaphore
): Effect.Effect<Store, TierError> => {
  const open = Effect.suspend(() =>
    state.store !== undefined
      ? Effect.succeed(state.store)
      : Effect.tap(Scope.extend(tier.open(namespaceOf(name, definition, version)), scope), (store) =>
          Effect.sync(() => {
            state.store = store
          })
        )
  )
  return Effect.suspend(() =>
    state.store === undefined ? turns.withPermits(1)(open) : Effect.succeed(state.store)
  )
}

/** Runs a call within its time. Whatever it fails or dies with goes to `onFault`. A tier that hangs is left alone. */
const limited = <A>(
  settings: TierSettings,
  { guard }: State,
  call: Effect.Effect<A, TierError>,
  onFault: (reason: string) => A
): Effect.Effect<A> =>
  Guard.guarded(guard, call, (fault) => {
    if (fault._tag === "Slow") Guard.rest(guard, rest)
    if (fault._tag !== "Resting") settings.onFault()
    return onFault(reasonOf(fault))
  })

/** Removes the rows of lower versions, each of which has a namespace of its own. */
const sweep = ({ definition, name, tier, version }: TierSettings): Effect.Effect<void, TierError> =>
  Effect.forEach(
    Array.from({ length: version }, (_, lower) => lower),
    (lower) =>
      Effect.scoped(Effect.flatMap(tier.open(namespaceOf(name, definition, lower)), ({ clear }) => clear)),
    { discard: true }
  )

export const make = (settings: TierSettings): TierCache => {
  const { clock, scope, tierTimeout } = settings
  // A read leaves its call when the log was quicker: that is no reason to leave the tier alone.
  const guard = Guard.make({ clock, timeout: tierTimeout, scope, restsForLeft: false })
  const state: State = { store: undefined, guard }
  const turns = Effect.unsafeMakeSemaphore(1)
  const store = opened(settings, state, turns)
  const call = <A>(use: (store: Store) => Effect.Effect<A, TierError>, onFault: (reason: string) => A) =>
    limited(settings, state, Effect.flatMap(store, use), onFault)
  return {
    get: (key) =>
      call(
        ({ get }) =>
          Effect.map(
            get([key]),
            ([text]): Found => (text === undefined ? { _tag: "None" } : { _tag: "Row", text })
          ),
        (reason) => ({ _tag: "Fault", reason })
      ),
    put: (key, value, order) =>
      call(
        ({ put }) => Effect.as(put([{ key, value, order }]), true),
        () => false
      ),
    remove: (key) =>
      call(
        ({ remove }) => remove([key]),
        () => undefined
      ),
    sweep: sweep(settings)
  }
}
