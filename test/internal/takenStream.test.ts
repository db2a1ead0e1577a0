/** Streams over a source that is opened when they run: however they end, it is closed, once. */
import { describe, expect } from "@effect/vitest"
import { Cause, Chunk, Deferred, Effect, Exit, Fiber, Option, Queue, Scope, Stream } from "effect"
import { openedStream, takenStream } from "../../src/internal/takenStream.js"
import { scenario } from "../support/time/turn.js"

type Step = Exit.Exit<Chunk.Chunk<number>, string>

/** A source of steps, which counts how often it was opened and closed. */
const makeSource = Effect.map(Queue.unbounded<Step>(), (steps) => {
  const counts = { opened: 0, closed: 0, taking: 0 }
  const acquired = Effect.acquireRelease(
    Effect.sync(() => counts.opened++),
    () => Effect.sync(() => counts.closed++)
  )
  const take = Effect.suspend(() => {
    counts.taking++
    return Effect.flatten(steps.take)
  })
  return { counts, stream: openedStream(Effect.as(acquired, take)), steps, acquired, take }
})

const chunk = (...items: ReadonlyArray<number>): Step => Exit.succeed(Chunk.fromIterable(items))

describe("a stream over a source that it opens", () => {
  scenario("closes the source when its reader has enough, also within a chunk", function* () {
    const { counts, steps, stream } = yield* makeSource
    yield* steps.offerAll([chunk(1), chunk(2, 3, 4)])
    expect(Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(stream, 3)))).toEqual([1, 2, 3])
    expect(counts).toMatchObject({ opened: 1, closed: 1 })
    yield* steps.offer(chunk(5))
    expect(yield* Stream.runHead(stream)).toEqual(Option.some(5))
    expect(counts).toMatchObject({ opened: 2, closed: 2 })
  })

  scenario("closes it when a take fails or dies, and when its reader does", function* () {
    const { counts, steps, stream } = yield* makeSource
    yield* steps.offerAll([chunk(1), Exit.fail("away")])
    expect(yield* Effect.flip(Stream.runDrain(stream))).toBe("away")
    yield* steps.offer(Exit.die("defect"))
    expect(Cause.isDie(yield* Effect.flip(Effect.sandbox(Stream.runDrain(stream))))).toBe(true)
    yield* steps.offer(chunk(1))
    expect(yield* Effect.flip(Stream.runForEach(stream, () => Effect.fail("reader")))).toBe("reader")
    expect(counts).toMatchObject({ opened: 3, closed: 3 })
  })

  scenario("closes it when its reader is interrupted, while it waits or between two chunks", function* () {
    const { counts, steps, stream } = yield* makeSource
    const seen = yield* Deferred.make<void>()
    yield* steps.offer(chunk(1))
    const waiting = yield* Effect.fork(Stream.runForEach(stream, () => Deferred.succeed(seen, undefined)))
    yield* Deferred.await(seen)
    yield* Fiber.interrupt(waiting)
    const busy = yield* Deferred.make<void>()
    yield* steps.offer(chunk(1))
    const inReader = yield* Effect.fork(
      Stream.runForEach(stream, () => Effect.andThen(Deferred.succeed(busy, undefined), Effect.never))
    )
    yield* Deferred.await(busy)
    yield* Fiber.interrupt(inReader)
    expect(counts).toMatchObject({ opened: 2, closed: 2 })
  })

  scenario("closes what was opened of it when it is interrupted while it opens", function* () {
    const { acquired, counts, take } = yield* makeSource
    const half = yield* Deferred.make<void>()
    const opening = Effect.andThen(acquired, Effect.andThen(Deferred.succeed(half, undefined), Effect.never))
    const running = yield* Effect.fork(Stream.runDrain(openedStream(Effect.as(opening, take))))
    yield* Deferred.await(half)
    yield* Fiber.interrupt(running)
    expect(counts).toEqual({ opened: 1, closed: 1, taking: 0 })
    expect(
      yield* Effect.flip(Stream.runDrain(openedStream(Effect.andThen(acquired, Effect.fail("no")))))
    ).toBe("no")
    expect(counts).toEqual({ opened: 2, closed: 2, taking: 0 })
  })

  scenario("closes it within other streams that leave it: pulled, switched and merged", function* () {
    const { counts, steps, stream } = yield* makeSource
    yield* steps.offer(chunk(1))
    const scope = yield* Scope.make()
    const pull = yield* Scope.extend(Stream.toPull(stream), scope)
    expect(Chunk.toReadonlyArray(yield* pull)).toEqual([1])
    expect(counts.closed).toBe(0)
    yield* Scope.close(scope, Exit.void)
    expect(counts).toMatchObject({ opened: 1, closed: 1 })
    yield* steps.offer(chunk(2))
    const merged = Stream.merge(Stream.never, Stream.merge(stream, Stream.never))
    expect(yield* Stream.runHead(merged)).toEqual(Option.some(2))
    yield* steps.offerAll([chunk(3), chunk(4)])
    const inner = Stream.flatMap(Stream.make(1, 2), () => Stream.take(stream, 1))
    expect(Chunk.toReadonlyArray(yield* Stream.runCollect(inner))).toEqual([3, 4])
    expect(counts).toMatchObject({ opened: 4, closed: 4 })
  })

  scenario("takes as its reader asks, and nothing ahead", function* () {
    const { counts, steps, stream, take } = yield* makeSource
    yield* steps.offerAll([chunk(1), chunk(2), chunk(3)])
    yield* Stream.runHead(stream)
    expect(counts.taking).toBe(1)
    expect(Chunk.toReadonlyArray(yield* Stream.runCollect(Stream.take(takenStream(take), 2)))).toEqual([2, 3])
    expect(counts.taking).toBe(3)
  })
})
