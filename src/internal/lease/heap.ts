/**
 * A binary heap of nodes by their deadlines. Equal deadlines keep the order in which they were given. A node knows its
 * place, so that it is moved and removed without a search.
 */

/** What the heap needs of its nodes. Only this file writes it. */
export interface Node {
  /** Milliseconds of a monotonic clock. */
  deadline: number
  /** When the deadline was given: a count. */
  order: number
  /** The index in the heap, {@link outside} while it is in none. */
  place: number
}

/** The place of a node that is in no heap. */
export const outside = -1

export interface Heap<N extends Node> {
  readonly nodes: Array<N>
  /** How many deadlines were given. */
  given: number
}

export const make = <N extends Node>(): Heap<N> => ({ nodes: [], given: 0 })

/** The node with the earliest deadline. */
export const first = <N extends Node>({ nodes }: Heap<N>): N | undefined => nodes[0]

/** Whether the node is in this heap. */
export const has = <N extends Node>({ nodes }: Heap<N>, node: Node): boolean => nodes[node.place] === node

const isBefore = (a: Node, b: Node): boolean =>
  a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order)

const put = <N extends Node>({ nodes }: Heap<N>, node: N, place: number): void => {
  nodes[place] = node
  node.place = place
}

/** Moves parents down until the node stands below an earlier one. */
const rise = <N extends Node>(heap: Heap<N>, node: N, from: number): void => {
  let place = from
  while (place > 0) {
    const above = (place - 1) >> 1
    const parent = heap.nodes[above]!
    if (!isBefore(node, parent)) break
    put(heap, parent, place)
    place = above
  }
  put(heap, node, place)
}

/** Moves the earlier children up until the node stands above later ones. */
const sink = <N extends Node>(heap: Heap<N>, node: N, from: number): void => {
  const { nodes } = heap
  let place = from
  for (let below = 2 * place + 1; below < nodes.length; below = 2 * place + 1) {
    const right = nodes[below + 1]
    if (right !== undefined && isBefore(right, nodes[below]!)) below++
    const child = nodes[below]!
    if (!isBefore(child, node)) break
    put(heap, child, place)
    place = below
  }
  put(heap, node, place)
}

/** Puts a node at a place, then where it belongs. */
const settle = <N extends Node>(heap: Heap<N>, node: N, place: number): void => {
  rise(heap, node, place)
  sink(heap, node, node.place)
}

/** Adds a node that is in no heap, with its deadline. */
export const add = <N extends Node>(heap: Heap<N>, node: N): void => {
  node.order = heap.given++
  heap.nodes.push(node)
  rise(heap, node, heap.nodes.length - 1)
}

/** Gives a node of this heap another deadline: it comes after those that have it already. */
export const move = <N extends Node>(heap: Heap<N>, node: N, deadline: number): void => {
  node.deadline = deadline
  node.order = heap.given++
  settle(heap, node, node.place)
}

/** Removes a node of this heap. */
export const remove = <N extends Node>(heap: Heap<N>, node: N): void => {
  const { place } = node
  const last = heap.nodes.pop()!
  node.place = outside
  if (last !== node) settle(heap, last, place)
}

/** Removes all nodes. */
export const clear = <N extends Node>({ nodes }: Heap<N>): void => {
  for (const node of nodes) node.place = outside
  nodes.length = 0
}
