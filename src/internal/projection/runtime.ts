/** What the parts of one projection share, and the inner form of what it answers. */
import type { Clock } from "effect"
import type { Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import type { Compiled } from "./compiled.js"
import type { AnyEvent } from "./events.js"
import type { Settings } from "./options.js"
import type { CacheStatus, FreshnessStatus, Outcome, Stored, Strategy, Times } from "./outcome.js"
import type { Asked, Slots } from "./slots.js"
import type { Kept } from "./states.js"
import type { Counters, Publisher } from "./stats.js"
import type { TierCache } from "./tierCache.js"

export interface Runtime<S, E> {
  /** The name of the projection. */
  readonly name: string
  readonly compiled: Compiled<S, E>
  readonly settings: Settings
  readonly slots: Slots<S>
  readonly tier: TierCache | undefined
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly publisher: Publisher
}

/** How long each phase has taken so far, in milliseconds. `timed` alone writes it. */
export type Phases = { -readonly [K in Exclude<keyof Times, "total">]: number }

export const noPhases = (): Phases => ({
  plan: 0,
  slot: 0,
  key: 0,
  prefetch: 0,
  probe: 0,
  read: 0,
  fold: 0,
  store: 0
})

/** One run of a projection of a key. */
export interface Attempt<S, E extends AnyEvent> {
  readonly runtime: Runtime<S, E>
  readonly key: string
  readonly phases: Phases
  /** When the log was asked first. */
  readonly asked: Asked
  /** `false` in a transaction, which sees what may never be committed: no cache gets or gives anything. */
  readonly usesCaches: boolean
}

/** What one flight has found, for all its callers. */
export interface Result<S> {
  readonly state: Kept<S>
  readonly generation: number
  readonly applied: Revision | undefined
  readonly cache: CacheStatus
  readonly freshness: FreshnessStatus
  readonly strategy: Strategy
  readonly stored: Stored
  readonly head: Revision
  readonly phases: Phases | undefined
}

export const hit: CacheStatus = Object.freeze({ _tag: "Hit" })
export const miss: CacheStatus = Object.freeze({ _tag: "Miss" })
export const bypassed: CacheStatus = Object.freeze({ _tag: "Bypassed" })

export const now = ({ clock }: { readonly clock: Clock.Clock }): number => monotonicMillis(clock)

/** What a caller gets of a result. `total` is in milliseconds, where times were requested. */
export const outcomeOf = <S, E>(
  { compiled }: Runtime<S, E>,
  { applied, cache, freshness, generation, head, phases, state, stored, strategy }: Result<S>,
  total: number | undefined
): Outcome<S> => ({
  state: state.shared ?? compiled.states.read(state),
  generation,
  applied,
  cache,
  freshness,
  strategy,
  stored,
  head,
  times: total === undefined ? undefined : { ...(phases ?? noPhases()), total }
})
