/** The tier of a live table: asked before the master, filled behind the callers' backs, left alone after a failure. */
import { type Clock, Effect, ExecutionStrategy, Schedule, Scope } from "effect"
import * as Actor from "../../Actor.js"
import { type Entry, type Store, type Tier, TierError } from "../../Tier.js"
import * as Guard from "../cache/guard.js"
import { type IdValue, idText } from "../columns/ids.js"
import type { Revision } from "../log/events.js"
import type { InvalidOptions } from "../options.js"
import { monotonicMillis } from "../time.js"
import type { AnyRow } from "./answers.js"
import type { Traced } from "./spans.js"
import type { Counters } from "./stats.js"
import { type Beliefs, isValid, type TierCodec } from "./tierEntry.js"

/** A row that the tier had. */
export interface TierRow {
  readonly row: AnyRow
  readonly revision: Revision | undefined
  /** When the master was asked for it, or judged by the log now. */
  readonly askedAt: number
}

export interface TierCache {
  /** Returns the rows that the tier has and that are believed. It never fails. */
  readonly get: (ids: ReadonlyArray<IdValue>) => Effect.Effect<ReadonlyArray<TierRow | undefined>>
  /** Puts a row, or removes it where there is none, some time later. */
  readonly put: (put: Put) => void
}

/** What the tier works with. */
export interface TierSettings {
  readonly tier: Tier
  readonly namespace: string
  readonly codec: TierCodec
  readonly beliefs: Beliefs
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly ttl: number
  readonly tierTimeout: number
  readonly graceBackoff: number
  readonly traced: Traced
}

/** A row that the tier gets. */
export interface Put {
  readonly id: IdValue
  /** `undefined`: there is none, and its entry is removed. */
  readonly row: AnyRow | undefined
  readonly revision: Revision | undefined
  readonly stamp: number
  readonly askedAt: number
}

interface State {
  store: Store | undefined
  readonly guard: Guard.Guard
}

/** The longest that a close waits for puts, in milliseconds. */
const maxFlush = 100

/** So many puts wait. A tier that is slower loses the oldest, which costs a read of the master. */
const maxQueued = 1_000

/** Runs a call of the tier within its time, unless it is left alone. A fault is counted, and gives `fallback`. */
const call = <A>(
  settings: TierSettings,
  state: State,
  operation: string,
  count: number,
  fallback: A,
  run: (store: Store) => Effect.Effect<A, unknown>
): Effect.Effect<A> =>
  Effect.suspend(() => {
    const { counters, graceBackoff, traced } = settings
    const { guard, store } = state
    if (store === undefined) return Effect.succeed(fallback)
    const onFault = ({ _tag }: Guard.Fault<unknown>): A => {
      if (_tag !== "Resting") {
        counters.tierFaults++
        Guard.rest(guard, graceBackoff)
      }
      return fallback
    }
    const asked = Effect.suspend(() => run(store))
    return Guard.guarded(guard, asked, onFault, (effect) => traced(operation, count, effect))
  })

const rowsOf = (
  { beliefs, clock, codec, counters, ttl }: TierSettings,
  ids: ReadonlyArray<IdValue>,
  keys: ReadonlyArray<string>,
  texts: ReadonlyArray<string | undefined>
): ReadonlyArray<TierRow | undefined> =>
  ids.map((id, index) => {
    const text = texts[index]
    const entry = text === undefined ? undefined : codec.decode(text, id)
    if (text !== undefined && entry === undefined) counters.tierFaults++
    if (entry === undefined || !isValid(beliefs, id, keys[index]!, entry)) {
      counters.tierMisses++
      return undefined
    }
    const { life, revision, row } = entry
    const now = monotonicMillis(clock)
    // Without a log the time to live bounds what foreign writes have changed: it counts from the master's answer.
    const askedAt = life === beliefs.life ? entry.askedAt : now
    if (now >= askedAt + ttl) {
      counters.tierMisses++
      return undefined
    }
    counters.tierHits++
    return { row, revision, askedAt }
  })

const keyOf = (id: IdValue): string => idText(id)

const getFrom = (settings: TierSettings, state: State, ids: ReadonlyArray<IdValue>) => {
  const keys = ids.map(keyOf)
  const none: ReadonlyArray<string | undefined> = []
  const found = call(settings, state, "tier.get", ids.length, none, (store) =>
    Effect.filterOrFail(
      store.get(keys),
      (texts) => Array.isArray(texts) && texts.length === keys.length,
      () => new TierError({ reason: "Invalid", message: "a tier must return a value for each key, in order" })
    )
  )
  return Effect.map(found, (texts) => rowsOf(settings, ids, keys, texts))
}

const entryOf = ({ beliefs, codec, ttl }: TierSettings, { id, row, ...put }: Put): ReadonlyArray<Entry> => {
  if (row === undefined) return []
  const { revision } = put
  const order = revision === undefined ? {} : { order: { epoch: revision.epoch, seq: revision.seq } }
  return [{ key: keyOf(id), value: codec.encode({ ...put, row, life: beliefs.life }), ttl, ...order }]
}

/** Puts what waits: the last of each key. */
const write = (settings: TierSettings, state: State, puts: ReadonlyArray<Put>): Effect.Effect<void> => {
  const last = [...new Map(puts.map((put) => [put.id, put])).values()]
  const entries = last.flatMap((put) => entryOf(settings, put))
  const gone = last.filter(({ row }) => row === undefined).map(({ id }) => keyOf(id))
  const putting = call(settings, state, "tier.put", entries.length, undefined, (store) => store.put(entries))
  const removing = call(settings, state, "tier.remove", gone.length, undefined, (store) => store.remove(gone))
  return Effect.andThen(
    entries.length === 0 ? Effect.void : putting,
    gone.length === 0 ? Effect.void : removing
  )
}

/** Opens the tier in the background. Until it is open, the master answers. */
export const make = (settings: TierSettings): Effect.Effect<TierCache, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { clock, counters, graceBackoff, namespace, tier, tierTimeout } = settings
    // Made before the actor: what the actor puts at its end goes on.
    const calls = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    // Readers who are quicker than `tierTimeout` get the answer of the master, but for one.
    const guard = Guard.make({ clock, timeout: tierTimeout, scope: calls, restsForLeft: true })
    const state: State = { store: undefined, guard }
    const opening = Effect.suspend(() => tier.open(namespace)).pipe(
      Effect.tapErrorCause(() => Effect.sync(() => counters.tierFaults++)),
      Effect.sandbox,
      Effect.retry({ schedule: Schedule.spaced(Math.max(graceBackoff, 1_000)) }),
      Effect.tap((store) =>
        Effect.sync(() => {
          state.store = store
        })
      )
    )
    const actor = yield* Actor.make(() => ({
      name: "liveTable.tier",
      acquire: opening,
      // What is put is read by the next miss: a put that comes late costs a read of the master.
      linger: 0,
      bound: { count: maxQueued, overflow: "drop-oldest" as const },
      onBatch: (_: Store, batch: Actor.Batch<Put>) => write(settings, state, batch.items),
      // What is not put costs a read of the master, later.
      closeDeadline: Math.min(tierTimeout, maxFlush),
      report: (leftover: Actor.Leftover<Store, Put>) => leftover
    }))
    return {
      get: (ids) => getFrom(settings, state, ids),
      put: (put) => {
        actor.unsafeOffer(put)
      }
    }
  })
