/** Saves a batch in one transaction: the heads of its stores locked in one order, then decided, then written. */
import { Effect, Either, identity } from "effect"
import type { Broken, Save, SaveOutcome } from "../../../internal/catalog/backend.js"
import { type Decided, decideSaves } from "../../../internal/catalog/decideSaves.js"
import { word } from "../../../internal/random.js"
import { type BadRecord, StorageError } from "../../../Storage.js"
import type { Executor } from "../dialect.js"
import { SqlFailure, whileBusy } from "../errors.js"
import { appendKnown } from "../log/append.js"
import { type Encoded, encodeEntry } from "../log/rows.js"
import type { Limits, LogStatements } from "../log/statements.js"
import { compareHeads, decodeHead, type HeadRow, type LockedStore, now } from "../log/store.js"
import type { Feed } from "../log/tables.js"
import type { SizeLimits } from "../statementSize.js"
import { type Step, step, steps, transaction } from "../transaction.js"
import type { Fence } from "./ownership.js"
import { type Known, type Place, readNamed } from "./reading.js"
import { feedOf, lostStore } from "./tables.js"
import { type Change, writeStatements } from "./writing.js"

/** A database with the tables and logs of stores. */
export interface SavePlace extends Place {
  readonly executor: Executor
  readonly limits: Limits
  readonly sizes: SizeLimits
  readonly logStatements: (feed: Feed, limits: Limits) => LogStatements
  readonly random: Int32Array
}

/** The saves of one store, with their positions in the batch. */
interface Group {
  readonly id: string
  readonly store: LockedStore
  readonly saves: Array<Save>
  readonly indexes: Array<number>
}

/** The saves by store, in the order in which heads are locked. */
const groupsOf = (place: SavePlace, batch: ReadonlyArray<Save>): ReadonlyArray<Group> => {
  const groups = new Map<string, Group>()
  for (const [index, save] of batch.entries()) {
    const { store: id } = save
    let group = groups.get(id)
    if (group === undefined) {
      const feed = feedOf(place.tables, id)
      group = {
        id,
        store: { feed, statements: place.logStatements(feed, place.limits) },
        saves: [],
        indexes: []
      }
      groups.set(id, group)
    }
    group.saves.push(save)
    group.indexes.push(index)
  }
  return [...groups.values()].sort((a, b) => compareHeads(a.store, b.store))
}

/** Locks the head of a store. The first one begins the transaction. Gives `undefined` if there is none. */
const lock = (
  { dialect }: SavePlace,
  run: Step,
  { store: { statements } }: Group,
  isFirst: boolean
): Effect.Effect<HeadRow | undefined, StorageError> =>
  Effect.map(isFirst ? steps(dialect, run, statements.begin) : run(statements.lock), (result) => {
    const [row] = dialect.rows(statements.last(result))
    return row === undefined ? undefined : decodeHead(row)
  })

/** What is to be done with one store. */
interface Judged extends Change {
  readonly group: Group
  readonly row: HeadRow
  readonly known: Known
}

/** Entries of a batch that is written by one statement of each store. */
interface Budget {
  left: number
}

const tooLarge = (index: number, isAlone: boolean, { record }: SizeLimits): StorageError => {
  if (!isAlone) {
    const message = "the saves are too large for one commit"
    return new StorageError({
      kind: "Transient",
      outcome: "NotStored",
      blame: "size",
      message,
      fits: Math.max(1, index)
    })
  }
  const message = `the save is larger than a statement can be (${record} bytes)`
  const cause = new SqlFailure({ code: "54000", constraint: undefined, message })
  return new StorageError({ kind: "Poison", outcome: "NotStored", message, cause, bad: [{ index, cause }] })
}

/** Encodes the revisions of a store. Those that no log can hold are bad. */
const encode = (
  { random, sizes }: SavePlace,
  { feed }: LockedStore,
  { indexes, saves }: Group,
  revisions: ReadonlyArray<Decided>,
  isAlone: boolean,
  budget: Budget
): Either.Either<ReadonlyArray<Encoded>, StorageError> => {
  const entries: Array<Encoded> = []
  const bad: Array<BadRecord> = []
  for (const { changes, id, index: n, revision } of revisions) {
    const index = indexes[n]!
    const entry = encodeEntry(id === undefined ? { changes } : { id, changes }, index, random, feed)
    if (Either.isLeft(entry)) {
      bad.push({ index, cause: entry.left })
      continue
    }
    budget.left -= entry.right.bytes
    if (budget.left < 0) return Either.left(tooLarge(index, isAlone, sizes))
    // The tag is the one that the saves behind it have been decided on.
    entries.push({ ...entry.right, tag: revision.tag })
  }
  if (bad.length === 0) return Either.right(entries)
  const message = `${bad.length} revisions of ${saves.length} saves cannot be stored: ${(bad[0]!.cause as Error).message}`
  return Either.left(new StorageError({ kind: "Poison", outcome: "NotStored", message, bad }))
}

const appendJudged = (
  place: SavePlace,
  run: Step,
  { after, group, known, row }: Judged,
  isAlone: boolean,
  budget: Budget,
  at: Date
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    if (after.revisions.length === 0) return Effect.void
    return Effect.flatMap(encode(place, group.store, group, after.revisions, isAlone, budget), (entries) =>
      appendKnown(group.store, run, row, entries, at, { counts: new Map(), values: known.encoded })
    )
  })

/** What a batch has come to. */
export interface Saved {
  readonly outcomes: ReadonlyArray<SaveOutcome>
  /** The stores that have new revisions, and the last of those. */
  readonly appended: ReadonlyArray<{
    readonly store: { readonly feed: Feed; readonly logId: string }
    readonly seq: number
  }>
}

const savedOf = (judged: ReadonlyArray<Judged>, outcomes: ReadonlyArray<SaveOutcome>): Saved => ({
  outcomes,
  appended: judged.flatMap(({ after, group, row }) =>
    after.revisions.length === 0
      ? []
      : [{ store: { feed: group.store.feed, logId: row.logId }, seq: after.head.seq }]
  )
})

const broken = (message: string): Broken => ({ _tag: "Broken", message })

/** Reads what the saves of a store name, and decides them. `Broken`: nothing of the store is saved. */
const judge = (
  place: SavePlace,
  run: Step,
  group: Group,
  row: HeadRow | undefined,
  fence: Fence
): Effect.Effect<Judged | Broken, StorageError> =>
  Effect.gen(function* () {
    const { id, saves } = group
    const known = row && (yield* readNamed(place, run, id, row, saves))
    if (row === undefined || known === undefined) return broken(lostStore(place.tables, id))
    const { before, owner } = known
    if (owner !== "" && owner !== fence.name) {
      return broken(
        `the store ${JSON.stringify(id)} is saved by the owner of ${JSON.stringify(owner)} alone: own it`
      )
    }
    const after = decideSaves(saves, before, () => word(place.random) >>> 0)
    return { id, group, row, known, before, after }
  })

const saveLocked = (
  place: SavePlace,
  run: Step,
  groups: ReadonlyArray<Group>,
  fence: Fence
): Effect.Effect<Saved, StorageError> =>
  Effect.gen(function* () {
    const heads: Array<HeadRow | undefined> = []
    for (const [n, group] of groups.entries()) heads.push(yield* lock(place, run, group, n === 0))
    yield* fence.prove(run)
    const outcomes: Array<SaveOutcome> = []
    const judged: Array<Judged> = []
    for (const [g, group] of groups.entries()) {
      const one = yield* judge(place, run, group, heads[g], fence)
      const isBroken = "_tag" in one
      for (const [n, index] of group.indexes.entries())
        outcomes[index] = isBroken ? one : one.after.outcomes[n]!
      if (!isBroken) judged.push(one)
    }
    const isAlone = outcomes.length === 1
    const budget: Budget = { left: isAlone ? place.sizes.record : place.sizes.batch }
    const at = yield* now
    for (const one of judged) yield* appendJudged(place, run, one, isAlone, budget, at)
    for (const statement of writeStatements(place.dialect, place.tables, judged)) yield* run(statement)
    return savedOf(judged, outcomes)
  })

/** Saves a batch. It is decided anew when another connection holds the SQLite file, and it is tried again. */
export const saveBatch = (
  place: SavePlace,
  batch: ReadonlyArray<Save>,
  fence: Fence
): Effect.Effect<Saved, StorageError> => {
  if (batch.length === 0) return Effect.succeed({ outcomes: [], appended: [] })
  const groups = groupsOf(place, batch)
  const { dialect, executor } = place
  return whileBusy(
    transaction(dialect, executor.reserve, identity, (run) =>
      saveLocked(place, step(dialect, run), groups, fence)
    )
  )
}
