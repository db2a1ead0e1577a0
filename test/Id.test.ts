import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Random, TestClock } from "effect"
import fc from "fast-check"
import * as Id from "../src/Id.js"
import { holdsEffect } from "./support/laws/laws.js"

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const timeOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

describe("Id.uuid7", () => {
  it.effect("is of version 7 and variant 10, and carries the clock's milliseconds", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_123)
      const id = yield* Id.uuid7
      expect(id).toMatch(form)
      expect(timeOf(id)).toBe(1_700_000_000_123)
    })
  )

  it.effect("increases with every id, whatever the clock does, from all makers of a process", () =>
    Effect.gen(function* () {
      const makers = [yield* Id.makeUuid7, yield* Id.makeUuid7]
      let last = ""
      const step = fc.record({
        clock: fc.integer({ min: 0, max: 2000 }),
        ids: fc.integer({ min: 1, max: 10 })
      })
      yield* holdsEffect(fc.array(step, { maxLength: 20 }), 50, (steps) =>
        Effect.gen(function* () {
          for (const { clock, ids } of steps) {
            yield* TestClock.setTime(clock)
            for (let n = 0; n < ids; n++) {
              const id = n % 3 === 2 ? yield* Id.uuid7 : makers[n % 3]!()
              expect(id).toMatch(form)
              expect(id > last).toBe(true)
              last = id
            }
          }
        })
      )
    })
  )

  it.live("makes ids that differ at full speed, close to the clock", () =>
    Effect.gen(function* () {
      const make = yield* Id.makeUuid7
      const before = yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
      const ids = Array.from({ length: 50_000 }, make)
      expect(new Set(ids).size).toBe(ids.length)
      expect([...ids].sort()).toEqual(ids)
      expect(timeOf(ids[0]!)).toBeGreaterThanOrEqual(before)
    })
  )

  it.effect("takes its randomness from Random, once for each clock", () =>
    Effect.gen(function* () {
      // A clock of its own has a sequence of its own.
      const idFrom = (seed: string) =>
        Id.uuid7.pipe(Effect.withClock(Clock.make()), Effect.withRandom(Random.make(seed)))
      const random = (id: string) => id.slice(15)
      expect(random(yield* idFrom("a"))).toBe(random(yield* idFrom("a")))
      expect(random(yield* idFrom("a"))).not.toBe(random(yield* idFrom("b")))
    })
  )
})
