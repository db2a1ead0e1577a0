/**
 * Stamps of a hybrid logical clock: when something was written, and by whom. Stamps of one pool have a total order, and
 * whatever a replica writes is stamped above all that it has seen. The clock is that of Kulkarni et al., "Logical
 * Physical Clocks" (2014), with one more rule: a counter that is full carries into the milliseconds.
 */

/**
 * 23 characters, whose order as text is the order of stamps: 8 of milliseconds since 1970 (48 bits), 4 of a counter (24
 * bits), and 11 of the client. Each character has 6 bits.
 */
export type Stamp = string

/** Below every stamp. It is the reset of what was never reset, and the horizon of a pool that forgot nothing. */
export const never = ""

/** Ascending by code unit, so that the order of texts is that of their bits. */
const digits = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

const timeLength = 8
const counterLength = 4
const clientLength = 11
const stampLength = timeLength + counterLength + clientLength

/** The largest counter within a millisecond. */
export const maxCounter = 2 ** 24 - 1

/** The last millisecond that a stamp can have, in the year 10,889. */
export const maxMillis = 2 ** 48 - 1

/** How far ahead of the server a stamp may be, in milliseconds. */
export const maxAhead = 60_000

/** By code unit: the value of a digit, or 255. */
const values = new Uint8Array(128).fill(255)
for (let i = 0; i < digits.length; i++) values[digits.charCodeAt(i)] = i

const encode = (value: number, length: number): string => {
  let text = ""
  for (let i = 0, rest = value; i < length; i++, rest = Math.floor(rest / 64)) text = digits[rest % 64] + text
  return text
}

const decode = (text: string, from: number, length: number): number => {
  let value = 0
  for (let i = from; i < from + length; i++) value = value * 64 + values[text.charCodeAt(i)]!
  return value
}

const isDigits = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127 || values[code] === 255) return false
  }
  return true
}

/** Makes the id of a client from 64 random bits, as two whole numbers of 32. */
export const clientOfBits = (high: number, low: number): string =>
  // 11 digits have 66 bits: the first one has 4 of the 64.
  encode(high >>> 4, 5) + encode((high & 15) * 2 ** 32 + (low >>> 0), 6)

/** Whether a text is the id of a client. */
export const isClient = (text: unknown): text is string =>
  typeof text === "string" && text.length === clientLength && isDigits(text)

/** Whether a value is a stamp. */
export const isStamp = (value: unknown): value is Stamp =>
  typeof value === "string" && value.length === stampLength && isDigits(value)

/** Makes a stamp of whole milliseconds from 0 to `maxMillis`, of a counter, and of a client. */
export const make = (millis: number, counter: number, client: string): Stamp =>
  encode(millis, timeLength) + encode(counter, counterLength) + client

/** The milliseconds of a stamp. */
export const millisOf = (stamp: Stamp): number => (stamp === never ? 0 : decode(stamp, 0, timeLength))

const counterOf = (stamp: Stamp): number => (stamp === never ? 0 : decode(stamp, timeLength, counterLength))

/** The client of a stamp. */
export const clientOf = (stamp: Stamp): string => stamp.slice(-clientLength)

/** The smallest stamp of these milliseconds: at or below every one that was given then or later. */
export const first = (millis: number): Stamp =>
  millis <= 0 ? never : make(Math.min(Math.floor(millis), maxMillis), 0, digits[0]!.repeat(clientLength))

/** The clock of one client. It never goes back. */
export interface Clock {
  readonly client: string
  /** The largest stamp that was given or observed. */
  readonly last: Stamp
}

/** The clock of a client that holds, or has held, this stamp at most. */
export const clockOf = (client: string, last: Stamp): Clock => ({ client, last })

/** A clock after it has seen a stamp. */
export const observe = (clock: Clock, stamp: Stamp): Clock =>
  stamp > clock.last ? { ...clock, last: stamp } : clock

/** Ticks: the clock after it, whose `last` is a new stamp. `now`: milliseconds of the server's clock. */
export const tick = ({ client, last }: Clock, now: number): Clock => {
  const lastMillis = millisOf(last)
  const millis = Math.min(Math.max(Math.floor(now), 0), maxMillis)
  if (millis > lastMillis) return { client, last: make(millis, 0, client) }
  const counter = counterOf(last) + 1
  return counter > maxCounter
    ? { client, last: make(lastMillis + 1, 0, client) }
    : { client, last: make(lastMillis, counter, client) }
}

/** Whether a stamp is further ahead of the server's clock than stamps may be. */
export const isAhead = (stamp: Stamp, now: number): boolean => millisOf(stamp) > now + maxAhead
