/**
 * Ids for records: UUID version 7 (RFC 9562), which sort by the time they were made. Backends store such ids
 * faster than random ones, because new rows land at one end of the index.
 */
import { type Clock, Effect } from "effect"
import { makeRandom, word } from "./internal/random.js"

interface State {
  readonly random: Int32Array
  time: number
  /** The time's part of the id. */
  prefix: string
  counter: number
}

// One state for each clock: ids are monotonic in a process, and a test with a clock of its own begins afresh.
const states = new WeakMap<Clock.Clock, State>()

const wordRange = 2 ** 32

const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

const hex16 = (value: number): string => bytes[(value >>> 8) & 0xff]! + bytes[value & 0xff]!

const setTime = (state: State, time: number): void => {
  const digits = time.toString(16).padStart(12, "0")
  state.time = time
  state.prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-`
  // The counter starts in the lower half of its 32 bits, so that one millisecond has room for 2^31 ids.
  state.counter = word(state.random) >>> 1
}

const next = (clock: Clock.Clock, state: State): string => {
  const now = Math.max(0, clock.unsafeCurrentTimeMillis())
  if (now > state.time) setTime(state, now)
  else if (++state.counter === wordRange) setTime(state, state.time + 1)
  const { counter, prefix, random } = state
  // After the time: the version, the counter's 12 high bits; the variant, its other 20 bits; 42 random bits.
  const version = hex16(0x7000 | (counter >>> 20))
  const variant = hex16(0x8000 | ((counter >>> 6) & 0x3fff))
  const first = hex16(((counter & 0x3f) << 10) | (word(random) & 0x3ff))
  const rest = word(random)
  return `${prefix}${version}-${variant}-${first}${hex16(rest >>> 16)}${hex16(rest)}`
}

/**
 * Makes a synchronous function that makes ids, for handlers that are not Effect code. It uses the Clock and the Random
 * of the fiber that runs this effect. All functions on one Clock share one sequence with {@link uuid7}.
 *
 * Each id is greater than every id made before it in this process, by its text and by its bytes, also within one
 * millisecond and if the clock goes back. The ids are unique, not secret: do not use them as tokens.
 */
export const makeUuid7: Effect.Effect<() => string> = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const random = yield* makeRandom
  let state = states.get(clock)
  if (state === undefined) {
    state = {
      random,
      time: -1,
      prefix: "",
      counter: 0
    }
    states.set(clock, state)
  }
  const shared = state
  return () => next(clock, shared)
})

/** Makes an id, with the guarantees of {@link makeUuid7}. */
export const uuid7: Effect.Effect<string> = Effect.clockWith((clock) => {
  const state = states.get(clock)
  return state === undefined ? Effect.map(makeUuid7, (make) => make()) : Effect.sync(() => next(clock, state))
})
