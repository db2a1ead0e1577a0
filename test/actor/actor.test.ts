/** The actor with resources that are no storage: batches, questions, the end of the turn, lingering, preparing. */

import { TransactionConnection } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import {
  Array as Arr,
  Context,
  Deferred,
  Effect,
  Either,
  Exit,
  Fiber,
  Option,
  Queue,
  type Scope,
  TestClock,
  type TestServices,
  Tracer
} from "effect"
import fc from "fast-check"
import * as Actor from "../../src/Actor.js"
import { type Diary, gated, keeper, read, write } from "../support/actor/diary.js"
import { ensureList, lawTimeout } from "../support/laws/ensure.js"
import { holdsEffect } from "../support/laws/laws.js"
import {
  type ManualTurn,
  manual,
  microtasks,
  scenario,
  settled,
  started,
  withTurn
} from "../support/time/turn.js"

describe("batches", () => {
  scenario("R2: adjacent items make one batch, and a question stands alone between them", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines)
    actor.unsafeOffer(1)
    actor.unsafeOffer(2)
    const first = yield* Effect.fork(actor.ask(read("a")))
    yield* Effect.yieldNow()
    actor.unsafeOffer(3)
    const second = yield* Effect.fork(actor.ask(read("b")))
    const third = yield* Effect.fork(actor.ask(read("c")))
    yield* Effect.yieldNow()
    yield* actor.offerAll([4, 5])
    yield* actor.offer(6)
    yield* actor.flush
    expect(lines).toEqual(["batch 1 2", "a", "batch 3", "b", "c", "batch 4 5 6"])
    expect(yield* Fiber.join(first)).toEqual(["batch 1 2"])
    expect(yield* Fiber.join(second)).toEqual(["batch 1 2", "a", "batch 3"])
    expect(yield* Fiber.join(third)).toHaveLength(4)
  })

  it.effect(
    "R1: a question sees every item offered before it and none after it, whatever the order",
    () => {
      const moves = fc.array(
        fc.oneof(
          { weight: 4, arbitrary: fc.constant("item" as const) },
          { weight: 1, arbitrary: fc.constant("question" as const) },
          { weight: 1, arbitrary: fc.constant("barrier" as const) },
          { weight: 1, arbitrary: fc.constant("turn" as const) },
          { weight: 1, arbitrary: fc.constant("leave" as const) }
        ),
        { maxLength: 40 }
      )
      return withTurn(microtasks)(
        holdsEffect(fc.tuple(moves, fc.integer({ min: 1, max: 5 })), 200, ([moves, maxBatchSize]) =>
          Effect.scoped(
            Effect.gen(function* () {
              const seen: Array<number> = []
              const largest: Array<number> = []
              const actor = yield* Actor.make<ReadonlyArray<number>, number>(() => ({
                acquire: Effect.succeed(seen),
                onBatch: (_, { items }) =>
                  Effect.sync(() => {
                    seen.push(...items)
                    largest.push(items.length)
                  }),
                maxBatchSize,
                report: (rest) => rest
              }))
              const asked: Array<{
                readonly expected: number
                readonly fiber: Fiber.Fiber<number, unknown>
              }> = []
              let offered = 0
              for (const move of moves) {
                if (move === "item") actor.unsafeOffer(offered++)
                else if (move === "turn") yield* settled
                else if (move === "leave") {
                  const last = asked.pop()
                  if (last !== undefined) yield* Fiber.interrupt(last.fiber)
                } else {
                  const question = (all: ReadonlyArray<number>) => Effect.sync(() => all.length)
                  const fiber = yield* Effect.fork(
                    actor.ask(question, { kind: move === "barrier" ? "barrier" : "query" })
                  )
                  yield* Effect.yieldNow()
                  asked.push({ expected: offered, fiber })
                }
              }
              yield* actor.close
              ensureList(seen, Arr.makeBy(offered, (i) => i).slice(0, offered), "items keep their order")
              for (const { expected, fiber } of asked) expect(yield* Fiber.join(fiber)).toBe(expected)
              expect(Math.max(0, ...largest)).toBeLessThanOrEqual(maxBatchSize)
            })
          )
        )
      )
    },
    lawTimeout
  )

  scenario("R2: hold at most maxBatchSize items, or the resource's own limit if that is less", function* () {
    const own: Array<string> = []
    const actor = yield* keeper(own, { maxBatchSize: 3 })
    for (let i = 1; i <= 7; i++) actor.unsafeOffer(i)
    yield* actor.flush
    expect(own).toEqual(["batch 1 2 3", "batch 4 5 6", "batch 7"])
    for (const [told, lines] of [
      [2, ["batch 1 2", "batch 3"]],
      [5, ["batch 1 2 3"]],
      [0, ["batch 1 2 3"]],
      [Number.NaN, ["batch 1 2 3"]],
      [undefined, ["batch 1 2 3"]]
    ] as const) {
      const seen: Array<string> = []
      const late = yield* keeper(seen, { maxBatchSize: 3, resourceMaxBatchSize: () => told })
      for (let i = 1; i <= 3; i++) late.unsafeOffer(i)
      yield* late.flush
      expect(seen).toEqual(lines)
    }
  })

  scenario("are handled again as long as onBatch asks for it", function* () {
    const lines: Array<string> = []
    let left = 2
    const actor = yield* keeper(lines, {
      onBatch: (diary, batch) => Effect.as(write(diary, batch), left-- === 0)
    })
    actor.unsafeOffer(1)
    yield* actor.flush
    expect(lines).toEqual(["batch 1", "batch 1", "batch 1"])
  })

  scenario("may offer items and ask questions of their own actor", function* () {
    const lines: Array<string> = []
    const answers = yield* Queue.unbounded<ReadonlyArray<string>>()
    const actor: Actor.Actor<Diary, number> = yield* keeper(lines, {
      onBatch: (diary, batch) =>
        Effect.gen(function* () {
          yield* write(diary, batch)
          if (batch.items[0] !== 1) return
          expect(actor.unsafeOffer(2)).toBe(true)
          yield* Effect.forkDaemon(Effect.flatMap(actor.ask(read("q")), (seen) => answers.offer(seen)))
        })
    })
    actor.unsafeOffer(1)
    expect(yield* answers.take).toEqual(["batch 1", "batch 2"])
  })

  scenario("extend over questions that read nothing, and over those whose caller has gone", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const extensions: Array<number> = []
    const taken: Array<number> = []
    const actor = yield* keeper(lines, (control) => ({
      bound: { bytes: 100, sizeOf: (size) => size, overflow: "reject" },
      onBatch: (diary, batch) =>
        Effect.gen(function* () {
          yield* Deferred.await(gate)
          extensions.push(control.takeMore().count)
          taken.push(control.counts().pendingBytes)
          yield* write(diary, batch)
        })
    }))
    actor.unsafeOffer(1)
    yield* settled
    const flush = yield* started(actor.flush)
    const gone = yield* started(actor.ask(read("gone")))
    yield* Fiber.interrupt(gone)
    actor.unsafeOffer(2)
    const stays = yield* started(actor.ask(read("stays")))
    actor.unsafeOffer(3)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(flush)
    yield* Fiber.join(stays)
    yield* actor.flush
    expect(lines).toEqual(["batch 1 2", "stays", "batch 3"])
    expect(extensions).toEqual([1, 0])
    // The last item is still queued at first.
    expect(taken).toEqual([1 + 2 + 3, 3])
  })

  scenario("extend by the one that was prepared, which takes its room once", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const seen: Array<unknown> = []
    const actor = yield* keeper(lines, (control) => ({
      maxBatchSize: 2,
      prepare: () => undefined,
      bound: { bytes: 100, sizeOf: (size) => size, overflow: "reject" },
      onBatch: (diary, batch) =>
        Effect.gen(function* () {
          yield* Deferred.await(gate)
          if (batch.items[0] === 1) {
            const { count, first } = control.takeMore()
            const { pending, pendingBytes } = control.counts()
            seen.push({ count, first }, [pending, pendingBytes])
          }
          yield* write(diary, batch)
        })
    }))
    expect(actor.control.takeMore()).toEqual({ count: 0, first: 0 })
    yield* actor.offerAll([1, 2, 3, 4, 5])
    yield* settled
    yield* Deferred.succeed(gate, undefined)
    yield* actor.flush
    expect(seen).toEqual([{ count: 2, first: 2 }, [4 + 1, 10 + 5]])
    expect(lines).toEqual(["batch 1 2 3 4", "batch 5"])
  })

  scenario("do not extend without end", function* () {
    let total = 0
    const actor = yield* keeper([], (control) => ({
      maxBatchSize: 10,
      onBatch: () =>
        Effect.sync(() => {
          for (let count = 10; count > 0; count = control.takeMore().count) total += count
        }).pipe(Effect.zipRight(Effect.never))
    }))
    for (let i = 0; i < 5000; i++) actor.unsafeOffer(i)
    yield* settled
    expect(total).toBe(10 + 1000)
    expect(actor.control.takeMore()).toEqual({ count: 0, first: 0 })
    const rest = yield* Effect.zipLeft(started(actor.closeWithin(0)), TestClock.adjust("1 second"))
    expect((yield* Fiber.join(rest)).current).toHaveLength(1010)
  })

  scenario("come again before what is queued, take room, and cannot be dropped", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const dropped: Array<number> = []
    const actor = yield* keeper(lines, {
      onBatch: gated(gate),
      linger: "1 hour",
      bound: { count: 5, overflow: "drop-oldest" },
      onDropped: (position) => dropped.push(position)
    })
    yield* actor.offerAll([1, 2])
    yield* settled
    actor.control.requeue([10, 11], undefined)
    yield* settled
    expect(lines).toEqual(["batch 10 11"])
    actor.control.requeue([12], undefined)
    actor.unsafeOffer(3)
    expect(dropped).toEqual([0])
    const question = yield* started(actor.ask(read("question")))
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(question)
    expect(lines).toEqual(["batch 10 11", "batch 12", "batch 2 3", "question"])
    expect(yield* actor.offerAll([4, 5, 6, 7, 8])).toBe(true)
    expect(dropped).toEqual([0])
  })

  scenario("that come again are the first of what is handed back", function* () {
    const actor = yield* keeper([], { onBatch: () => Effect.never })
    actor.unsafeOffer(1)
    yield* settled
    actor.unsafeOffer(2)
    actor.control.requeue([10, 11], undefined)
    const closing = yield* started(actor.closeWithin(0))
    yield* TestClock.adjust(100)
    const { current, queued } = yield* Fiber.join(closing)
    expect([current, queued]).toEqual([[1], [10, 11, 2]])
  })

  scenario(
    "take room by their sizes until their own end, what is prepared and what comes again too",
    function* () {
      const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      let calls = 0
      const actor = yield* keeper([], {
        maxBatchSize: 2,
        onBatch: () => Deferred.await(gates[calls++]!),
        prepare: () => undefined,
        bound: { bytes: 100, sizeOf: (size) => size, overflow: "reject" }
      })
      const pending = () => {
        const { pending, pendingBytes } = actor.control.counts()
        return [pending, pendingBytes]
      }
      yield* actor.offerAll([1, 2, 3, 4])
      yield* settled
      actor.control.requeue([5], [5])
      expect(pending()).toEqual([5, 15])
      yield* Deferred.succeed(gates[0]!, undefined)
      yield* settled
      expect(pending()).toEqual([3, 12])
      yield* Deferred.succeed(gates[1]!, undefined)
      yield* settled
      expect(pending()).toEqual([1, 5])
      yield* Deferred.succeed(gates[2]!, undefined)
      yield* actor.flush
      expect(pending()).toEqual([0, 0])
    }
  )

  scenario("take room until they are settled, in parts or at their end", function* () {
    const gate = yield* Deferred.make<void>()
    const parts = yield* Deferred.make<Actor.Control<number>>()
    const actor = yield* keeper([], (control) => {
      Deferred.unsafeDone(parts, Exit.succeed(control))
      return { onBatch: gated(gate), bound: { count: 3, overflow: "suspend" } }
    })
    yield* actor.offerAll([1, 2, 3])
    yield* settled
    expect(actor.unsafeOffer(4)).toBe(false)
    const waits = yield* started(actor.offer(5))
    const leaves = yield* started(actor.offerAll([6, 7]))
    const last = yield* started(actor.offer(8))
    ;(yield* Deferred.await(parts)).settle(1, 0)
    expect(yield* Fiber.join(waits)).toBe(true)
    yield* settled
    expect(last.unsafePoll()).toBeNull()
    yield* Fiber.interrupt(leaves)
    yield* settled
    expect(last.unsafePoll()).toBeNull()
    yield* Deferred.succeed(gate, undefined)
    expect(yield* Fiber.join(last)).toBe(true)
    yield* actor.flush
    // The end of each batch has settled what was left of it.
    expect(yield* actor.offerAll([9, 10, 11])).toBe(true)
    expect(yield* actor.offerAll([12, 13, 14, 15])).toBe(false)
    expect(actor.control.counts().refused).toBe(1 + 2 + 4)
  })
})

describe("the start", () => {
  scenario(
    "R5: takes items and questions before the resource is there, and serves them in order",
    function* () {
      const lines: Array<string> = []
      const acquired = yield* Deferred.make<Diary>()
      const actor = yield* keeper(lines, { acquire: Deferred.await(acquired) })
      expect(actor.unsafeStatus()).toMatchObject({ _tag: "Starting", attempt: 0 })
      const ready = yield* started(actor.ready)
      for (let i = 0; i < 2500; i++) actor.unsafeOffer(i)
      const answer = yield* started(actor.ask(read("question")))
      actor.unsafeOffer(2500)
      expect(ready.unsafePoll()).toBeNull()
      yield* Deferred.succeed(acquired, { lines })
      yield* Fiber.join(ready)
      expect((yield* Fiber.join(answer)).map((line) => line.split(" ").length - 1)).toEqual([1000, 1000, 500])
      yield* actor.flush
      expect(lines.slice(3)).toEqual(["question", "batch 2500"])
      expect(actor.unsafeStatus()).toEqual({ _tag: "Running", cause: Option.none() })
      yield* actor.ready
    }
  )

  it.effect("R6: gives the resource what its maker had, but no transaction and no parent span", () =>
    Effect.gen(function* () {
      class Setting extends Context.Tag("Setting")<Setting, string>() {}
      const seen: Record<string, unknown> = {}
      const look = (step: string) =>
        Effect.tap(Effect.context<never>(), (context) => {
          const has = (key: string) => context.unsafeMap.has(key)
          seen[step] = [has(TransactionConnection.key), has(Tracer.ParentSpan.key), has(Setting.key)]
        })
      const make = Actor.make<string, number, Actor.Leftover<string, number>, Setting>(() => ({
        acquire: Effect.zipRight(look("acquire"), Setting),
        onBatch: () => Effect.asVoid(look("batch")),
        report: (rest) => rest
      }))
      const actor = yield* make.pipe(
        Effect.provideService(Setting, "set"),
        Effect.provideService(TransactionConnection, [{} as never, 0]),
        Effect.withSpan("maker")
      )
      actor.unsafeOffer(1)
      const resource = yield* actor.ask((setting) => Effect.as(look("question"), setting))
      expect(resource).toBe("set")
      expect(seen).toEqual({
        acquire: [false, false, true],
        batch: [false, false, false],
        question: [false, false, false]
      })
    }).pipe(Effect.scoped)
  )

  it.effect("refuses wrong options with a typed error, and acquires nothing", () =>
    Effect.gen(function* () {
      let acquired = 0
      const acquire = Effect.sync(() => ({ lines: [`${acquired++}`] }))
      const wrong: ReadonlyArray<readonly [string, Parameters<typeof keeper>[1]]> = [
        ["maxBatchSize", { maxBatchSize: 0 }],
        ["maxBatchSize", { maxBatchSize: 1.5 }],
        ["maxBatchSize", { maxBatchSize: Number.NaN }],
        ["linger", { linger: "soon" as never }],
        ["lingers", { lingers: 5 } as never],
        ["onBatch", { onBatch: 5 as never }],
        ["closeDeadline", { closeDeadline: "later" as never }],
        ["bound.count", { bound: { count: -1, overflow: "reject" } }],
        ["bound.count", { bound: { overflow: "reject" } }],
        ["bound.sizeOf", { bound: { bytes: 10, overflow: "reject" } }],
        ["bound.overflow", { bound: { count: 1, overflow: "burst" as never } }]
      ]
      for (const [option, options] of wrong) {
        const made = yield* Effect.either(keeper([], { acquire, ...options }))
        expect(Either.getLeft(made)).toMatchObject({ value: { _tag: "InvalidOptions", option } })
        expect(Option.getOrThrow(Either.getLeft(made))).toBeInstanceOf(Actor.InvalidOptions)
      }
      yield* settled
      expect(acquired).toBe(0)
    }).pipe(Effect.scoped)
  )
})

/** A test that ends the turns itself; after it they end by themselves, so that its scope can close. */
const byTurns = (
  name: string,
  body: (turn: ManualTurn) => Effect.Effect<void, unknown, Scope.Scope | TestServices.TestServices>
): void =>
  it.scoped(name, () => {
    const turn = manual()
    let over = false
    const end = Effect.suspend(() => {
      over = true
      return turn.end
    })
    const schedule = (task: () => void) => (over ? microtasks : turn).schedule(task)
    return body(turn).pipe(Effect.ensuring(end), withTurn({ schedule }))
  })

describe("the end of the turn", () => {
  byTurns("R7: is when a batch is taken: whoever offers in one turn shares it", (turn) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const actor = yield* keeper(lines)
      yield* settled
      actor.unsafeOffer(1)
      yield* Effect.all([2, 3, 4].map((i) => Effect.fork(actor.offer(i))))
      yield* settled
      expect(lines).toEqual([])
      yield* turn.end
      expect(lines).toEqual(["batch 1 2 3 4"])
      // A turn in which nothing came is nobody's: the next item waits for the end of its own.
      yield* turn.end
      actor.unsafeOffer(5)
      yield* settled
      expect(lines).toHaveLength(1)
      yield* turn.end
      expect(lines).toEqual(["batch 1 2 3 4", "batch 5"])
    })
  )

  byTurns("lets the event loop go between two batches, however fast all of them are", (turn) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const actor: Actor.Actor<Diary, number> = yield* keeper(lines, {
        onBatch: (diary, batch) =>
          Effect.map(write(diary, batch), () => {
            if (lines.length < 4) actor.unsafeOffer(lines.length)
          })
      })
      yield* settled
      actor.unsafeOffer(0)
      for (let turns = 1; turns <= 4; turns++) {
        yield* turn.end
        expect(lines).toHaveLength(turns)
      }
    })
  )

  it.live("is the host's by default", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const lines: Array<string> = []
        const actor = yield* keeper(lines)
        yield* actor.ready
        actor.unsafeOffer(1)
        yield* Effect.promise(() => Promise.resolve())
        actor.unsafeOffer(2)
        yield* actor.flush
        expect(lines).toEqual(["batch 1 2"])
      })
    )
  )
})

describe("lingering", () => {
  scenario("waits from the first item on, for all that comes meanwhile", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines, { linger: 100 })
    yield* TestClock.adjust(5000)
    actor.unsafeOffer(1)
    yield* TestClock.adjust(60)
    actor.unsafeOffer(2)
    yield* TestClock.adjust(39)
    expect(lines).toEqual([])
    yield* TestClock.adjust(1)
    expect(lines).toEqual(["batch 1 2"])
    actor.unsafeOffer(3)
    yield* TestClock.adjust(99)
    expect(lines).toHaveLength(1)
    yield* TestClock.adjust(1)
    expect(lines).toEqual(["batch 1 2", "batch 3"])
  })

  scenario("ends when the batch is full, or at a question, or at the close", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines, { linger: "1 hour", maxBatchSize: 3 })
    yield* settled
    actor.unsafeOffer(1)
    yield* settled
    actor.unsafeOffer(2)
    yield* settled
    expect(lines).toEqual([])
    actor.unsafeOffer(3)
    yield* settled
    expect(lines).toEqual(["batch 1 2 3"])
    actor.unsafeOffer(4)
    yield* settled
    yield* actor.ask(read("question"))
    expect(lines.slice(1)).toEqual(["batch 4", "question"])
    yield* actor.offerAll([5, 6, 7, 8])
    yield* settled
    expect(lines.slice(3)).toEqual(["batch 5 6 7"])
    yield* actor.close
    expect(lines.slice(4)).toEqual(["batch 8"])
  })

  scenario("ends when an item finds no room, under each policy", function* () {
    for (const overflow of ["reject", "suspend", "drop-newest", "drop-oldest"] as const) {
      const lines: Array<string> = []
      const bound = { bytes: 9, sizeOf: (size: number) => size, overflow }
      const actor = yield* keeper(lines, { linger: "1 hour", bound })
      yield* actor.offerAll([1, 2])
      yield* settled
      expect(lines).toEqual([])
      const more = yield* started(actor.offer(8))
      const together = overflow === "drop-oldest" ? "batch 8" : "batch 1 2"
      expect(lines.slice(0, 1), overflow).toEqual([together])
      expect(yield* Fiber.join(more)).toBe(overflow !== "reject")
    }
  })

  scenario("ends when the bound is half reached, or when what is queued must hurry", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines, { linger: "1 hour", bound: { count: 6, overflow: "reject" } })
    yield* actor.offerAll([1, 2])
    yield* settled
    expect(lines).toEqual([])
    actor.unsafeOffer(3)
    yield* settled
    expect(lines).toEqual(["batch 1 2 3"])
    actor.unsafeOffer(4)
    yield* settled
    actor.control.hurry()
    yield* settled
    expect(lines.slice(1)).toEqual(["batch 4"])
    actor.unsafeOffer(5)
    yield* settled
    expect(lines.slice(2)).toEqual([])
    yield* actor.close
  })

  scenario("ends at a deadline, and nothing of it is lost", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines, { linger: "1 hour" })
    actor.unsafeOffer(1)
    yield* settled
    const rest = yield* started(actor.closeWithin(0))
    yield* TestClock.adjust(100)
    const { current, queued } = yield* Fiber.join(rest)
    expect([...lines, current.length + queued.length]).toEqual(lines.length === 1 ? ["batch 1", 0] : [1])
  })
})

describe("a head start for the next batch", () => {
  scenario("is given to a full one, once, while another one is out", function* () {
    const lines: Array<string> = []
    const gates = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
    const prepared: Array<string> = []
    let out = 0
    const actor = yield* keeper(lines, {
      maxBatchSize: 2,
      onBatch: (diary, batch) => {
        const gate = gates[out++]
        return gate === undefined ? write(diary, batch) : gated(gate)(diary, batch)
      },
      prepare: (_, batch) => {
        prepared.push(batch.items.join(" "))
      }
    })
    yield* actor.offerAll([1, 2])
    yield* settled
    expect([lines, prepared]).toEqual([["batch 1 2"], []])
    actor.unsafeOffer(3)
    yield* settled
    expect(prepared).toEqual([])
    actor.unsafeOffer(4)
    yield* settled
    yield* actor.offerAll([5, 6, 7])
    yield* settled
    expect(prepared).toEqual(["3 4"])
    yield* Deferred.succeed(gates[0], undefined)
    yield* settled
    expect([lines, prepared]).toEqual([
      ["batch 1 2", "batch 3 4"],
      ["3 4", "5 6"]
    ])
    yield* Deferred.succeed(gates[1], undefined)
    yield* actor.flush
    expect(lines.slice(2)).toEqual(["batch 5 6", "batch 7"])
    expect(prepared).toEqual(["3 4", "5 6"])
  })

  scenario("passes over no question", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    let prepared = 0
    const actor = yield* keeper(lines, {
      maxBatchSize: 2,
      onBatch: gated(gate),
      prepare: () => {
        prepared++
      }
    })
    actor.unsafeOffer(1)
    yield* settled
    const question = yield* started(actor.ask(read("question")))
    yield* actor.offerAll([2, 3, 4])
    yield* settled
    expect(prepared).toBe(0)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(question)
    yield* actor.flush
    expect(lines).toEqual(["batch 1", "question", "batch 2 3", "batch 4"])
  })

  scenario("that throws costs nothing", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    let thrown = 0
    const actor = yield* keeper(lines, {
      maxBatchSize: 2,
      onBatch: gated(gate),
      prepare: () => {
        thrown++
        throw new Error("not prepared")
      }
    })
    actor.unsafeOffer(1)
    yield* settled
    yield* actor.offerAll([2, 3, 4])
    yield* settled
    expect(thrown).toBe(1)
    yield* Deferred.succeed(gate, undefined)
    yield* actor.flush
    expect(lines).toEqual(["batch 1", "batch 2 3", "batch 4"])
  })

  scenario("takes its items out of reach of the policy that drops", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const dropped: Array<number> = []
    const actor = yield* keeper(lines, {
      maxBatchSize: 2,
      onBatch: gated(gate),
      prepare: () => undefined,
      bound: { count: 4, overflow: "drop-oldest" },
      onDropped: (position) => dropped.push(position)
    })
    actor.unsafeOffer(0)
    yield* settled
    yield* actor.offerAll([1, 2, 3])
    yield* settled
    for (let i = 4; i < 6; i++) actor.unsafeOffer(i)
    expect(dropped).toEqual([3, 4])
    yield* Deferred.succeed(gate, undefined)
    yield* actor.flush
    expect(lines).toEqual(["batch 0", "batch 1 2", "batch 5"])
  })

  scenario("is handed back in its place when the actor must end", function* () {
    const actor = yield* keeper([], {
      maxBatchSize: 2,
      onBatch: () => Effect.never,
      prepare: () => undefined
    })
    actor.unsafeOffer(1)
    yield* settled
    for (let i = 2; i <= 6; i++) actor.unsafeOffer(i)
    yield* settled
    const rest = yield* started(actor.closeWithin(10))
    yield* TestClock.adjust(200)
    const { current, queued } = yield* Fiber.join(rest)
    expect([current, queued]).toEqual([[1], [2, 3, 4, 5, 6]])
  })

  scenario("is used to extend the batch under way", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper(lines, (control) => ({
      maxBatchSize: 2,
      onBatch: (diary, batch) =>
        Effect.gen(function* () {
          yield* Deferred.await(gate)
          if (batch.items[0] === 1) expect(control.takeMore()).toEqual({ count: 2, first: 1 })
          yield* write(diary, batch)
        }),
      prepare: () => undefined
    }))
    actor.unsafeOffer(1)
    yield* settled
    yield* actor.offerAll([2, 3, 4])
    yield* settled
    yield* Deferred.succeed(gate, undefined)
    yield* actor.flush
    expect(lines).toEqual(["batch 1 2 3", "batch 4"])
  })
})

/** What a live table's write queue needs: a reply for each item, at the moment of its outcome. */
interface Add {
  readonly key: string
  readonly by: number
  readonly reply: Deferred.Deferred<number, "closed">
}

const counters = (onBatch: (counts: Map<string, number>) => Effect.Effect<void> = () => Effect.void) =>
  Effect.gen(function* () {
    const actor = yield* Actor.make<Map<string, number>, Add>(() => ({
      acquire: Effect.sync(() => new Map()),
      onBatch: (counts, { items }) =>
        Effect.zipRight(
          onBatch(counts),
          Effect.sync(() => {
            for (const { by, key, reply } of items) {
              const count = (counts.get(key) ?? 0) + by
              counts.set(key, count)
              Deferred.unsafeDone(reply, Exit.succeed(count))
            }
          })
        ),
      report: (rest) => {
        for (const { reply } of [...rest.current, ...rest.queued])
          Deferred.unsafeDone(reply, Exit.fail("closed"))
        return rest
      }
    }))
    const add = (key: string, by: number): Effect.Effect<number, "closed"> =>
      Effect.flatMap(Deferred.make<number, "closed">(), (reply) =>
        actor.unsafeOffer({ key, by, reply }) ? Deferred.await(reply) : Effect.fail("closed" as const)
      )
    return { actor, add, get: (key: string) => actor.ask((counts) => Effect.sync(() => counts.get(key))) }
  })

describe("a table of counters with a reply for each write", () => {
  scenario("replies to each write in turn, and reads see the writes before them", function* () {
    const { actor, add, get } = yield* counters()
    const replies = yield* Effect.all(
      [add("a", 1), add("b", 10), add("a", 2), get("a"), add("a", 4), get("a"), get("c")],
      { concurrency: "unbounded" }
    )
    expect(replies).toEqual([1, 10, 3, 3, 7, 7, undefined])
    expect(Option.getOrThrow((yield* actor.close).resource)).toEqual(
      new Map([
        ["a", 7],
        ["b", 10]
      ])
    )
    expect(yield* Effect.flip(add("a", 1))).toBe("closed")
  })

  scenario("answers the requests that wait when it fails, once it is closed", function* () {
    const { actor, add, get } = yield* counters((counts) =>
      counts.size > 0 ? Effect.die("full") : Effect.void
    )
    yield* add("a", 1)
    const lost = yield* started(Effect.flip(add("a", 2)))
    const asked = yield* started(Effect.flip(get("a")))
    expect(yield* Fiber.join(asked)).toMatchObject({ _tag: "ActorStopped", reason: "Failed" })
    expect((yield* actor.close).current).toHaveLength(1)
    expect(yield* Fiber.join(lost)).toBe("closed")
  })
})

/** What a watch needs: changes in order, and watchers that come and go at an exact place among them. */
interface Change {
  readonly key: string
  readonly revision: number
}

interface Watcher {
  readonly key: string
  readonly changes: Queue.Queue<number>
}

const registry = Effect.gen(function* () {
  const actor = yield* Actor.make<Set<Watcher>, Change>(() => ({
    acquire: Effect.sync(() => new Set()),
    onBatch: (watchers, { items }) =>
      Effect.sync(() => {
        for (const { key, revision } of items)
          for (const watcher of watchers) if (watcher.key === key) watcher.changes.unsafeOffer(revision)
      }),
    report: (rest) => rest
  }))
  let revision = 0
  const follow = (key: string) =>
    Effect.acquireRelease(
      Effect.flatMap(Queue.unbounded<number>(), (changes) =>
        actor.ask((watchers) =>
          Effect.sync(() => {
            const watcher = { key, changes }
            watchers.add(watcher)
            return watcher
          })
        )
      ),
      (watcher) => Effect.ignore(actor.ask((watchers) => Effect.sync(() => watchers.delete(watcher))))
    )
  const change = (key: string) => actor.unsafeOffer({ key, revision: ++revision })
  return { actor, follow, change }
})

describe("a registry of watchers", () => {
  scenario("delivers to each of them the changes after it began, in order, until it ends", function* () {
    const { actor, change, follow } = yield* registry
    change("a")
    const early = yield* follow("a")
    change("a")
    change("b")
    const seen = yield* Effect.scoped(
      Effect.gen(function* () {
        const late = yield* follow("a")
        change("a")
        yield* actor.flush
        return yield* late.changes.takeAll
      })
    )
    change("a")
    yield* actor.flush
    expect(Arr.fromIterable(seen)).toEqual([4])
    expect(Arr.fromIterable(yield* early.changes.takeAll)).toEqual([2, 4, 5])
    expect(yield* actor.ask((watchers) => Effect.sync(() => watchers.size))).toBe(1)
  })
})
