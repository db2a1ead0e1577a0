/**
 * Words that are hard to guess. Effect's Random is made to be repeated: who gets some of its words can compute the next
 * ones. So these come from the host's cryptography, which Node.js and browsers have.
 */

const bytes = 12

/** A new secret: 96 random bits, in 24 hexadecimal digits. */
export const makeSecret = (): string =>
  Array.from(globalThis.crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, "0")
  ).join("")

/** Whether they are the same. It takes equally long wherever the first difference is. */
export const isSameSecret = (given: string, secret: string): boolean => {
  if (given.length !== secret.length) return false
  let difference = 0
  for (let at = 0; at < secret.length; at++) difference |= given.charCodeAt(at) ^ secret.charCodeAt(at)
  return difference === 0
}
