/**
 * Merges into a pool that several processes write. Those of one tick are one save, which joins them anew while the head is
 * locked: what was read before it may be old, and a kept cell would be one process's alone.
 */
import * as Either from "effect/Either"
import type { Broken, Decision, Locked, Save } from "../catalog/backend.js"
import type { Outcome, Saving } from "../catalog/saving.js"
import { jsonProblem, ownJson } from "../columns/jsonData.js"
import { cellKey } from "./cell.js"
import { canForget, forgetPassed, raiseHorizon } from "./horizon.js"
import type { Patch } from "./patch.js"
import { access, end, type Flow, horizonAt, type Merged, type Pool, type SharedParts } from "./pool.js"
import { changesOf, horizonKey } from "./poolCells.js"
import { MergeError } from "./poolErrors.js"
import { type Ground, judgeCall, type MergeOptions, maxCells, mergeJudged } from "./poolJudging.js"
import { counted } from "./poolMerging.js"
import { forEachCell, type Row, rowField } from "./row.js"
import { deltaPatch, makeState, type State } from "./state.js"
import { addKeys, putStored, readHorizon, storedRevisions } from "./storedCells.js"
import * as Ticker from "./ticker.js"
import { revisionsOf } from "./ticking.js"

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

/** What sharing a pool needs. */
export interface Sharing {
  readonly pool: () => Pool
  readonly saving: Saving
  /** Of the strategies that it was made with. */
  readonly fingerprint: string
}

const broken = (message: string): Broken => ({ _tag: "Broken", message })

/** Why a process that joins by former strategies can go on no more. */
export const otherStrategies = "the pool has other strategies by now: load the program anew"

/** The part of the pool that a save names, as it is stored. */
const storedState = (
  { fingerprint, pool }: Sharing,
  keys: ReadonlyArray<string>,
  locked: Locked
): State | Broken => {
  const { definition } = pool().state
  const stored = readHorizon(locked.get(horizonKey))
  if ((stored.fingerprint ?? fingerprint) !== definition.fingerprint) return broken(otherStrategies)
  const state = makeState(definition)
  const problem = putStored(
    state,
    keys.flatMap((key) => locked.get(key) ?? [])
  )
  return problem === undefined ? state : broken(`the cell ${JSON.stringify(problem.key)}: ${problem.message}`)
}

/** The revisions that lead to a state. */
const storedChanges = (
  state: State,
  before: ReadonlyMap<string, Row | undefined>,
  horizon: string,
  { head }: Locked
): Decision["revisions"] =>
  storedRevisions(revisionsOf(changesOf(state, before, horizon)), head.seq, state.definition)

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
  const answers = requests.map(({ options, patch }) => {
    const ground: Ground = { state, now: locked.now, rows, bytes, isElsewhere }
    const judged = mergeJudged(pool, ground, patch, options)
    if (judged instanceof MergeError) return judged
    rows += judged.added
    bytes += judged.grown
    for (const { before: row, key } of judged.changes) if (!before.has(key)) before.set(key, row)
    return deltaPatch(state, judged.changes)
  })
  return { answers, revisions: storedChanges(state, before, state.horizon, locked) }
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

/** A copy that the caller cannot change: the merge is decided later. */
const ownPatch = (patch: Patch): Patch | MergeError => {
  const invalid = (message: string) => new MergeError({ reason: "InvalidData", message })
  try {
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
  { state }: Pool,
  given: Patch,
  options: MergeOptions,
  done: Request["done"]
): Request | MergeError => {
  const patch = ownPatch(given)
  if (patch instanceof MergeError) return patch
  const keys = new Set<string>()
  const cells = addKeys(keys, state.definition, patch)
  // The removal of a row looks at all of its fields.
  const isTooLarge = options.as !== undefined && (cells > maxCells || keys.size > 4 * maxKeys)
  return isTooLarge
    ? new MergeError({ reason: "InvalidData", message: "the patch has too many cells: send it in parts" })
    : { patch, keys, options, done }
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

/** The keys of the cells of all rows that hold removals, of those that the horizon has passed, and of the horizon. */
const keysOfRemovals = ({ parts, state: { definition, removed, rows } }: Pool): Set<string> => {
  const keys = new Set([horizonKey, ...(parts?.passed ?? [])])
  for (const key of removed.keys()) {
    keys.add(cellKey(key, rowField))
    forEachCell(definition, rows.get(key)!, (field) => keys.add(cellKey(key, field)))
  }
  return keys
}

/** Raises the horizon by the backend's clock, if that forgets anything that is stored. */
const forgetRemovals = (sharing: Sharing): void => {
  const pool = sharing.pool()
  const keys = Array.from(keysOfRemovals(pool))
  const decide = (locked: Locked): Decision | Broken => {
    const state = storedState(sharing, keys, locked)
    if ("_tag" in state) return state
    const { horizon } = state
    const next = horizonAt(locked.now)
    if (locked.logged !== undefined || !canForget(state, next)) return { revisions: [] }
    const changes = raiseHorizon(state, next)
    const before = new Map(changes.map(({ before, key }) => [key, before]))
    return { revisions: storedChanges(state, before, horizon, locked) }
  }
  const save: Save = { store: pool.id, name: pool.shared.nextName(), keys, id: undefined, decide }
  pool.pending++
  const settled = (outcome: Outcome): void => {
    pool.pending--
    if (outcome._tag === "Broken") end(pool, "Failed", outcome)
  }
  // What cannot be saved is tried again by the next round.
  if (!sharing.saving.offer(save, settled)) pool.pending--
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
    parts: { reached, head, merge, forgetRemovals: () => forgetRemovals(sharing), passed }
  }
}
