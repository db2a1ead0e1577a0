/** The law of lanes over logs of a kind. */
import { it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { ensureSame } from "../../support/laws/ensure.js"
import { holdsSeeded, runs, seededTimeout } from "../../support/laws/laws.js"
import { type Place, play } from "./play.js"
import { schedules } from "./schedule.js"

const every = "Direct,Empty,Replay,SlotHit,SlotIncremental,Tier,TierIncremental"

/** Plays so many schedules, times LAWS_RUNS, each over a log of its own. */
export const lanesLaw = (
  name: string,
  count: number,
  place: Effect.Effect<Place, unknown, Scope.Scope>
): void =>
  it.live(
    `${name} give one state for one log, with its own generation, or none for a part`,
    () =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        yield* holdsSeeded(`the lanes ${name}`, schedules, count, (steps) =>
          Effect.runPromise(Effect.scoped(Effect.flatMap(place, (place) => play(place, steps, seen))))
        )
        if (runs(count) >= 50) ensureSame([...seen].sort().join(), every, "schedules meet every lane")
      }),
    seededTimeout
  )
