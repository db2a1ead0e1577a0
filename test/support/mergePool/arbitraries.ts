/** Draws patches whose stamps meet often, and edits. */
import fc from "fast-check"
import { canonicalText } from "../../../src/internal/columns/canonicalText.js"
import type { Json } from "../../../src/internal/columns/jsonData.js"
import type { Edit } from "../../../src/internal/mergePool/edits.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import type { FieldEdit } from "../../../src/internal/mergePool/strategy.js"
import { add, clear, drop, increment, patchOf, put, remove, row, stampOf } from "./pools.js"

const keys = ["a", "__proto__"] as const

/** Few, so that clients use a stamp twice, as clones do. */
export const stamp = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.nat(1), fc.integer({ min: 1, max: 2 }))
  .map(([millis, counter, n]) => stampOf(millis, counter, n))

const reset = fc.oneof(fc.constant(""), stamp)

const value = fc.constantFrom<Json>(0, 1, "1", null, { a: 1, b: [2] }, [])

const number = fc.integer({ min: -1, max: 1 })

const unique = <A>(all: ReadonlyArray<A>, of: (each: A) => string): ReadonlyArray<A> =>
  [...new Map(all.map((each) => [of(each), each])).values()].sort((a, b) => (of(a) < of(b) ? -1 : 1))

const parts = fc
  .array(fc.tuple(stamp, number), { minLength: 1, maxLength: 2 })
  .map((all) => unique(all, ([each]) => each.slice(12)).flat())

const dots = fc
  .array(fc.tuple(fc.constantFrom("x", "y"), stamp, reset), { minLength: 1, maxLength: 4 })
  .map((all) =>
    unique(all, ([member, dot]) => canonicalText(member) + dot.slice(12)).map(([member, dot, end]) =>
      end > dot ? [member, dot, end] : [member, dot]
    )
  )

const stamped = (of: fc.Arbitrary<Json>) => fc.tuple(stamp, of)

const cell = fc.oneof(
  fc.tuple(fc.constant("title"), stamp, value),
  fc.tuple(fc.constantFrom("title", "high", "low", "votes", "tags", "words"), stamp),
  fc
    .tuple(fc.constantFrom("high", "low"), reset, stamped(number))
    .map(([name, at, state]) => [name, at, ...state]),
  fc.tuple(fc.constant("votes"), reset, parts).map(([name, at, state]) => [name, at, ...state]),
  fc.tuple(fc.constant("tags"), reset, dots).map(([name, at, state]) => [name, at, ...state]),
  fc
    .tuple(fc.constant("words"), reset, stamped(fc.subarray(["p", "q"])))
    .map(([name, at, state]) => [name, at, ...state])
)

const rowPatch = fc.tuple(fc.constantFrom(...keys), reset, fc.array(cell, { maxLength: 3 }))

/** Any patch that is well-formed. */
export const patch: fc.Arbitrary<Patch> = fc.array(rowPatch, { maxLength: 3 }).map((rows) => patchOf(...rows))

const fieldEdit: fc.Arbitrary<readonly [string, FieldEdit]> = fc.oneof(
  fc.tuple(fc.constant("title"), value.map(put)),
  fc.tuple(fc.constantFrom("high", "low"), number.map(put)),
  fc.tuple(fc.constant("votes"), number.map(increment)),
  fc.tuple(fc.constant("tags"), fc.constantFrom(add("x"), add("y", "x"), drop("x"), drop("x", "y"))),
  fc.tuple(fc.constant("words"), fc.subarray(["p", "q"]).map(put)),
  fc.tuple(fc.constantFrom("title", "votes", "tags", "high"), fc.constant(clear))
)

/** Any edit. */
export const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.constantFrom(...keys), fc.array(fieldEdit, { minLength: 1, maxLength: 2 }))
      .map(([key, fields]) => row(key, Object.fromEntries(fields)))
  },
  { weight: 1, arbitrary: fc.constantFrom(...keys).map(remove) }
)
