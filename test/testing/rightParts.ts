/** The parts of a change log that keeps every law. A wrong one replaces some. */
import { Effect, type Either } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import { validateValue } from "../../src/internal/columns/checkRow.js"
import { validateEntry } from "../../src/internal/log/entry.js"
import { compacted, epochChanged, validateCursor } from "../../src/internal/log/events.js"
import { freshOf, judge } from "../../src/internal/log/judge.js"
import { matcherOfKinds } from "../../src/internal/log/kinds.js"

type Entry = ChangeLog.Entry<unknown>
type LoggedRevision = ChangeLog.LoggedRevision<unknown>
type Revision = ChangeLog.Revision

/** A revision that is held. */
export interface Held extends LoggedRevision {
  readonly id: string | undefined
}

type KeyEvent = ChangeLog.KeyEvent<unknown>

/** How many revisions a commit leaves. */
export const retention = 1000

/** Where the log is kept: every handle works on it. */
export interface Disk {
  head: Revision
  floor: Revision
  rows: Array<Held>
  state: Map<string, ChangeLog.KeyValue<unknown>>
  /** Every event that ever was, of a log with an index. */
  events: Array<KeyEvent>
  readonly holds: Map<string, number>
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
  /** Renews a log with an index. */
  readonly move: (disk: Disk) => void
  /** The number of the revision of a key's last value. */
  readonly seqOf: (disk: Disk, key: string) => number | "absent"
  /** How many events a key has had. */
  readonly count: (disk: Disk, key: string) => number
  /** Why a history cannot go on after a place. */
  readonly place: (
    disk: Disk,
    key: string,
    after: ChangeLog.KeyPosition | undefined,
    of: Parts
  ) => ChangeLog.Compacted | ChangeLog.EpochChanged | undefined
  /** The last event of a key that is removed. */
  readonly gone: (disk: Disk, key: string) => ChangeLog.KeyPosition | undefined
  readonly isOf: (event: ChangeLog.Change<unknown>, kinds: ReadonlyArray<string> | undefined) => boolean
  /** The first conflict of entries, each with its index. */
  readonly conflict: (disk: Disk, entries: ReadonlyArray<Entry>, of: Parts) => ChangeLog.Conflict | undefined
  /** After which revision everything is kept. */
  readonly keepAfter: (disk: Disk) => number
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
  return {
    head: start,
    floor: start,
    rows: [],
    state: new Map(),
    events: [],
    holds: new Map(),
    bells: new Set(),
    notes: new Map()
  }
}

export const valueProblem = ({ changes }: Entry): string | undefined => {
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

/** Why the events after a place cannot be read. */
const placeProblem = (
  disk: Disk,
  key: string,
  after: ChangeLog.KeyPosition | undefined,
  of: Parts
): ChangeLog.Compacted | ChangeLog.EpochChanged | undefined => {
  const { generation = 0 } = after ?? {}
  const isPlace =
    after === undefined || (Number.isInteger(generation) && after.revision.epoch === disk.head.epoch)
  if (isPlace && generation >= 0 && generation < (of.gone(disk, key)?.generation ?? 0)) {
    return compacted(disk.floor.seq)
  }
  if (after === undefined) return undefined
  const known = disk.events.find(
    ({ event, generation }) => event.key === key && generation === after.generation
  )?.event.revision
  const { epoch, seq, tag } = after.revision
  return known?.epoch === epoch && known.seq === seq && known.tag === tag
    ? undefined
    : epochChanged(disk.head.epoch)
}

/** From the end, because laws append much. */
const lastWhere = (events: ReadonlyArray<KeyEvent>, key: string): KeyEvent | undefined => {
  for (let i = events.length - 1; i >= 0; i--) if (events[i]?.event.key === key) return events[i]
  return undefined
}

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
  move: (disk) => {
    const epoch = newEpoch()
    const moved = (revision: Revision): Revision => ({ ...revision, epoch })
    disk.head = moved(disk.head)
    disk.floor = moved(disk.floor)
    disk.rows = disk.rows.map((row) =>
      parts.seal({
        ...row,
        revision: moved(row.revision),
        events: row.events.map((event) => ({ ...event, revision: moved(event.revision) }))
      })
    )
    disk.events = disk.events.map(({ event, generation }) => ({
      generation,
      event: { ...event, revision: moved(event.revision) }
    }))
    for (const [key, kept] of disk.state) disk.state.set(key, { ...kept, revision: moved(kept.revision) })
  },
  place: (disk, key, after, of) => placeProblem(disk, key, after, of),
  seqOf: ({ state }, key) => state.get(key)?.revision.seq ?? "absent",
  count: ({ events }, key) => lastWhere(events, key)?.generation ?? 0,
  gone: ({ events, floor }, key) => {
    const last = events.filter(({ event }) => event.key === key && event.revision.seq <= floor.seq).at(-1)
    return last && { generation: last.generation, revision: last.event.revision }
  },
  isOf: (event, kinds) => matcherOfKinds(kinds)?.(event) !== false,
  conflict: (disk, entries, of) => {
    if (entries.every(({ expect }) => expect === undefined)) return undefined
    return judge(
      freshOf(entries, (id) => disk.rows.some((row) => row.id === id)),
      {
        head: disk.head.seq,
        seqOf: (key) => of.seqOf(disk, key),
        generationOf: (key) => of.count(disk, key),
        firstAfter: ({ after, kinds, nothing }) =>
          of.cursor(disk, after) ??
          disk.events.find(
            ({ event }) =>
              event.revision.seq > after.seq && ChangeLog.matches(nothing, event.key) && of.isOf(event, kinds)
          )?.event.revision
      }
    )
  },
  keepAfter: ({ holds }) => Math.min(...holds.values()),
  select: ({ state }, selector) =>
    [...state.values()]
      .filter(({ key }) => ChangeLog.matches(selector, key))
      .sort((a, b) => ChangeLog.compareKeys(a.key, b.key))
      .map((kept) => ({ ...kept }))
}

const aTurn = Effect.yieldNow()

/** Every call takes a turn before and after it, as a database does. */
export const moment = <A, E>(call: () => Either.Either<A, E>): Effect.Effect<A, E> =>
  Effect.zipRight(aTurn, Effect.zipLeft(Effect.suspend(call), aTurn))
