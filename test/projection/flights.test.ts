/** Who shares what: callers share flights, and no caller can change what another one gets. */
import { describe, expect } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schema } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import { accounts, balanceOf, brief, logOf, opened, paid, scripted } from "../support/projection/accounts.js"
import { scenario, settled, started } from "../support/time/turn.js"

const unavailable = new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "down" })

describe("a flight", () => {
  scenario("is shared by all that ask before its plan is taken", function* () {
    const { log, reads } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    const all = Array.from({ length: 64 }, () => projection.project("a"))
    const states = yield* Effect.all(all, { concurrency: "unbounded" })
    expect(new Set(states.map(balanceOf))).toEqual(new Set(["5"]))
    expect(reads()).toBe(1)
    expect(projection.unsafeStats()).toMatchObject({ joined: 63, answered: { Direct: 64 } })
  })

  scenario(
    "is not joined after that: the later caller gets what was committed before its call",
    function* () {
      const { afterNext, log, reads } = scripted(yield* logOf(opened("a"), paid("a", 5)))
      const projection = yield* Projection.make(accounts, log)
      const gate = yield* Deferred.make<void>()
      afterNext(Deferred.await(gate))
      const early = yield* started(projection.project("a"))
      yield* log.append([paid("a", 1)])
      expect(balanceOf(yield* projection.project("a"))).toBe("6")
      yield* Deferred.succeed(gate, undefined)
      expect(balanceOf(yield* Fiber.join(early))).toBe("5")
      expect(reads()).toBe(2)
      // The older flight has put nothing over the later state.
      expect(brief(yield* projection.projectOutcome("a", { freshness: Projection.maybeStale(60_000) }))).toBe(
        "SlotHit Hit StaleAllowed Skipped g3 6"
      )
    }
  )

  scenario("goes on for the others when a caller is interrupted", function* () {
    const { beforeNext, log } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    const gate = yield* Deferred.make<void>()
    beforeNext(Deferred.await(gate))
    const [first, second] = [
      yield* Effect.fork(projection.project("a")),
      yield* Effect.fork(projection.project("a"))
    ]
    yield* settled
    yield* Fiber.interrupt(first)
    yield* Deferred.succeed(gate, undefined)
    expect(balanceOf(yield* Fiber.join(second))).toBe("5")
    expect(projection.unsafeStats().joined).toBe(1)
  })

  scenario("is interrupted when all of its callers are, and leaves nothing behind", function* () {
    const { beforeNext, log } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    const ended = yield* Deferred.make<void>()
    beforeNext(Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined)))
    yield* Fiber.interrupt(yield* started(projection.project("a")))
    yield* Deferred.await(ended)
    expect(projection.unsafeStats().slots).toBe(0)
    expect(balanceOf(yield* projection.project("a"))).toBe("5")
  })

  scenario("keeps no failure", function* () {
    const { beforeNext, log } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    beforeNext(unavailable)
    const error = yield* Effect.flip(projection.project("a"))
    expect(error).toMatchObject({ reason: "Log", key: "a", projection: "accounts", cause: unavailable })
    expect(balanceOf(yield* projection.project("a"))).toBe("5")
    expect(projection.unsafeStats().failures).toBe(1)
  })

  scenario("ends with the scope of the projection, with an error", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Effect.scoped(Projection.make(accounts, log))
    expect((yield* Effect.flip(projection.project("a"))).message).toContain("closed")
  })
})

const counting = (
  state: Schema.Schema.AnyNoContext & { readonly Type: { at: Date | number; list: Array<number> } }
) =>
  Projection.define({
    ...accounts,
    state,
    initial: { at: state === plain ? 0 : new Date(0), list: [0] },
    apply: (state, event) => {
      // A fold that changes its argument is wrong, but it must not reach what others hold.
      if (event.kind === "Paid") state.list.push(event.data.amount)
      return state
    }
  })

const plain = Schema.mutable(
  Schema.Struct({ at: Schema.Number, list: Schema.mutable(Schema.Array(Schema.Number)) })
)
const dated = Schema.mutable(
  Schema.Struct({ at: Schema.Date, list: Schema.mutable(Schema.Array(Schema.Number)) })
)

describe("a state", () => {
  for (const [name, schema] of [
    ["plain data", plain],
    ["an instance", dated]
  ] as const) {
    scenario(`with ${name} cannot be changed for others by a caller or a fold`, function* () {
      const log = yield* logOf(opened("a"), paid("a", 1))
      const definition = counting(schema as never)
      const projection = yield* Projection.make(definition, log)
      const changed = Effect.map(projection.project("a"), (state) => {
        const { list } = Option.getOrThrow(state)
        const before = [...list]
        Exit.isFailure(Effect.runSyncExit(Effect.sync(() => list.push(99))))
        return before
      })
      expect(yield* changed).toEqual([0, 1])
      expect(yield* changed).toEqual([0, 1])
      yield* log.append([paid("a", 2)])
      expect(yield* changed).toEqual([0, 1, 2])
      expect(yield* changed).toEqual([0, 1, 2])
      const again = yield* Projection.make({ ...definition, incremental: "off" }, log, { slots: 0 })
      expect(Option.getOrThrow(yield* again.project("a")).list).toEqual([0, 1, 2])
      yield* log.append([opened("b"), paid("b", 7)])
      expect(Option.getOrThrow(yield* projection.project("b")).list).toEqual([0, 7])
    })
  }

  scenario("is kept for a bounded number of keys, and those that are read stay", function* () {
    const log = yield* logOf(...["a", "b", "c", "d"].map((key) => opened(key)))
    const { log: counted } = scripted(log)
    const projection = yield* Projection.make(accounts, counted, { slots: 2 })
    for (const key of ["a", "b", "c", "d"]) {
      yield* projection.project(key)
      yield* projection.project("a")
    }
    expect(projection.unsafeStats().slots).toBe(2)
    expect((yield* projection.projectOutcome("a")).strategy).toBe("SlotHit")
    expect((yield* projection.projectOutcome("b")).strategy).toBe("Direct")
  })
})
