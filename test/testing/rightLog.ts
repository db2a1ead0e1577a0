/** A change log that keeps every law, in parts that a wrong one replaces. */
import { Effect, Either, Option } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import { validateValue } from "../../src/internal/columns/checkRow.js"
import { validateEntry } from "../../src/internal/log/entry.js"
import { validateCursor } from "../../src/internal/log/events.js"
import { resolveSelector } from "../../src/internal/log/selector.js"
import type { Subject } from "../../src/testing/ChangeLogLaws.js"

type Entry = ChangeLog.Entry<unknown>
type LoggedRevision = ChangeLog.LoggedRevision<unknown>
type Revision = ChangeLog.Revision
type Log = ChangeLog.ChangeLog<unknown>

/** A revision that is held. */
export interface Held extends LoggedRevision {
  readonly id: string | undefined
}

/** Where the log is kept: every handle works on it. */
export interface Disk {
  head: Revision
  floor: Revision
  rows: Array<Held>
  state: Map<string, ChangeLog.KeyValue<unknown>>
  readonly bells: Set<() => void>
  /** Whatever a wrong log remembers. */
  readonly notes: Map<string, unknown>
}

/** The parts of a log. */
export interface Parts {
  /** What is wrong with an entry. */
  readonly problem: (entry: Entry) => string | undefined
  readonly tooLarge: (entry: Entry) => boolean
  /** The entries that are not held yet. */
  readonly fresh: (disk: Disk, entries: ReadonlyArray<Entry>) => ReadonlyArray<Entry>
  readonly number: (disk: Disk) => number
  readonly tag: (disk: Disk) => number
  /** What is kept of a change. */
  readonly keep: (change: ChangeLog.Change<unknown>) => ChangeLog.Change<unknown>
  /** Makes a revision that nobody can change. */
  readonly seal: (row: Held) => Held
  /** Puts new revisions behind the others. */
  readonly write: (disk: Disk, rows: ReadonlyArray<Held>) => void
  readonly ring: (disk: Disk) => void
  /** Why a cursor cannot be read after. */
  readonly cursor: (disk: Disk, after: Revision) => ChangeLog.Compacted | ChangeLog.EpochChanged | undefined
  /** The revisions after a good cursor. */
  readonly after: (disk: Disk, seq: number, limit: number) => ReadonlyArray<LoggedRevision>
  readonly compact: (disk: Disk, upTo: number) => void
  readonly renew: (disk: Disk) => void
  /** What a selector matches, in order. */
  readonly select: (disk: Disk, selector: ChangeLog.Selector) => ReadonlyArray<ChangeLog.KeyValue<unknown>>
}

export const invalid = (message: string, index?: number): ChangeLog.ChangeLogError =>
  new ChangeLog.ChangeLogError({
    reason: "Invalid",
    message,
    outcome: "NotStored",
    ...(index === undefined ? {} : { index })
  })

const drawn = (): number => Math.floor(Math.random() * 2 ** 32)

const newEpoch = (): string => `epoch ${drawn()} ${drawn()}`

export const newDisk = (): Disk => {
  const start = ChangeLog.start(newEpoch())
  return { head: start, floor: start, rows: [], state: new Map(), bells: new Set(), notes: new Map() }
}

const valueProblem = ({ changes }: Entry): string | undefined => {
  try {
    return changes.some(
      (change) => change._tag === "Put" && validateValue("json", change.value) !== undefined
    )
      ? "a value is no JSON"
      : undefined
  } catch {
    return "a value cannot be read"
  }
}

export const firstOfEachId = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
  entries.filter(({ id }, n) => id === undefined || entries.findIndex((other) => other.id === id) === n)

const notHeld = ({ rows }: Disk, entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
  entries.filter(({ id }) => id === undefined || !rows.some((row) => row.id === id))

/** Up to a revision, with the tag that the floor gets. */
export const floorAt = (disk: Disk, upTo: number): Revision =>
  disk.rows.filter(({ revision }) => revision.seq <= upTo).at(-1)?.revision ?? disk.floor

export const parts: Parts = {
  problem: (entry) => validateEntry(entry) ?? valueProblem(entry),
  tooLarge: ({ changes }) => changes.length > 100,
  fresh: (disk, entries) => notHeld(disk, firstOfEachId(entries)),
  number: ({ head }) => head.seq + 1,
  tag: drawn,
  keep: (change) => change,
  seal: (row) => {
    for (const event of row.events) Object.freeze(event)
    for (const part of [row.revision, row.events, row.previous]) Object.freeze(part)
    return Object.freeze(row)
  },
  write: (disk, rows) => disk.rows.push(...rows),
  ring: ({ bells }) => {
    for (const bell of bells) bell()
  },
  cursor: (disk, after) =>
    validateCursor(
      after,
      disk,
      (seq) => disk.rows.find(({ revision }) => revision.seq === seq)?.revision.tag
    ),
  after: ({ rows }, seq, limit) => rows.filter(({ revision }) => revision.seq > seq).slice(0, limit),
  compact: (disk, upTo) => {
    if (!(upTo > disk.floor.seq)) return
    disk.floor = floorAt(disk, upTo)
    disk.rows = disk.rows.filter(({ revision }) => revision.seq > upTo)
  },
  renew: (disk) => {
    disk.head = ChangeLog.start(newEpoch())
    disk.floor = disk.head
    disk.rows = []
    for (const [key, kept] of disk.state) disk.state.set(key, { ...kept, revision: disk.head })
  },
  select: ({ state }, selector) =>
    [...state.values()]
      .filter(({ key }) => ChangeLog.matches(selector, key))
      .sort((a, b) => ChangeLog.compareKeys(a.key, b.key))
      .map((kept) => ({ ...kept }))
}

/** The first entry that cannot be, and why. */
export const refusal = (entries: ReadonlyArray<Entry>, of: Parts): ChangeLog.ChangeLogError | undefined => {
  for (const [index, entry] of entries.entries()) {
    const message = of.problem(entry)
    if (message !== undefined) return invalid(message, index)
    if (of.tooLarge(entry)) {
      return new ChangeLog.ChangeLogError({
        reason: "TooLarge",
        message: "too large",
        index,
        outcome: "NotStored"
      })
    }
  }
  return undefined
}

/** Makes a row of an entry, behind the head, and brings the state up to it. */
export const rowOf = (disk: Disk, { changes, id }: Entry, of: Parts): Held => {
  const revision: Revision = { epoch: disk.head.epoch, seq: of.number(disk), tag: of.tag(disk) }
  disk.head = revision
  const previous: Array<Option.Option<unknown>> = []
  const events = changes.map(of.keep).map((change): ChangeLog.Event<unknown> => {
    previous.push(Option.map(Option.fromNullable(disk.state.get(change.key)), ({ value }) => value))
    if (change._tag === "Put") disk.state.set(change.key, { key: change.key, value: change.value, revision })
    else disk.state.delete(change.key)
    return { ...change, revision }
  })
  return of.seal({ revision, events, previous, id })
}

/** Commits in one moment. */
export const commitNow = (
  disk: Disk,
  entries: ReadonlyArray<Entry>,
  of: Parts
): Either.Either<ChangeLog.CommitResult, ChangeLog.ChangeLogError> => {
  const refused = refusal(entries, of)
  if (refused !== undefined) return Either.left(refused)
  const rows = of.fresh(disk, entries).map((entry) => rowOf(disk, entry, of))
  of.write(disk, rows)
  if (rows.length > 0) of.ring(disk)
  return Either.right({
    revisions: rows.map(({ revision }) => revision),
    duplicates: entries.length - rows.length
  })
}

const aTurn = Effect.yieldNow()

/** The log, with some parts replaced. Every call takes a turn before and after it, as a database does. */
export const right = (disk: Disk, state: "latest" | "none", over: Partial<Parts> = {}): Log => {
  const of = { ...parts, ...over }
  const moment = <A, E>(call: () => Either.Either<A, E>): Effect.Effect<A, E> =>
    Effect.zipRight(aTurn, Effect.zipLeft(Effect.suspend(call), aTurn))
  const commit: Log["commit"] = (entries) => moment(() => commitNow(disk, entries, of))
  return {
    append: (changes) =>
      Effect.map(commit([{ changes }]), ({ revisions }) => revisions[0] as Revision).pipe(
        // The entry expects nothing.
        Effect.catchTag("Conflict", Effect.die)
      ),
    commit,
    check: (entry) => refusal([entry], of),
    read: ({ after, limit }) =>
      Number.isSafeInteger(limit) && limit > 0
        ? moment(() => {
            const problem = of.cursor(disk, after)
            if (problem !== undefined) return Either.left(problem)
            const rows = of.after(disk, after.seq, limit)
            return Either.right(
              state === "latest" ? rows : rows.map((row) => ({ ...row, previous: undefined }))
            )
          })
        : Effect.fail(invalid("a wrong limit")),
    head: moment(() => Either.right({ head: { ...disk.head }, floor: { ...disk.floor } })),
    compact: (upTo) => moment(() => Either.right(of.compact(disk, upTo))),
    renewEpoch: moment(() => {
      of.renew(disk)
      return Either.right(disk.head.epoch)
    }),
    snapshot: (selector) =>
      Effect.flatMap(resolveSelector(selector), (selector) =>
        state === "none"
          ? new ChangeLog.ChangeLogError({ reason: "NoState", message: "no state" })
          : moment(() => Either.right({ revision: disk.head, entries: of.select(disk, selector) }))
      ),
    state,
    doorbell: (ring) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const own = () => ring()
          disk.bells.add(own)
          return own
        }),
        (own) => Effect.sync(() => disk.bells.delete(own))
      )
  }
}

/** A wrong log, or the right one, as a subject of the laws. */
export const subjectOf = (
  name: string,
  state: "latest" | "none",
  open: (disk: Disk, state: "latest" | "none") => Log
): Subject => ({
  name,
  place: Effect.sync(() => {
    const disk = newDisk()
    return { open: Effect.sync(() => open(disk, state)) }
  }),
  capabilities: { state, handles: "together", values: "json" },
  tooLarge: Array.from({ length: 101 }, (_, n) => ChangeLog.put(`/${n}`, n))
})
