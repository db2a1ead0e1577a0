/** How one row, list or count is read: its cell, its load, and what its callers get. */
import { Effect, Option } from "effect"
import * as Cells from "../cache/cells.js"
import * as Flights from "../cache/flights.js"
import type { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition } from "../columns/writes.js"
import type { Revision } from "../log/events.js"
import { monotonicMillis } from "../time.js"
import * as Acknowledged from "./acknowledged.js"
import { type Answer, type AnyRow, withValue } from "./answers.js"
import type { Key, QueryAnswer, QueryEntry, QuerySpec, RowAnswer } from "./coherence.js"
import type { Asked, Core } from "./core.js"
import { ReadFailed } from "./errors.js"
import * as Interest from "./interests.js"
import { judgedQuery } from "./landing.js"
import { type Reading, read, readMaster, type Slot } from "./reading.js"
import type { ReadSettings } from "./readOptions.js"

/** The values of the cells. */
export type Cached = RowAnswer | QueryEntry

/** What reads need beyond the core. */
export interface Reads<D extends AnyDefinition> {
  readonly core: Core<D>
  readonly reading: Reading<Cached>
  /** Completes when the writes queued before have an outcome. */
  readonly flushed: Effect.Effect<void, ReadFailed>
  /** Waits for the log to deliver a revision; `false`: it has not, within the time. */
  readonly reached: (revision: Revision, wait: number) => Effect.Effect<boolean>
  /** Runs a load in the background. */
  readonly fork: (effect: Effect.Effect<unknown, unknown>) => Effect.Effect<void>
}

/** The answer for one caller. */
export const shareRow = <D extends AnyDefinition>(
  { c: { sharing } }: Core<D>,
  answer: RowAnswer
): RowAnswer =>
  sharing.isFrozen || Option.isNone(answer.value)
    ? answer
    : withValue(answer, Option.map(answer.value, sharing.share))

const shareQuery = <D extends AnyDefinition>(
  { c: { sharing } }: Core<D>,
  answer: QueryAnswer
): QueryAnswer => {
  const { value } = answer
  return sharing.isFrozen || typeof value === "number"
    ? answer
    : withValue(answer, Object.freeze(value.map(sharing.share)))
}

/** Notes what is asked for while the load runs. */
const interested = <A, E, D extends AnyDefinition>(
  { interests }: Core<D>,
  key: Key,
  asking: Interest.Asking,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  asking.spec === undefined && asking.tags === undefined && asking.pastTier !== true
    ? effect
    : Effect.suspend(() => {
        Interest.enter(interests, key, asking)
        return Effect.ensuring(
          effect,
          Effect.sync(() => Interest.leave(interests, key))
        )
      })

/** Loads in the background: the load goes on from this moment, though all other callers leave it. */
const loadOn = <B, D extends AnyDefinition>(
  { core: { interests }, fork }: Reads<D>,
  flights: Flights.Flights<Key, B, ReadFailed>,
  key: Key,
  spec: QuerySpec | undefined,
  tags: ReadonlyArray<string> | undefined
): Effect.Effect<void> =>
  Effect.suspend(() => {
    // A fiber joins later than now: by then the last caller may have left, and what it asked for be forgotten.
    Interest.enter(interests, key, { spec, tags })
    Flights.refresh(flights, key)
    return fork(
      Effect.ensuring(
        Flights.join(flights, key),
        Effect.sync(() => Interest.leave(interests, key))
      )
    )
  })

/** How one row is read. */
export const rowSlot = <D extends AnyDefinition>(
  reads: Reads<D>,
  key: Key,
  tags?: ReadonlyArray<string> | undefined
): Slot<RowAnswer, Cached> => {
  const { core } = reads
  const { cells, lifetimes } = core.c
  const load = Flights.join(core.rows, key)
  const join = interested(core, key, { tags }, load)
  const share = (answer: RowAnswer) => shareRow(core, answer)
  const keep = loadOn(reads, core.rows, key, undefined, tags)
  return {
    key,
    tags,
    cell: () => {
      const cell = Cells.get(cells, key)
      return cell === undefined || Cells.stateOf(cells, cell) === "Empty" ? undefined : cell
    },
    // The cell of a row holds its answer.
    answer: (value) => shareRow(core, value as RowAnswer),
    times: (value) => (Option.isNone((value as RowAnswer).value) ? lifetimes.absent : lifetimes.present),
    join: Effect.map(join, share),
    showing: (revision) => Acknowledged.showingOf(core.c.acknowledged, key, revision),
    joinMaster: Effect.suspend(() => {
      Flights.detach(core.rows, key)
      return Effect.map(interested(core, key, { tags, pastTier: true }, load), share)
    }),
    refresh: Effect.suspend(() => (Flights.has(core.rows, key) ? Effect.void : keep)),
    keep
  }
}

/** How a list or a count is read. */
export const querySlot = <D extends AnyDefinition>(
  reads: Reads<D>,
  { key, spec }: Asked,
  tags?: ReadonlyArray<string> | undefined
): Slot<QueryAnswer, Cached> => {
  const { core } = reads
  const load = interested(core, key, { spec, tags }, Flights.join(core.queries, key))
  const join = Effect.map(load, (answer) => shareQuery(core, answer))
  const keep = loadOn(reads, core.queries, key, spec, tags)
  return {
    key,
    tags,
    cell: () => judgedQuery(core.c, key),
    // The cell of a query holds its entry.
    answer: (value) => shareQuery(core, (value as QueryEntry).answer),
    times: () => core.c.lifetimes.present,
    join,
    showing: (revision) => Acknowledged.showingOfAll(core.c.acknowledged, revision),
    joinMaster: Effect.suspend(() => {
      Flights.detach(core.queries, key)
      return join
    }),
    refresh: Effect.suspend(() => (Flights.has(core.queries, key) ? Effect.void : keep)),
    keep
  }
}

/** Whether what the cache holds is at a revision already. */
const holds = <A extends Answer<unknown>>(slot: Slot<A, Cached>, revision: Revision): boolean => {
  const cell = slot.cell()
  if (cell?.value === undefined) return false
  return Acknowledged.isAtLeast(Option.getOrUndefined(slot.answer(cell.value).revision), revision)
}

/** `cell`: the cache may be used for this key alone. `master`: it cannot be used. */
export type Way = "cache" | "cell" | "master"

/** What a read shows over its answer. It begins when the master may be asked: what was waited for before is over. */
export type View<A> = (read: Effect.Effect<A, ReadFailed>, way: Way) => Effect.Effect<A, ReadFailed>

/** How a read goes on. `isReached`: the memory has every change up to `atLeast`. */
interface Begun {
  readonly way: Way
  readonly isReached: boolean
}

/** Waits for what `atLeast` asks for. */
const awaitLeast = <D extends AnyDefinition, A extends Answer<unknown>>(
  reads: Reads<D>,
  slot: Slot<A, Cached>,
  { atLeast, use, wait }: ReadSettings
): Effect.Effect<Begun, ReadFailed> => {
  const begun = { way: use, isReached: true }
  if (atLeast === undefined) return Effect.succeed(begun)
  if (atLeast === "queued") return Effect.as(reads.flushed, begun)
  if (holds(slot, atLeast)) return Effect.succeed(use === "cache" ? { ...begun, way: "cell" } : begun)
  return Effect.map(reads.reached(atLeast, wait), (isReached) =>
    isReached ? begun : { way: "master", isReached }
  )
}

/** The pause between two reads of a master that does not show yet what was asked for, in milliseconds. */
const showPause = 100

const notShown = new ReadFailed({
  reason: "TimedOut",
  message:
    "the master has not shown `atLeast` within targetLag: look at how it follows the target, or raise targetLag"
})

/**
 * Reads until the answer holds a revision that the master may show later than the target: as its own revision proves, or
 * the log, or the end of `targetLag`.
 */
const untilShown = <D extends AnyDefinition, A extends Answer<unknown>>(
  { core: { c, loading } }: Reads<D>,
  slot: Slot<A, Cached>,
  atLeast: Revision,
  isReached: boolean,
  first: Effect.Effect<A, ReadFailed>,
  seen: View<A>
): Effect.Effect<A, ReadFailed> =>
  Effect.suspend(() => {
    const now = () => monotonicMillis(loading.clock)
    const until = now() + c.lifetimes.targetLag
    const look = (read: Effect.Effect<A, ReadFailed>, wasUnshown: boolean): Effect.Effect<A, ReadFailed> =>
      Effect.suspend(() => {
        const isLast = now() >= until
        return Effect.flatMap(read, (answer) => {
          const revision = Option.getOrUndefined(answer.revision)
          const isLower = revision?.epoch === atLeast.epoch && revision.seq < atLeast.seq
          const showing = slot.showing(revision)
          // What is not shown in its time is forgotten then.
          const isProven =
            isReached && (showing === "Shown" || (showing === "Unchanged" && !(wasUnshown && isLower)))
          if (isProven || Acknowledged.isAtLeast(revision, atLeast)) return Effect.succeed(answer)
          if (!isLast)
            return Effect.andThen(Effect.sleep(showPause), look(again, wasUnshown || showing === "Unshown"))
          return isLower ? Effect.fail(notShown) : Effect.succeed(answer)
        })
      })
    const again = seen(
      Effect.suspend(() => (now() < until ? slot.join : slot.joinMaster)),
      "master"
    )
    return look(first, false)
  })

const asRead = <A>(read: Effect.Effect<A, ReadFailed>): Effect.Effect<A, ReadFailed> => read

/** Reads one key as its options say; without any, as the defaults do. */
export const readSlot = <D extends AnyDefinition, A extends Answer<unknown>>(
  reads: Reads<D>,
  slot: Slot<A, Cached>,
  settings: ReadSettings | undefined,
  view: View<A> = asRead
): Effect.Effect<A, ReadFailed> => {
  const { core, reading } = reads
  if (settings === undefined) return view(read(reading, slot, "allow"), "cache")
  const { atLeast, stale } = settings
  return Effect.flatMap(awaitLeast(reads, slot, settings), ({ isReached, way }) => {
    const answer = view(way === "master" ? readMaster(reading, slot) : read(reading, slot, stale), way)
    return core.target === core.master || atLeast === undefined || atLeast === "queued"
      ? answer
      : untilShown(reads, slot, atLeast, isReached, answer, view)
  })
}

/** The rows of ids, in order. Those that the cache has are not waited for. A repeated id gets an answer of its own. */
export const readMany = <D extends AnyDefinition>(
  core: Core<D>,
  keys: ReadonlyArray<Key>,
  one: (key: Key) => Effect.Effect<RowAnswer, ReadFailed>
): Effect.Effect<ReadonlyArray<RowAnswer>, ReadFailed> =>
  Effect.suspend(() => {
    const distinct = [...new Set(keys)]
    return Effect.map(Effect.forEach(distinct, one, { concurrency: "unbounded" }), (answers) => {
      const byKey = new Map(distinct.map((key, index) => [key, answers[index]!]))
      if (distinct.length === keys.length) return answers
      const given = new Set<Key>()
      return keys.map((key) => {
        const answer = byKey.get(key)!
        if (given.has(key)) return shareRow(core, answer)
        given.add(key)
        return answer
      })
    })
  })

/** What was asked for, or a failure. */
export const valid = <A>(given: A | InvalidQuery): Effect.Effect<A, InvalidQuery> =>
  // InvalidQuery is the one error among them.
  (given as { readonly _tag?: unknown } | null)?._tag === "InvalidQuery"
    ? Effect.fail(given as InvalidQuery)
    : Effect.succeed(given as A)

/** The text of an answer, by which a follow knows whether it is another one. */
export const textOfRowAnswer =
  <D extends AnyDefinition>({ textOfRow }: Core<D>) =>
  ({ value }: RowAnswer): string =>
    Option.match(value, { onNone: () => "", onSome: textOfRow })

export const textOfQueryAnswer =
  <D extends AnyDefinition>({ textOfRow }: Core<D>) =>
  ({ value }: QueryAnswer): string =>
    typeof value === "number" ? String(value) : value.map((row: AnyRow) => textOfRow(row)).join("\n")
