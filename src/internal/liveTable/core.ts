/** What exists once the master is up: the memory, its flights, the tier, and the check of what callers pass. */
import { type Clock, Effect, Either, type Scope } from "effect"
import { type Table, WriteRefused } from "../../Table.js"
import * as Cells from "../cache/cells.js"
import * as Flights from "../cache/flights.js"
import * as KeyJournal from "../cache/journal.js"
import { checkQuery } from "../columns/checkQuery.js"
import { compileNormalise } from "../columns/checkRow.js"
import { type CheckedWrite, compileCheckWrite } from "../columns/checkWrite.js"
import { compileNormalId, type IdValue, isReason } from "../columns/ids.js"
import { type CheckedQuery, InvalidQuery } from "../columns/query.js"
import { conditionText, queryText } from "../columns/queryText.js"
import { encodeRow } from "../columns/rowCodec.js"
import type { AnyDefinition } from "../columns/writes.js"
import { keyPrefix } from "../log/tableChange.js"
import type { InvalidOptions } from "../options.js"
import { monotonicMillis } from "../time.js"
import * as Acknowledged from "./acknowledged.js"
import { type AnyRow, sharingOf } from "./answers.js"
import type { Coherence, Effects, Key, QueryEntry, QuerySpec, RowAnswer } from "./coherence.js"
import { forgetAcknowledged, makeGap, queryMark } from "./coherence.js"
import * as Doubts from "./doubts.js"
import * as Interest from "./interests.js"
import * as Journal from "./journal.js"
import {
  type Loading,
  makeQueryFlights,
  makeRowFlights,
  type QueryFlights,
  type RowFlights
} from "./loading.js"
import type { Settings } from "./options.js"
import type { Traced } from "./spans.js"
import { make as makeStaging, type Staging } from "./staging.js"
import type { Counters } from "./stats.js"
import * as TierCache from "./tierCache.js"
import { type Beliefs, codecOf, type KnownChanges } from "./tierEntry.js"

/** What lives as long as the live table, with or without a master. */
export interface Surroundings<D extends AnyDefinition> {
  readonly settings: Settings<D>
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly random: Int32Array
  readonly life: string
  readonly traced: Traced
  readonly wakes: Pick<Effects, "wake" | "wakeQueries" | "wakeAll" | "settleAt">
  readonly isWriting: Effects["isWriting"]
  readonly publish: () => void
}

export interface Core<D extends AnyDefinition> {
  readonly master: Table<D>
  /** Takes the writes. */
  readonly target: Table<D>
  readonly c: Coherence
  readonly rows: RowFlights
  readonly queries: QueryFlights
  readonly interests: Interest.Interests
  readonly loading: Loading<D>
  readonly tier: TierCache.TierCache | undefined
  readonly beliefs: Beliefs
  readonly checkWrite: (write: unknown) => CheckedWrite | WriteRefused
  readonly staging: Staging
  /** An id can be written in more than one way. */
  readonly hasSpellings: boolean
  readonly keyOf: (id: unknown) => IdValue | InvalidQuery
  readonly listOf: (query: unknown) => Asked | InvalidQuery
  readonly askedList: (query: CheckedQuery) => Asked
  readonly countOf: (where: unknown) => Asked | InvalidQuery
  /** A text that two rows share exactly if they are the same. */
  readonly textOfRow: (row: AnyRow) => string
}

/** A list or a count, and its key. */
export interface Asked {
  readonly key: Key
  readonly spec: QuerySpec
}

/** A list has so many rows, unless its query has another limit. */
const defaultLimit = 50

/** So many changed rows are remembered one by one, for rows that a list or a tier brings later. */
const maxChangedRows = 10_000

/** Marks counts among the keys of queries. */
const countMark = "count:"

const askedOf = ({
  columns,
  id
}: AnyDefinition): Pick<
  Core<AnyDefinition>,
  "listOf" | "askedList" | "countOf" | "keyOf" | "hasSpellings"
> => {
  const normalId = compileNormalId(columns, id)
  const askedList = (query: CheckedQuery): Asked => ({
    key: queryMark + queryText(query),
    spec: { kind: "list", query }
  })
  return {
    hasSpellings: columns[id]?.type === "uuid",
    askedList,
    keyOf: (given) => {
      const key = normalId(given)
      return isReason(key) ? new InvalidQuery({ part: "id", message: key.message }) : key
    },
    listOf: (query) => {
      const isUnlimited =
        typeof query === "object" && query !== null && (query as { limit?: unknown }).limit === undefined
      const limited = isUnlimited ? { ...query, limit: defaultLimit } : query
      return Either.merge(Either.map(checkQuery(columns, id, limited), askedList))
    },
    countOf: (where) =>
      Either.merge(
        Either.map(checkQuery(columns, id, where === undefined ? {} : { where }), (query) => ({
          key: queryMark + countMark + conditionText(query.where),
          spec: { kind: "count" as const, query }
        }))
      )
  }
}

const checkOf = (definition: AnyDefinition): Core<AnyDefinition>["checkWrite"] => {
  const check = compileCheckWrite(definition)
  return (write) => {
    const checked = check(write)
    if (checked._tag !== "InvalidWrite") return checked
    const { cause, message } = checked
    return new WriteRefused({ reason: "Invalid", message, ...(cause === undefined ? {} : { cause }) })
  }
}

const boundOf = <D extends AnyDefinition>({ maxBytes, maxEntries }: Settings<D>): Cells.Bound =>
  maxBytes === undefined
    ? { maxEntries: maxEntries ?? 10_000, maxBytes: Number.POSITIVE_INFINITY }
    : { maxEntries: Number.POSITIVE_INFINITY, maxBytes }

export const lifetimesOf = <D extends AnyDefinition>(settings: Settings<D>): Coherence["lifetimes"] => {
  const { absentTtl, doubt, grace, staleWhileRevalidate, targetLag, ttl } = settings
  return {
    present: { ttl, staleWhileRevalidate, grace },
    absent: { ttl: absentTtl, staleWhileRevalidate, grace },
    doubt,
    targetLag
  }
}

const memoryOf = <D extends AnyDefinition>(
  surroundings: Surroundings<D>,
  master: Table<D>,
  effects: Effects
): Coherence => {
  const { counters, random, settings } = surroundings
  return {
    cells: Cells.make<Key, RowAnswer | QueryEntry>(boundOf(settings), () => {
      counters.evicted++
    }),
    journal: Journal.make(),
    changedRows: KeyJournal.make(maxChangedRows),
    expiredRows: KeyJournal.make(maxChangedRows),
    readRows: KeyJournal.make(maxChangedRows),
    listedRows: KeyJournal.make(maxChangedRows),
    doubts: Doubts.make(),
    acknowledged: Acknowledged.make(),
    gap: makeGap(),
    sharing: sharingOf(master.definition.columns),
    sizeOf: settings.sizeOf,
    lifetimes: lifetimesOf(settings),
    random,
    counters,
    effects
  }
}

/** The flights, once they are made: they are made of the memory, whose effects reach them. */
interface Flying {
  rows: RowFlights | undefined
  queries: QueryFlights | undefined
}

const effectsOf = (
  flying: Flying,
  { isWriting, wakes }: Pick<Surroundings<AnyDefinition>, "isWriting" | "wakes">
): Effects => {
  const detachQueries = (): void => {
    if (flying.queries !== undefined) Flights.detachAll(flying.queries)
  }
  return {
    ...wakes,
    isWriting,
    detach: (key) => {
      if (flying.rows !== undefined) Flights.detach(flying.rows, key)
      if (flying.queries !== undefined) Flights.detach(flying.queries, key)
    },
    detachQueries,
    detachAll: () => {
      if (flying.rows !== undefined) Flights.detachAll(flying.rows)
      detachQueries()
    },
    oldestLoad: () => {
      const { queries, rows } = flying
      if (rows === undefined || queries === undefined) return Number.POSITIVE_INFINITY
      return Math.min(Flights.oldest(rows), Flights.oldest(queries))
    }
  }
}

const beliefsOf = <D extends AnyDefinition>(
  { cells, changedRows, expiredRows }: Coherence,
  { clock, life, settings }: Surroundings<D>,
  name: string,
  changes: KnownChanges | undefined
): Beliefs => ({
  life,
  prefix: keyPrefix(name),
  // Without a tier there is nothing to believe.
  changes: settings.tier === undefined ? undefined : changes,
  now: () => monotonicMillis(clock),
  changedRows,
  expiredRows,
  outdatedUpTo: () => {
    const { distrusted, expiredUpTo, invalidUpTo, suspectUpTo } = cells
    return distrusted ? Number.POSITIVE_INFINITY : Math.max(expiredUpTo, invalidUpTo, suspectUpTo)
  },
  ownOutdatedUpTo: 0,
  bars: new Map(),
  bar: undefined
})

const tierOf = <D extends AnyDefinition>(
  { clock, counters, settings, traced }: Surroundings<D>,
  { columns, id, name }: AnyDefinition,
  beliefs: Beliefs
): Effect.Effect<TierCache.TierCache | undefined, InvalidOptions, Scope.Scope> => {
  const { graceBackoff, tier, tierTimeout, ttl } = settings
  if (tier === undefined) return Effect.succeed(undefined)
  const codec = codecOf(columns, id)
  const times = { ttl, tierTimeout, graceBackoff }
  return TierCache.make({ tier, namespace: name, codec, beliefs, clock, counters, traced, ...times })
}

/** Makes what stands on a master that has come up. */
export const make = <D extends AnyDefinition>(
  surroundings: Surroundings<D>,
  master: Table<D>,
  changes: KnownChanges | undefined
): Effect.Effect<Core<D>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const { clock, counters, publish, settings, traced } = surroundings
    const { columns, name } = master.definition
    const interests = Interest.make()
    const flying: Flying = { rows: undefined, queries: undefined }
    const c = memoryOf(surroundings, master, effectsOf(flying, surroundings))
    const beliefs = beliefsOf(c, surroundings, name, changes)
    const tier = yield* tierOf(surroundings, master.definition, beliefs)
    const onLoaded = (failed: boolean): void => {
      counters.loads++
      if (failed) counters.loadFailures++
      publish()
    }
    // Rows are stored, and others given up for them, after the load has ended.
    const onLanded = (): void => {
      forgetAcknowledged(c)
      publish()
    }
    const { hardTimeout } = settings
    const loading: Loading<D> = { c, master, clock, hardTimeout, interests, tier, traced, onLoaded, onLanded }
    const rows = yield* makeRowFlights(loading)
    const queries = yield* makeQueryFlights(loading)
    flying.rows = rows
    flying.queries = queries
    const normalise = compileNormalise(columns)
    const encode = encodeRow(columns)
    return {
      master,
      target: settings.target ?? master,
      c,
      rows,
      queries,
      interests,
      loading,
      tier,
      beliefs,
      checkWrite: checkOf(master.definition),
      staging: makeStaging(),
      ...askedOf(master.definition),
      textOfRow: (row) => JSON.stringify(encode(normalise(row)))
    }
  })
