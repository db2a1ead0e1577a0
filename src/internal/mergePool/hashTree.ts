/**
 * A hash tree over the cells of a pool (Merkle, 1987), with sums for hashes (Bellare and Micciancio, 1997): a sum of hashes
 * needs no order, and a change adds and takes away two of them on each level.
 *
 * A row chooses its leaf, a leaf its node. Each sum is two halves of 32 bits, each the sum of the hashes of (row, field,
 * text of the cell). Two peers with equal content have equal sums, whatever way they came there. Sums are no protection
 * against forgers.
 *
 * A row costs 8 bytes, for its place in the list of its leaf: the sums of rows are computed when a leaf is compared.
 */
import { hash32, hex32, mix32 } from "../hash.js"

/** The version of the sums: peers with another one compare none. */
export const hashVersion = 1

/** How many nodes the root has, and how many leaves each node. 100,000 rows are 24 a leaf. */
export const fanOut = 64

/** How many leaves a tree has. */
export const leafCount = fanOut * fanOut

/** Visits the cells of a row that differ between two forms of it, as texts; `undefined`: there is none. */
export type CellTexts<R> = (
  key: string,
  before: R | undefined,
  after: R | undefined,
  visit: (field: string, before: string | undefined, after: string | undefined) => void
) => void

/** A sum: two halves of 32 bits in 16 hexadecimal digits. */
export type Sum = string

/** The digits of a {@link Sum}. */
export const sumDigits = 16

/** The hash tree of rows. Only this file writes it. */
export interface HashTree<R> {
  /** The rows as they are now. */
  readonly rows: ReadonlyMap<string, R>
  readonly cellTexts: CellTexts<R>
  /** Both halves of the root's sum, then of those of the nodes, then of those of the leaves. */
  readonly sums: Int32Array
  /** The keys of the rows by leaf; a leaf that never had a row has no list. */
  readonly leaves: Array<Array<string> | undefined>
  /** Rows that changed, as the sums have them. */
  readonly pending: Map<string, R | undefined>
}

/** A row that changes often is hashed once for all of its changes; this bounds what waits for that. */
const maxPending = 1_024

const seeds = [0x3c6ef372, 0x2545f491] as const
const multipliers = [0x9e3779b1, 0x27d4eb2f] as const

/** The leaf of a row. */
export const leafOf = (key: string): number => mix32(hash32(seeds[0], multipliers[0], key)) >>> 20

/** The two halves that the cells of a row add to the sums when it changes. */
const changeOfSums = <R>(
  cellTexts: CellTexts<R>,
  key: string,
  before: R | undefined,
  after: R | undefined
): readonly [high: number, low: number] => {
  // Neither a key nor a field has U+0000.
  const highOfRow = hash32(hash32(seeds[0], multipliers[0], key), multipliers[0], "\0")
  const lowOfRow = hash32(hash32(seeds[1], multipliers[1], key), multipliers[1], "\0")
  let high = 0
  let low = 0
  cellTexts(key, before, after, (field, from, to) => {
    const highOfField = hash32(hash32(highOfRow, multipliers[0], field), multipliers[0], "\0")
    const lowOfField = hash32(hash32(lowOfRow, multipliers[1], field), multipliers[1], "\0")
    if (to !== undefined) {
      high += mix32(hash32(highOfField, multipliers[0], to))
      low += mix32(hash32(lowOfField, multipliers[1], to))
    }
    if (from !== undefined) {
      high -= mix32(hash32(highOfField, multipliers[0], from))
      low -= mix32(hash32(lowOfField, multipliers[1], from))
    }
  })
  // Sums of up to 2^21 halves are exact before they are cut to 32 bits.
  return [high | 0, low | 0]
}

const addTo = (sums: Int32Array, index: number, high: number, low: number): void => {
  sums[2 * index] = (sums[2 * index] as number) + high
  sums[2 * index + 1] = (sums[2 * index + 1] as number) + low
}

const firstNode = 1
const firstLeaf = firstNode + fanOut

const listKey = (leaves: HashTree<unknown>["leaves"], leaf: number, key: string, isThere: boolean): void => {
  const keys = leaves[leaf]
  if (keys === undefined) leaves[leaf] = [key]
  else if (isThere) keys.push(key)
  else {
    const last = keys.pop() as string
    if (last !== key) keys[keys.indexOf(key)] = last
  }
}

const changeRow = <R>(tree: HashTree<R>, key: string, before: R | undefined, after: R | undefined): void => {
  const leaf = leafOf(key)
  if ((before === undefined) !== (after === undefined)) {
    listKey(tree.leaves, leaf, key, after !== undefined)
  }
  const [high, low] = changeOfSums(tree.cellTexts, key, before, after)
  addTo(tree.sums, 0, high, low)
  addTo(tree.sums, firstNode + Math.floor(leaf / fanOut), high, low)
  addTo(tree.sums, firstLeaf + leaf, high, low)
}

const settle = <R>(tree: HashTree<R>): void => {
  for (const [key, before] of tree.pending) {
    const after = tree.rows.get(key)
    if (before !== after) changeRow(tree, key, before, after)
  }
  tree.pending.clear()
}

/** Makes the tree of rows. Each later change of them is noted in it. */
export const makeHashTree = <R>(rows: ReadonlyMap<string, R>, cellTexts: CellTexts<R>): HashTree<R> => {
  const tree: HashTree<R> = {
    rows,
    cellTexts,
    sums: new Int32Array(2 * (firstLeaf + leafCount)),
    leaves: new Array<undefined>(leafCount).fill(undefined),
    pending: new Map()
  }
  for (const [key, row] of rows) changeRow(tree, key, undefined, row)
  return tree
}

/** Notes changes of rows that were made, the earliest first. `before` is what a row was; rows are immutable. */
export const noteChanges = <R>(
  tree: HashTree<R>,
  changes: ReadonlyArray<{ readonly key: string; readonly before: R | undefined }>
): void => {
  const { pending } = tree
  for (const { before, key } of changes) if (!pending.has(key)) pending.set(key, before)
  // Not within the loop: of a row that changed twice, the second change would be taken for the first.
  if (pending.size > maxPending) settle(tree)
}

const sumAt = (sums: Int32Array, index: number): Sum =>
  hex32(sums[2 * index] as number) + hex32(sums[2 * index + 1] as number)

const sumsFrom = (sums: Int32Array, first: number): string => {
  let text = ""
  for (let i = 0; i < fanOut; i++) text += sumAt(sums, first + i)
  return text
}

/** The sum of all cells: that of a pool without cells is 0. */
export const rootSum = <R>(tree: HashTree<R>): Sum => {
  settle(tree)
  return sumAt(tree.sums, 0)
}

/** The sums of the nodes, one after the other. */
export const nodeSums = <R>(tree: HashTree<R>): string => {
  settle(tree)
  return sumsFrom(tree.sums, firstNode)
}

/** The sums of the leaves of a node, one after the other. */
export const leafSums = <R>(tree: HashTree<R>, node: number): string => {
  settle(tree)
  return sumsFrom(tree.sums, firstLeaf + node * fanOut)
}

/** The keys of the rows of a leaf, in no order. */
export const keysOfLeaf = <R>(tree: HashTree<R>, leaf: number): ReadonlyArray<string> => {
  settle(tree)
  return tree.leaves[leaf] ?? []
}

/** The sum of the cells of a row; that of a row that is not there is 0. */
export const rowSum = <R>({ cellTexts, rows }: HashTree<R>, key: string): Sum => {
  const [high, low] = changeOfSums(cellTexts, key, undefined, rows.get(key))
  return hex32(high) + hex32(low)
}
