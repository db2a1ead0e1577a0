/** Sorted arrays of registers, each of which one client writes: the parts of a counter, the dots of a set. Immutable. */

/** How registers of one kind are ordered, and which of two states of one register is later. */
export interface RegisterOrder<in R> {
  /** 0: both are states of one register. */
  readonly compare: (a: R, b: R) => number
  /** Whether `a` replaces `b`. Of two different states, one always replaces the other. */
  readonly replaces: (a: R, b: R) => boolean
}

/** Joins two arrays. Returns `a` itself if `b` adds nothing. */
export const joinRegisters = <R>(
  { compare, replaces }: RegisterOrder<R>,
  a: ReadonlyArray<R>,
  b: ReadonlyArray<R>
): ReadonlyArray<R> => {
  const joined: Array<R> = []
  let isChanged = false
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const [x, y] = [a[i], b[j]]
    const order = x === undefined ? 1 : y === undefined ? -1 : compare(x, y)
    // One of both is there, and both are in the last case.
    const takesB = order > 0 || (order === 0 && replaces(y as R, x as R))
    joined.push((takesB ? y : x) as R)
    isChanged ||= takesB
    if (order <= 0) i++
    if (order >= 0) j++
  }
  return isChanged ? joined : a
}

/** Returns the state that an array has of the register of another state. */
export const findRegister = <R>(
  { compare }: RegisterOrder<R>,
  registers: ReadonlyArray<R>,
  like: R
): R | undefined => {
  let [low, high] = [0, registers.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(registers[middle] as R, like) < 0) low = middle + 1
    else high = middle
  }
  const found = registers[low]
  return found !== undefined && compare(found, like) === 0 ? found : undefined
}

/** Whether each register of an array is after the one before. */
export const isAfterLast = <R>(
  { compare }: RegisterOrder<R>,
  registers: ReadonlyArray<R>,
  next: R
): boolean => {
  const before = registers[registers.length - 1]
  return before === undefined || compare(before, next) < 0
}
