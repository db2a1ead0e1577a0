/** What happens to a log, its cache and its projections, in any order. */
import fc from "fast-check"
import type * as Projection from "../../../src/Projection.js"

export const keys = ["a", "b"] as const
export const kinds = ["Opened", "Paid", "Paid", "Paid", "Noted", "Closed", "Erased", "Forgotten"] as const

/** Configurations that are read side by side; those with a tier share it. */
export const lanes: ReadonlyArray<
  { readonly incremental: "on" | "off"; readonly cached: boolean } & Projection.Options
> = [
  { incremental: "on", cached: false },
  { incremental: "off", cached: false, slots: 1 },
  { incremental: "on", cached: true },
  { incremental: "off", cached: true, snapshotEvery: 2 },
  { incremental: "on", cached: true, slots: 0, snapshotEvery: 3 },
  { incremental: "on", cached: true, slots: 1, prefetch: "on" },
  { incremental: "off", cached: false, slots: 0 }
]

export type Kind = (typeof kinds)[number]

export type Step =
  | {
      readonly act: "append"
      readonly events: ReadonlyArray<{ readonly key: string; readonly kind: Kind }>
      /** Whether the first key's generation is expected, the one that it has or another one. */
      readonly expect: "nothing" | "right" | "wrong"
    }
  | {
      readonly act: "read"
      readonly key: string
      readonly lane: number
      readonly maxAge: number
      readonly by: "one" | "two" | "transaction" | "across"
    }
  | { readonly act: "time"; readonly millis: number }
  | { readonly act: "compact"; readonly keep: number }
  | { readonly act: "restart"; readonly lane: number }
  | { readonly act: "tier"; readonly to: "ok" | "fails" | "halved" | "foreign" }
  | { readonly act: "renew" }

const key = fc.constantFrom(...keys)
const lane = fc.nat(lanes.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("append" as const),
      events: fc.array(fc.record({ key, kind: fc.constantFrom(...kinds) }), { minLength: 1, maxLength: 3 }),
      expect: fc.constantFrom("nothing" as const, "nothing" as const, "right" as const, "wrong" as const)
    })
  },
  {
    weight: 12,
    arbitrary: fc.record({
      act: fc.constant("read" as const),
      key,
      lane,
      maxAge: fc.constantFrom(0, 0, 10, 20),
      by: fc.constantFrom(
        "one" as const,
        "one" as const,
        "two" as const,
        "transaction" as const,
        "across" as const
      )
    })
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("time" as const), millis: fc.constantFrom(5, 10) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("compact" as const), keep: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("restart" as const), lane }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("tier" as const),
      to: fc.constantFrom("ok" as const, "fails" as const, "halved" as const, "foreign" as const)
    })
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("renew" as const) }) }
)

export const schedules = fc.array(step, { minLength: 5, maxLength: 60 })
