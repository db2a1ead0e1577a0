/** Following a key: its state now, then later ones, the last one always. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Exit, Fiber, Option, Queue, Scope, Stream, TestClock } from "effect"
import fc from "fast-check"
import * as Projection from "../../src/Projection.js"
import { ensure, lawTimeout } from "../support/laws/ensure.js"
import { holdsEffect } from "../support/laws/laws.js"
import {
  type Account,
  accounts,
  balanceOf,
  indexedLog,
  logOf,
  noted,
  opened,
  paid,
  scripted
} from "../support/projection/accounts.js"
import { microtasks, scenario, settled, started, withTurn } from "../support/time/turn.js"

const brief = ({ generation, state }: Projection.Followed<Account>) => `g${generation} ${balanceOf(state)}`

/** Follows a key into a queue. */
const followed = (projection: Projection.Projection<Account>, key: string) =>
  Effect.gen(function* () {
    const states = yield* Queue.unbounded<string>()
    const ended = yield* Effect.fork(
      Effect.exit(Stream.runForEach(projection.follow(key), (state) => Queue.offer(states, brief(state))))
    )
    return { take: Queue.take(states), rest: Effect.map(Queue.takeAll(states), Chunk.toArray), ended }
  })

describe("a key that is followed", () => {
  scenario("gives the state now, then each later one, and nothing for other keys", function* () {
    const log = yield* logOf(paid("a", 3))
    const projection = yield* Projection.make(accounts, log)
    const { rest, take } = yield* followed(projection, "a")
    expect(yield* take).toBe("g1 3")
    yield* log.append([paid("a", 4)])
    expect(yield* take).toBe("g2 7")
    yield* log.append([paid("b", 1)])
    // It does not concern the projection, but the key has another generation.
    yield* log.append([noted("a")])
    expect(yield* take).toBe("g3 7")
    yield* settled
    expect(yield* rest).toEqual([])
  })

  scenario("that has no event gives none first", function* () {
    const log = yield* indexedLog
    const projection = yield* Projection.make(accounts, log)
    const { take } = yield* followed(projection, "a")
    expect(yield* take).toBe("g0 none")
    yield* log.append([opened("a")])
    expect(yield* take).toBe("g1 0")
  })

  scenario("misses nothing that is appended while the first state is read", function* () {
    const { afterNext, log } = scripted(yield* logOf(paid("a", 3)))
    const projection = yield* Projection.make(accounts, log)
    afterNext(log.append([paid("a", 4)]))
    const { take } = yield* followed(projection, "a")
    expect(yield* take).toBe("g1 3")
    expect(yield* take).toBe("g2 7")
  })

  scenario("gives a slow reader the last state instead of all", function* () {
    const log = yield* logOf(paid("a", 3))
    const projection = yield* Projection.make(accounts, log)
    const go = yield* Deferred.make<void>()
    const states: Array<string> = []
    yield* started(
      Stream.runForEach(projection.follow("a"), (state) =>
        Effect.andThen(
          Effect.sync(() => states.push(brief(state))),
          () => Deferred.await(go)
        )
      )
    )
    for (let n = 0; n < 1_000; n++) yield* log.append([paid("a", 1)])
    yield* settled
    yield* Deferred.succeed(go, undefined)
    yield* settled
    expect([states[0], states.at(-1)]).toEqual(["g1 3", "g1001 1003"])
    expect(states.length).toBeLessThanOrEqual(3)
  })

  scenario("goes on when the log was compacted above it", function* () {
    const log = yield* logOf(opened("a"), paid("a", 3))
    const projection = yield* Projection.make(accounts, log)
    const { take } = yield* followed(projection, "a")
    expect(yield* take).toBe("g2 3")
    yield* log.append([paid("b", 4)])
    yield* log.compact(3)
    yield* settled
    yield* log.append([paid("a", 1)])
    expect(yield* take).toBe("g3 4")
  })

  scenario("ends with a reason: a renewed log, a closed projection, a state that there is not", function* () {
    const log = yield* logOf(paid("a", 3))
    const scope = yield* Scope.make()
    const projection = yield* Scope.extend(Projection.make(accounts, log), scope)
    const reasonOf = (ended: Fiber.Fiber<Exit.Exit<void, Projection.ProjectionError>>) =>
      Effect.map(
        Effect.flatMap(Fiber.join(ended), Effect.flip),
        ({ message, reason }) => `${reason}: ${message}`
      )
    const first = yield* followed(projection, "a")
    yield* first.take
    yield* log.renewEpoch
    yield* log.append([paid("a", 1)])
    yield* TestClock.adjust("1 minute")
    expect(yield* reasonOf(first.ended)).toMatch(/^EpochChanged: .*follow the key again/)
    const second = yield* followed(projection, "a")
    yield* second.take
    yield* log.append([{ _tag: "Delete", key: "a" }])
    yield* log.append([{ _tag: "Put", key: "a", value: { kind: "Paid", data: "spoilt" } }])
    expect(yield* reasonOf(second.ended)).toMatch(/^Malformed: /)
    const third = yield* followed(projection, "b")
    yield* third.take
    yield* Scope.close(scope, Exit.void)
    yield* settled
    expect(yield* reasonOf(third.ended)).toMatch(/^Log: the projection is closed/)
  })

  it.effect(
    "ends at the state that a projection gives, by growing generations, whatever its reader does",
    () =>
      holdsEffect(
        fc.record({
          appends: fc.array(fc.record({ key: fc.constantFrom("a", "b"), amount: fc.nat(9) }), {
            maxLength: 30
          }),
          slow: fc.nat(3)
        }),
        40,
        ({ appends, slow }) =>
          Effect.gen(function* () {
            const { log } = scripted(yield* indexedLog)
            const projection = yield* Projection.make(accounts, log)
            const states: Array<Projection.Followed<Account>> = []
            yield* Effect.fork(
              Stream.runForEach(projection.follow("a"), (state) =>
                Effect.andThen(
                  Effect.sync(() => states.push(state)),
                  () => Effect.forEach(Array.from({ length: slow }), () => Effect.yieldNow())
                )
              )
            )
            for (const { amount, key } of appends) {
              yield* log.append([paid(key, amount)])
              if (amount % 3 === 0) yield* settled
            }
            yield* settled
            const { generation, state } = yield* projection.projectOutcome("a")
            const last = states.at(-1)
            ensure(last?.generation === generation, "the last generation comes")
            ensure(balanceOf(last?.state ?? Option.none()) === balanceOf(state), "with its state")
            ensure(
              states.every((one, n) => n === 0 || one.generation > (states[n - 1]?.generation ?? 0)),
              "generations grow"
            )
          }).pipe(Effect.scoped, withTurn(microtasks))
      ),
    lawTimeout
  )
})
