/** Rows of plain texts, for hash trees without a pool. */
import { type HashTree, leafOf, makeHashTree, noteChanges } from "../../src/internal/mergePool/hashTree.js"

export type Row = { readonly [field: string]: string }

/** The tree of rows. */
export const treeOf = (rows: ReadonlyMap<string, Row>): HashTree<Row> =>
  makeHashTree(rows, (_, before, after, visit) => {
    for (const [field, text] of Object.entries(before ?? {})) visit(field, text, undefined)
    for (const [field, text] of Object.entries(after ?? {})) visit(field, undefined, text)
  })

/** Changes a row, and notes it. */
export const change = (
  tree: HashTree<Row>,
  rows: Map<string, Row>,
  key: string,
  row: Row | undefined
): void => {
  const before = rows.get(key)
  if (row === undefined) rows.delete(key)
  else rows.set(key, row)
  noteChanges(tree, [{ key, before }])
}

/** Keys of one leaf. */
export const sameLeaf: ReadonlyArray<string> = Array.from({ length: 40_000 }, (_, n) => `key ${n}`).filter(
  (key) => leafOf(key) === leafOf("key 0")
)
