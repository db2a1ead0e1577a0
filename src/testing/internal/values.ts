/** Values of every type of column: those that are hard to keep, those that cannot be kept, and random ones. */
import { PCGRandom } from "effect/Utils"
import type { Columns, ColumnType } from "../../internal/columns/columns.js"
import { isBytes, isDate } from "../../internal/realms.js"

const day = 86_400_000

/** 1,000 levels are the most that json may have. */
const nested = (levels: number): unknown => {
  let inner: unknown = []
  for (let level = 1; level < levels; level++) inner = [inner]
  return inner
}

/** Text that is valid, and that some backend has changed, cut or refused. */
export const hardTexts: ReadonlyArray<string> = [
  "",
  " ",
  " a ",
  "null",
  "0",
  "'; DROP TABLE x; --",
  "\"'`\\%_\u0001\u007f",
  "a\nb\r\nc\td\u2028e\u2029f",
  "é e\u0301 ß İ ﬁ",
  "\ud7ff\ue000\ufffd\ufeff\uffff",
  "😀 \u{10000} \u{10ffff} 👩‍👩‍👧‍👦",
  "مرحبا שלום 漢字 हिन्दी"
]

/** Text that is no valid Unicode, or that databases refuse. */
export const badTexts: ReadonlyArray<string> = ["a\0b", "\0", "\ud800", "a\udc00b", "\udfff\ud800"]

export const longText = (mebibytes: number): string => "0123456789abcdeé".repeat(2 ** 16 * mebibytes)

/** Values that a column of this type keeps, at the edges of what it keeps. */
export const hardValues: { readonly [Type in ColumnType]: ReadonlyArray<unknown> } = {
  text: hardTexts,
  uuid: ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-7FFF-8fff-ffffffffffff"],
  integer: [
    0,
    1,
    -1,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 32,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER
  ],
  bigint: [0n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)],
  real: [0, 0.1, -1.5, 1 / 3, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, Number.EPSILON, 1e21, 16777217],
  boolean: [true, false],
  timestamp: [
    0,
    -1,
    1,
    999,
    -day,
    951_782_400_000,
    1_700_000_000_123,
    -62_135_596_800_000,
    253_402_300_799_999
  ].map((millis) => new Date(millis)),
  json: [
    {},
    [],
    "",
    "null",
    0,
    false,
    [null, [null]],
    { "": { a: [{}] }, "\n": "é😀", constructor: 1 },
    { deep: nested(999) },
    0.1,
    1e21,
    "'; --"
  ],
  bytes: [
    new Uint8Array(),
    new Uint8Array([0]),
    new Uint8Array([255, 0, 92, 39, 128]),
    new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)
  ]
}

const otherTypes: ReadonlyArray<unknown> = [
  "text",
  1.5,
  true,
  5n,
  new Date(0),
  new Uint8Array(1),
  Symbol("s")
]

const isOf: { readonly [Type in ColumnType]: (value: unknown) => boolean } = {
  text: (value) => typeof value === "string",
  uuid: (value) => typeof value === "string",
  integer: (value) => typeof value === "number",
  bigint: (value) => typeof value === "bigint",
  real: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  timestamp: isDate,
  json: (value) => ["string", "number", "boolean"].includes(typeof value),
  bytes: isBytes
}

/** Values that no column of this type keeps, because they are of another one. */
export const valuesOfOtherTypes = (type: ColumnType): ReadonlyArray<unknown> =>
  otherTypes.filter((value) => !isOf[type](value))

/** What no backend can keep, by the rule that refuses it. */
export const badValues = {
  "NaN and infinities": {
    real: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    integer: [Number.NaN, Number.POSITIVE_INFINITY],
    json: [Number.NaN, { n: [Number.NEGATIVE_INFINITY] }]
  },
  "numbers out of range": {
    integer: [2 ** 53, -(2 ** 53), 1e300, 0.5],
    bigint: [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n]
  },
  "dates out of range": {
    timestamp: [
      new Date(Number.NaN),
      new Date(-62_135_596_800_001),
      new Date(253_402_300_800_000),
      new Date(8.64e15)
    ]
  },
  "text that is no Unicode": {
    text: badTexts,
    json: [...badTexts, ["a\0b"], { "a\0": 1 }, { "\ud800": 1 }]
  },
  "json that is no data": {
    json: [nested(1001), [undefined], { f: () => 1 }, new Map(), { at: new Date(0) }, 5n, Symbol("s")]
  }
} as const satisfies { readonly [rule: string]: { readonly [Type in ColumnType]?: ReadonlyArray<unknown> } }

export type BadRule = keyof typeof badValues

/** Draws values; the same seed draws the same ones. */
export interface Draw {
  readonly below: (n: number) => number
  readonly of: <A>(choices: ReadonlyArray<A>) => A
}

export const draw = (seed: number): Draw => {
  const random = new PCGRandom(seed)
  const below = (n: number) => random.integer(n)
  return { below, of: (choices) => choices[below(choices.length)] as never }
}

const randomText = ({ below }: Draw): string =>
  Array.from({ length: below(12) }, () => {
    const point = [0x80, 0x800, 0x10000, 0x110000][below(4)] ?? 0x80
    const drawn = 1 + below(point - 1)
    return String.fromCodePoint(drawn >= 0xd800 && drawn < 0xe000 ? drawn - 0x800 : drawn)
  }).join("")

const randomBigint = ({ below }: Draw): bigint =>
  BigInt.asIntN(
    64,
    (BigInt(below(2 ** 31)) << 33n) ^ (BigInt(below(2 ** 31)) << 11n) ^ BigInt(below(2 ** 11))
  )

const hex = (by: Draw, digits: number): string =>
  Array.from({ length: digits }, () => by.below(16).toString(16)).join("")

/** Plain data, at most so deep. */
export const randomJson = (by: Draw, depth: number): unknown => {
  switch (by.below(depth > 0 ? 6 : 4)) {
    case 0:
      return randomText(by)
    case 1:
      return by.below(2 ** 31) / 2 ** by.below(40)
    case 2:
      return by.below(2) === 0
    case 3:
      return depth === 3 ? {} : null
    case 4:
      return Array.from({ length: by.below(4) }, () => randomJson(by, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: by.below(4) }, () => [randomText(by), randomJson(by, depth - 1)])
      )
  }
}

const random: { readonly [Type in ColumnType]: (by: Draw) => unknown } = {
  text: randomText,
  uuid: (by) => [8, 4, 4, 4, 12].map((digits) => hex(by, digits)).join("-"),
  integer: ({ below }) => (below(2) === 0 ? 1 : -1) * (below(2 ** 31) * 2 ** 22 + below(2 ** 22)),
  bigint: randomBigint,
  real: ({ below }) => (below(2) === 0 ? 1 : -1) * below(2 ** 31) * 2 ** (below(600) - 300),
  boolean: ({ below }) => below(2) === 0,
  timestamp: ({ below }) => new Date(-62_135_596_800_000 + below(2 ** 31) * 146_000 + below(146_000)),
  json: (by) => randomJson(by, 3),
  bytes: ({ below }) => Uint8Array.from({ length: below(20) }, () => below(256))
}

/** The same row with other values in these columns: hard ones, random ones, and none where that may be. */
export const randomRow = (columns: Columns, free: ReadonlyArray<string>, row: object, by: Draw): object => {
  const values = free.map((name) => {
    const { nullable, type } = columns[name] as Columns[string]
    if (nullable && by.below(4) === 0) return [name, by.below(2) === 0 ? null : undefined]
    return [name, by.below(3) === 0 ? by.of(hardValues[type]) : random[type](by)]
  })
  return { ...row, ...Object.fromEntries(values) }
}

/** Ids that are different, and that some way of comparing text takes for the same. */
export const likeIds: ReadonlyArray<string> = ["aB3", "Ab3", "ab3", "AB3", "aB3 ", "aB3  "]
