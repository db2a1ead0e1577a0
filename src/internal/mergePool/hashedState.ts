/** A state with the hash tree of its rows. */
import { type HashTree, makeHashTree } from "./hashTree.js"
import { forEachChange, type Row } from "./row.js"
import { type State, textOf } from "./state.js"

/** A state, and the hash tree of its rows. Who changes rows notes it in the tree. */
export interface HashedState {
  readonly state: State
  readonly tree: HashTree<Row>
}

/** Makes the hash tree of a state, by a pass over all cells. */
export const hashState = (state: State): HashedState => ({
  state,
  tree: makeHashTree(state.rows, (key, before, after, visit) =>
    forEachChange(state.definition, { key, before, after }, (field, index, from, to) => {
      const text = (cell: typeof from) =>
        cell === undefined ? undefined : textOf(state.definition, index, cell)
      visit(field, text(from), text(to))
    })
  )
})
