/** Judges merges into a pool: who may merge what, and how much. */
import { isAs } from "../catalog/catalogOptions.js"
import * as Quotas from "../catalog/quotas.js"
import type { As } from "../catalog/sessionCalls.js"
import { maxKeyBytes } from "../log/selector.js"
import { isLonger } from "../text.js"
import { cellKey } from "./cell.js"
import { maxNameBytes } from "./definition.js"
import { merge } from "./merging.js"
import type { Patch } from "./patch.js"
import type { Pool } from "./pool.js"
import { poolCell } from "./poolCells.js"
import { MergeError, mergeError } from "./poolErrors.js"
import { forEachCell, forEachChange, type Row, type RowChange } from "./row.js"
import { isClient } from "./stamp.js"
import { type State, takeBack, textOf } from "./state.js"

/** Options of a merge; each may be left out. */
export interface MergeOptions {
  /**
   * Who merges. `client` is the id in its stamps, and belongs to the principal that used it first. That is known as long as
   * this process has the pool in memory, and of the 100,000 clients that came last: stored cells name clients and no principals,
   * so after a restart, or in another process, the first one to use an id has it again. All who read a pool see the ids of
   * its clients. Where principals do not trust each other, take `client` from a session or a token that you have given, and
   * not from what the client sends. Default: the server itself, which may merge what any client has written.
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

const forbidden = (): MergeError =>
  new MergeError({ reason: "Forbidden", message: "the principal may not write to the pool" })

/** Refuses a caller that may not merge at all, whatever is held. */
const judgeCaller = (pool: Pool, { client, principal }: As): MergeError | undefined => {
  const { id, kind, shared } = pool
  if (!isClient(client))
    return invalid("as.client must be the id of the client's replica: pass its client id")
  if (!shared.rates.take(principal)) {
    return exceeded(pool, { name: "operationsPerSecond", limit: shared.quotas.operationsPerSecond ?? 0 })
  }
  if (shared.policy.isOpen || shared.policy.rights(principal, { id, kind }).actions.has("write"))
    return undefined
  return forbidden()
}

/** Refuses the id of a client that another principal has used. */
const judgeOwner = ({ owners }: Pool, as: As | undefined): MergeError | undefined => {
  const owner = as?.client === undefined ? undefined : owners.get(as.client)
  if (owner === undefined || owner === as?.principal) return undefined
  const message = "the client's id belongs to another principal: begin another replica"
  return new MergeError({ reason: "Forbidden", message })
}

const judgeSession = ({ leaving, shared }: Pool, { as, session }: MergeOptions): MergeError | undefined => {
  if (session === undefined ? leaving === undefined || as === undefined : shared.isSession(session, as)) {
    return undefined
  }
  const message = "there is no such session of this client: open one, or resume it, and name it"
  return new MergeError({ reason: "NoSession", message })
}

/** Refuses a call by what is known before its turn. */
export const judgeCall = (pool: Pool, options: MergeOptions): MergeError | undefined => {
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

/** Refuses changes of cells that the principal may not see, or write, by its rights in the turn of the merge. */
const judgeRights = (
  { id, kind, shared, state }: Pool,
  as: As | undefined,
  changes: ReadonlyArray<RowChange>
) => {
  if (as === undefined || shared.policy.isOpen) return undefined
  const { actions, mayWrite, view } = shared.policy.rights(as.principal, { id, kind })
  if (!actions.has("write")) return forbidden()
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

/** What a merge is joined into. */
export interface Ground {
  readonly state: State
  /** The server's time in milliseconds. */
  readonly now: number
  /** Of all rows, before the merge. */
  readonly rows: number
  readonly bytes: number
  /** Whether a row is there that the state does not hold. */
  readonly isElsewhere: (key: string) => boolean
}

/** The bytes of a row, about those of its cells as JSON. */
export const bytesOf = ({ definition }: State, row: Row | undefined): number => {
  let bytes = 0
  if (row !== undefined) {
    forEachCell(definition, row, (_, index, cell) => {
      bytes += textOf(definition, index, cell).length
    })
  }
  return bytes
}

/** How many bytes changes have added; not counted where no quota needs it. */
const grownBy = ({ shared }: Pool, { state }: Ground, changes: ReadonlyArray<RowChange>): number => {
  if (shared.quotas.bytes === undefined) return 0
  return changes.reduce((sum, { after, before }) => sum + bytesOf(state, after) - bytesOf(state, before), 0)
}

/** How many rows changes have added. */
const addedBy = ({ isElsewhere }: Ground, changes: ReadonlyArray<RowChange>): number => {
  let added = 0
  for (const { after, before, key } of changes) {
    if (before === undefined && !isElsewhere(key)) added++
    if (after === undefined && !isElsewhere(key)) added--
  }
  return added
}

/** What a merge adds. */
interface Growth {
  /** Rows. */
  readonly added: number
  /** Bytes; not counted where no quota needs it. */
  readonly grown: number
}

/** Refuses rows and bytes beyond the quotas. What only removes always fits. */
const judgeQuotas = (
  pool: Pool,
  { bytes, rows }: Ground,
  { added, grown }: Growth
): MergeError | undefined => {
  const { quotas } = pool.shared
  const over =
    (added > 0 ? Quotas.exceeded(quotas, "records", rows + added) : undefined) ??
    (grown > 0 ? Quotas.exceeded(quotas, "bytes", bytes + grown) : undefined)
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

const noteOwner = ({ owners }: Pool, as: As | undefined): void => {
  if (as?.client === undefined || owners.has(as.client)) return
  owners.set(as.client, as.principal)
  if (owners.size <= maxOwners) return
  const [oldest] = owners.keys()
  owners.delete(oldest!)
}

/** What a merge has changed. */
export interface Judged extends Growth {
  readonly changes: ReadonlyArray<RowChange>
}

/** Merges into a state what the caller may merge. What is refused is taken back whole. */
export const mergeJudged = (
  pool: Pool,
  ground: Ground,
  patch: Patch,
  { as }: MergeOptions
): Judged | MergeError => {
  const early = judgeOwner(pool, as)
  if (early !== undefined) return early
  const { now, state } = ground
  const { latest } = state
  const { valueBytes } = pool.shared.quotas
  const merged = merge(state, patch, {
    owner: as?.client,
    now,
    ...(as !== undefined && { maxCells }),
    ...(valueBytes !== undefined && { maxValueBytes: valueBytes })
  })
  if (merged._tag === "Refused") return mergeError(merged)
  const { changes } = merged
  const growth: Growth = { added: addedBy(ground, changes), grown: grownBy(pool, ground, changes) }
  const refused = judgeKeys(changes) ?? judgeRights(pool, as, changes) ?? judgeQuotas(pool, ground, growth)
  if (refused !== undefined) {
    takeBack(state, changes, latest)
    return refused
  }
  noteOwner(pool, as)
  return { changes, ...growth }
}
