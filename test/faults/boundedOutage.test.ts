/** What a bound is for: ten minutes without a backend, at 5,000 records a second. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundled } from "../support/processes/bundled.js"
import { expectBalance } from "../support/recorder/account.js"
import type { Figures } from "./processes/boundedOutage.js"

const run = promisify(execFile)

const played = (overflow: string): Effect.Effect<Figures> =>
  Effect.gen(function* () {
    const script = yield* bundled("test/faults/processes/boundedOutage.ts")
    const { stdout } = yield* Effect.promise(() => run(process.execPath, ["--expose-gc", script, overflow]))
    const figures: Figures = JSON.parse(stdout)
    const { dropped, refused } = figures.stats
    console.log(
      `an outage of 10 minutes, ${overflow}: ${figures.offered} offered, ${figures.stored} stored, ` +
        `${refused} refused, ${dropped} dropped, heap +${figures.growth.toFixed(1)} MiB, ` +
        `${figures.seconds.toFixed(1)} s`
    )
    return figures
  }).pipe(Effect.scoped)

/** What holds under every policy. */
const expectBounded = ({ growth, inOrder, maxBytes, pendingBetween, stats, stored, unsaved }: Figures) => {
  expectBalance(stats)
  expect(stats).toMatchObject({ stored, pending: 0, setAside: 0, handedBack: 0 })
  expect([inOrder, unsaved]).toEqual([true, 0])
  expect(maxBytes).toBeLessThanOrEqual(64)
  expect(maxBytes, "the bound was reached").toBeGreaterThan(63.9)
  expect(growth).toBeLessThanOrEqual(80)
  expect(growth, "what is pending is in the heap that was measured").toBeGreaterThan(40)
  expect(pendingBetween, "between the outages everything was stored").toBeLessThan(5000)
}

describe("a bound of 64 MiB under two outages at 5,000 records a second", () => {
  it.live(
    "reject: every caller that was refused was told",
    () =>
      Effect.map(played("reject"), (figures) => {
        const { metrics, offered, stats, stored, taken } = figures
        expectBounded(figures)
        expect(stats).toMatchObject({ accepted: taken, refused: offered - taken, dropped: 0, gaps: [] })
        expect(stored).toBe(taken)
        expect(metrics).toMatchObject({
          recorder_accepted_total: taken,
          recorder_stored_total: taken,
          recorder_refused_total: offered - taken
        })
        expect(metrics).not.toHaveProperty("recorder_dropped_total")
      }),
    120_000
  )

  for (const overflow of ["drop-newest", "drop-oldest"] as const) {
    it.live(
      `${overflow}: the drops are counted, with one gap note for each outage`,
      // An interval of drops ends below half of the bound, so each outage has one of its own.
      () =>
        Effect.map(played(overflow), (figures) => {
          const { metrics, offered, outages, stats, stored, taken } = figures
          expectBounded(figures)
          expect(taken).toBe(offered)
          expect(stats).toMatchObject({ accepted: offered, refused: 0, dropped: offered - stored })
          expect(metrics).toMatchObject({
            recorder_accepted_total: offered,
            recorder_stored_total: stored,
            recorder_dropped_total: offered - stored
          })
          expect(metrics).not.toHaveProperty("recorder_refused_total")
          expect(stats.gaps.map(({ reason }) => reason)).toEqual([overflow, overflow])
          expect(stats.gaps.reduce((sum, { count }) => sum + count, 0)).toBe(offered - stored)
          for (const [i, { from, to }] of stats.gaps.entries()) {
            const outage = outages[i] ?? { from: 0, to: 0 }
            // The bound holds for some 50 seconds of load.
            expect(from).toBeGreaterThan(outage.from + 40_000)
            expect(from).toBeLessThan(outage.from + 60_000)
            // After the outage until the next attempt, 36 s at most.
            expect(to).toBeGreaterThanOrEqual(outage.to - 100)
            expect(to).toBeLessThanOrEqual(outage.to + 37_000)
          }
        }),
      120_000
    )
  }
})
