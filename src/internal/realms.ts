/**
 * What values are, whichever realm made them. A test runner, or a `vm` context, gives its programs constructors of their
 * own: a date of `fs.stat`, or an error of a socket, is then no `instanceof Date` or `Error`.
 */

/** Whether it is a date, by its inner slot: `getTime` throws for everything else. */
const hasTime = (value: object): boolean => {
  try {
    Date.prototype.getTime.call(value)
    return true
  } catch {
    return false
  }
}

/** Whether a value is a date. */
export const isDate = (value: unknown): value is Date =>
  value instanceof Date || (typeof value === "object" && value !== null && hasTime(value))

// Reads the inner slot of a typed array, and gives `undefined` for everything else.
const typedName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag
)!.get!

/** Whether a value is a `Uint8Array`, such as a `Buffer`. */
export const isBytes = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array || (ArrayBuffer.isView(value) && typedName.call(value) === "Uint8Array")

/** Whether a value is an error. Throws what the value throws when it is read. */
export const isError = (value: unknown): value is Error =>
  value instanceof Error || Object.prototype.toString.call(value) === "[object Error]"

/** Whether an object is a plain one, and no array. */
export const isPlainObject = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  // The last form is the Object.prototype of another realm.
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}
