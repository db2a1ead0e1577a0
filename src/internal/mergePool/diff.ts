/**
 * Finds the rows in which two replicas differ by their hash trees, in three questions: the branches, the leaves of those that
 * differ, and the rows of the leaves that differ. What comes from the other side is checked: a side that lies about its
 * hashes gets rows that it has, or none.
 */
import { validateText } from "../columns/jsonData.js"
import * as Tree from "./hashTree.js"
import type { Row, State } from "./state.js"

/** The hashes of the leaves of a branch. */
export type BranchHashes = readonly [branch: number, leaves: string]

/** The rows of a leaf, with their hashes. */
export type LeafHashes = readonly [leaf: number, rows: ReadonlyArray<readonly [key: string, hash: string]>]

const hashLength = 16

const isHashes = (given: unknown, count: number): given is string =>
  typeof given === "string" && given.length === hashLength * count && /^[0-9a-f]*$/.test(given)

/** Where two lists of hashes differ. */
const differing = (a: string, b: string): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let n = 0; n < Tree.fanOut; n++) {
    const from = n * hashLength
    if (a.slice(from, from + hashLength) !== b.slice(from, from + hashLength)) found.push(n)
  }
  return found
}

const isIndex = (given: unknown, count: number): given is number =>
  typeof given === "number" && Number.isInteger(given) && given >= 0 && given < count

/** Answers the branches of the other side with the leaves of those that differ; `undefined`: they are no hashes. */
export const answerBranches = (
  tree: Tree.HashTree,
  state: State,
  theirs: unknown
): ReadonlyArray<BranchHashes> | undefined =>
  isHashes(theirs, Tree.fanOut)
    ? differing(Tree.branches(tree, state), theirs).map((n) => [n, Tree.leaves(tree, state, n)] as const)
    : undefined

const isBranchHashes = (given: unknown): given is BranchHashes =>
  Array.isArray(given) &&
  given.length === 2 &&
  isIndex(given[0], Tree.fanOut) &&
  isHashes(given[1], Tree.fanOut)

/** The rows of some leaves, by leaf, also of leaves that have none. */
const rowsOf = (state: State, wanted: ReadonlySet<number>): Map<number, Array<Row>> => {
  const found = new Map<number, Array<Row>>([...wanted].map((leaf) => [leaf, []]))
  for (const row of state.rows.values()) found.get(Tree.leafOf(row.key))?.push(row)
  return found
}

/** Answers the leaves of the other side with the rows of those that differ; `undefined`: they are no leaves. */
export const answerLeaves = (
  tree: Tree.HashTree,
  state: State,
  theirs: unknown
): ReadonlyArray<LeafHashes> | undefined => {
  if (!Array.isArray(theirs) || !theirs.every(isBranchHashes)) return undefined
  const wanted = new Set<number>()
  for (const [branch, hashes] of theirs) {
    for (const n of differing(Tree.leaves(tree, state, branch), hashes)) wanted.add(branch * Tree.fanOut + n)
  }
  return Array.from(rowsOf(state, wanted), ([leaf, rows]) => [
    leaf,
    rows.map((row) => [row.key, Tree.rowHash(row)] as const)
  ])
}

const isRowHash = (given: unknown): boolean =>
  Array.isArray(given) &&
  given.length === 2 &&
  typeof given[0] === "string" &&
  validateText(given[0]) === undefined &&
  isHashes(given[1], 1)

const isLeafHashes = (given: unknown): given is LeafHashes =>
  Array.isArray(given) &&
  given.length === 2 &&
  isIndex(given[0], Tree.fanOut * Tree.fanOut) &&
  Array.isArray(given[1]) &&
  given[1].every(isRowHash)

/** In which rows two sides differ. */
export interface Differences {
  /** Rows of this side that the other one has not, or has otherwise. */
  readonly send: ReadonlyArray<Row>
  /** Keys that the other side has, and this one has not, or has otherwise. */
  readonly want: ReadonlyArray<string>
}

/** Compares the rows of the other side; `undefined`: they are no rows of leaves. */
export const compareRows = (tree: Tree.HashTree, state: State, theirs: unknown): Differences | undefined => {
  if (!Array.isArray(theirs) || !theirs.every(isLeafHashes)) return undefined
  // Its side effect: the hashes of rows are those of now.
  Tree.root(tree, state)
  const send: Array<Row> = []
  const want: Array<string> = []
  const own = rowsOf(state, new Set(theirs.map(([leaf]) => leaf)))
  for (const [leaf, rows] of theirs) {
    const hashes = new Map(rows)
    for (const row of own.get(leaf) ?? []) {
      const hash = hashes.get(row.key)
      hashes.delete(row.key)
      if (hash === Tree.rowHash(row)) continue
      send.push(row)
      if (hash !== undefined) want.push(row.key)
    }
    for (const key of hashes.keys()) want.push(key)
    // A leaf that is named again has been compared.
    own.delete(leaf)
  }
  return { send, want }
}
