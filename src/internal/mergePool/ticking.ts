/**
 * The ticks of a pool that is decided in memory: what changes within one is appended together, by the last form of each cell.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Change, ChangeLog, ChangeLogError, Revision } from "../../ChangeLog.js"
import type { Timers } from "../lease/timers.js"
import { estimateSize } from "../log/size.js"
import type { Flow } from "./pool.js"
import { changesOf, horizonKey, type PoolCell } from "./poolCells.js"
import type { Row, RowChange } from "./row.js"
import type { State } from "./state.js"
import * as Ticker from "./ticker.js"

/** The bytes of one revision, about; a cell that is larger has one of its own. */
const maxRevisionBytes = 2 ** 20

/** The bytes of a cell for the log: one that is too large for a revision is taken all the same. */
export const cellBytes = (change: Change<PoolCell>): number =>
  Math.min(estimateSize(change), maxRevisionBytes)

/** The changes of one revision. */
export type Changes = ReadonlyArray<Change<PoolCell>>

/** Splits changes into revisions. */
export const revisionsOf = (changes: Changes): ReadonlyArray<Changes> => {
  const revisions: Array<Changes> = []
  let first = 0
  let bytes = 0
  for (let i = 0; i < changes.length; i++) {
    const more = cellBytes(changes[i]!)
    if (i > first && bytes + more > maxRevisionBytes) {
      revisions.push(changes.slice(first, i))
      first = i
      bytes = 0
    }
    bytes += more
  }
  if (first < changes.length) revisions.push(first === 0 ? changes : changes.slice(first))
  return revisions
}

/** Appends revisions behind the last one. Returns the number of the last of them. */
export type Append = (revisions: ReadonlyArray<Changes>, last: number) => Either.Either<number, unknown>

/** Appends to a log in memory. */
export const appendTo = (log: ChangeLog<PoolCell>): Append => {
  // A log in memory has it, and what it answers is known at once.
  const append = log.append.now as (changes: Changes) => Either.Either<Revision, ChangeLogError>
  return (revisions, last) => {
    let seq = last
    for (const changes of revisions) {
      const appended = append(changes)
      if (Either.isLeft(appended)) return Either.left(appended.left)
      seq = appended.right.seq
    }
    return Either.right(seq)
  }
}

/** The ticks of one pool. Only this file writes them. */
interface Ticking {
  readonly state: State
  readonly append: Append
  /** Called before revisions with the number of the last one. */
  readonly onRevision: (seq: number) => void
  /** Called when revisions could not be appended. */
  readonly onFailed: (cause: unknown) => void
  /** The rows that have changed since the last revision, as they were then. */
  readonly pending: Map<string, Row | undefined>
  /** Of the last revision. */
  seq: number
  horizon: string
  /** How many ticks had a change. */
  ticks: number
  /** Called when the log has all that the state has. */
  waiting: Array<() => void>
  /** Removes the revisions of a log in memory; a backend removes its own. */
  readonly compact: ((upTo: number) => Effect.Effect<void, ChangeLogError>) | undefined
  readonly complete: (changes: Changes) => Changes
  /** How far the log was at which times, ascending. */
  readonly marks: Array<{ readonly millis: number; readonly seq: number }>
  /** Up to where a log in memory has lost its revisions. */
  floor: number
  /** The last revision in which something was written. */
  written: number
  /** How many cells were forgotten since, in revisions that do nothing else. */
  forgotten: number
}

/** A log in memory keeps for an hour that up to so many cells were forgotten. */
const maxForgotten = 10_000

/** How many milliseconds are between two marks, at least. */
const markMillis = 60_000

/** Whether the log holds nothing any more but that many cells were forgotten, which followers have got since. */
const holdsForgottenOnly = ({ floor, forgotten, written }: Ticking): boolean =>
  floor >= written && forgotten > maxForgotten

const forget = (ticking: Ticking, now: number, until: number): Effect.Effect<void> | undefined => {
  const { compact, marks, seq } = ticking
  if (compact === undefined) return undefined
  const last = marks[marks.length - 1]
  if (last === undefined || (last.seq !== seq && now - last.millis >= markMillis)) {
    marks.push({ millis: now, seq })
  }
  let old: number | undefined
  while (marks[0] !== undefined && marks[0].millis <= until) old = marks.shift()?.seq
  if (old === undefined && holdsForgottenOnly(ticking)) {
    old = seq
    ticking.forgotten = 0
  }
  ticking.floor = Math.max(ticking.floor, old ?? 0)
  // A log in memory forgets without failing.
  return old === undefined ? undefined : Effect.orDie(compact(old))
}

const hasPending = ({ horizon, pending, state }: Ticking): boolean =>
  pending.size > 0 || horizon !== state.horizon

/** Appends what has changed since the last revision. */
const flush = (ticking: Ticking): void => {
  const { pending, state } = ticking
  const changes = ticking.complete(changesOf(state, pending, ticking.horizon))
  pending.clear()
  const forgets =
    ticking.horizon !== state.horizon &&
    changes.every(({ _tag, key }) => _tag === "Delete" || key === horizonKey)
  ticking.horizon = state.horizon
  if (changes.length > 0) {
    ticking.ticks++
    ticking.onRevision(ticking.seq)
    const appended = ticking.append(revisionsOf(changes), ticking.seq)
    if (Either.isLeft(appended)) ticking.onFailed(appended.left)
    else ticking.seq = appended.right
    if (forgets) ticking.forgotten += changes.length
    else {
      ticking.written = ticking.seq
      ticking.forgotten = 0
    }
  }
  const { waiting } = ticking
  ticking.waiting = []
  for (const call of waiting) call()
}

const note = ({ pending }: Ticking, changes: ReadonlyArray<RowChange>): void => {
  for (const { before, key } of changes) if (!pending.has(key)) pending.set(key, before)
}

/** How the flow of a pool begins, and what it writes to. */
interface Begun {
  readonly timers: Timers
  /** The number of the last revision. */
  readonly seq: number
  readonly append: Append
  readonly compact?: Ticking["compact"]
  /** Adds what must be stored with changes. Default: nothing. */
  readonly complete?: Ticking["complete"]
}

/** Makes the flow of a pool that is decided in memory. */
export const make = (
  state: State,
  { append, compact, complete = (changes) => changes, seq, timers }: Begun,
  on: Pick<Ticking, "onFailed" | "onRevision">
): Flow => {
  const { horizon } = state
  const ticking: Ticking = {
    state,
    append,
    compact,
    complete,
    ...on,
    pending: new Map(),
    seq,
    horizon,
    ticks: 0,
    waiting: [],
    marks: [],
    floor: seq,
    written: seq,
    forgotten: 0
  }
  const ticker = Ticker.make(
    timers,
    () => hasPending(ticking),
    () => flush(ticking)
  )
  return {
    note: (changes) => {
      note(ticking, changes)
      Ticker.wake(ticker)
    },
    flush: () => flush(ticking),
    end: () => Ticker.end(ticker),
    whenSettled: (_, call) => {
      if (hasPending(ticking)) ticking.waiting.push(call)
      else call()
    },
    seq: () => ticking.seq,
    ticks: () => ticking.ticks,
    forget: (now, until) => forget(ticking, now, until)
  }
}
