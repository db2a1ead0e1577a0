/**
 * Ticks: what changes within one is one revision of the log, by the last form of each cell. The first change begins a tick
 * and is appended at once; a tick in which nothing has changed is the last one.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Change, ChangeLog, ChangeLogError, Revision } from "../../ChangeLog.js"
import type { Timer, Timers } from "../lease/timers.js"
import { estimateSize } from "../log/size.js"
import { addChanges, horizonChange, type PoolCell } from "./poolCells.js"
import type { Row, RowChange } from "./row.js"
import type { State } from "./state.js"

/** How many milliseconds a tick has. */
export const tickMillis = 50

/** The bytes of one revision, about; a cell that is larger has one of its own. */
const maxRevisionBytes = 2 ** 20

/** The bytes of a cell for the log: one that is too large for a revision is taken all the same. */
export const cellBytes = (change: Change<PoolCell>): number =>
  Math.min(estimateSize(change), maxRevisionBytes)

/** The ticks of one pool. Only this file writes them. */
export interface Ticking {
  readonly state: State
  readonly timers: Timers
  readonly append: (changes: ReadonlyArray<Change<PoolCell>>) => Either.Either<Revision, ChangeLogError>
  /** Called before each revision with the number of the last one. */
  readonly onRevision: (seq: number) => void
  /** Called when the log has refused a revision. */
  readonly onFailed: (cause: ChangeLogError) => void
  /** The rows that have changed since the last revision, as they were then. */
  readonly pending: Map<string, Row | undefined>
  /** Of the last revision. */
  seq: number
  horizon: string
  /** The tick that runs; none: the next change is appended at once. */
  timer: Timer | undefined
  /** How many ticks had a change. */
  ticks: number
  /** Called when the log has all that the state has. */
  readonly whenSettled: Set<() => void>
  readonly compact: (upTo: number) => Effect.Effect<void, ChangeLogError>
  /** How far the log was at which times, ascending. */
  readonly marks: Array<{ readonly millis: number; readonly seq: number }>
}

/** How many milliseconds are between two marks, at least. */
const markMillis = 60_000

export const make = (
  state: State,
  timers: Timers,
  log: ChangeLog<PoolCell>,
  on: Pick<Ticking, "onFailed" | "onRevision">
): Ticking => ({
  state,
  timers,
  // A log in memory has it, and what it answers is known at once.
  append: log.append.now as Ticking["append"],
  ...on,
  pending: new Map(),
  seq: 0,
  horizon: state.horizon,
  timer: undefined,
  ticks: 0,
  whenSettled: new Set(),
  compact: log.compact,
  marks: []
})

const changesOf = (ticking: Ticking): ReadonlyArray<Change<PoolCell>> => {
  const { pending, state } = ticking
  const changes: Array<Change<PoolCell>> = []
  if (ticking.horizon !== state.horizon) changes.push(horizonChange(state.horizon))
  for (const [key, before] of pending) {
    addChanges(changes, state.definition, key, before, state.rows.get(key))
  }
  return changes
}

const appendOne = (ticking: Ticking, changes: ReadonlyArray<Change<PoolCell>>): boolean => {
  ticking.onRevision(ticking.seq)
  const appended = ticking.append(changes)
  if (Either.isLeft(appended)) {
    ticking.onFailed(appended.left)
    return false
  }
  ticking.seq = appended.right.seq
  return true
}

const appendAll = (ticking: Ticking, changes: ReadonlyArray<Change<PoolCell>>): void => {
  let first = 0
  let bytes = 0
  for (let i = 0; i < changes.length; i++) {
    const more = cellBytes(changes[i]!)
    if (i > first && bytes + more > maxRevisionBytes) {
      if (!appendOne(ticking, changes.slice(first, i))) return
      first = i
      bytes = 0
    }
    bytes += more
  }
  if (first < changes.length) appendOne(ticking, first === 0 ? changes : changes.slice(first))
}

/** Appends what has changed since the last revision. */
export const flush = (ticking: Ticking): void => {
  const changes = changesOf(ticking)
  ticking.pending.clear()
  ticking.horizon = ticking.state.horizon
  if (changes.length > 0) {
    ticking.ticks++
    appendAll(ticking, changes)
  }
  const waiting = Array.from(ticking.whenSettled)
  ticking.whenSettled.clear()
  for (const call of waiting) call()
}

const hasPending = ({ horizon, pending, state }: Ticking): boolean =>
  pending.size > 0 || horizon !== state.horizon

/** Calls once when the log has all that the state has: at once, or at the end of the tick. */
export const whenSettled = (ticking: Ticking, call: () => void): void => {
  if (hasPending(ticking)) ticking.whenSettled.add(call)
  else call()
}

const begin = (ticking: Ticking): void => {
  flush(ticking)
  const onDue = (): void => {
    ticking.timer = undefined
    if (hasPending(ticking)) begin(ticking)
  }
  // A timer is due strictly after its deadline.
  ticking.timer = ticking.timers.schedule(ticking.timers.now() + tickMillis - 1, onDue)
}

/** Notes what has changed in the state. */
export const note = (ticking: Ticking, changes: ReadonlyArray<RowChange>): void => {
  const { pending } = ticking
  for (const { before, key } of changes) if (!pending.has(key)) pending.set(key, before)
  if (ticking.timer === undefined && hasPending(ticking)) begin(ticking)
}

/** Appends what is left, and ends. */
export const end = (ticking: Ticking): void => {
  if (ticking.timer !== undefined) ticking.timers.cancel(ticking.timer)
  flush(ticking)
}

/** Removes from the log what was in it at an instant; there is nothing to do while that is nothing. */
export const forget = (ticking: Ticking, now: number, until: number): Effect.Effect<void> | undefined => {
  const { compact, marks, seq } = ticking
  const last = marks[marks.length - 1]
  if (last === undefined || (last.seq !== seq && now - last.millis >= markMillis))
    marks.push({ millis: now, seq })
  let old: number | undefined
  while (marks[0] !== undefined && marks[0].millis <= until) old = marks.shift()?.seq
  // A log in memory forgets without failing.
  return old === undefined ? undefined : Effect.orDie(compact(old))
}
