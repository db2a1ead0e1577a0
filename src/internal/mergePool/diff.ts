/**
 * Finds the rows in which two peers differ. Each compares what the other sends with its own tree: the nodes of the root, then
 * the leaves of the nodes that differ, then the rows of the leaves that differ.
 */
import {
  fanOut,
  type HashTree,
  keysOfLeaf,
  leafCount,
  leafSums,
  nodeSums,
  rowSum,
  type Sum,
  sumDigits
} from "./hashTree.js"

/** The sums of the leaves of a node. */
export type NodeSums = readonly [node: number, sums: string]

/** The sum of a row. */
export type RowSum = readonly [key: string, sum: Sum]

/** The digits of the sums of {@link fanOut} nodes or leaves. */
export const sumsDigits = fanOut * sumDigits

/** With more leaves that differ, the whole state is less than the sums of their rows and the rows. */
export const maxLeaves = leafCount / 4

/** Adds the indexes at which two lists of sums differ. */
const addDifferent = (found: Array<number>, first: number, own: string, other: string): void => {
  for (let i = 0; i < fanOut; i++) {
    const from = i * sumDigits
    if (own.slice(from, from + sumDigits) !== other.slice(from, from + sumDigits)) found.push(first + i)
  }
}

/** Returns the nodes whose sums differ from those of a peer. */
export const differentNodes = <R>(tree: HashTree<R>, other: string): ReadonlyArray<number> => {
  const found: Array<number> = []
  addDifferent(found, 0, nodeSums(tree), other)
  return found
}

/** Returns the sums of the leaves of nodes. */
export const sumsOfNodes = <R>(tree: HashTree<R>, nodes: ReadonlyArray<number>): ReadonlyArray<NodeSums> =>
  nodes.map((node) => [node, leafSums(tree, node)])

/** Returns the leaves whose sums differ from those of a peer. */
export const differentLeaves = <R>(
  tree: HashTree<R>,
  other: ReadonlyArray<NodeSums>
): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (const [node, sums] of other) addDifferent(found, node * fanOut, leafSums(tree, node), sums)
  return found
}

/** Returns the sums of the rows of leaves. */
export const sumsOfLeaves = <R>(tree: HashTree<R>, leaves: ReadonlyArray<number>): ReadonlyArray<RowSum> =>
  leaves.flatMap((leaf) => keysOfLeaf(tree, leaf).map((key): RowSum => [key, rowSum(tree, key)]))

/** Returns the keys of the rows that differ from those of a peer: those of `other`, and all others of the `leaves`. */
export const differentRows = <R>(
  tree: HashTree<R>,
  leaves: ReadonlyArray<number>,
  other: ReadonlyArray<RowSum>
): ReadonlyArray<string> => {
  const known = new Set<string>()
  const found: Array<string> = []
  for (const [key, sum] of other) {
    if (known.has(key)) continue
    known.add(key)
    if (sum !== rowSum(tree, key)) found.push(key)
  }
  for (const leaf of leaves) {
    for (const key of keysOfLeaf(tree, leaf)) if (!known.has(key)) found.push(key)
  }
  return found
}
