/** The same schedules over other caches: where the live table keeps the law, they break it. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import { expect } from "vitest"
import { memoryBackend, openAlone } from "./liveTable/backend.js"
import { openCache, openPersistedCache } from "./liveTable/peers.js"
import { play } from "./liveTable/play.js"
import { type Sample, simpleSamples } from "./liveTable/schedule.js"
import type { Open } from "./liveTable/world.js"

const playOver = async (sample: Sample, open: Open): Promise<void> => {
  await play(sample, await Effect.runPromise(memoryBackend(open)))
}

const check = (open: Open) =>
  Effect.promise(() =>
    fc.check(
      fc.asyncProperty(simpleSamples, (sample) => playOver(sample, open)),
      { seed: 20_260_101, numRuns: 200, endOnFailure: true }
    )
  )

const errorOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

describe("a read that begins after a write was acknowledged", () => {
  for (const [name, open] of [
    ["effect/Cache", openCache],
    ["PersistedCache", openPersistedCache]
  ] as const) {
    it.live(`is older than the write before ${name}, by a schedule that does a live table no harm`, () =>
      Effect.gen(function* () {
        const run = yield* check(open)
        expect(errorOf(run.errorInstance)).toContain("L3: ")
        const [schedule] = run.counterexample ?? []
        expect(schedule).toBeDefined()
        yield* Effect.promise(() => playOver(schedule!, openAlone))
      })
    )
  }
})
