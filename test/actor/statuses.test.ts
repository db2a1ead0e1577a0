import { expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Statuses from "../../src/internal/actor/status.js"

it.effect("forgets a watcher that has gone", () =>
  Effect.gen(function* () {
    const statuses = Statuses.make()
    yield* Stream.runDrain(Stream.take(Statuses.changes(statuses), 1))
    expect(statuses.watchers.size).toBe(0)
  })
)
