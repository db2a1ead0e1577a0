/** Stores whose opening completes when their catalog is closed already. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { type Task, task } from "../support/datastore/stores.js"
import { scenario, settled } from "../support/time/turn.js"

/** A backend that opens when it is let, and counts what it has open. */
const gated = Effect.gen(function* () {
  const memory = yield* Datastore.memory()
  const [asked, gate] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
  let open = 0
  const backend: Datastore.Backend = {
    ...memory,
    open: (stored) =>
      Effect.gen(function* () {
        yield* Deferred.succeed(asked, undefined)
        yield* Deferred.await(gate)
        yield* Effect.acquireRelease(
          Effect.sync(() => open++),
          () => Effect.sync(() => open--)
        )
        return yield* memory.open(stored)
      })
  }
  return {
    backend,
    asked: Deferred.await(asked),
    release: Deferred.succeed(gate, undefined),
    open: () => open
  }
})

describe.each(["memory", "flushed"] as const)(
  "an opening that completes in a catalog that is closed, ack %s",
  (ack) => {
    scenario("fails as Closed, and leaves nothing open", function* () {
      const { asked, backend, open, release } = yield* gated
      const stores = yield* Datastore.make(backend)
      const opening = yield* Effect.fork(
        Effect.flip(stores.open<Task>({ id: "board", kind: "permanent", ack }))
      )
      yield* asked
      expect((yield* stores.close).stats.stores).toBe(0)
      yield* release
      expect(yield* Fiber.join(opening)).toMatchObject({ reason: "Closed" })
      yield* settled
      expect([open(), yield* stores.get("board"), (yield* stores.stats).stores]).toEqual([
        0,
        Option.none(),
        0
      ])
    })

    scenario("hands back in the report what waited for it", function* () {
      const { asked, backend, release } = yield* gated
      const stores = yield* Datastore.make(backend)
      const store = yield* stores.open<Task>({ id: "board", kind: "permanent", ack, start: "queued" })
      yield* asked
      expect(store.unsafeSet(task("a"))).toBe(true)
      expect((yield* stores.close).unsaved).toMatchObject([{ store: "board", steps: [{ data: task("a") }] }])
      yield* release
      expect(store.unsafeSet(task("b"))).toBe(false)
    })
  }
)
