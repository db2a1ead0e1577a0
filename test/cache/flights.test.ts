/** Loads that callers share: who joins which, what ends them, and what stays behind. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, FiberId, type Scope, TestClock, Tracer } from "effect"
import * as Flights from "../../src/internal/cache/flights.js"
import { manual, scenario, settled, started, withTurn } from "../support/time/turn.js"

type Answer = Deferred.Deferred<ReadonlyArray<string>, string>

interface Landing {
  readonly key: string
  readonly stamp: number
  readonly outcome: string
  readonly detached: boolean
  readonly expired: boolean
}

const textOf = (outcome: Flights.Outcome<string, string>): string => {
  if (outcome._tag === "Loaded") return outcome.value
  return outcome._tag === "Failed" ? Cause.pretty(outcome.cause) : outcome._tag
}

/** Flights of a source that answers when the test lets it, and a record of what it was asked and what landed. */
const source = (
  over: Partial<Flights.Settings<string, string, string, string, string>> = {}
): Effect.Effect<Source, never, Scope.Scope> =>
  Effect.gen(function* () {
    const asked: Array<{ readonly keys: ReadonlyArray<string>; readonly answer: Answer }> = []
    const landings: Array<Landing> = []
    const interrupted: Array<ReadonlyArray<string>> = []
    let stamp = 0
    const flights = yield* Flights.make<string, string, string, string, string>({
      load: (keys) => {
        const answer: Answer = Deferred.unsafeMake(fiberOfTest)
        asked.push({ keys, answer })
        return Effect.onInterrupt(Deferred.await(answer), () => Effect.sync(() => interrupted.push(keys)))
      },
      gather: "turn",
      maxBatch: 1_000,
      hardTimeout: 30_000,
      nextStamp: () => ++stamp,
      land: ({ detached, expired, key, stamp }, outcome) => {
        landings.push({ key, stamp, outcome: textOf(outcome), detached, expired })
        return outcome._tag === "Loaded" ? Exit.succeed(outcome.value) : Exit.fail(textOf(outcome))
      },
      ...over
    })
    return {
      flights,
      asked,
      landings,
      interrupted,
      stamp: () => stamp,
      answer: (at: number, values: ReadonlyArray<string>) =>
        Effect.andThen(Deferred.succeed(asked[at]!.answer, values), settled)
    }
  })

interface Source {
  readonly flights: Flights.Flights<string, string, string>
  readonly asked: ReadonlyArray<{ readonly keys: ReadonlyArray<string>; readonly answer: Answer }>
  readonly landings: ReadonlyArray<Landing>
  readonly interrupted: ReadonlyArray<ReadonlyArray<string>>
  readonly stamp: () => number
  readonly answer: (at: number, values: ReadonlyArray<string>) => Effect.Effect<void>
}

const fiberOfTest = FiberId.none

/** Nothing is remembered: no flight, no load, no fiber. */
const expectNothingLeft = ({ flights }: Source): void => {
  expect([flights.index.size, flights.queued.size, flights.loads.size, flights.fibers.size]).toEqual([
    0, 0, 0, 0
  ])
}

const keys = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `key ${i}`)

describe("callers of one key", () => {
  scenario("share one load, however many they are", function* () {
    const one = yield* source()
    const answers: Array<string> = []
    const caller = Effect.map(Flights.join(one.flights, "a"), (answer) => answers.push(answer))
    yield* Effect.repeatN(Effect.fork(caller), 9_999)
    yield* settled
    expect(one.asked.map(({ keys }) => keys)).toEqual([["a"]])
    yield* one.answer(0, ["A"])
    expect([answers.length, new Set(answers)]).toEqual([10_000, new Set(["A"])])
    expectNothingLeft(one)
  })

  scenario("that come while it is loaded share it too", function* () {
    const one = yield* source()
    const first = yield* started(Flights.join(one.flights, "a"))
    const second = yield* started(Flights.join(one.flights, "a"))
    yield* one.answer(0, ["A"])
    expect([yield* Fiber.join(first), yield* Fiber.join(second), one.asked.length]).toEqual(["A", "A", 1])
  })

  scenario("that come after it has landed start another", function* () {
    const one = yield* source()
    const first = yield* started(Flights.join(one.flights, "a"))
    yield* one.answer(0, ["old"])
    const second = yield* started(Flights.join(one.flights, "a"))
    yield* one.answer(1, ["new"])
    expect([yield* Fiber.join(first), yield* Fiber.join(second)]).toEqual(["old", "new"])
  })

  scenario("all get its failure, and the next one asks again", function* () {
    const one = yield* source()
    const callers = yield* Effect.all([
      started(Effect.flip(Flights.join(one.flights, "a"))),
      started(Effect.flip(Flights.join(one.flights, "a")))
    ])
    yield* Deferred.fail(one.asked[0]!.answer, "down")
    expect(yield* Fiber.join(Fiber.all(callers))).toEqual(["Error: down", "Error: down"])
    const next = yield* started(Flights.join(one.flights, "a"))
    yield* one.answer(1, ["A"])
    expect(yield* Fiber.join(next)).toBe("A")
    expectNothingLeft(one)
  })

  scenario("resume only when everything of the load has landed", function* () {
    const one = yield* source()
    const seen: Array<number> = []
    const join = (key: string) =>
      Effect.andThen(
        Flights.join(one.flights, key),
        Effect.sync(() => seen.push(one.landings.length))
      )
    yield* Effect.all([Effect.fork(join("a")), Effect.fork(join("b"))])
    yield* settled
    yield* one.answer(0, ["A", "B"])
    expect(seen).toEqual([2, 2])
  })
})

describe("keys of one turn", () => {
  scenario("become loads of at most the size of a batch", function* () {
    const one = yield* source()
    const all = keys(10_000)
    const callers = yield* started(Flights.joinAll(one.flights, all))
    expect(one.asked.map(({ keys }) => keys.length)).toEqual(Array.from({ length: 10 }, () => 1_000))
    for (const [at, { keys }] of one.asked.entries()) yield* one.answer(at, keys)
    expect((yield* Fiber.join(callers)).map(Exit.getOrElse(() => ""))).toEqual(all)
    expectNothingLeft(one)
  })

  it.scoped("wait for its end, and each is loaded once", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const one = yield* source()
        const callers = yield* started(
          Effect.all([Flights.join(one.flights, "a"), Flights.joinAll(one.flights, ["b", "a", "b"])], {
            concurrency: "unbounded"
          })
        )
        expect([one.asked.length, one.stamp()]).toEqual([0, 0])
        yield* turn.end
        expect(one.asked.map(({ keys }) => keys)).toEqual([["a", "b"]])
        yield* one.answer(0, ["A", "B"])
        const [a, rest] = yield* Fiber.join(callers)
        expect([a, ...rest.map(Exit.getOrElse(() => ""))]).toEqual(["A", "B", "A", "B"])
      })
    )
  })

  it.scoped("are loaded at once and one by one without gathering", () =>
    withTurn(manual())(
      Effect.gen(function* () {
        const one = yield* source({ gather: "none" })
        yield* started(Flights.joinAll(one.flights, ["a", "b"]))
        expect(one.asked.map(({ keys }) => keys)).toEqual([["a"], ["b"]])
      })
    )
  )

  scenario("of which there are none are answered at once", function* () {
    const one = yield* source()
    expect(yield* Flights.joinAll(one.flights, [])).toEqual([])
    expect(one.asked).toEqual([])
  })
})

describe("a load that answers otherwise", () => {
  for (const [what, values] of [
    ["too few values", ["A"]],
    ["too many values", ["A", "B", "C"]]
  ] as const) {
    scenario(`with ${what} fails for all its callers`, function* () {
      const one = yield* source()
      const callers = yield* started(Flights.joinAll(one.flights, ["a", "b"]))
      yield* one.answer(0, values)
      expect(yield* Fiber.join(callers)).toEqual([Exit.fail("Malformed"), Exit.fail("Malformed")])
      expectNothingLeft(one)
    })
  }

  const throws = (): Effect.Effect<ReadonlyArray<string>, string> => {
    throw new Error("thrown")
  }

  for (const [what, load, outcome] of [
    ["throws", throws, /^Error: thrown/],
    ["dies", () => Effect.die(new Error("died")), /^Error: died/],
    ["interrupts itself", () => Effect.interrupt, /interrupted/],
    // A driver in JavaScript keeps no types.
    ["answers no list", () => Effect.succeed(undefined as unknown as ReadonlyArray<string>), /^Malformed$/]
  ] as const) {
    scenario(`because it ${what} fails for all its callers`, function* () {
      const one = yield* source({ load })
      const callers = yield* Flights.joinAll(one.flights, ["a", "b"])
      const failures = callers.map((exit) => Exit.match(exit, { onFailure: Cause.pretty, onSuccess: String }))
      expect(one.landings.map((landing) => outcome.test(landing.outcome))).toEqual([true, true])
      expect(failures).toHaveLength(2)
      expectNothingLeft(one)
    })
  }

  scenario("does not keep its callers if what becomes of the answer throws", function* () {
    const one = yield* source({
      land: () => {
        throw new Error("thrown")
      }
    })
    const caller = yield* started(Effect.exit(Flights.join(one.flights, "a")))
    yield* one.answer(0, ["A"])
    expect(yield* Fiber.join(caller)).toEqual(Exit.die(new Error("thrown")))
  })
})

describe("a flight that is detached", () => {
  scenario("answers its callers, lands as detached, and is joined no more", function* () {
    const one = yield* source()
    const before = yield* started(Flights.join(one.flights, "a"))
    Flights.detach(one.flights, "a")
    const after = yield* started(Flights.join(one.flights, "a"))
    expect(one.asked.length).toBe(2)
    yield* one.answer(1, ["new"])
    yield* one.answer(0, ["old"])
    expect([yield* Fiber.join(before), yield* Fiber.join(after)]).toEqual(["old", "new"])
    expect(one.landings.map(({ detached, outcome, stamp }) => [outcome, stamp, detached])).toEqual([
      ["new", 2, false],
      ["old", 1, true]
    ])
    expectNothingLeft(one)
  })

  it.scoped("is only one that has begun: another one asks later than the invalidation", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const one = yield* source()
        const caller = yield* started(Flights.join(one.flights, "a"))
        Flights.detach(one.flights, "a")
        yield* turn.end
        yield* one.answer(0, ["A"])
        expect(yield* Fiber.join(caller)).toBe("A")
        expect(one.landings.map(({ detached }) => detached)).toEqual([false])
      })
    )
  })

  scenario("leaves the others of its load as they are; all can be detached", function* () {
    const one = yield* source()
    yield* started(Flights.joinAll(one.flights, ["a", "b", "c"]))
    Flights.detach(one.flights, "b")
    yield* one.answer(0, ["A", "B", "C"])
    yield* started(Flights.joinAll(one.flights, ["a", "b"]))
    Flights.detachAll(one.flights)
    yield* one.answer(1, ["A", "B"])
    expect(one.landings.map(({ detached }) => detached)).toEqual([false, true, false, true, true])
  })

  scenario("is not one whose key expires: it lands as expired, and is joined", function* () {
    const one = yield* source()
    yield* started(Flights.join(one.flights, "a"))
    Flights.expire(one.flights, "a")
    yield* started(Flights.join(one.flights, "a"))
    yield* one.answer(0, ["A"])
    expect(one.landings).toEqual([{ key: "a", stamp: 1, outcome: "A", detached: false, expired: true }])
    expect(one.asked.length).toBe(1)
  })
})

describe("the interruption of a caller", () => {
  scenario("affects no other, not even of the first one", function* () {
    const one = yield* source()
    const first = yield* started(Flights.join(one.flights, "a"))
    const second = yield* started(Flights.join(one.flights, "a"))
    yield* Fiber.interrupt(first)
    yield* one.answer(0, ["A"])
    expect([yield* Fiber.join(second), one.asked.length, one.interrupted]).toEqual(["A", 1, []])
  })

  scenario("ends the load with the last caller of its last key", function* () {
    const one = yield* source()
    const a = yield* started(Flights.joinAll(one.flights, ["a", "b"]))
    const b = yield* started(Flights.join(one.flights, "b"))
    yield* Fiber.interrupt(a)
    yield* settled
    expect(one.interrupted).toEqual([])
    yield* Fiber.interrupt(b)
    yield* settled
    expect(one.interrupted).toEqual([["a", "b"]])
    expect(one.landings.map(({ detached, outcome }) => [outcome, detached])).toEqual([
      ["Unwanted", true],
      ["Unwanted", true]
    ])
    expectNothingLeft(one)
  })

  scenario("does not end a load that another one has joined in the meantime", function* () {
    const one = yield* source()
    const all = yield* started(Flights.joinAll(one.flights, ["a", "b"]))
    const other = yield* started(Flights.join(one.flights, "b"))
    yield* Fiber.interrupt(all)
    const late = yield* started(Flights.join(one.flights, "a"))
    yield* Fiber.interrupt(other)
    yield* one.answer(0, ["A", "B"])
    expect([yield* Fiber.join(late), one.asked.length]).toEqual(["A", 1])
  })

  scenario("does not end a load that refreshes", function* () {
    const one = yield* source()
    const caller = yield* started(Flights.join(one.flights, "a"))
    Flights.refresh(one.flights, "a")
    yield* Fiber.interrupt(caller)
    yield* one.answer(0, ["A"])
    expect(one.landings.map(({ outcome }) => outcome)).toEqual(["A"])
    expectNothingLeft(one)
  })

  it.scoped("that still waits for the turn takes its key out of the load", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const one = yield* source()
        const caller = yield* started(Flights.join(one.flights, "a"))
        yield* started(Flights.join(one.flights, "b"))
        yield* Fiber.interrupt(caller)
        yield* turn.end
        expect(one.asked.map(({ keys }) => keys)).toEqual([["b"]])
        expect(one.landings).toEqual([])
      })
    )
  })

  it.scoped("that waits for the turn with another one keeps the key from none, and leaves nothing", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const one = yield* source()
        const leaving = yield* started(Flights.join(one.flights, "a"))
        const staying = yield* started(Flights.join(one.flights, "a"))
        const alone = yield* started(Flights.join(one.flights, "b"))
        for (const caller of [leaving, alone]) {
          const exit = yield* Fiber.interrupt(caller)
          expect(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)).toBe(true)
        }
        yield* turn.end
        expect(one.asked.map(({ keys }) => keys)).toEqual([["a"]])
        yield* one.answer(0, ["A"])
        expect(yield* Fiber.join(staying)).toBe("A")
        expect(one.landings).toEqual([{ key: "a", stamp: 1, outcome: "A", detached: false, expired: false }])
        expectNothingLeft(one)
      })
    )
  })

  scenario("of a key that another one joins, and leaves, ends the load with the last of all", function* () {
    const one = yield* source()
    const [a, b] = yield* Effect.all([
      Effect.fork(Flights.join(one.flights, "a")),
      Effect.fork(Flights.join(one.flights, "b"))
    ])
    yield* settled
    yield* Fiber.interrupt(a)
    const again = yield* started(Flights.join(one.flights, "a"))
    yield* Fiber.interrupt(b)
    yield* settled
    expect(one.interrupted).toEqual([])
    yield* Fiber.interrupt(again)
    yield* settled
    expect(one.interrupted).toEqual([["a", "b"]])
    expectNothingLeft(one)
  })

  scenario("ends no load that refreshes one of its keys", function* () {
    const one = yield* source()
    const [a, b] = yield* Effect.all([
      Effect.fork(Flights.join(one.flights, "a")),
      Effect.fork(Flights.join(one.flights, "b"))
    ])
    yield* settled
    yield* Fiber.interrupt(a)
    Flights.refresh(one.flights, "a")
    yield* Fiber.interrupt(b)
    yield* settled
    expect(one.interrupted).toEqual([])
    yield* one.answer(0, ["A", "B"])
    expect(one.landings.map(({ key, outcome }) => [key, outcome])).toEqual([
      ["a", "A"],
      ["b", "B"]
    ])
    expectNothingLeft(one)
  })
})

describe("all flights", () => {
  scenario("are known by the begin of the oldest of them, and expire together", function* () {
    const one = yield* source()
    expect(Flights.oldest(one.flights)).toBe(Number.POSITIVE_INFINITY)
    yield* TestClock.adjust(5)
    yield* started(Flights.join(one.flights, "a"))
    yield* TestClock.adjust(5)
    yield* started(Flights.join(one.flights, "b"))
    expect(Flights.oldest(one.flights)).toBe(5)
    Flights.expireAll(one.flights)
    yield* one.answer(0, ["A"])
    expect(Flights.oldest(one.flights)).toBe(10)
    yield* one.answer(1, ["B"])
    expect(one.landings.map(({ expired }) => expired)).toEqual([true, true])
  })
})

describe("a refresh", () => {
  scenario("loads without a caller, once, and callers join it", function* () {
    const one = yield* source()
    Flights.refresh(one.flights, "a")
    Flights.refresh(one.flights, "a")
    yield* settled
    const caller = yield* started(Flights.join(one.flights, "a"))
    expect([one.asked.length, Flights.has(one.flights, "a")]).toEqual([1, true])
    yield* one.answer(0, ["A"])
    expect([yield* Fiber.join(caller), Flights.has(one.flights, "a")]).toEqual(["A", false])
  })
})

describe("the hard timeout", () => {
  scenario("abandons a load exactly when it has passed", function* () {
    const one = yield* source()
    const caller = yield* started(Effect.flip(Flights.join(one.flights, "a")))
    yield* TestClock.adjust(29_999)
    expect(one.landings).toEqual([])
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(caller)).toBe("TimedOut")
    expect([one.interrupted, one.landings.map(({ detached }) => detached)]).toEqual([[["a"]], [true]])
    expectNothingLeft(one)
  })

  scenario(
    "does not wait for a load that ignores its interruption, and its late answer is nothing",
    function* () {
      const gate = yield* Deferred.make<void>()
      const one = yield* source({
        load: (keys) => Effect.uninterruptible(Effect.as(Deferred.await(gate), keys))
      })
      const caller = yield* started(Effect.flip(Flights.join(one.flights, "a")))
      yield* TestClock.adjust(30_000)
      expect(yield* Fiber.join(caller)).toBe("TimedOut")
      expect(Flights.has(one.flights, "a")).toBe(false)
      const next = yield* started(Flights.join(one.flights, "a"))
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(next)).toBe("a")
      expect(one.landings.map(({ outcome }) => outcome)).toEqual(["TimedOut", "a"])
      expectNothingLeft(one)
    }
  )

  scenario("is none if it is infinite", function* () {
    const one = yield* source({ hardTimeout: Number.POSITIVE_INFINITY })
    const caller = yield* started(Flights.join(one.flights, "a"))
    yield* TestClock.adjust("10 days")
    yield* one.answer(0, ["A"])
    expect(yield* Fiber.join(caller)).toBe("A")
  })
})

describe("the end of the flights", () => {
  it.scoped("answers all callers, also those whose load has not begun, and interrupts the loads", () => {
    const turn = manual()
    return withTurn(turn)(
      Effect.gen(function* () {
        const one = yield* source()
        const begun = yield* started(Effect.flip(Flights.join(one.flights, "a")))
        yield* turn.end
        const queued = yield* started(Effect.flip(Flights.join(one.flights, "b")))
        yield* Flights.end(one.flights)
        expect([yield* Fiber.join(begun), yield* Fiber.join(queued)]).toEqual(["Ended", "Ended"])
        expect(one.interrupted).toEqual([["a"]])
        expect(yield* Effect.flip(Flights.join(one.flights, "c"))).toBe("Ended")
        expect(yield* Flights.joinAll(one.flights, ["c"])).toEqual([Exit.fail("Ended")])
        Flights.refresh(one.flights, "c")
        expectNothingLeft(one)
      })
    )
  })

  scenario("is the end of the maker's scope, which waits for no load", function* () {
    const one = yield* Effect.scoped(
      Effect.tap(source({ load: () => Effect.uninterruptible(Effect.never) }), ({ flights }) =>
        started(Flights.join(flights, "a"))
      )
    )
    expect(one.landings.map(({ outcome }) => outcome)).toEqual(["Ended"])
  })

  scenario("completes when the loads have stopped", function* () {
    const gate = yield* Deferred.make<void>()
    const one = yield* source({
      load: () => Effect.onInterrupt(Effect.never, () => Deferred.await(gate))
    })
    yield* started(Flights.join(one.flights, "a"))
    const ending = yield* started(Flights.end(one.flights))
    expect(ending.unsafePoll()).toBe(null)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(ending)
    expectNothingLeft(one)
  })
})

describe("a load runs", () => {
  const Transaction = Context.GenericTag<"transaction", string>("@effect/sql/SqlClient/TransactionConnection")

  scenario("outside of the transaction and the span of its caller and of its maker", function* () {
    const seen: Array<boolean> = []
    const load = () =>
      Effect.map(Effect.context<never>(), (context) => {
        seen.push(Context.getOption(context, Transaction)._tag === "Some")
        seen.push(Context.getOption(context, Tracer.ParentSpan)._tag === "Some")
        return ["A"]
      })
    const inside = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.withSpan(Effect.provideService(effect, Transaction, "of the caller"), "caller")
    const one = yield* inside(source({ load }))
    yield* inside(Flights.join(one.flights, "a"))
    expect(seen).toEqual([false, false])
  })
})
