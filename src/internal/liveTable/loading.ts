/** Loads of rows, lists and counts from the master: one flight for each key, which lands in the memory. */
import { Cause, type Clock, Effect, Exit, Option, type Scope } from "effect"
import type { Read, Table } from "../../Table.js"
import { Malformed } from "../../Table.js"
import * as Cells from "../cache/cells.js"
import * as Flights from "../cache/flights.js"
import type { CheckedQuery } from "../columns/query.js"
import type { AnyDefinition } from "../columns/writes.js"
import type { Revision } from "../log/events.js"
import { isError } from "../realms.js"
import { monotonicMillis } from "../time.js"
import type { AnyRow } from "./answers.js"
import {
  type Coherence,
  forgetAcknowledged,
  type Key,
  type QueryAnswer,
  type QuerySpec,
  type RowAnswer,
  settleTime
} from "./coherence.js"
import { ReadFailed } from "./errors.js"
import type { Interests } from "./interests.js"
import * as Interest from "./interests.js"
import { forgetReads, landQuery, landRow } from "./landing.js"
import type { Traced } from "./spans.js"
import * as Surviving from "./surviving.js"
import type { TierCache } from "./tierCache.js"

interface LoadedRow {
  readonly row: AnyRow | undefined
  readonly revision: Revision | undefined
  /** When the master was asked, if that was before this load. */
  readonly askedAt: number | undefined
}

type LoadedQuery = Read<ReadonlyArray<AnyRow> | number>

export type RowFlights = Flights.Flights<Key, RowAnswer, ReadFailed>
export type QueryFlights = Flights.Flights<Key, QueryAnswer, ReadFailed>

/** What loads need. */
export interface Loading<D extends AnyDefinition> {
  readonly c: Coherence
  readonly master: Table<D>
  readonly clock: Clock.Clock
  readonly hardTimeout: number
  readonly interests: Interests
  readonly tier: TierCache | undefined
  /** Puts a span around a call of the master, where there is a tracer. */
  readonly traced: Traced
  /** A load has ended. */
  readonly onLoaded: (failed: boolean) => void
  /** What a load has brought is in the memory. */
  readonly onLanded: () => void
}

const failureOf = <E>(
  outcome: Exclude<Flights.Outcome<unknown, E>, { readonly _tag: "Loaded" }>
): ReadFailed => {
  switch (outcome._tag) {
    case "TimedOut":
      return new ReadFailed({
        reason: "TimedOut",
        message: "the master did not answer within hardTimeout: look at it, or raise hardTimeout"
      })
    case "Malformed":
      return new ReadFailed({ reason: "Malformed", message: "the master returned too few or too many rows" })
    case "Ended":
    case "Unwanted":
      return new ReadFailed({ reason: "Closed", message: "the live table is closed: make another one" })
    case "Failed": {
      const cause = Cause.squash(outcome.cause)
      if (cause instanceof ReadFailed) return cause
      const message = isError(cause) ? cause.message : String(cause)
      return new ReadFailed({ reason: cause instanceof Malformed ? "Malformed" : "Master", message, cause })
    }
  }
}

/** Reads rows from the master by their ids, in order. */
export const readRows = <D extends AnyDefinition>(
  { master, traced }: Loading<D>,
  ids: ReadonlyArray<Key>
): Effect.Effect<ReadonlyArray<LoadedRow>, unknown> =>
  Effect.map(
    // The keys of rows are normal ids of this table.
    traced("getMany", ids.length, master.getMany(ids as Parameters<typeof master.getMany>[0])),
    ({ revision, value }) =>
      value.map((row) => ({
        row: Option.getOrUndefined(row) as AnyRow | undefined,
        revision,
        askedAt: undefined
      }))
  )

/** Reads rows from the tier, and the others from the master. */
const loadRows = <D extends AnyDefinition>(
  loading: Loading<D>,
  ids: ReadonlyArray<Key>
): Effect.Effect<ReadonlyArray<LoadedRow>, unknown> => {
  const { interests, tier } = loading
  if (tier === undefined) return readRows(loading, ids)
  const inTier = ids.filter((id) => !Interest.isPastTier(interests, id))
  return Effect.flatMap(tier.get(inTier), (rows): Effect.Effect<ReadonlyArray<LoadedRow>, unknown> => {
    const found = new Map<Key, LoadedRow>()
    for (const [index, row] of rows.entries()) if (row !== undefined) found.set(inTier[index]!, row)
    const missing = ids.filter((id) => !found.has(id))
    const rest = missing.length === 0 ? Effect.succeed([]) : readRows(loading, missing)
    return Effect.map(rest, (loaded) => {
      for (const [index, row] of loaded.entries()) found.set(missing[index]!, row)
      // Each id was found in the tier, or read from the master.
      return ids.map((id) => found.get(id)!)
    })
  })
}

/** Reads a list or a count from the master. */
export const readQuery = <D extends AnyDefinition>(
  { master, traced }: Loading<D>,
  { kind, query }: QuerySpec
): Effect.Effect<LoadedQuery, unknown> => {
  // A checked query is a query of this table, and its rows are records of its columns.
  if (kind === "count") return traced("count", 1, master.count(query.where as never))
  const list = master.list(queryGiven(query) as never)
  return traced("list", 1, list as Effect.Effect<Read<ReadonlyArray<AnyRow>>, unknown>)
}

const loadQuery = <D extends AnyDefinition>(
  loading: Loading<D>,
  key: Key
): Effect.Effect<LoadedQuery, unknown> => {
  const spec = Interest.specOf(loading.interests, key)
  return spec === undefined
    ? Effect.dieMessage("a query is loaded that is not asked for")
    : readQuery(loading, spec)
}

/** The stamp of a load that begins now. What is over by now does not outdate it. */
const beginStamp = <D extends AnyDefinition>({ c, clock }: Loading<D>): number => {
  settleTime(c, monotonicMillis(clock))
  forgetAcknowledged(c)
  if (c.effects.oldestLoad() === Number.POSITIVE_INFINITY && !c.effects.isWriting()) forgetReads(c)
  return Cells.nextStamp(c.cells)
}

/** The query as a caller of the table writes it. */
const queryGiven = ({ after, limit, offset, orderBy, where }: CheckedQuery): Record<string, unknown> => ({
  ...(where === undefined ? {} : { where }),
  orderBy,
  ...(limit === undefined ? {} : { limit }),
  // Pages are counted from 1, and an offset is a number of whole pages.
  ...(offset === 0 || limit === undefined ? {} : { page: offset / limit + 1 }),
  ...(after === undefined
    ? {}
    : { after: Object.fromEntries(orderBy.map(({ column }, at) => [column, after[at]])) })
})

/** Makes the flights of rows. */
export const makeRowFlights = <D extends AnyDefinition>(
  loading: Loading<D>
): Effect.Effect<RowFlights, never, Scope.Scope> => {
  const { c, clock, hardTimeout, interests, master, onLanded, onLoaded, tier } = loading
  return Flights.make<Key, LoadedRow, unknown, RowAnswer, ReadFailed>({
    load: (keys) =>
      Effect.onExit(loadRows(loading, keys), (exit) => Effect.sync(() => onLoaded(Exit.isFailure(exit)))),
    gather: "turn",
    maxBatch: Math.min(master.maxBatch, 1000),
    hardTimeout,
    nextStamp: () => beginStamp(loading),
    onLanded,
    land: (flight, outcome) => {
      if (outcome._tag !== "Loaded") return Exit.fail(failureOf(outcome))
      const { askedAt = flight.begunAt, revision, row } = outcome.value
      const now = monotonicMillis(clock)
      const landing = { ...flight, askedAt, now, tags: Interest.tagsOf(interests, flight.key) }
      const { answer, isStored } = landRow(c, flight.key, landing, row, revision)
      if (outcome.value.askedAt === undefined && isStored && row !== undefined) {
        tier?.put({ id: flight.key, row, revision, stamp: flight.stamp, askedAt })
      }
      return Exit.succeed(answer)
    }
  })
}

/** Makes the flights of lists and counts. */
export const makeQueryFlights = <D extends AnyDefinition>(
  loading: Loading<D>
): Effect.Effect<QueryFlights, never, Scope.Scope> => {
  const { c, clock, hardTimeout, interests, master, onLanded, onLoaded } = loading
  const { columns, id } = master.definition
  return Flights.make<Key, LoadedQuery, unknown, QueryAnswer, ReadFailed>({
    load: (keys) =>
      // Without gathering, a load has one key.
      loadQuery(loading, keys[0]!).pipe(
        Effect.map((read) => [read]),
        Effect.onExit((exit) => Effect.sync(() => onLoaded(Exit.isFailure(exit))))
      ),
    gather: "none",
    maxBatch: 1,
    hardTimeout,
    nextStamp: () => beginStamp(loading),
    onLanded,
    land: (flight, outcome) => {
      if (outcome._tag !== "Loaded") return Exit.fail(failureOf(outcome))
      const { revision, value } = outcome.value
      const asked = Interest.specOf(interests, flight.key)
      // Who asked for a flight that lands is still there.
      if (asked === undefined) return Exit.fail(failureOf({ _tag: "Unwanted" }))
      const tags = Interest.tagsOf(interests, flight.key)
      const landing = { ...flight, askedAt: flight.begunAt, now: monotonicMillis(clock), tags }
      const basis =
        typeof value === "number"
          ? Surviving.ofCount(columns, id, asked.query.where)
          : Surviving.ofList(columns, id, asked.query, value)
      return Exit.succeed(landQuery(c, flight.key, landing, { basis, spec: asked }, value, revision, id))
    }
  })
}
