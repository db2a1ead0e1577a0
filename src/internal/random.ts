/** Random words for synchronous code, seeded by Effect's Random. */
import { Effect, Random } from "effect"

const seed = Random.nextIntBetween(0, 2 ** 32)

/** The state of a generator xoshiro128** (Blackman and Vigna, https://prng.di.unimi.it): four words, not all 0. */
export const makeRandom: Effect.Effect<Int32Array> = Effect.map(
  Effect.all([seed, seed, seed, seed]),
  ([a, b, c, d]) => Int32Array.from([a, b, c, d | 1])
)

/** 32 random bits. */
export const word = (state: Int32Array): number => {
  const s1 = state[1]!
  const product = Math.imul(s1, 5)
  const result = Math.imul((product << 7) | (product >>> 25), 9)
  state[2]! ^= state[0]!
  state[3]! ^= s1
  state[1] = s1 ^ state[2]!
  state[0]! ^= state[3]!
  state[2]! ^= s1 << 9
  state[3] = (state[3]! << 11) | (state[3]! >>> 21)
  return result
}

/** A name that nothing else has: 128 random bits, in hexadecimal digits. */
export const randomName = (state: Int32Array): string =>
  Array.from({ length: 4 }, () => (word(state) >>> 0).toString(16).padStart(8, "0")).join("")
