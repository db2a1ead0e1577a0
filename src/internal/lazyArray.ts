/**
 * Arrays of very many elements that cost nothing until they are read: making millions of objects in one piece would
 * hold up the event loop for seconds, and a deadline with it.
 */
import { NodeInspectSymbol } from "effect/Inspectable"

/** So many elements are made at once, into a plain array. */
const maxEager = 10_000

const maxPrinted = 100

/**
 * An array of the `length` elements that `elements` gives. Above 10,000 it makes an element, and those before it, when
 * it is first read; the same ones after that. It reads as an array, `Array.isArray` included, but cannot be
 * cloned to another thread: for that, `Array.from` it.
 */
export const lazyArray = <A>(length: number, elements: Iterable<A>): ReadonlyArray<A> =>
  length <= maxEager ? Array.from(elements) : lazy(length, elements)

const lazy = <A>(length: number, elements: Iterable<A>): ReadonlyArray<A> => {
  const made: Array<A> = []
  let whole = false
  const rest = elements[Symbol.iterator]()
  const make = (count: number): void => {
    while (made.length < count) {
      const next = rest.next()
      if (next.done === true) return
      made.push(next.value)
    }
  }
  function* values(): Generator<A> {
    for (let index = 0; index < length; index++) {
      if (index >= made.length) make(index + 1)
      yield made[index] as A
    }
  }
  /** Makes what a property needs to be there; whether it is an element. */
  const need = (key: string | symbol): boolean => {
    const index = typeof key === "string" ? Number(key) : Number.NaN
    const isElement = Number.isInteger(index) && index >= 0 && index < length && String(index) === key
    if (isElement) make(index + 1)
    return isElement
  }
  // What prints a value does not ask its proxy.
  Object.defineProperty(made, NodeInspectSymbol, {
    value: () => {
      make(maxPrinted)
      return [...made.slice(0, maxPrinted), `... ${length - maxPrinted} more`]
    }
  })
  /** From here on it is a plain array, which may be changed. */
  const all = (): Array<A> => {
    if (!whole) make(length)
    whole = true
    return made
  }
  return new Proxy(made, {
    get: (_, key) => {
      if (!whole) {
        if (key === "length") return length
        if (key === Symbol.iterator || key === "values") return values
        need(key)
      }
      return Reflect.get(made, key)
    },
    has: (_, key) => (!whole && need(key)) || Reflect.has(made, key),
    getOwnPropertyDescriptor: (_, key) => {
      if (key === "length") all()
      else if (!whole) need(key)
      return Reflect.getOwnPropertyDescriptor(made, key)
    },
    ownKeys: () => Reflect.ownKeys(all()),
    set: (_, key, value) => Reflect.set(all(), key, value),
    defineProperty: (_, key, descriptor) => Reflect.defineProperty(all(), key, descriptor),
    deleteProperty: (_, key) => Reflect.deleteProperty(all(), key)
  })
}
