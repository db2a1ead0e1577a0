/** Messages of an exchange as lines of JSON. What comes from outside is checked field by field; patches by `merge`. */

import { sumsDigits } from "./diff.js"
import { fanOut, leafCount, sumDigits } from "./hashTree.js"
import { type ClientMessage, endReasons, type ServerMessage } from "./messages.js"

/** A text that is no message. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly message: string
}

/** Whether a field has a value that is allowed. */
type Check = (given: unknown) => boolean

/** The fields of a message. */
interface Shape {
  readonly [field: string]: Check
}

const isText: Check = (given) => typeof given === "string"
const isCount: Check = (given) => Number.isSafeInteger(given) && (given as number) >= 0
const orNull =
  (check: Check): Check =>
  (given) =>
    given === null || check(given)
const oneOf =
  (...allowed: ReadonlyArray<string | boolean>): Check =>
  (given) =>
    allowed.includes(given as string | boolean)
const listOf =
  (check: Check): Check =>
  (given) =>
    Array.isArray(given) && given.every(check)
const pairOf =
  (first: Check, second: Check): Check =>
  (given) =>
    Array.isArray(given) && given.length === 2 && first(given[0]) && second(given[1])
const isBelow =
  (limit: number): Check =>
  (given) =>
    isCount(given) && (given as number) < limit
const isHex =
  (digits: number): Check =>
  (given) =>
    typeof given === "string" && given.length === digits && /^[0-9a-f]*$/.test(given)
// Each index once, so that an answer is no longer than the whole tree.
const indexes =
  (limit: number): Check =>
  (given) =>
    listOf(isBelow(limit))(given) && new Set(given as ReadonlyArray<unknown>).size === (given as []).length
const isObject = (given: unknown): given is { readonly [key: string]: unknown } =>
  typeof given === "object" && given !== null && !Array.isArray(given)
const isPatch: Check = (given) => isObject(given) && isText(given.horizon) && Array.isArray(given.rows)

const isCellName: Check = (given) => isObject(given) && isText(given.row) && isText(given.field)

const clientShapes: Readonly<Record<ClientMessage["_tag"], Shape>> = {
  Hello: {
    version: isCount,
    hash: isCount,
    fingerprint: isText,
    epoch: orNull(isText),
    position: orNull(isText),
    horizon: isText,
    root: isText
  },
  Nodes: { nodes: indexes(fanOut) },
  Compare: { leaves: indexes(leafCount), rows: listOf(pairOf(isText, isHex(sumDigits))) },
  AskWhole: {},
  Merge: { n: isCount, patch: isPatch },
  Verify: {}
}

const serverShapes: Readonly<Record<ServerMessage["_tag"], Shape>> = {
  Welcome: {
    version: isCount,
    hash: isCount,
    fingerprint: isText,
    epoch: isText,
    position: isText,
    horizon: isText,
    serverTime: isCount,
    resume: oneOf("delta", "equal", "tree", "whole"),
    accepts: oneOf("own", "all", "none"),
    nodes: (given) => given === "" || isHex(sumsDigits)(given)
  },
  Delta: { position: isText, patch: isPatch, gone: listOf(isCellName) },
  Rejected: { n: isCount, reason: isText, message: isText, serverTime: orNull(isCount) },
  End: { reason: oneOf(...endReasons), message: isText },
  Sums: { nodes: listOf(pairOf(isBelow(fanOut), isHex(sumsDigits))) },
  Rows: { rows: Array.isArray, absent: listOf(isText) },
  Part: { rows: Array.isArray, isLast: oneOf(true, false) },
  Acknowledged: { n: isCount },
  Root: { position: isText, root: isText }
}

const malformed = (what: string): Malformed => ({
  _tag: "Malformed",
  message: `${what}: send messages as the exchange makes them`
})

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const read = (shapes: Readonly<Record<string, Shape>>, text: string): object | Malformed => {
  const given = parse(text)
  if (!isObject(given)) return malformed("a message is no object of JSON")
  const tag = given._tag
  if (typeof tag !== "string" || !Object.hasOwn(shapes, tag)) return malformed("a message has an unknown tag")
  const shape = shapes[tag] as Shape
  const extra = Object.keys(given).find((field) => field !== "_tag" && !Object.hasOwn(shape, field))
  if (extra !== undefined) return malformed(`a ${tag} has an unknown field`)
  for (const [field, check] of Object.entries(shape)) {
    if (!Object.hasOwn(given, field) || !check(given[field]))
      return malformed(`the ${field} of a ${tag} is wrong`)
  }
  return given
}

/** Writes a message as one line. */
export const encodeMessage = (message: ClientMessage | ServerMessage): string => JSON.stringify(message)

/** Reads a message of a client. */
export const decodeClientMessage = (text: string): ClientMessage | Malformed =>
  // The shape of its tag was checked.
  read(clientShapes, text) as ClientMessage | Malformed

/** Reads a message of a server. */
export const decodeServerMessage = (text: string): ServerMessage | Malformed =>
  // The shape of its tag was checked.
  read(serverShapes, text) as ServerMessage | Malformed
