/**
 * The laws of joins: every strategy of a pool keeps them, and each wrong join breaks those that are named for it, with the
 * smallest example. Each law is broken by one of them at least.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MergeLaws from "effect-recorder/testing/MergeLaws"
import { mergeLaws } from "effect-recorder/testing/vitest"
import fc from "fast-check"
import type { Json } from "../../src/internal/columns/jsonData.js"
import type { Patch } from "../../src/internal/mergePool/patch.js"
import type { FieldState } from "../../src/internal/mergePool/strategy.js"
import { patch } from "../support/mergePool/arbitraries.js"
import { definition, patchOf, stateOf } from "../support/mergePool/pools.js"

const { laws, run, subject } = MergeLaws

const options = { samples: 15 } as const

/** States of a field, and how they are encoded: those of every strategy. */
const strategyOf = (name: string): MergeLaws.Subject<FieldState> => {
  const index = definition.indexes.get(name)!
  const strategy = definition.strategies[index]!
  const stateIn = (given: Patch): FieldState | undefined =>
    [...stateOf("", given).rows.values()]
      .map(({ cells }) => cells[index]?.state)
      .find((state) => state !== undefined)
  const decode = (data: ReadonlyArray<Json>): FieldState => {
    const reset = strategy.resets ? data.slice(0, 1) : [""]
    return stateIn(
      patchOf(["r", "", [[name, ...reset, ...data.slice(strategy.resets ? 1 : 0)]]])
    ) as FieldState
  }
  return subject(
    {
      name: `the strategy ${strategy.kind}`,
      join: strategy.join,
      encode: (state) => [...(strategy.resets ? ["-------1-----0---------"] : []), ...strategy.encode(state)],
      decode
    },
    // The arbitrary of `effect` is that of the same package.
    patch
      .map(stateIn)
      .filter((state) => state !== undefined) as unknown as MergeLaws.Subject<FieldState>["values"]
  )
}

for (const name of definition.names) mergeLaws(strategyOf(name), options)

/** A set of numbers, as an array. */
type Numbers = Array<number>

const sorted = (all: Iterable<number>): Numbers => [...new Set(all)].sort((a, b) => a - b)

const union: MergeLaws.Join<Numbers> = {
  name: "union",
  join: (a, b) => sorted([...a, ...b]),
  encode: (all) => all,
  decode: (data: Numbers) => [...data]
}

const numbers = fc
  .array(fc.nat(20), { maxLength: 4 })
  .map(sorted) as unknown as MergeLaws.Subject<Numbers>["values"]

let calls = 0

const wrong: ReadonlyArray<{
  readonly name: string
  readonly join: Partial<MergeLaws.Join<Numbers>>
  readonly breaks: ReadonlyArray<string>
  /** What the message of the first law names. */
  readonly example: string
}> = [
  {
    name: "takes the first",
    join: { join: (a) => a },
    breaks: ["joins-commute"],
    example: "of [0] and []: joining both gives [0] one way, and [] the other"
  },
  {
    name: "adds up",
    join: { join: (a, b) => [a.reduce((x, y) => x + y, 0) + b.reduce((x, y) => x + y, 0)] },
    breaks: ["joins-are-idempotent"],
    example: "of [] and []: joining the first with itself gives [0] one way, and [] the other"
  },
  {
    name: "takes the mean",
    join: {
      join: (a, b) => {
        const [x, y] = [a[0] ?? 0, b[0] ?? 0]
        return a.length === 1 && b.length === 1 ? [(x + y) / 2] : sorted([...a, ...b])
      }
    },
    breaks: ["joins-associate", "joins-are-idempotent"],
    example: "joining all three gives"
  },
  {
    name: "changes what it gets",
    join: {
      join: (a, b) => {
        a.push(...b)
        a.sort((x, y) => x - y)
        return sorted(a)
      }
    },
    breaks: ["arguments-stay-as-they-are"],
    example: "of [] and [0]: the join has made [0] of []"
  },
  {
    name: "depends on what came before",
    join: { join: (a, b) => sorted([...a, ...b, 100 + calls++]) },
    breaks: ["joins-commute", "joins-associate", "joins-are-idempotent", "same-values-same-join"],
    example: "of [] and []"
  },
  {
    name: "is encoded in the order of its making",
    join: { join: (a, b) => (a.length > b.length ? [...new Set([...a, ...b])] : [...new Set([...b, ...a])]) },
    breaks: ["joins-commute", "joins-associate"],
    example: "joining both gives"
  },
  {
    name: "loses a part by its decoding",
    join: { decode: (data: Numbers) => data.slice(0, 2) },
    breaks: ["encoding-is-stable"],
    example: "encoding before and after it was decoded gives [0,1,2] one way, and [0,1] the other"
  },
  {
    name: "gives what it does not decode",
    join: {
      decode: (data: Numbers) => {
        if (data.length > 4) throw new Error("there are too many")
        return [...data]
      }
    },
    breaks: ["encoding-is-stable"],
    example: "which cannot be decoded: there are too many"
  },
  {
    name: "encodes what is no JSON",
    join: { encode: (all) => (all.length > 0 ? [Number.NaN] : []) },
    breaks: laws.map(({ name }) => name),
    example: "it throws: a value encodes to what is no JSON"
  },
  {
    name: "throws",
    join: {
      join: (a, b) => {
        if (a.length + b.length > 0) throw new Error("there is too much")
        return a
      }
    },
    breaks: laws.map(({ name }) => name),
    example: "it throws: there is too much"
  }
]

const brokenBy = (join: Partial<MergeLaws.Join<Numbers>>) =>
  Effect.map(run(subject({ ...union, ...join }, numbers), { samples: 40 }), ({ broken }) => broken)

describe("a join that is right", () => {
  mergeLaws(subject(union, numbers), options)
  mergeLaws(subject(union, [[], [1], [1, 2]]), options)
})

describe("a wrong join breaks its laws, with the smallest example", () => {
  for (const { breaks, example, join, name } of wrong) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const broken = yield* brokenBy(join)
        expect(broken.map(({ law }) => law).sort()).toEqual([...breaks].sort())
        expect(broken[0]?.message).toContain(example)
      })
    )
  }
})

describe("every law of joins", () => {
  it("is broken by a wrong join, and has a name of its own", () => {
    const names = laws.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(
      names.filter((name) => !wrong.some(({ breaks, name: of }) => of !== "throws" && breaks.includes(name)))
    ).toEqual([])
  })
})
