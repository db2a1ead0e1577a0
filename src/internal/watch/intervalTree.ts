/**
 * Ranges of keys, and which of them hold a key: a treap ordered by the ranges' beginnings, in which every node knows
 * the furthest end below it (Cormen et al., Introduction to Algorithms, "Interval trees"). Adding and removing take
 * O(log n), a look-up takes O(log n) and the number of ranges found.
 */
import { compareKeys } from "../log/selector.js"

export interface Owner {
  readonly id: number
}

interface Node<O extends Owner> {
  readonly from: string
  readonly to: string
  readonly owner: O
  readonly priority: number
  maxEnd: string
  left: Node<O> | undefined
  right: Node<O> | undefined
}

export interface IntervalTree<O extends Owner> {
  root: Node<O> | undefined
  /** How many ranges there ever were. */
  added: number
}

export const make = <O extends Owner>(): IntervalTree<O> => ({ root: undefined, added: 0 })

// Well mixed: a tree needs no chance of its own to be balanced. Each range has another one, since an owner may bring
// thousands in order: with one for all of them they would be a list, too deep to walk.
const priorityOf = (nth: number): number => {
  let x = Math.imul(nth ^ 0x9e3779b9, 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

const compare = <O extends Owner>(a: Node<O>, b: Node<O>): number =>
  compareKeys(a.from, b.from) || a.owner.id - b.owner.id || compareKeys(a.to, b.to)

const laterEnd = (a: string, b: Node<Owner> | undefined): string =>
  b !== undefined && compareKeys(b.maxEnd, a) > 0 ? b.maxEnd : a

const update = <O extends Owner>(node: Node<O>): Node<O> => {
  node.maxEnd = laterEnd(laterEnd(node.to, node.left), node.right)
  return node
}

const merge = <O extends Owner>(a: Node<O> | undefined, b: Node<O> | undefined): Node<O> | undefined => {
  if (a === undefined) return b
  if (b === undefined) return a
  if (a.priority >= b.priority) {
    a.right = merge(a.right, b)
    return update(a)
  }
  b.left = merge(a, b.left)
  return update(b)
}

const insert = <O extends Owner>(into: Node<O> | undefined, node: Node<O>): Node<O> => {
  if (into === undefined) return node
  if (node.priority > into.priority) {
    ;[node.left, node.right] = split(into, node)
    return update(node)
  }
  if (compare(node, into) < 0) into.left = insert(into.left, node)
  else into.right = insert(into.right, node)
  return update(into)
}

/** The nodes before and behind a node. */
const split = <O extends Owner>(
  tree: Node<O> | undefined,
  at: Node<O>
): [Node<O> | undefined, Node<O> | undefined] => {
  if (tree === undefined) return [undefined, undefined]
  if (compare(tree, at) < 0) {
    const [left, right] = split(tree.right, at)
    tree.right = left
    return [update(tree), right]
  }
  const [left, right] = split(tree.left, at)
  tree.left = right
  return [left, update(tree)]
}

const removeNode = <O extends Owner>(tree: Node<O> | undefined, node: Node<O>): Node<O> | undefined => {
  if (tree === undefined) return undefined
  const order = compare(node, tree)
  if (order === 0) return merge(tree.left, tree.right)
  if (order < 0) tree.left = removeNode(tree.left, node)
  else tree.right = removeNode(tree.right, node)
  return update(tree)
}

const nodeOf = <O extends Owner>(from: string, to: string, owner: O, priority: number): Node<O> => ({
  from,
  to,
  owner,
  priority,
  maxEnd: to,
  left: undefined,
  right: undefined
})

/** Adds the range from `from` until before `to`. */
export const add = <O extends Owner>(tree: IntervalTree<O>, from: string, to: string, owner: O): void => {
  tree.root = insert(tree.root, nodeOf(from, to, owner, priorityOf(++tree.added)))
}

export const remove = <O extends Owner>(tree: IntervalTree<O>, from: string, to: string, owner: O): void => {
  tree.root = removeNode(tree.root, nodeOf(from, to, owner, 0))
}

const collectFrom = <O extends Owner>(node: Node<O> | undefined, key: string, found: Array<O>): void => {
  if (node === undefined || compareKeys(node.maxEnd, key) <= 0) return
  collectFrom(node.left, key, found)
  if (compareKeys(node.from, key) > 0) return
  if (compareKeys(key, node.to) < 0) found.push(node.owner)
  collectFrom(node.right, key, found)
}

/** Adds the owners of the ranges that hold a key. */
export const collect = <O extends Owner>(tree: IntervalTree<O>, key: string, found: Array<O>): void =>
  collectFrom(tree.root, key, found)
