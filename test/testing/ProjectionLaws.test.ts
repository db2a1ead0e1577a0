/**
 * The laws of projections: definitions that are right keep them, and each wrong one breaks those that are named for it. Each
 * law is broken by one of them at least.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as ProjectionLaws from "effect-recorder/testing/ProjectionLaws"
import { projectionLaws } from "effect-recorder/testing/vitest"
import * as Projection from "../../src/Projection.js"
import { accounts } from "../support/projection/accounts.js"

const options = { samples: 8 } as const

const { given, laws, run, subject } = ProjectionLaws

projectionLaws(subject(accounts), options)

const paid = (amount: number) => ({ kind: "paid", data: { amount } }) as const
const closed = { kind: "closed", data: null } as const

const events = Projection.events({
  paid: Schema.Struct({ amount: Schema.Int }),
  closed: Schema.Null
})

const sums = Projection.define({
  name: "sums",
  events,
  state: Schema.Struct({ sum: Schema.Number, count: Schema.Number }),
  initial: { sum: 0, count: 0 },
  apply: ({ count, sum }, event) =>
    event.kind === "closed" ? undefined : { sum: sum + event.data.amount, count: count + 1 }
})

type Sums = Projection.Definition<
  { readonly sum: number; readonly count: number },
  typeof paid extends (amount: number) => infer P ? P | typeof closed : never
>

let calls = 0

const wrong: ReadonlyArray<{
  readonly name: string
  readonly definition: Sums
  readonly breaks: ReadonlyArray<string>
}> = [
  {
    name: "throws",
    definition: {
      ...sums,
      apply: (state, event) => {
        if (event.kind === "closed") throw new Error("it cannot be closed")
        return state
      }
    },
    breaks: [
      "apply-takes-every-event",
      "arguments-stay-as-they-are",
      "fold-of-a-part-and-the-rest",
      "same-events-same-state",
      "states-survive-their-encoding"
    ]
  },
  {
    name: "counts its calls",
    definition: { ...sums, apply: ({ sum }) => ({ sum, count: calls++ }) },
    breaks: ["fold-of-a-part-and-the-rest", "same-events-same-state", "states-survive-their-encoding"]
  },
  {
    name: "uses the clock",
    definition: { ...sums, apply: ({ sum }) => ({ sum, count: performance.now() }) },
    breaks: ["fold-of-a-part-and-the-rest", "same-events-same-state", "states-survive-their-encoding"]
  },
  {
    name: "changes what it gets",
    definition: {
      ...sums,
      initial: Object.create(null, {
        sum: { value: 0, writable: true, enumerable: true, configurable: true },
        count: { value: 0, writable: true, enumerable: true, configurable: true }
      }),
      apply: (state, event) => {
        const own = state as { sum: number; count: number }
        if (event.kind === "paid") own.sum = event.data.amount
        return own
      }
    },
    breaks: ["arguments-stay-as-they-are"]
  },
  {
    name: "leaves a part of the state out of its Schema",
    definition: {
      ...sums,
      state: Schema.transform(
        Schema.Struct({ sum: Schema.Number }),
        Schema.typeSchema(Schema.Struct({ sum: Schema.Number, count: Schema.Number })),
        { strict: true, decode: ({ sum }) => ({ sum, count: 0 }), encode: ({ sum }) => ({ sum }) }
      ),
      apply: ({ count }) => ({ sum: count, count: count + 1 })
    },
    breaks: ["fold-of-a-part-and-the-rest", "states-survive-their-encoding"]
  },
  {
    name: "has events that do not come back",
    definition: {
      ...sums,
      events: Projection.events({
        paid: Schema.Struct({
          amount: Schema.transform(Schema.Number, Schema.Number, {
            strict: true,
            decode: (amount) => amount,
            encode: () => 7
          })
        }),
        closed: Schema.Null
      })
    },
    breaks: ["events-survive-their-encoding"]
  }
]

describe("a wrong definition breaks its laws, and keeps the others", () => {
  for (const { breaks, definition, name } of wrong) {
    it.live(name, () =>
      Effect.gen(function* () {
        const { broken } = yield* run(subject(definition), options)
        for (const { law, message } of broken) expect(message, law).toMatch(/^\S.+\. [A-Z].+/s)
        expect(broken.map(({ law }) => law).sort()).toEqual([...breaks].sort())
      })
    )
  }

  it("for each law there is one", () => {
    const broken = new Set(wrong.flatMap(({ breaks }) => breaks))
    expect(laws.map(({ name }) => name).filter((name) => !broken.has(name))).toEqual([])
  })
})

describe("an example", () => {
  it.effect("holds, in one line", () =>
    Effect.all([
      given(sums, paid(3)).when(paid(4)).thenState({ sum: 7, count: 2 }),
      given(sums, paid(3), closed).thenNone,
      given(sums).thenNone,
      given(sums, closed).when(paid(1)).thenState({ sum: 1, count: 1 })
    ])
  )

  it.effect("that does not hold shows what came and what was wanted", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(given(sums, paid(3)).when(closed).thenState({ sum: 3, count: 1 }))
      expect(failed.message).toContain('give no state instead of {"sum":3,"count":1}')
      const other = yield* Effect.flip(given(sums, paid(3)).thenState({ sum: 4, count: 1 }))
      expect(other.message).toContain('{"sum":3,"count":1} instead of {"sum":4,"count":1}')
    })
  )
})

describe("the events of a subject", () => {
  it.live("are those that it was given", () =>
    Effect.gen(function* () {
      // It throws on orders that its writers never produce.
      const picky = subject(
        {
          ...sums,
          apply: (state: { readonly sum: number; readonly count: number }, event) => {
            if (event.kind === "closed" && state.count === 0) throw new Error("nothing is open")
            return sums.apply(state, event)
          }
        },
        { histories: [[paid(1), closed, paid(2)], [paid(4)]] }
      )
      expect((yield* run(picky, options)).broken).toEqual([])
    })
  )

  it("are drawn by a seed", () => {
    const { draw } = subject(sums)
    expect(draw(3, 5)).toEqual(draw(3, 5))
    expect(draw(3, 5)).not.toEqual(draw(4, 5))
  })
})
