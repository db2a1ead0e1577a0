/** What a value may be used for by its age, around each bound. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { jittered, judge, type Times, type Verdict } from "../../src/internal/cache/freshness.js"
import { ensure, ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

const span = fc.oneof(fc.constantFrom(0, 1, Number.POSITIVE_INFINITY), fc.nat(1_000))

const times: fc.Arbitrary<Times> = fc.record({ ttl: span, staleWhileRevalidate: span, grace: span })

const sample = fc.record({
  times,
  jitter: fc.double({ min: 0, max: 0.999, noNaN: true }),
  loadedAt: fc.nat(1_000),
  endedEarly: fc.boolean(),
  age: fc.nat(3_000)
})

/** A value that was loaded at 1,000, of which jitter takes 40 of its 400 ms. */
const at = (age: number, times: Partial<Times>, endedEarly?: boolean): Verdict =>
  judge(
    { loadedAt: 1_000, freshUntil: 1_360 },
    { ttl: 400, staleWhileRevalidate: 0, grace: 0, ...times },
    1_000 + age,
    endedEarly
  )

describe("a value", () => {
  it("is fresh until its own ttl, and at that moment not any more", () => {
    expect([at(0, {}), at(359, {}), at(360, {}), at(399, {}), at(400, {})]).toEqual([
      "Fresh",
      "Fresh",
      "Load",
      "Load",
      "Dead"
    ])
  })

  it("is then stale at once while one refresh runs, exactly for `staleWhileRevalidate`", () => {
    const swr = { staleWhileRevalidate: 100 }
    expect([at(359, swr), at(360, swr), at(459, swr), at(460, swr)]).toEqual([
      "Fresh",
      "Revalidate",
      "Revalidate",
      "Dead"
    ])
  })

  it("replaces an answer of the source below the age `ttl + grace`, which jitter does not shorten", () => {
    const grace = { grace: 50 }
    expect([at(360, grace), at(449, grace), at(450, grace)]).toEqual(["Load", "Load", "Dead"])
  })

  it("whose freshness was ended early is never fresh, and as old as it is", () => {
    expect([at(0, {}, true), at(0, { staleWhileRevalidate: 100 }, true), at(400, {}, true)]).toEqual([
      "Load",
      "Revalidate",
      "Dead"
    ])
  })

  it("passes only from an earlier verdict to a later one, at the bounds and nowhere else", () => {
    holds(sample, 2_000, ({ age, endedEarly, jitter, loadedAt, times }) => {
      const freshUntil = loadedAt + jittered(times.ttl, jitter)
      const now = loadedAt + age
      const verdict = judge({ loadedAt, freshUntil }, times, now, endedEarly)
      const swr = times.staleWhileRevalidate
      const expected: ReadonlyArray<readonly [Verdict, boolean]> = [
        ["Fresh", !endedEarly && now < freshUntil],
        ["Revalidate", swr > 0 && now < freshUntil + swr],
        ["Load", age < times.ttl + times.grace],
        ["Dead", true]
      ]
      ensureSame(verdict, expected.find(([, holds]) => holds)![0], "the first rule that holds")
    })
  })

  it("has a ttl in whole milliseconds, less 10 % at most", () => {
    holds(
      fc.tuple(fc.nat(1_000_000), fc.double({ min: 0, max: 0.999_999, noNaN: true })),
      1_000,
      ([ttl, unit]) => {
        const own = jittered(ttl, unit)
        ensure(Number.isInteger(own) && own >= 0.9 * ttl && own <= ttl, `${own} for ${ttl}`)
      }
    )
    expect([jittered(1_000, 0), jittered(Number.POSITIVE_INFINITY, 0.5)]).toEqual([
      1_000,
      Number.POSITIVE_INFINITY
    ])
  })
})
