/**
 * Reads: the cache first, then the master. A read takes the cell of its key if it is fresh; else it joins the flight of
 * the key. A value past its time is served stale only by the rules of `judge`, and never after it was invalidated.
 */
import { type Clock, Effect } from "effect"
import * as Cells from "../cache/cells.js"
import { judge, type Times } from "../cache/freshness.js"
import type { Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import type { Showing } from "./acknowledged.js"
import { type Answer, type StaleReason, staleFor, withFreshness } from "./answers.js"
import type { Key } from "./coherence.js"
import type { ReadFailed } from "./errors.js"
import type { Counters } from "./stats.js"

/** One key of the cache, as it is read. */
export interface Slot<out A extends Answer<unknown>, in out V> {
  readonly key: Key
  readonly tags: ReadonlyArray<string> | undefined
  /** The cell, if it has a value that was not invalidated. */
  readonly cell: () => Cells.Cell<Key, V> | undefined
  readonly answer: (value: V) => A
  readonly times: (value: V) => Times
  /** The load of the key, with what it must land with. */
  readonly join: Effect.Effect<A, ReadFailed>
  /** Begins a load in the background, unless one is under way. */
  readonly refresh: Effect.Effect<void>
  /** Keeps the load under way when its callers leave it, from this moment. */
  readonly keep: Effect.Effect<void>
  /** Whether an answer of a revision holds what a target and the log have, and the master may show later. */
  readonly showing: (revision: Revision | undefined) => Showing
  /** A load that begins from now on, and that asks the master, not the tier. */
  readonly joinMaster: Effect.Effect<A, ReadFailed>
}

/** What all reads share. */
export interface Reading<V> {
  readonly cells: Cells.Cells<Key, V>
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly softTimeout: number | undefined
  readonly graceBackoff: number
  /** Keys whose load has failed while a stale value was there, and until when the master is left alone. */
  readonly backoff: Map<Key, number>
  /** Called for each fresh hit, by its key. */
  readonly onHit: (key: Key) => void
}

/** So many keys are left alone one by one; the master is asked again for older ones. */
const maxBackoff = 1_000

const noteFailure = <V>(reading: Reading<V>, key: Key, now: number): void => {
  const { backoff, graceBackoff } = reading
  if (graceBackoff === 0) return
  backoff.delete(key)
  backoff.set(key, now + graceBackoff)
  if (backoff.size <= maxBackoff) return
  for (const oldest of backoff.keys()) {
    backoff.delete(oldest)
    return
  }
}

const isLeftAlone = <V>({ backoff }: Reading<V>, key: Key, now: number): boolean => {
  const until = backoff.get(key)
  if (until === undefined) return false
  if (now < until) return true
  backoff.delete(key)
  return false
}

/** What a cell may be used for now. */
type Use = "Fresh" | "Revalidate" | "Replace" | "None"

const useOf = <A extends Answer<unknown>, V>(
  reading: Reading<V>,
  slot: Slot<A, V>,
  cell: Cells.Cell<Key, V>,
  now: number
): { readonly use: Use; readonly why: StaleReason | undefined } => {
  const state = Cells.stateOf(reading.cells, cell)
  if (state === "Empty") return { use: "None", why: undefined }
  // A filled cell has a value.
  const verdict = judge(Cells.agedOf(cell), slot.times(cell.value as V), now, state !== "Current")
  const why = state === "Suspect" ? state : undefined
  if (verdict === "Fresh") return { use: "Fresh", why }
  if (verdict === "Dead") return { use: "None", why }
  return { use: verdict === "Revalidate" && why === undefined ? "Revalidate" : "Replace", why }
}

/** The value of a cell, served stale. */
const stale = <A extends Answer<unknown>, V>(
  reading: Reading<V>,
  slot: Slot<A, V>,
  cell: Cells.Cell<Key, V>,
  now: number,
  why: StaleReason
): A => {
  reading.counters.hits++
  reading.counters.staleHits++
  Cells.touch(cell)
  // The same answer but for its freshness, which every answer has.
  return withFreshness(slot.answer(cell.value as V), staleFor(now - cell.loadedAt, why)) as A
}

/** Loads, and serves the stale value of the cell if the master is slow or fails. The cell is judged again then. */
const loadOrStale = <A extends Answer<unknown>, V>(
  reading: Reading<V>,
  slot: Slot<A, V>,
  why: StaleReason | undefined
): Effect.Effect<A, ReadFailed> => {
  const { clock, softTimeout } = reading
  const fallBack = (reason: StaleReason): A | undefined => {
    const cell = slot.cell()
    const now = monotonicMillis(clock)
    if (cell === undefined || useOf(reading, slot, cell, now).use === "None") return undefined
    return stale(reading, slot, cell, now, why ?? reason)
  }
  const failed = (error: ReadFailed): Effect.Effect<A, ReadFailed> => {
    if (error.reason === "Closed") return Effect.fail(error)
    const answer = fallBack("Failed")
    if (answer === undefined) return Effect.fail(error)
    noteFailure(reading, slot.key, monotonicMillis(clock))
    return Effect.succeed(answer)
  }
  const load = Effect.matchEffect(slot.join, { onSuccess: Effect.succeed, onFailure: failed })
  if (softTimeout === undefined) return load
  const slow = Effect.suspend(() => {
    const answer = fallBack("Slow")
    if (answer === undefined) return Effect.never
    // The load goes on when this caller leaves it.
    return Effect.as(slot.keep, answer)
  })
  return Effect.raceFirst(load, Effect.andThen(Effect.sleep(softTimeout), slow))
}

/** Reads one key by the cache. `refuse`: nothing stale. */
export const read = <A extends Answer<unknown>, V>(
  reading: Reading<V>,
  slot: Slot<A, V>,
  allowed: "allow" | "refuse"
): Effect.Effect<A, ReadFailed> =>
  Effect.suspend(() => {
    const cell = slot.cell()
    const now = monotonicMillis(reading.clock)
    const { use, why } = cell === undefined ? noUse : useOf(reading, slot, cell, now)
    if (cell !== undefined && use === "Fresh") {
      reading.counters.hits++
      Cells.touch(cell)
      if (slot.tags !== undefined) Cells.addTags(reading.cells, cell, slot.tags)
      reading.onHit(slot.key)
      return Effect.succeed(slot.answer(cell.value as V))
    }
    if (cell !== undefined && use !== "None" && allowed === "allow") {
      if (use === "Revalidate") {
        return Effect.as(slot.refresh, stale(reading, slot, cell, now, "Expired"))
      }
      if (isLeftAlone(reading, slot.key, now)) {
        return Effect.succeed(stale(reading, slot, cell, now, why ?? "Failed"))
      }
      reading.counters.misses++
      return loadOrStale(reading, slot, why)
    }
    reading.counters.misses++
    return slot.join
  })

const noUse = { use: "None", why: undefined } as const

/** Reads one key from the master, whatever the cache holds. */
export const readMaster = <A extends Answer<unknown>, V>(
  reading: Reading<V>,
  slot: Slot<A, V>
): Effect.Effect<A, ReadFailed> =>
  Effect.suspend(() => {
    reading.counters.misses++
    return slot.joinMaster
  })

/** The row that a synchronous read may return: a fresh one. */
export const hit = <V>(reading: Reading<V>, key: Key): V | undefined => {
  const cell = Cells.hit(reading.cells, key, monotonicMillis(reading.clock))
  if (cell === undefined) return undefined
  reading.counters.hits++
  reading.onHit(key)
  return cell.value
}
