/**
 * Merges into a pool that several processes write. Those of one tick are one save, which joins them anew while the head is
 * locked: what was read before it may be old, and a kept cell would be one process's alone.
 */
import * as Either from "effect/Either"
import type { Broken, Decision, Locked, Save } from "../catalog/backend.js"
import type { Outcome } from "../catalog/saving.js"
import { jsonProblem, ownJson } from "../columns/jsonData.js"
import { forgetPassed } from "./horizon.js"
import { leaseOfPool, noteSession } from "./leavingRows.js"
import type { Patch } from "./patch.js"
import { access, end, type Flow, type Merged, type Pool, type SharedParts } from "./pool.js"
import { horizonKey } from "./poolCells.js"
import { MergeError } from "./poolErrors.js"
import { type Ground, judgeCall, type MergeOptions, maxCells, mergeJudged } from "./poolJudging.js"
import { counted } from "./poolMerging.js"
import type { Row } from "./row.js"
import { type Sharing, storedChanges, storedState } from "./sharedCells.js"
import { forgetRemovals, removeLeft } from "./sharedUpkeep.js"
import { deltaPatch } from "./state.js"
import { addKeys } from "./storedCells.js"
import * as Ticker from "./ticker.js"

/** A merge that waits for its turn. */
interface Request {
  readonly patch: Patch
  /** What it looks at or changes. */
  readonly keys: ReadonlySet<string>
  readonly options: MergeOptions
  readonly done: (merged: Merged) => void
}

/** Merges that are decided together. */
interface Group {
  readonly requests: Array<Request>
  readonly keys: Set<string>
}

/** What a group has come to. */
interface Evaluated {
  readonly answers: ReadonlyArray<Patch | MergeError>
  readonly revisions: Decision["revisions"]
}

/** Decides merges, in their order. */
const evaluate = (sharing: Sharing, { keys, requests }: Group, locked: Locked): Evaluated | Broken => {
  const pool = sharing.pool()
  const state = storedState(sharing, Array.from(keys), locked)
  if ("_tag" in state) return state
  forgetPassed(state)
  let { bytes } = locked.totals
  // As of the last revision that was read here: the backend counts cells, and no rows.
  let rows = pool.state.rows.size
  const isElsewhere = (key: string) => pool.state.rows.has(key)
  const before = new Map<string, Row | undefined>()
  const writers = new Map<string, string | undefined>()
  const answers = requests.map(({ options, patch }) => {
    const ground: Ground = { state, now: locked.now, rows, bytes, isElsewhere }
    const judged = mergeJudged(pool, ground, patch, options)
    if (judged instanceof MergeError) return judged
    rows += judged.added
    bytes += judged.grown
    for (const { before: row, key } of judged.changes) {
      if (!before.has(key)) before.set(key, row)
      if (pool.leaving !== undefined) writers.set(key, leaseOfPool(options.session))
    }
    return deltaPatch(state, judged.changes)
  })
  return { answers, revisions: storedChanges(state, before, state.horizon, locked, writers) }
}

const notStored = (outcome: Exclude<Outcome, { readonly _tag: "Saved" }>): MergeError =>
  new MergeError({
    reason: "NotStored",
    message: `the backend could not store it: ${outcome.message}. Send it again: a merge is safe to repeat`,
    outcome: outcome._tag === "StorageError" ? outcome.outcome : "NotStored",
    cause: outcome
  })

const unavailable = new MergeError({
  reason: "Unavailable",
  message: "nothing is saved any more, see the status"
})

/** Answers merges whose save has an outcome. */
const settle = (
  pool: Pool,
  { requests }: Group,
  evaluated: Evaluated | undefined,
  outcome: Outcome
): void => {
  pool.pending -= requests.length
  if (outcome._tag === "Saved" && evaluated !== undefined) {
    const { answers } = evaluated
    pool.parts?.reached.whenAt(outcome.head.seq, () => {
      for (const [n, { done }] of requests.entries()) done(counted(pool, answers[n]!))
    })
    return
  }
  const error = outcome._tag === "Saved" ? unavailable : notStored(outcome)
  for (const { done } of requests) done(Either.left(error))
  if (outcome._tag === "Broken") end(pool, "Failed", error)
}

/** Gives a group to be saved. */
const offer = (sharing: Sharing, group: Group): void => {
  const pool = sharing.pool()
  let last: Evaluated | undefined
  const save: Save = {
    store: pool.id,
    name: pool.shared.nextName(),
    keys: Array.from(group.keys),
    id: undefined,
    decide: (locked) => {
      // An earlier try was committed: what it has come to is known.
      if (locked.logged !== undefined) return { revisions: [] }
      const evaluated = evaluate(sharing, group, locked)
      if ("_tag" in evaluated) return evaluated
      last = evaluated
      return { revisions: evaluated.revisions }
    }
  }
  if (sharing.saving.offer(save, (outcome) => settle(pool, group, last, outcome))) return
  pool.pending -= group.requests.length
  for (const { done } of group.requests) done(Either.left(unavailable))
}

const invalid = (message: string): MergeError => new MergeError({ reason: "InvalidData", message })

const tooLarge = (): MergeError => invalid("the patch has too many cells: send it in parts")

/** Whether a patch has more rows, or cells, than a client may send. It may be anything. */
const isTooLong = ({ rows }: Patch): boolean => {
  if (!Array.isArray(rows)) return false
  let left = maxCells
  for (let i = 0; i < rows.length && left >= 0; i++) {
    const cells: unknown = rows[i]?.[2]
    left -= Array.isArray(cells) ? Math.max(1, cells.length) : 1
  }
  return left < 0
}

/** A copy that the caller cannot change: the merge is decided later. */
const ownPatch = (patch: Patch, { as }: MergeOptions): Patch | MergeError => {
  try {
    // To copy it takes the longer the larger it is.
    if (as !== undefined && isTooLong(patch)) return tooLarge()
    const own = ownJson(patch)
    if (typeof own === "string") return invalid(jsonProblem[own])
    // It was one of the caller's; what it is is judged when it is merged.
    return (own.value ?? { horizon: "", rows: undefined }) as unknown as Patch
  } catch {
    return invalid("a property of the patch cannot be read: pass plain data")
  }
}

/** The most keys of a save, unless one merge alone has more. */
const maxKeys = maxCells

/** Makes the request of a merge, or refuses one whose caller may not look at so much. */
const requestOf = (
  { leaving, state }: Pool,
  given: Patch,
  options: MergeOptions,
  done: Request["done"]
): Request | MergeError => {
  const patch = ownPatch(given, options)
  if (patch instanceof MergeError) return patch
  const keys = new Set<string>()
  const cells = addKeys(keys, state.definition, patch, leaving !== undefined)
  // The removal of a row looks at all of its fields.
  const isTooLarge = options.as !== undefined && (cells > maxCells || keys.size > 4 * maxKeys)
  return isTooLarge ? tooLarge() : { patch, keys, options, done }
}

/** Groups the merges that wait: a save has a bound. */
const groupsOf = (requests: ReadonlyArray<Request>): ReadonlyArray<Group> => {
  const groups: Array<Group> = []
  let group: Group | undefined
  for (const request of requests) {
    if (group === undefined || group.keys.size + request.keys.size > maxKeys) {
      group = { requests: [], keys: new Set([horizonKey]) }
      groups.push(group)
    }
    group.requests.push(request)
    for (const key of request.keys) group.keys.add(key)
  }
  return groups
}

/** Makes the flow of a pool that several processes write, and what it has beside. */
export const share = (
  sharing: Sharing,
  reached: SharedParts["reached"],
  head: SharedParts["head"],
  passed: SharedParts["passed"]
): { readonly flow: Flow; readonly parts: SharedParts } => {
  let waiting: Array<Request> = []
  let ticks = 0
  const flush = (): void => {
    const requests = waiting
    waiting = []
    if (requests.length === 0) return
    ticks++
    for (const group of groupsOf(requests)) offer(sharing, group)
  }
  let ticker: Ticker.Ticker | undefined
  const tick = (): Ticker.Ticker => {
    ticker ??= Ticker.make(sharing.pool().shared.timers, () => waiting.length > 0, flush)
    return ticker
  }
  const merge = (patch: Patch, options: MergeOptions, done: Request["done"]): void => {
    const pool = sharing.pool()
    const ended = access(pool, pool.shared.timers.now())
    if (ended !== undefined) {
      done(Either.left(ended))
      return
    }
    const request = judgeCall(pool, options) ?? requestOf(pool, patch, options, done)
    if (request instanceof MergeError) {
      done(counted(pool, request))
      return
    }
    if (options.session !== undefined) noteSession(pool, options.session)
    pool.pending++
    waiting.push(request)
    Ticker.wake(tick())
  }
  return {
    flow: {
      // What has changed was read from the log.
      note: () => {},
      flush,
      end: () => Ticker.end(tick()),
      seq: reached.seq,
      whenSettled: (seq, call) => {
        reached.whenAt(seq, call)
      },
      ticks: () => ticks,
      forget: () => undefined
    },
    parts: {
      reached,
      head,
      merge,
      forgetRemovals: () => forgetRemovals(sharing),
      removeLeft: (session, keys) => removeLeft(sharing, session, keys),
      passed
    }
  }
}
