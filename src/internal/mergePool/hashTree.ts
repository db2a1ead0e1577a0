/**
 * Hashes of what a replica holds: 64-bit sums over rows, in a tree of 64 branches with 64 leaves each. A row belongs to the
 * leaf that its key has. Sums do not depend on the order of rows, so a row that changes costs its own hash.
 */
import { murmur32 } from "../hash.js"
import { isEmpty, noteHash, type Row, type State, takeDirty, textOf } from "./state.js"

/** Replicas with another version cannot compare their hashes. */
export const hashVersion = 1

/** How many branches the tree has, and leaves a branch. 100,000 rows are 24 a leaf. */
export const fanOut = 64

const leafCount = fanOut * fanOut

// Any numbers do, as long as all replicas have the same.
const highSeed = 0x6a09e667
const lowSeed = 0xbb67ae85
const keySeed = 0x3c6ef372

/** The sums of the leaves, in two halves. */
export interface HashTree {
  readonly high: Uint32Array
  readonly low: Uint32Array
}

interface Fields extends HashTree {
  life: number
}

/** Makes the tree of a state, which reads all rows when it is first asked. From then on the state has no other one. */
export const make = (): HashTree => {
  const tree: Fields = { high: new Uint32Array(leafCount), low: new Uint32Array(leafCount), life: -1 }
  return tree
}

/** The number of the leaf of a key. */
export const leafOf = (key: string): number => murmur32(key, keySeed) >>> 20

const hashOf = (state: State, row: Row): readonly [high: number, low: number] => {
  if (isEmpty(row)) return [0, 0]
  const text = textOf(state, row)
  return [murmur32(text, highSeed), murmur32(text, lowSeed)]
}

/** Takes the hash of a row as it is now, in place of the one that it had. */
const take = (tree: HashTree, state: State, row: Row, had: Pick<Row, "high" | "low">): void => {
  const [high, low] = hashOf(state, row)
  const leaf = leafOf(row.key)
  // The arrays take what is left modulo 2^32.
  tree.high[leaf]! += high - had.high
  tree.low[leaf]! += low - had.low
  noteHash(row, high, low)
}

const none = { high: 0, low: 0 }

/** Takes the hashes of the rows that have changed. Before every answer. */
const refresh = (tree: HashTree, state: State): void => {
  // Every tree was made by `make`.
  const own = tree as Fields
  const dirty = takeDirty(state)
  if (own.life === state.life) {
    for (const row of dirty) take(own, state, row, row)
    return
  }
  own.life = state.life
  own.high.fill(0)
  own.low.fill(0)
  for (const row of state.rows.values()) take(own, state, row, none)
}

const hex = (high: number, low: number): string =>
  (high >>> 0).toString(16).padStart(8, "0") + (low >>> 0).toString(16).padStart(8, "0")

/** The hash of a row, as the tree has it, in 16 hexadecimal digits. */
export const rowHash = ({ high, low }: Row): string => hex(high, low)

const sumOf = ({ high, low }: HashTree, from: number, to: number): string => {
  let sumHigh = 0
  let sumLow = 0
  for (let leaf = from; leaf < to; leaf++) {
    sumHigh = (sumHigh + high[leaf]!) | 0
    sumLow = (sumLow + low[leaf]!) | 0
  }
  return hex(sumHigh, sumLow)
}

/** The hash of everything: replicas that hold the same have the same. */
export const root = (tree: HashTree, state: State): string => {
  refresh(tree, state)
  return sumOf(tree, 0, leafCount)
}

const concatenated = (hashAt: (n: number) => string): string =>
  Array.from({ length: fanOut }, (_, n) => hashAt(n)).join("")

/** The hashes of all branches, one behind the other. */
export const branches = (tree: HashTree, state: State): string => {
  refresh(tree, state)
  return concatenated((branch) => sumOf(tree, branch * fanOut, (branch + 1) * fanOut))
}

/** The hashes of all leaves of a branch, one behind the other. */
export const leaves = (tree: HashTree, state: State, branch: number): string => {
  refresh(tree, state)
  return concatenated((n) => hex(tree.high[branch * fanOut + n]!, tree.low[branch * fanOut + n]!))
}
