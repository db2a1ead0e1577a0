/** Numbers that look drawn at random, the same ones in each run. */

/** From 0 to 1. */
export const uniform = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Ranks from 0, of which a few are drawn most often. */
export const zipf = (count: number, exponent: number): (() => number) => {
  const next = uniform(42)
  let sum = 0
  const sums = Array.from({ length: count }, (_, i) => {
    sum += 1 / (i + 1) ** exponent
    return sum
  })
  return () => {
    const at = next() * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < at) low = middle + 1
      else high = middle
    }
    return low
  }
}
