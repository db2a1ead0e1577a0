/** The reading calls of a pool, within the rights of a principal. */
import { Effect, Option } from "effect"
import type { StorageError } from "../../Storage.js"
import type { StoreEnded } from "../catalog/ended.js"
import type { As } from "../catalog/sessionCalls.js"
import { live, type Slot } from "../catalog/slot.js"
import {
  differentNodes,
  differentRows,
  maxLeaves,
  type NodeSums,
  type RowSum,
  sumsDigits,
  sumsOfNodes
} from "./diff.js"
import { leafCount, rootSum } from "./hashTree.js"
import type { Patch, RowPatch } from "./patch.js"
import { access, hashedOf, type Pool, type SharedParts } from "./pool.js"
import { type PoolCell, patchOf, poolCell } from "./poolCells.js"
import { MergeError } from "./poolErrors.js"
import { forEachCell } from "./row.js"
import { rowOf, statePatch } from "./state.js"

/** Options of a read. */
export interface ReadOptions {
  /** Who reads. Default: the server itself, which sees everything. */
  readonly as?: As | undefined
  /**
   * `latest`: asks the backend first, so that what any process was answered before is seen. `local`, the default: as of the
   * last revision that was read here. Only of pools that several processes write.
   */
  readonly read?: "local" | "latest" | undefined
}

/** Why a read fails. */
export type ReadFailed = StoreEnded | StorageError

/** What a peer sends to find where it differs: the sums of its nodes, then those of the rows of leaves that differ. */
export type Ask =
  | { readonly _tag: "Nodes"; readonly sums: string }
  | { readonly _tag: "Rows"; readonly leaves: ReadonlyArray<number>; readonly rows: ReadonlyArray<RowSum> }

/** What the pool answers: the sums of the leaves of nodes that differ, then the rows that differ, as they are held. */
export type Answer =
  | { readonly _tag: "Leaves"; readonly sums: ReadonlyArray<NodeSums> }
  | { readonly _tag: "Patch"; readonly patch: Patch }

/** Completes when a pool holds what is committed now, by whatever process. */
export const upToDate = (pool: Pool, { head, reached }: SharedParts): Effect.Effect<Pool, StorageError> =>
  Effect.flatMap(head, (head) =>
    Effect.async((resume) => Effect.sync(reached.whenAt(head, () => resume(Effect.succeed(pool)))))
  )

const open = (slot: Slot<Pool>, { read }: ReadOptions): Effect.Effect<Pool, ReadFailed> =>
  Effect.flatMap(live(slot), (pool): Effect.Effect<Pool, ReadFailed> => {
    const ended = access(pool, pool.shared.timers.now())
    if (ended !== undefined) return Effect.fail(ended)
    return pool.parts === undefined || read !== "latest" ? Effect.succeed(pool) : upToDate(pool, pool.parts)
  })

/** Whether a principal may see a cell; `undefined`: it sees all. */
export const readable = (
  { id, kind, shared }: Pool,
  as: As | undefined
): ((cell: PoolCell) => boolean) | undefined => {
  if (as === undefined || shared.policy.isOpen) return undefined
  const { actions, view } = shared.policy.rights(as.principal, { id, kind })
  return actions.has("read") ? view : () => false
}

const cellsOf = ({ state }: Pool, key: string): ReadonlyArray<PoolCell> => {
  const cells: Array<PoolCell> = []
  const row = state.rows.get(key)
  if (row !== undefined) {
    forEachCell(state.definition, row, (field, index, cell) => {
      cells.push(poolCell(state.definition, key, field, index, cell))
    })
  }
  return cells
}

/** What a principal may see of a row now, as data; `undefined`: nothing. */
export const rowSeenBy = (pool: Pool, as: As | undefined, key: string): RowPatch | undefined => {
  const mayRead = readable(pool, as)
  if (mayRead === undefined) return rowOf(pool.state, key)
  const [row] = patchOf(cellsOf(pool, key).filter(mayRead)).rows
  return row
}

/** Reads a row: its fields that are something, and may be seen. */
export const get = (
  slot: Slot<Pool>,
  key: string,
  options: ReadOptions
): Effect.Effect<Option.Option<ReadonlyMap<string, unknown>>, ReadFailed> =>
  Effect.map(open(slot, options), (pool) => {
    const mayRead = readable(pool, options.as)
    const seen = cellsOf(pool, key).filter((cell) => cell.value !== undefined && mayRead?.(cell) !== false)
    return seen.length === 0
      ? Option.none()
      : Option.some(new Map(seen.map(({ field, value }) => [field, value])))
  })

const isThere = (row: RowPatch | undefined): row is RowPatch => row !== undefined

/** Reads all that is held and may be seen, removals too, as a patch. */
export const state = (slot: Slot<Pool>, options: ReadOptions): Effect.Effect<Patch, ReadFailed> =>
  Effect.map(open(slot, options), (pool) => {
    const { state } = pool
    const mayRead = readable(pool, options.as)
    if (mayRead === undefined) return statePatch(state)
    const rows = Array.from(state.rows.keys(), (key) => rowSeenBy(pool, options.as, key)).filter(isThere)
    return { horizon: state.horizon, rows }
  })

/** Hashes are of all that is held: what a principal may not see must not be found out by them. */
const whole = (slot: Slot<Pool>, options: ReadOptions): Effect.Effect<Pool, MergeError | ReadFailed> =>
  Effect.flatMap(open(slot, options), (pool) =>
    readable(pool, options.as) === undefined
      ? Effect.succeed(pool)
      : Effect.fail(
          new MergeError({
            reason: "Forbidden",
            message: "the principal sees a part of the pool: read its state"
          })
        )
  )

/** Hashes all that is held: 16 hexadecimal digits. */
export const hash = (
  slot: Slot<Pool>,
  options: ReadOptions
): Effect.Effect<string, MergeError | ReadFailed> =>
  Effect.map(whole(slot, options), (pool) => rootSum(hashedOf(pool).tree))

const isLeaf = (given: unknown): boolean =>
  Number.isSafeInteger(given) && Number(given) >= 0 && Number(given) < leafCount

const isRowSum = (given: unknown): boolean =>
  Array.isArray(given) && given.length === 2 && typeof given[0] === "string"

const isAsk = (given: Ask): boolean => {
  // It may come from anywhere.
  const { _tag, leaves, rows, sums } = ((given as unknown) ?? {}) as { readonly [name: string]: unknown }
  if (_tag === "Nodes") return typeof sums === "string" && sums.length === sumsDigits
  if (_tag !== "Rows" || !Array.isArray(leaves) || !Array.isArray(rows)) return false
  return leaves.length <= maxLeaves && leaves.every(isLeaf) && rows.every(isRowSum)
}

/** Answers a peer that looks for what differs. */
export const diff = (
  slot: Slot<Pool>,
  ask: Ask,
  options: ReadOptions
): Effect.Effect<Answer, MergeError | ReadFailed> =>
  Effect.flatMap(whole(slot, options), (pool): Effect.Effect<Answer, MergeError> => {
    if (!isAsk(ask)) {
      const message = "what a peer asks is malformed: send sums as the exchange makes them"
      return Effect.fail(new MergeError({ reason: "InvalidData", message }))
    }
    const { state, tree } = hashedOf(pool)
    if (ask._tag === "Nodes") {
      return Effect.succeed({ _tag: "Leaves", sums: sumsOfNodes(tree, differentNodes(tree, ask.sums)) })
    }
    const keys = differentRows(tree, ask.leaves, ask.rows)
    const rows = keys.map((key) => rowOf(state, key)).filter(isThere)
    return Effect.succeed({ _tag: "Patch", patch: { horizon: state.horizon, rows } })
  })
