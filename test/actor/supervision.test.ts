/** Questions and their answers, steps that fail, hang or must not be disturbed, and what an actor shows of itself. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Chunk, Deferred, Effect, Exit, Fiber, Option, Stream, TestClock, Tracer } from "effect"
import type * as Actor from "../../src/Actor.js"
import { type Diary, gated, keeper, read, write } from "../support/actor/diary.js"
import { manual, scenario, settled, started, withTurn } from "../support/time/turn.js"

/** A step that cannot be interrupted, and ends when the gate opens. */
const stubborn = (gate: Deferred.Deferred<void>) => Effect.uninterruptible(Deferred.await(gate))

const stopped = (reason: "Closed" | "Failed") => ({
  _tag: "ActorStopped",
  reason,
  message: expect.stringMatching(
    reason === "Closed" ? /is closed: make another/ : /has failed .*see the cause/
  )
})

describe("questions", () => {
  scenario("that fail, die or are interrupted by themselves concern only who asked", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines)
    const failed = yield* Effect.exit(actor.ask(() => Effect.fail("no")))
    const died = yield* Effect.exit(actor.ask(() => Effect.die("dead")))
    const threw = yield* Effect.exit(
      actor.ask((): Effect.Effect<void> => {
        throw new Error("thrown")
      })
    )
    const interrupted = yield* Effect.exit(
      Effect.fork(actor.ask(() => Effect.interrupt)).pipe(Effect.flatMap(Fiber.join))
    )
    expect(failed).toEqual(Exit.fail("no"))
    expect(died).toEqual(Exit.die("dead"))
    expect(Exit.isFailure(threw) && Option.getOrThrow(Cause.dieOption(threw.cause))).toMatchObject({
      message: "thrown"
    })
    expect(Exit.isInterrupted(interrupted)).toBe(true)
    expect(actor.unsafeStatus()).toEqual({ _tag: "Running", cause: Option.none() })
    actor.unsafeOffer(1)
    expect(yield* actor.ask(read("fine"))).toEqual(["batch 1"])
  })

  scenario("are skipped when their caller has gone before it was their turn", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper(lines, { onBatch: gated(gate) })
    actor.unsafeOffer(1)
    yield* settled
    const gone = yield* started(actor.ask(read("gone")))
    const stays = yield* started(actor.ask(read("stays")))
    yield* Fiber.interrupt(gone)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(stays)
    expect(lines).toEqual(["batch 1", "stays"])
  })

  scenario("R9: are interrupted when their caller goes, and nothing else is", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines)
    const interrupted = yield* Deferred.make<void>()
    const gone = yield* started(
      actor.ask(() => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)))
    )
    const next = yield* started(actor.ask(read("next")))
    actor.unsafeOffer(1)
    expect(lines).toEqual([])
    yield* Fiber.interrupt(gone)
    yield* Deferred.await(interrupted)
    yield* Fiber.join(next)
    yield* actor.flush
    expect(lines).toEqual(["next", "batch 1"])
    expect(actor.unsafeStatus()).toEqual({ _tag: "Running", cause: Option.none() })
  })

  scenario("end at their limit, which counts from their turn on", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper(lines, { onBatch: gated(gate) })
    actor.unsafeOffer(1)
    yield* settled
    const answer = yield* started(Effect.either(actor.ask(() => Effect.never, { limit: 300 })))
    const next = yield* started(actor.ask(read("next"), { limit: 300 }))
    yield* TestClock.adjust("1 minute")
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust(299)
    expect(answer.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(answer)).toMatchObject({ left: { _tag: "AskTimedOut", millis: 300 } })
    expect(yield* Fiber.join(next)).toEqual(["batch 1"])
    expect(actor.unsafeStatus()).toEqual({ _tag: "Running", cause: Option.none() })
  })

  scenario("R8: that ignore their interruption are awaited before anything else begins", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper(lines)
    const timedOut = yield* started(Effect.either(actor.ask(() => stubborn(gate), { limit: 50 })))
    actor.unsafeOffer(1)
    const next = yield* started(actor.ask(read("next")))
    yield* TestClock.adjust("10 seconds")
    expect([lines, timedOut.unsafePoll()]).toEqual([[], null])
    yield* Deferred.succeed(gate, undefined)
    expect(yield* Fiber.join(timedOut)).toMatchObject({ left: { _tag: "AskTimedOut" } })
    yield* Fiber.join(next)
    expect(lines).toEqual(["batch 1", "next"])
  })

  scenario("leave no interruption to the step after them", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines)
    // In each round the caller goes in the very moment in which the answer comes, in either order.
    for (let round = 0; round < 20; round++) {
      const gate = yield* Deferred.make<void>()
      const gone = yield* started(actor.ask(() => (round % 2 === 0 ? stubborn(gate) : Deferred.await(gate))))
      const next = yield* started(
        actor.ask((diary) => Effect.zipRight(Effect.yieldNow(), read(`next ${round}`)(diary)))
      )
      actor.unsafeOffer(round)
      yield* round % 4 < 2
        ? Effect.zipRight(Deferred.succeed(gate, undefined), Fiber.interruptFork(gone))
        : Effect.zipRight(Fiber.interruptFork(gone), Deferred.succeed(gate, undefined))
      yield* Fiber.join(next)
      yield* actor.flush
      expect(lines.slice(-2)).toEqual([`next ${round}`, `batch ${round}`])
    }
    expect(actor.unsafeStatus()).toEqual({ _tag: "Running", cause: Option.none() })
  })

  scenario("that die after they were interrupted do not end the actor", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines)
    const finalizer = yield* started(
      actor.ask(() => Effect.onInterrupt(Effect.never, () => Effect.die("in its finalizer")))
    )
    yield* Fiber.interrupt(finalizer)
    const gate = yield* Deferred.make<void>()
    const uninterruptible = yield* started(
      actor.ask(() => Effect.uninterruptible(Effect.zipRight(Deferred.await(gate), Effect.die("late"))))
    )
    yield* Fiber.interrupt(uninterruptible)
    yield* Deferred.succeed(gate, undefined)
    const timedOut = actor.ask(() => Effect.onInterrupt(Effect.never, () => Effect.die("too late")), {
      limit: 10
    })
    const told = yield* started(Effect.either(timedOut))
    yield* TestClock.adjust(10)
    expect(yield* Fiber.join(told)).toMatchObject({ left: { _tag: "AskTimedOut" } })
    expect(yield* actor.ask(read("fine"))).toEqual([])
    expect(actor.unsafeStatus()).toEqual({ _tag: "Running", cause: Option.none() })
  })

  scenario("run under the span of who asked, batches under none", function* () {
    const spans: Array<string | undefined> = []
    const look = Effect.map(Effect.serviceOption(Tracer.ParentSpan), (span) => {
      spans.push(Option.getOrUndefined(Option.map(span, ({ spanId }) => spanId)))
    })
    const actor = yield* keeper([], { onBatch: () => look })
    const asked = yield* Effect.makeSpan("asked")
    actor.unsafeOffer(1)
    yield* Effect.withParentSpan(
      actor.ask(() => look),
      asked
    )
    yield* Effect.withParentSpan(actor.offer(2), asked)
    yield* actor.flush
    expect(spans).toEqual([undefined, asked.spanId, undefined])
  })
})

describe("a failure", () => {
  const causes: ReadonlyArray<readonly [string, (diary: Diary) => Effect.Effect<void, string>, unknown]> = [
    ["of a batch", () => Effect.fail("failed"), "failed"],
    ["of a batch, a defect", () => Effect.die("died"), "died"],
    [
      "of a batch, thrown",
      () => {
        throw "thrown"
      },
      "thrown"
    ]
  ]
  for (const [name, onBatch, squashed] of causes) {
    scenario(`R10: ${name}, ends the actor, and everything is answered and handed back`, function* () {
      const gate = yield* Deferred.make<void>()
      const failures: Array<unknown> = []
      const actor = yield* keeper([], {
        maxBatchSize: 2,
        onBatch: (diary) =>
          Effect.zipRight(
            Deferred.await(gate),
            Effect.suspend(() => onBatch(diary))
          ),
        bound: { count: 6, overflow: "suspend" },
        onFailed: (cause) => failures.push(Cause.squash(cause))
      })
      yield* actor.offerAll([1, 2, 3, 4, 5])
      const asked = yield* started(Effect.flip(actor.ask(read("never"))))
      actor.unsafeOffer(6)
      const waiting = yield* started(actor.offer(7))
      const flushing = yield* started(Effect.flip(actor.flush))
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(asked)).toMatchObject(stopped("Failed"))
      expect(Cause.squash((yield* Fiber.join(flushing)).cause)).toBe(squashed)
      expect(yield* Fiber.join(waiting)).toBe(false)
      expect(actor.unsafeStatus()).toEqual({ _tag: "Failed", cause: Option.some(squashed) })
      expect(failures).toEqual([squashed])
      expect(actor.unsafeOffer(8)).toBe(false)
      expect(yield* actor.offerAll([8, 9])).toBe(false)
      expect(yield* Effect.flip(actor.ask(read("late")))).toMatchObject(stopped("Failed"))
      expect(yield* Effect.flip(actor.flush)).toMatchObject(stopped("Failed"))
      yield* actor.ready
      const rest = yield* actor.close
      expect(rest).toMatchObject({ current: [1, 2], queued: [3, 4, 5, 6], busy: false })
      expect(Option.map(rest.cause, Cause.squash)).toEqual(Option.some(squashed))
      expect(Option.isSome(rest.resource)).toBe(true)
    })
  }

  scenario("of the acquisition ends it too: the resource never came", function* () {
    const acquisitions: ReadonlyArray<readonly [Effect.Effect<Diary, string>, unknown]> = [
      [Effect.fail("failed"), "failed"],
      [Effect.die("died"), "died"],
      [
        Effect.suspend(() => {
          throw "thrown"
        }),
        "thrown"
      ]
    ]
    for (const [acquire, squashed] of acquisitions) {
      const actor = yield* keeper([], { acquire: Effect.zipRight(Effect.yieldNow(), acquire) })
      actor.unsafeOffer(1)
      const asked = yield* started(Effect.flip(actor.ask(read("never"))))
      expect(yield* Fiber.join(asked)).toMatchObject(stopped("Failed"))
      expect(yield* Effect.flip(actor.ready)).toMatchObject(stopped("Failed"))
      expect(actor.unsafeStatus()).toEqual({ _tag: "Failed", cause: Option.some(squashed) })
      const rest = yield* actor.close
      expect(rest).toMatchObject({ current: [], queued: [1], resource: Option.none() })
      expect(yield* Effect.flip(actor.ready)).toMatchObject(stopped("Closed"))
    }
  })

  scenario("of the acquisition is what `ready` fails with, also while a close is pending", function* () {
    const gate = yield* Deferred.make<void>()
    const actor = yield* keeper([], { acquire: Effect.zipRight(Deferred.await(gate), Effect.fail("away")) })
    const ready = yield* started(Effect.flip(actor.ready))
    const closing = yield* started(actor.close)
    yield* Deferred.succeed(gate, undefined)
    expect(yield* Fiber.join(ready)).toMatchObject({ reason: "Failed", cause: { error: "away" } })
    expect(Option.map((yield* Fiber.join(closing)).cause, Cause.squash)).toEqual(Option.some("away"))
  })

  scenario("is what a step is that interrupts itself: it would not end otherwise", function* () {
    const batch = yield* keeper([], { onBatch: () => Effect.interrupt })
    batch.unsafeOffer(1)
    const late = yield* keeper([], { acquire: Effect.interrupt })
    yield* settled
    expect([batch.unsafeStatus()._tag, late.unsafeStatus()._tag]).toEqual(["Failed", "Failed"])
    expect((yield* batch.close).current).toEqual([1])
  })

  scenario("in the size that the resource names ends it with the resource handed back", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines, {
      resourceMaxBatchSize: () => {
        throw "no size"
      }
    })
    actor.unsafeOffer(1)
    yield* settled
    expect(actor.unsafeStatus()).toEqual({ _tag: "Failed", cause: Option.some("no size") })
    const rest = yield* actor.close
    expect(rest.queued).toEqual([1])
    expect(Option.getOrThrow(rest.resource).lines).toBe(lines)
  })

  scenario("of a log line, or of anything run beside the steps, costs nothing", function* () {
    const lines: Array<string> = []
    const actor = yield* keeper(lines, (control) => ({
      limit: () => 100,
      onBatch: (diary, batch) => {
        control.runInBackground(Effect.die("no logger"))
        return Effect.zipRight(write(diary, batch), batch.items[0] === 1 ? Effect.never : Effect.void)
      }
    }))
    actor.unsafeOffer(1)
    yield* TestClock.adjust(99)
    expect(lines).toEqual(["batch 1"])
    yield* TestClock.adjust(1)
    // The limit of the step still holds.
    expect(lines).toEqual(["batch 1", "batch 1"])
  })
})

describe("what runs beside the steps", () => {
  scenario("runs at once, also in an actor that has nothing to do", function* () {
    const said: Array<string> = []
    const actor = yield* keeper([])
    yield* TestClock.adjust("1 minute")
    for (const line of ["first", "second"]) {
      actor.control.runInBackground(Effect.sync(() => said.push(line)))
      yield* settled
      expect(said.at(-1)).toBe(line)
    }
    expect(said).toEqual(["first", "second"])
  })

  scenario("runs soon also when a tick asks for it, be it the last one", function* () {
    const gate = yield* Deferred.make<void>()
    let asked = 0
    let said = 0
    const actor = yield* keeper([], (control) => ({
      onBatch: gated(gate),
      onTick: () => {
        if (++asked <= 6) control.runInBackground(Effect.sync(() => said++))
      }
    }))
    actor.unsafeOffer(1)
    yield* TestClock.adjust("2 seconds")
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust("1 hour")
    expect(said).toBe(6)
  })
})

describe("the limit of a step", () => {
  scenario(
    "R11: interrupts only that step, exactly when it has passed, and the batch is handled again",
    function* () {
      const lines: Array<string> = []
      const overruns: Array<string> = []
      let tries = 0
      const actor = yield* keeper(lines, {
        maxBatchSize: 2,
        onBatch: (diary, batch) =>
          Effect.zipRight(write(diary, batch), ++tries < 3 ? Effect.never : Effect.void),
        limit: () => 1500,
        onTimeout: ({ items }) => overruns.push(items.join(" "))
      })
      yield* actor.offerAll([1, 2, 3])
      const question = yield* started(actor.ask(read("question")))
      yield* TestClock.adjust(1499)
      expect([lines, overruns]).toEqual([["batch 1 2"], []])
      yield* TestClock.adjust(1)
      expect([lines, overruns]).toEqual([["batch 1 2", "batch 1 2"], ["1 2"]])
      yield* TestClock.adjust(1500)
      yield* Fiber.join(question)
      expect(lines).toEqual(["batch 1 2", "batch 1 2", "batch 1 2", "batch 3", "question"])
      expect(overruns).toEqual(["1 2", "1 2"])
    }
  )

  scenario("holds for each step by itself, also behind one that had none", function* () {
    const gate = yield* Deferred.make<void>()
    const lines: Array<string> = []
    const actor = yield* keeper(lines)
    const long = yield* started(actor.ask(() => Deferred.await(gate)))
    const short = yield* started(Effect.either(actor.ask(() => Effect.never, { limit: 70 })))
    const shorter = yield* started(Effect.either(actor.ask(() => Effect.never, { limit: 20 })))
    const longer = yield* started(Effect.either(actor.ask(() => Effect.never, { limit: 4321 })))
    yield* TestClock.adjust(10_450)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(long)
    for (const [fiber, limit] of [
      [short, 70],
      [shorter, 20],
      [longer, 4321]
    ] as const) {
      yield* TestClock.adjust(limit - 1)
      expect(fiber.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(fiber)).toMatchObject({ left: { _tag: "AskTimedOut", millis: limit } })
    }
  })

  scenario("is not met by a step that ends in time, however many there are", function* () {
    const lines: Array<string> = []
    const overruns: Array<number> = []
    const actor = yield* keeper(lines, {
      maxBatchSize: 1,
      onBatch: (diary, batch) => Effect.zipRight(Effect.sleep(100), write(diary, batch)),
      limit: () => 101,
      onTimeout: ({ first }) => overruns.push(first)
    })
    for (let i = 0; i < 50; i++) actor.unsafeOffer(i)
    yield* TestClock.adjust(5000)
    yield* actor.flush
    expect(lines).toHaveLength(50)
    expect(overruns).toEqual([])
  })

  scenario("that passes in the moment in which the step ends does not reach the next one", function* () {
    for (const duration of [99, 100, 101]) {
      const lines: Array<string> = []
      let tries = 0
      const actor = yield* keeper(lines, {
        onBatch: (diary, batch) =>
          Effect.zipRight(tries++ === 0 ? Effect.sleep(duration) : Effect.void, write(diary, batch)),
        limit: () => 100
      })
      actor.unsafeOffer(1)
      const next = yield* started(
        actor.ask((diary) => Effect.zipRight(Effect.sleep(50), read("next")(diary)), { limit: 51 })
      )
      yield* TestClock.adjust(99)
      yield* TestClock.adjust(1)
      yield* TestClock.adjust(1)
      yield* TestClock.adjust(50)
      expect(yield* Fiber.join(next)).toEqual(["batch 1"])
      expect(lines).toEqual(["batch 1", "next"])
    }
  })

  scenario("waits for a step that ignores it; what the step ends with is not known then", function* () {
    const lines: Array<string> = []
    const gate = yield* Deferred.make<void>()
    const overruns: Array<number> = []
    let running = 0
    const actor = yield* keeper(lines, {
      onBatch: (diary, batch) =>
        Effect.suspend(() => {
          expect(++running).toBe(1)
          return Effect.zipRight(overruns.length === 0 ? stubborn(gate) : Effect.void, write(diary, batch))
        }).pipe(Effect.ensuring(Effect.sync(() => running--))),
      limit: () => 100,
      onTimeout: ({ first }) => overruns.push(first)
    })
    actor.unsafeOffer(1)
    yield* TestClock.adjust("1 minute")
    expect(overruns).toEqual([])
    yield* Deferred.succeed(gate, undefined)
    yield* actor.flush
    expect(overruns).toEqual([0])
    expect(lines).toEqual(["batch 1"])
  })

  scenario("that meets a step whose finalizer dies is a time-out all the same", function* () {
    const overruns: Array<number> = []
    const lines: Array<string> = []
    const actor = yield* keeper(lines, {
      onBatch: (diary, batch) =>
        overruns.length === 0
          ? Effect.onInterrupt(Effect.never, () => Effect.die("socket already gone"))
          : write(diary, batch),
      limit: () => 100,
      onTimeout: ({ first }) => overruns.push(first)
    })
    actor.unsafeOffer(1)
    yield* TestClock.adjust(100)
    yield* actor.flush
    expect([lines, overruns]).toEqual([["batch 1"], [0]])
    expect(actor.unsafeStatus()).toEqual({ _tag: "Running", cause: Option.none() })
  })
})

describe("the status", () => {
  const seen = <R, I, Report>(actor: Actor.Actor<R, I, Report>) =>
    started(Effect.map(Stream.runCollect(actor.statusChanges), Chunk.toReadonlyArray))

  scenario("R12: is delivered from the present one to the terminal one", function* () {
    const acquired = yield* Deferred.make<Diary>()
    const controls = yield* Deferred.make<Actor.Control<number>>()
    const actor = yield* keeper([], (control) => {
      Deferred.unsafeDone(controls, Exit.succeed(control))
      return { acquire: Deferred.await(acquired) }
    })
    const control = yield* Deferred.await(controls)
    const all = yield* seen(actor)
    control.setOutage({ cause: "not yet", attempt: 1 })
    yield* Deferred.succeed(acquired, { lines: [] })
    yield* actor.ready
    const some = yield* seen(actor)
    yield* TestClock.adjust(500)
    control.setOutage({ cause: "away", attempt: 1 })
    yield* TestClock.adjust(500)
    control.setOutage({ cause: "still away", attempt: 2 })
    control.setOutage(undefined)
    control.setOutage(undefined)
    yield* actor.close
    const told = [
      { _tag: "Running", cause: Option.none() },
      { _tag: "Degraded", since: 500, cause: Option.some("away"), attempt: 1 },
      { _tag: "Degraded", since: 500, cause: Option.some("still away"), attempt: 2 },
      { _tag: "Running", cause: Option.none() },
      { _tag: "Closing", cause: Option.none() },
      { _tag: "Closed", cause: Option.none() }
    ]
    expect(yield* Fiber.join(some)).toEqual(told)
    expect(yield* Fiber.join(all)).toEqual([
      { _tag: "Starting", attempt: 0, cause: Option.none() },
      { _tag: "Starting", attempt: 1, cause: Option.some("not yet") },
      ...told
    ])
    const late = yield* seen(actor)
    expect(yield* Fiber.join(late)).toEqual([{ _tag: "Closed", cause: Option.none() }])
  })

  scenario("ends with Failed, and a slow watcher gets that too", function* () {
    const controls = yield* Deferred.make<Actor.Control<number>>()
    const actor = yield* keeper([], (control) => {
      Deferred.unsafeDone(controls, Exit.succeed(control))
      return { onBatch: () => Effect.fail("over") }
    })
    const control = yield* Deferred.await(controls)
    yield* actor.ready
    const slow = yield* Deferred.make<void>()
    const watcher = yield* started(
      actor.statusChanges.pipe(
        Stream.tap(() => Deferred.await(slow)),
        Stream.runCollect,
        Effect.map(Chunk.toReadonlyArray)
      )
    )
    for (let attempt = 1; attempt <= 500; attempt++) control.setOutage({ cause: "away", attempt })
    actor.unsafeOffer(1)
    yield* settled
    yield* Deferred.succeed(slow, undefined)
    const statuses = yield* Fiber.join(watcher)
    expect(statuses.at(-1)).toEqual({ _tag: "Failed", cause: Option.some("over") })
    expect(statuses.length).toBeLessThan(100)
    expect(yield* Fiber.join(yield* seen(actor))).toEqual([{ _tag: "Failed", cause: Option.some("over") }])
  })
})

describe("ticks", () => {
  scenario("come about once a second while a step is under way, and stop when there is none", function* () {
    const gate = yield* Deferred.make<void>()
    let ticks = 0
    const actor = yield* keeper([], { onBatch: gated(gate), onTick: () => ticks++ })
    yield* TestClock.adjust("1 minute")
    const idle = ticks
    actor.unsafeOffer(1)
    yield* TestClock.adjust("1 minute")
    expect(ticks - idle).toBeGreaterThanOrEqual(60)
    expect(ticks - idle).toBeLessThanOrEqual(63)
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust("5 seconds")
    const after = ticks
    yield* TestClock.adjust("1 hour")
    expect(ticks).toBe(after)
  })
})

it.scoped("a synchronous caller is never made to wait: the turn it is in decides nothing", () => {
  const turn = manual()
  return Effect.gen(function* () {
    const actor = yield* keeper([])
    for (let i = 0; i < 3; i++) expect(actor.unsafeOffer(i)).toBe(true)
    const rest = yield* started(actor.closeWithin(0))
    yield* TestClock.adjust(100)
    expect((yield* Fiber.join(rest)).queued).toEqual([0, 1, 2])
  }).pipe(withTurn(turn))
})
