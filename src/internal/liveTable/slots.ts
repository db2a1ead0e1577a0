/** How one row, list or count is read: its cell, its load, and what its callers get. */
import { Effect, Option } from "effect"
import * as Cells from "../cache/cells.js"
import * as Flights from "../cache/flights.js"
import type { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition } from "../columns/writes.js"
import type { Revision } from "../log/events.js"
import { type Answer, type AnyRow, withValue } from "./answers.js"
import type { Key, QueryAnswer, QueryEntry, QuerySpec, RowAnswer } from "./coherence.js"
import type { Asked, Core } from "./core.js"
import type { ReadFailed } from "./errors.js"
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
  const held = Option.getOrUndefined(slot.answer(cell.value).revision)
  return held !== undefined && held.epoch === revision.epoch && held.seq >= revision.seq
}

/** `cell`: the cache may be used for this key alone. `master`: it cannot be used. */
export type Way = "cache" | "cell" | "master"

/** What a read shows over its answer. It begins when the master may be asked: what was waited for before is over. */
export type View<A> = (read: Effect.Effect<A, ReadFailed>, way: Way) => Effect.Effect<A, ReadFailed>

/** Waits for what `atLeast` asks for. */
const awaitLeast = <D extends AnyDefinition, A extends Answer<unknown>>(
  reads: Reads<D>,
  slot: Slot<A, Cached>,
  { atLeast, use, wait }: ReadSettings
): Effect.Effect<Way, ReadFailed> => {
  if (atLeast === undefined) return Effect.succeed(use)
  if (atLeast === "queued") return Effect.as(reads.flushed, use)
  if (holds(slot, atLeast)) return Effect.succeed(use === "cache" ? "cell" : use)
  return Effect.map(reads.reached(atLeast, wait), (reached) => (reached ? use : "master"))
}

const asRead = <A>(read: Effect.Effect<A, ReadFailed>): Effect.Effect<A, ReadFailed> => read

/** Reads one key as its options say; without any, as the defaults do. */
export const readSlot = <D extends AnyDefinition, A extends Answer<unknown>>(
  reads: Reads<D>,
  slot: Slot<A, Cached>,
  settings: ReadSettings | undefined,
  view: View<A> = asRead
): Effect.Effect<A, ReadFailed> => {
  const { reading } = reads
  if (settings === undefined) return view(read(reading, slot, "allow"), "cache")
  return Effect.flatMap(awaitLeast(reads, slot, settings), (way) =>
    view(way === "master" ? readMaster(reading, slot) : read(reading, slot, settings.stale), way)
  )
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
