/** How entries are appended to a log in a database. */
import { Effect, Either, Option } from "effect"
import type { Conflict, Revision } from "../../../internal/log/events.js"
import type { CommitResult } from "../../../internal/log/memoryLog.js"
import { StorageError } from "../../../Storage.js"
import type { Statement } from "../dialect.js"
import { SqlFailure } from "../errors.js"
import type { Step } from "../transaction.js"
import { countedKeys, judgeLocked, type KnownKeys, valuedKeys } from "./expectations.js"
import { countEvents } from "./keyRows.js"
import { type Encoded, placeEntries } from "./rows.js"
import type { Names } from "./statements.js"
import {
  execute,
  type HeadRow,
  type LockedStore,
  type LogStore,
  missingFeed,
  now,
  withHead
} from "./store.js"
import { idIndex } from "./tables.js"

/** What a log knows of the entries that are to be appended, as of its head. */
interface Known extends KnownKeys {
  readonly ids: ReadonlySet<string>
  /** The encoded last values of keys. */
  readonly values: ReadonlyMap<string, string>
}

/** Reads what the log knows of entries. The head is locked. */
const readKnown = (
  { feed, statements }: LockedStore,
  run: Step,
  entries: ReadonlyArray<Encoded>
): Effect.Effect<Known, StorageError> =>
  Effect.gen(function* () {
    const changed = entries.flatMap(({ changes }) => changes.map(({ key }) => key))
    const names: Names = {
      ids: entries.flatMap(({ id }) => (id === undefined ? [] : [id])),
      values: feed.state === "latest" ? [...new Set([...changed, ...valuedKeys(entries)])] : [],
      counts: feed.keys === "indexed" ? [...new Set([...changed, ...countedKeys(entries)])] : []
    }
    const ids = new Set<string>()
    const values = new Map<string, string>()
    const seqs = new Map<string, number>()
    const counts = new Map<string, number>()
    const known = { ids, values, seqs, counts }
    if (names.ids.length + names.values.length + names.counts.length === 0) return known
    for (const { kind, name, seq, value } of statements.dialect.rows(yield* run(statements.known(names)))) {
      if (kind === "id") ids.add(name as string)
      else if (kind === "key") {
        values.set(name as string, value as string)
        seqs.set(name as string, Number(seq))
      } else counts.set(name as string, Number(value))
    }
    return known
  })

/** Appends entries that the log does not hold, when what it knows of their keys has been read. The head is locked. */
export const appendKnown = (
  { feed, statements }: LockedStore,
  run: Step,
  { bytes, head }: Pick<HeadRow, "bytes" | "head">,
  fresh: ReadonlyArray<Encoded>,
  at: Date,
  { counts, values }: Pick<Known, "counts" | "values">
): Effect.Effect<ReadonlyArray<Revision>, StorageError> => {
  const keepsState = feed.state === "latest"
  const { rows, state } = placeEntries(fresh, { seq: head.seq, bytes }, keepsState ? values : undefined)
  const writes = statements.write(rows, state, countEvents(rows, counts), at)
  return Effect.as(
    Effect.forEach(writes, run, { discard: true }),
    rows.map(({ seq, tag }) => ({ epoch: head.epoch, seq, tag }))
  )
}

/** Appends what the log does not hold, if `admit` does not fail. The head is locked. */
const appendIf = <E>(
  store: LockedStore,
  run: Step,
  head: HeadRow,
  entries: ReadonlyArray<Encoded>,
  at: Date,
  admit: (fresh: ReadonlyArray<Encoded>, known: KnownKeys) => Effect.Effect<void, E>
): Effect.Effect<ReadonlyArray<Revision>, E | StorageError> =>
  Effect.gen(function* () {
    const known = yield* readKnown(store, run, entries)
    const fresh = entries.filter(({ id }) => id === undefined || !known.ids.has(id))
    if (fresh.length === 0) return []
    yield* admit(fresh, known)
    return yield* appendKnown(store, run, head, fresh, at, known)
  })

/** Appends as far as the log does not hold it. The head is locked. */
export type AppendAs<E> = (
  store: LockedStore,
  run: Step,
  head: HeadRow,
  entries: ReadonlyArray<Encoded>,
  at: Date
) => Effect.Effect<ReadonlyArray<Revision>, E | StorageError>

/** Appends entries that expect nothing, as far as the log does not hold them. The head is locked. */
export const appendLocked: AppendAs<never> = (store, run, head, entries, at) =>
  appendIf(store, run, head, entries, at, () => Effect.void)

/** Appends entries that the log does not hold, if it is as all of them expect. The head is locked. */
export const appendExpected: AppendAs<Conflict> = (store, run, head, entries, at) =>
  appendIf(store, run, head, entries, at, (fresh, known) => judgeLocked(store, run, head, fresh, known))

/**
 * Another commit has appended an entry of the same id, after this statement took its view of the log and before it had
 * the head. The next try sees it.
 */
const metConcurrentAppend = ({ feed }: LogStore, error: StorageError): boolean =>
  error.cause instanceof SqlFailure &&
  error.cause.code === "23505" &&
  error.cause.constraint === idIndex(feed.log.name)

/** What a statement has appended that appends by itself, and how many entries were new to it. */
export const revisionsOf = (
  { feed, statements }: LockedStore,
  result: unknown
): Either.Either<{ readonly written: number; readonly revisions: ReadonlyArray<Revision> }, StorageError> => {
  const rows = statements.dialect.rows(result)
  const written = Number(rows[0]?.fresh)
  if (rows[0]?.epoch == null) {
    return written === 0 ? Either.right({ written, revisions: [] }) : Either.left(missingFeed(feed))
  }
  const revisions = rows.map(({ epoch, seq, tag }) => ({
    epoch: epoch as string,
    seq: Number(seq),
    tag: Number(tag)
  }))
  return Either.right({ written, revisions })
}

const appendAtOnce = (
  store: LogStore,
  statement: Statement
): Effect.Effect<ReadonlyArray<Revision>, StorageError> =>
  Effect.flatMap(execute(store, statement), (result) =>
    Either.map(revisionsOf(store, result), ({ revisions }) => revisions)
  ).pipe(Effect.retry({ times: 20, while: (error) => metConcurrentAppend(store, error) }))

const isConflict = ({ statements }: LogStore, error: unknown): boolean =>
  error instanceof StorageError && error.cause instanceof SqlFailure && statements.isConflict(error.cause)

/** Appends the entries whose id the log does not hold, all in one commit. */
export const appendEntries = <E>(
  store: LogStore,
  entries: ReadonlyArray<Encoded>,
  given: number,
  appendAs: AppendAs<E>
): Effect.Effect<CommitResult, E | StorageError> =>
  Effect.gen(function* () {
    if (entries.length === 0) return { revisions: [], duplicates: given }
    const at = yield* now
    const { append, judges } = store.statements
    const isExpecting = entries.some(({ expect }) => expect.length > 0)
    const locked = withHead(store, (run, head) => appendAs(store, run, head, entries, at))
    const atOnce =
      append === undefined || Option.isSome(yield* store.backend.joined) || (isExpecting && !judges(entries))
        ? locked
        : appendAtOnce(store, append(entries, at))
    const revisions = yield* isExpecting
      ? // Judged again, for the error that names what is there.
        Effect.catchIf(
          atOnce,
          (error) => isConflict(store, error),
          () => locked
        )
      : atOnce
    return { revisions, duplicates: given - revisions.length }
  })
