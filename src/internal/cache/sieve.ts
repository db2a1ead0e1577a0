/**
 * SIEVE (Zhang and others, NSDI 2024): which entry of a full cache goes. Entries queue in the order of their coming; a
 * hand moves from the oldest to the newest, spares what was read since it last passed, and takes the first other one.
 * A read writes one field and moves nothing, and a scan of entries that are read once pushes out nothing in use.
 *
 * The list is made of the entries themselves. What must stay is taken out of it, so that the hand never searches.
 */

/** What an entry needs to be in a list. `visited` is set by each read. */
export interface Node<N> {
  /** The next newer entry. */
  prev: N | undefined
  /** The next older entry. */
  next: N | undefined
  visited: boolean
}

export interface Sieve<N extends Node<N>> {
  newest: N | undefined
  oldest: N | undefined
  /** Where the search goes on; `undefined` is at the oldest. */
  hand: N | undefined
}

export const make = <N extends Node<N>>(): Sieve<N> => ({
  newest: undefined,
  oldest: undefined,
  hand: undefined
})

/** So many entries are spared in one search at most: it takes about 10 microseconds. */
export const maxSpared = 1_000

/** Adds an entry, as the newest, not read yet. It must be in no list. */
export const add = <N extends Node<N>>(sieve: Sieve<N>, node: N): void => {
  node.visited = false
  node.prev = undefined
  node.next = sieve.newest
  if (sieve.newest === undefined) sieve.oldest = node
  else sieve.newest.prev = node
  sieve.newest = node
}

/** Takes an entry out of the list in which it is. */
export const remove = <N extends Node<N>>(sieve: Sieve<N>, node: N): void => {
  if (sieve.hand === node) sieve.hand = node.prev
  if (node.prev === undefined) sieve.newest = node.next
  else node.prev.next = node.next
  if (node.next === undefined) sieve.oldest = node.prev
  else node.next.prev = node.prev
  node.prev = undefined
  node.next = undefined
}

/** Takes out the entry that is worth least; `undefined` if there is none. */
export const evict = <N extends Node<N>>(sieve: Sieve<N>): N | undefined => {
  let node = sieve.hand ?? sieve.oldest
  for (let spared = 0; node?.visited === true && spared < maxSpared; spared++) {
    node.visited = false
    node = node.prev ?? sieve.oldest
  }
  if (node === undefined) return undefined
  sieve.hand = node
  remove(sieve, node)
  return node
}
