/** Ids of clients that nothing else has. */
import { clientOfBits } from "./stamp.js"

/**
 * Makes an id of 64 random bits. They come from the host's cryptography, which Node.js and browsers have: a program that seeds
 * Effect's Random would have the same id at each start, and of two edits with the same stamp one is lost.
 */
export const newClient = (): string => {
  const [bits = 0n] = globalThis.crypto.getRandomValues(new BigUint64Array(1))
  return clientOfBits(bits)
}
