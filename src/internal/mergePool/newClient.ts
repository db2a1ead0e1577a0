/** Ids of clients that nothing else has. */
import { word } from "../random.js"
import { clientOfBits } from "./stamp.js"

/** Makes an id of 64 random bits. */
export const newClient = (random: Int32Array): string => {
  const bits = () => BigInt(word(random) >>> 0)
  return clientOfBits((bits() << 32n) | bits())
}
