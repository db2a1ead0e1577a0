/** The laws of a storage's head start. */
import { Effect, Exit } from "effect"
import type { Saved } from "../../../Storage.js"
import { ensure, exitOf, succeeds } from "../calls.js"
import { type Fixture, holds, loads, makeFixture, records } from "./fixture.js"
import { type Law, law, type StorageTrial } from "./subject.js"

type Prepared = Effect.Effect<Saved | void, unknown>

/** Prepares a batch, as a recorder would. */
const prepare = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  { storage }: Fixture<Record, Query>,
  batch: ReadonlyArray<Record>
): Effect.Effect<Prepared, string> =>
  succeeds(
    trial,
    "preparing a batch",
    Effect.sync(() => storage.prepare?.(batch.slice()) ?? Effect.dieMessage("the storage has no prepare"))
  )

export const lawsOfPreparing: ReadonlyArray<Law> = [
  law(
    {
      id: "S54",
      name: "prepare-stores-nothing",
      group: "preparing",
      statement: "Preparing a batch stores nothing, and a prepared batch that is never run leaves no trace.",
      needs: ["prepares"],
      advice: "Encode in `prepare`, and leave everything that touches the backend to the effect"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* prepare(trial, fixture, records(trial, 0, 4))
        yield* holds(trial, fixture, [], "after a batch was only prepared")
        yield* fixture.save(records(trial, 4, 6))
        yield* holds(trial, fixture, records(trial, 4, 6), "after another batch")
      })
  ),
  law(
    {
      id: "S55",
      name: "prepared-is-saved",
      group: "preparing",
      statement: "Running what was prepared stores what `save` would store, also after other saves.",
      needs: ["prepares"],
      advice: "Build `save` on `prepare`, so that both are one"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const one = yield* prepare(trial, fixture, records(trial, 2, 6))
        yield* fixture.save(records(trial, 0, 2))
        const two = yield* prepare(trial, fixture, records(trial, 6, 9))
        yield* succeeds(trial, "running what was prepared", one)
        yield* succeeds(trial, "running what was prepared", two)
        yield* holds(trial, fixture, records(trial, 0, 9), "after two prepared batches")
        yield* loads(trial, fixture, records(trial, 0, 9), "after two prepared batches")
      })
  ),
  law(
    {
      id: "S56",
      name: "prepared-runs-again",
      group: "preparing",
      statement: "What was prepared may run any number of times.",
      needs: ["prepares", "duplicates ignored"],
      advice: "Keep what was encoded: a retry runs the same effect again"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const again = yield* prepare(trial, fixture, records(trial, 0, 4))
        for (let time = 0; time < 3; time++) yield* succeeds(trial, "running what was prepared again", again)
        yield* holds(trial, fixture, records(trial, 0, 4), "after a prepared batch ran three times")
      })
  ),
  law(
    {
      id: "S57",
      name: "prepare-refuses-late",
      group: "preparing",
      statement:
        "Preparing a bad record does not throw: the effect fails when it is run, and stores none of it.",
      needs: ["prepares", "poison"],
      advice: "Return a failing effect from `prepare`"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        for (const [what, bad] of Object.entries(trial.subject.poison ?? {})) {
          const prepared = yield* prepare(trial, fixture, [bad(0)])
          const exit = yield* exitOf(trial, "running what was prepared", prepared)
          yield* ensure(Exit.isFailure(exit), `a prepared batch with ${what} was acknowledged`)
        }
        yield* holds(trial, fixture, [], "after prepared batches that were refused")
      })
  )
]
