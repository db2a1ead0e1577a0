/** A table with every type of column, and records and queries for it. */
import fc from "fast-check"
import { Column, type Condition, type NewRowOf, Query, type RowOf } from "../../../src/Storage.js"

export const columns = {
  id: Column.uuid,
  text: Column.text,
  integer: Column.integer,
  bigint: Column.bigint,
  real: Column.real,
  boolean: Column.boolean,
  timestamp: Column.timestamp,
  json: Column.json,
  bytes: Column.bytes,
  maybeText: Column.nullable(Column.text),
  maybeUuid: Column.nullable(Column.uuid),
  maybeInteger: Column.nullable(Column.integer),
  maybeBigint: Column.nullable(Column.bigint),
  maybeReal: Column.nullable(Column.real),
  maybeBoolean: Column.nullable(Column.boolean),
  maybeTimestamp: Column.nullable(Column.timestamp),
  maybeJson: Column.nullable(Column.json),
  maybeBytes: Column.nullable(Column.bytes)
}

export type Everything = NewRowOf<typeof columns>

/** A record without anything special. */
export const plainRow = (id: string, over: Partial<Everything> = {}): Everything => ({
  id,
  text: "",
  integer: 0,
  bigint: 0n,
  real: 0,
  boolean: false,
  timestamp: new Date(0),
  json: {},
  bytes: new Uint8Array(),
  ...over
})

const hard = [
  "",
  " ",
  "a",
  "A",
  "aa",
  "Z",
  "z",
  "é",
  "e\u0301",
  "ß",
  "%_\\",
  "'; DROP TABLE x; --",
  '"',
  "\n\r\t",
  "\u007f\u0080\u07ff\u0800",
  "\ud7ff",
  "\ue000",
  "\uffff",
  "😀",
  "\u{10000}",
  "\u{10ffff}",
  "a\u{10ffff}",
  "a\ud7ff"
]

export const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...hard) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }).map((s) => s.replaceAll("\0", "0")) }
)

const integer = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 31, 2 ** 32 + 1),
  fc.integer({ min: -3, max: 3 }),
  fc.maxSafeInteger()
)

const bigint = fc.oneof(
  fc.constantFrom(0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
)

const real = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    0.1,
    -1.5,
    1,
    5e-324,
    Number.MAX_VALUE,
    -Number.MAX_VALUE,
    Number.EPSILON,
    1e21,
    123456789.125
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true })
)

const first = new Date("0001-01-01T00:00:00.000Z")
const last = new Date("9999-12-31T23:59:59.999Z")

const timestamp = fc.oneof(
  fc
    .constantFrom(0, -1, 1, 999, -62_135_596_800_000, 253_402_300_799_999, 1_700_000_000_123)
    .map((ms) => new Date(ms)),
  fc.date({ min: first, max: last, noInvalidDate: true })
)

// -0 and undefined are left out: they read back as 0 and as nothing, which the check of columns has tests for.
const json = fc.oneof(
  fc.constantFrom<unknown>(
    {},
    [],
    "",
    0,
    false,
    { __proto__: null, constructor: 1 },
    { "": [[], {}, [null]] }
  ),
  fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      fc.boolean(),
      fc.array(fc.oneof(fc.constant(null), tie("tree")), { maxLength: 4 }),
      fc.dictionary(text, fc.oneof(fc.constant(null), tie("tree")), { maxKeys: 4 })
    )
  })).tree
)

const bytes = fc.oneof(
  fc.constantFrom(new Uint8Array(), new Uint8Array([0]), new Uint8Array([255, 0, 92, 39])),
  fc.uint8Array({ maxLength: 20 })
)

const maybe = <A>(arbitrary: fc.Arbitrary<A>) =>
  fc.oneof({ weight: 2, arbitrary }, { weight: 1, arbitrary: fc.constantFrom(null, undefined) })

/** Rows that have some of the nullable columns, and leave out the others. */
export const row: fc.Arbitrary<Everything> = fc.record(
  {
    id: fc.uuid(),
    text,
    integer,
    bigint,
    real,
    boolean: fc.boolean(),
    timestamp,
    json,
    bytes,
    maybeText: maybe(text),
    maybeUuid: maybe(fc.uuid()),
    maybeInteger: maybe(integer),
    maybeBigint: maybe(bigint),
    maybeReal: maybe(real),
    maybeBoolean: maybe(fc.boolean()),
    maybeTimestamp: maybe(timestamp),
    maybeJson: maybe(json),
    maybeBytes: maybe(bytes)
  },
  { requiredKeys: ["id", "text", "integer", "bigint", "real", "boolean", "timestamp", "json", "bytes"] }
)

/** Batches whose ids differ. */
export const batch = (maxLength: number) => fc.uniqueArray(row, { selector: ({ id }) => id, maxLength })

const values = {
  id: fc.uuid(),
  text,
  integer,
  bigint,
  real,
  boolean: fc.boolean(),
  timestamp,
  bytes,
  maybeText: text,
  maybeUuid: fc.uuid(),
  maybeInteger: integer,
  maybeBigint: bigint,
  maybeReal: real,
  maybeBoolean: fc.boolean(),
  maybeTimestamp: timestamp,
  maybeBytes: bytes
}

type Sortable = keyof typeof values

const sortable = fc.constantFrom(...(Object.keys(values) as ReadonlyArray<Sortable>))

const comparison: fc.Arbitrary<Condition<typeof columns>> = sortable.chain((column) => {
  // Each column is compared with values of its own type.
  const value = values[column] as fc.Arbitrary<never>
  const build = Query as unknown as Record<string, (name: string, ...values: ReadonlyArray<unknown>) => never>
  const textual = column === "text" || column === "maybeText"
  return fc.oneof(
    fc
      .tuple(fc.constantFrom("eq", "ne", "lt", "lte", "gt", "gte"), value)
      .map(([op, against]) => build[op]!(column, against)),
    fc.array(value, { maxLength: 4 }).map((list) => build.in!(column, list)),
    fc.tuple(value, value).map(([from, to]) => build.between!(column, from, to)),
    fc.constantFrom(column, "json" as const, "maybeJson" as const).map((name) => build.isNull!(name)),
    ...(textual ? [value.map((prefix) => build.startsWith!(column, prefix))] : [])
  )
})

const condition: fc.Arbitrary<Condition<typeof columns>> = fc.letrec<{
  readonly node: Condition<typeof columns>
}>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    comparison,
    fc.array(tie("node"), { maxLength: 3 }).map((all) => Query.and(...all)),
    fc.array(tie("node"), { maxLength: 3 }).map((all) => Query.or(...all)),
    tie("node").map((inner) => Query.not(inner))
  )
})).node

const order = fc.record({ column: sortable, direction: fc.constantFrom("asc" as const, "desc" as const) })

const unpaged: fc.Arbitrary<Query<typeof columns>> = fc.record(
  {
    where: condition,
    orderBy: fc.uniqueArray(order, { selector: ({ column }) => column, maxLength: 3 }),
    limit: fc.integer({ min: 0, max: 12 })
  },
  { requiredKeys: [] }
)

/** Queries without `after`, which needs a row. */
export const query: fc.Arbitrary<Query<typeof columns>> = fc
  .tuple(unpaged, fc.option(fc.integer({ min: 1, max: 6 })))
  .map(([query, page]) => (page === null || query.limit === undefined ? query : { ...query, page }))

/** What every storage must read back for a record. */
export const readBack = (record: Everything): RowOf<typeof columns> => {
  const plus = (value: number | null | undefined) => (typeof value === "number" ? value + 0 : null)
  return {
    id: record.id.toLowerCase(),
    text: record.text,
    integer: record.integer + 0,
    bigint: record.bigint,
    real: record.real + 0,
    boolean: record.boolean,
    timestamp: record.timestamp,
    json: record.json,
    bytes: record.bytes,
    maybeText: record.maybeText ?? null,
    maybeUuid: record.maybeUuid?.toLowerCase() ?? null,
    maybeInteger: plus(record.maybeInteger),
    maybeBigint: record.maybeBigint ?? null,
    maybeReal: plus(record.maybeReal),
    maybeBoolean: record.maybeBoolean ?? null,
    maybeTimestamp: record.maybeTimestamp ?? null,
    maybeJson: record.maybeJson ?? null,
    maybeBytes: record.maybeBytes ?? null
  }
}
