/**
 * Merges into a pool: the one place where its state changes. It is synchronous, so nothing is between the judgement and the
 * change; what is refused is taken back whole.
 */
import * as Either from "effect/Either"
import { isAs } from "../catalog/catalogOptions.js"
import type { StoreEnded } from "../catalog/ended.js"
import * as Lifetime from "../catalog/lifetime.js"
import * as Quotas from "../catalog/quotas.js"
import type { As } from "../catalog/sessionCalls.js"
import { maxKeyBytes } from "../log/selector.js"
import { isLonger } from "../text.js"
import { cellKey } from "./cell.js"
import { nextStamp, observe } from "./clock.js"
import { maxNameBytes } from "./definition.js"
import { merge as mergeCore } from "./merging.js"
import type { Patch } from "./patch.js"
import { access, changed, type Pool } from "./pool.js"
import { poolCell } from "./poolCells.js"
import { MergeError, mergeError } from "./poolErrors.js"
import { forEachCell, forEachChange, type Row, type RowChange } from "./row.js"
import { isClient } from "./stamp.js"
import { deltaPatch, takeBack, textOf } from "./state.js"

/** Options of a merge; each may be left out. */
export interface MergeOptions {
  /**
   * Who merges. `client` is the id in its stamps, and belongs to the principal that used it first. Default: the server
   * itself, which may merge what any client has written.
   */
  readonly as?: As | undefined
  /** The rows that are written end with this session, in a pool with `onLeave: "remove"`. */
  readonly session?: string | undefined
  /** By which strategies the patch was made. Default: those of the pool. */
  readonly fingerprint?: string | undefined
}

/** The most cells of one patch of a client. */
export const maxCells = 100_000

/** The most clients whose principals are remembered. */
const maxOwners = 100_000

const invalid = (message: string): MergeError => new MergeError({ reason: "InvalidData", message })

const exceeded = ({ shared }: Pool, quota: Quotas.Exceeded): MergeError => {
  shared.count.quotaRefusals++
  return new MergeError({ reason: "QuotaExceeded", message: Quotas.messageOf(quota), quota })
}

/** Refuses a caller that may not merge at all. */
const judgeCaller = (pool: Pool, as: As): MergeError | undefined => {
  const { id, kind, owners, shared } = pool
  const { client, principal } = as
  if (!isClient(client))
    return invalid("as.client must be the id of the client's replica: pass its client id")
  if (!shared.rates.take(principal)) {
    return exceeded(pool, { name: "operationsPerSecond", limit: shared.quotas.operationsPerSecond ?? 0 })
  }
  const message = "the client's id belongs to another principal: begin another replica"
  const owner = owners.get(client)
  if (owner !== undefined && owner !== principal) return new MergeError({ reason: "Forbidden", message })
  if (shared.policy.isOpen || shared.policy.rights(principal, { id, kind }).actions.has("write"))
    return undefined
  return new MergeError({ reason: "Forbidden", message: "the principal may not write to the pool" })
}

const judgeSession = ({ leaving, shared }: Pool, { as, session }: MergeOptions): MergeError | undefined => {
  if (session === undefined ? leaving === undefined || as === undefined : shared.isSession(session, as)) {
    return undefined
  }
  const message = "there is no such session of this client: open one, or resume it, and name it"
  return new MergeError({ reason: "NoSession", message })
}

const judgeCall = (pool: Pool, options: MergeOptions): MergeError | undefined => {
  const { as, fingerprint } = options
  if (as !== undefined && !isAs(as)) return invalid("as must be { principal, client }")
  const refused = as && judgeCaller(pool, as)
  if (refused !== undefined) return refused
  const own = pool.state.definition.fingerprint
  if (fingerprint !== undefined && fingerprint !== own) {
    const message = "the client joins by other strategies: load the program anew; it may follow meanwhile"
    return new MergeError({ reason: "StrategyMismatch", message, fingerprint: own })
  }
  return judgeSession(pool, options)
}

/** Refuses changes of cells that the principal may not see, or write. */
const judgeRights = (
  { id, kind, shared, state }: Pool,
  as: As | undefined,
  changes: ReadonlyArray<RowChange>
) => {
  if (as === undefined || shared.policy.isOpen) return undefined
  const { mayWrite, view } = shared.policy.rights(as.principal, { id, kind })
  if (mayWrite === undefined && view === undefined) return undefined
  let refused: MergeError | undefined
  for (const change of changes) {
    const { key } = change
    forEachChange(state.definition, change, (field, index, from, to) => {
      if (refused !== undefined) return
      const before = from && poolCell(state.definition, key, field, index, from)
      const after = to && poolCell(state.definition, key, field, index, to)
      const isSeen = before === undefined || view === undefined || view(before)
      if (isSeen && (mayWrite === undefined || mayWrite(before, after))) return
      const message = "the principal may not write the cell"
      refused = new MergeError({ reason: "Forbidden", message, row: key, field })
    })
  }
  return refused
}

/** The bytes of a row, about those of its cells as JSON. */
const bytesOf = ({ state: { definition } }: Pool, row: Row | undefined): number => {
  let bytes = 0
  if (row !== undefined) {
    forEachCell(definition, row, (_, index, cell) => {
      bytes += textOf(definition, index, cell).length
    })
  }
  return bytes
}

/** How many bytes changes have added; not counted where no quota needs it. */
const grownBy = (pool: Pool, changes: ReadonlyArray<RowChange>): number => {
  if (pool.shared.quotas.bytes === undefined) return 0
  return changes.reduce((sum, { after, before }) => sum + bytesOf(pool, after) - bytesOf(pool, before), 0)
}

/** Refuses rows and bytes beyond the quotas. What only removes always fits. */
const judgeQuotas = (
  pool: Pool,
  changes: ReadonlyArray<RowChange>,
  grown: number
): MergeError | undefined => {
  const { quotas } = pool.shared
  const adds = changes.some(({ before }) => before === undefined)
  const over =
    (adds ? Quotas.exceeded(quotas, "records", pool.state.rows.size) : undefined) ??
    (grown > 0 ? Quotas.exceeded(quotas, "bytes", pool.bytes + grown) : undefined)
  return over && exceeded(pool, over)
}

/** Refuses keys that are too long when they are escaped for the log. */
const judgeKeys = (changes: ReadonlyArray<RowChange>): MergeError | undefined => {
  for (const { after, before, key } of changes) {
    if (before !== undefined || after === undefined) continue
    if (!isLonger(cellKey(key, ""), maxKeyBytes - maxNameBytes)) continue
    const message = "the key of a row has too many ~ and /, which take two bytes each: use a shorter one"
    return new MergeError({ reason: "InvalidData", message, row: key })
  }
  return undefined
}

/** Notes which rows end with the session; a row that is written again follows its last writer. */
const noteRows = (pool: Pool, changes: ReadonlyArray<RowChange>, session: string | undefined): void => {
  const { leaving, shared } = pool
  if (leaving === undefined) return
  if (session !== undefined) shared.noteSession(session, pool)
  for (const { key } of changes) {
    const before = leaving.byRow.get(key)
    if (before !== undefined) leaving.bySession.get(before)?.delete(key)
    if (session === undefined) {
      leaving.byRow.delete(key)
      continue
    }
    leaving.byRow.set(key, session)
    const rows = leaving.bySession.get(session)
    if (rows === undefined) leaving.bySession.set(session, new Set([key]))
    else rows.add(key)
  }
}

const noteOwner = ({ owners }: Pool, { client, principal }: As): void => {
  if (client === undefined || owners.has(client)) return
  owners.set(client, principal)
  if (owners.size <= maxOwners) return
  const [oldest] = owners.keys()
  owners.delete(oldest!)
}

/** Merges what the caller may merge. */
const mergeNow = (pool: Pool, patch: Patch, options: MergeOptions): Patch | MergeError => {
  const { shared, state } = pool
  const { as, session } = options
  const early = judgeCall(pool, options)
  if (early !== undefined) return early
  const { latest } = state
  const { valueBytes } = shared.quotas
  const merged = mergeCore(state, patch, {
    owner: as?.client,
    now: shared.wall(),
    ...(as !== undefined && { maxCells }),
    ...(valueBytes !== undefined && { maxValueBytes: valueBytes })
  })
  if (merged._tag === "Refused") return mergeError(merged)
  const { changes } = merged
  const grown = grownBy(pool, changes)
  const refused = judgeKeys(changes) ?? judgeRights(pool, as, changes) ?? judgeQuotas(pool, changes, grown)
  if (refused !== undefined) {
    takeBack(state, changes, latest)
    return refused
  }
  if (as !== undefined) noteOwner(pool, as)
  pool.bytes += grown
  const delta = deltaPatch(state, changes)
  if (changes.length > 0) {
    noteRows(pool, changes, session)
    changed(pool, changes)
  }
  return delta
}

const cellsOf = ({ rows }: Patch): number =>
  rows.reduce((sum, [, reset, cells]) => sum + cells.length + (reset === "" ? 0 : 1), 0)

/** Merges a patch, all of it or nothing. Returns the cells that it has changed, as they are joined. */
export const merge = (
  pool: Pool,
  patch: Patch,
  options: MergeOptions
): Either.Either<Patch, MergeError | StoreEnded> => {
  const { count, timers } = pool.shared
  const now = timers.now()
  const ended = access(pool, now)
  if (ended !== undefined) return Either.left(ended)
  const delta = mergeNow(pool, patch, options)
  if (delta instanceof MergeError) {
    count.refused++
    return Either.left(delta)
  }
  Lifetime.use(pool, now)
  if (delta.rows.length === 0) count.unchanged++
  else count.applied++
  count.cells += cellsOf(delta)
  return Either.right(delta)
}

/** Removes the rows of a session that has ended. */
export const removeLeft = (pool: Pool, session: string): void => {
  const { clock, leaving, shared, state } = pool
  const keys = leaving?.bySession.get(session)
  leaving?.bySession.delete(session)
  if (keys === undefined || keys.size === 0 || access(pool, shared.timers.now()) !== undefined) return
  observe(clock, state.latest)
  const stamp = nextStamp(clock, shared.wall())
  for (const key of keys) leaving?.byRow.delete(key)
  merge(pool, { horizon: state.horizon, rows: Array.from(keys, (key) => [key, stamp, []]) }, {})
}
