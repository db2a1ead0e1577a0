/**
 * Stamps of writes: hybrid logical clocks (Kulkarni et al., "Logical Physical Clocks", 2014) with the id of the client,
 * as text that sorts as they do. 8 digits of milliseconds, 4 of a counter, 11 of the client.
 */

/** A stamp, or {@link noStamp}. */
export type Stamp = string

/** Comes before every stamp: nothing was written. */
export const noStamp: Stamp = ""

/** The largest counter: 24 bits. */
export const maxCounter = 2 ** 24 - 1

/** The last millisecond that a stamp has: 48 bits. */
export const maxMillis = 2 ** 48 - 1

// In the order of ASCII, so that comparing text compares numbers.
const digits = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

const timeDigits = 8
const clientStart = 12
const clientDigits = 11
const stampDigits = clientStart + clientDigits

/** The value of each ASCII character as a digit, 64 for what is none. */
const values = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = digits.indexOf(String.fromCharCode(code))
  return value < 0 ? 64 : value
})

const encode = (given: number, length: number): string => {
  let text = ""
  let rest = given
  for (let i = 0; i < length; i++) {
    text = digits.charAt(rest % 64) + text
    rest = Math.floor(rest / 64)
  }
  return text
}

const decode = (text: string, from: number, to: number): number => {
  let value = 0
  for (let i = from; i < to; i++) value = value * 64 + (values[text.charCodeAt(i)] as number)
  return value
}

const areDigits = (text: string, from: number): boolean => {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 127 || values[code] === 64) return false
  }
  return true
}

/** Makes a client id of 64 bits. The first of its 11 digits is below 16. */
export const clientOfBits = (bits: bigint): string => {
  let text = ""
  let rest = BigInt.asUintN(64, bits)
  for (let i = 0; i < clientDigits; i++) {
    text = digits.charAt(Number(rest & 63n)) + text
    rest >>= 6n
  }
  return text
}

/** Whether a value is a client id, as {@link clientOfBits} makes them. */
export const isClient = (given: unknown): given is string =>
  typeof given === "string" &&
  given.length === clientDigits &&
  areDigits(given, 0) &&
  (values[given.charCodeAt(0)] as number) < 16

/** Makes a stamp. The milliseconds are whole, from 0 to {@link maxMillis}. */
export const makeStamp = (millis: number, counter: number, client: string): Stamp =>
  encode(millis, timeDigits) + encode(counter, clientStart - timeDigits) + client

/** Whether a value is a stamp in the one form that it has. */
export const isStamp = (given: unknown): given is Stamp =>
  typeof given === "string" &&
  given.length === stampDigits &&
  areDigits(given, 0) &&
  (values[given.charCodeAt(clientStart)] as number) < 16

/** Returns the milliseconds of a stamp. */
export const millisOf = (stamp: Stamp): number => decode(stamp, 0, timeDigits)

/** Returns the counter of a stamp. */
export const counterOf = (stamp: Stamp): number => decode(stamp, timeDigits, clientStart)

/** Returns the client of a stamp. */
export const clientOf = (stamp: Stamp): string => stamp.slice(clientStart)

/** Whether a client made the stamp. */
export const isOf = (stamp: Stamp, client: string): boolean => stamp.endsWith(client)

/** Makes a text that no stamp of these milliseconds or earlier ones is after, and all later ones are. */
export const endOf = (millis: number): Stamp => `${encode(millis, timeDigits)}zzzzEzzzzzzzzzz`

/** Returns the larger one. */
export const later = (a: Stamp, b: Stamp): Stamp => (a < b ? b : a)

/** Orders stamps by their clients: below 0, 0, or above 0. */
export const compareClients = (a: Stamp, b: Stamp): number => {
  const [x, y] = [clientOf(a), clientOf(b)]
  return x < y ? -1 : x > y ? 1 : 0
}
