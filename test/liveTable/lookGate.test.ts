/** Followers look at their entries some at a time, in the order of their coming. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as LookGate from "../../src/internal/liveTable/lookGate.js"

/** A turn that ends when the test ends it. */
const turns = () => {
  const tasks: Array<() => void> = []
  return {
    turn: { schedule: (task: () => void) => void tasks.push(task) },
    end: Effect.suspend(() => {
      for (const task of tasks.splice(0)) task()
      // What was let in runs.
      return Effect.yieldNow()
    }),
    scheduled: () => tasks.length
  }
}

const looking = (gate: LookGate.LookGate, looked: Array<number>, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, n) => n),
    (n) =>
      Effect.fork(
        Effect.map(LookGate.pass(gate), () => {
          looked.push(n)
        })
      )
  )

describe("the gate of followers", () => {
  it.effect("lets 16 look in one turn, and the others in later ones, in their order", () =>
    Effect.gen(function* () {
      const { end, scheduled, turn } = turns()
      const looked: Array<number> = []
      const gate = LookGate.make(turn)
      yield* looking(gate, looked, 40)
      yield* Effect.yieldNow()
      const all = Array.from({ length: 40 }, (_, n) => n)
      expect(looked).toEqual(all.slice(0, 16))
      yield* end
      expect(looked).toEqual(all.slice(0, 32))
      yield* end
      expect(looked).toEqual(all)
      // A turn without looks asks for no further one.
      yield* end
      expect(scheduled()).toBe(0)
    })
  )

  it.effect("keeps no place for one that has left", () =>
    Effect.gen(function* () {
      const { end, turn } = turns()
      const looked: Array<number> = []
      const gate = LookGate.make(turn)
      const fibers = yield* looking(gate, looked, 34)
      yield* Effect.yieldNow()
      yield* Fiber.interruptAll(fibers.slice(16, 18))
      yield* end
      expect(looked).toEqual(Array.from({ length: 34 }, (_, n) => n).filter((n) => n !== 16 && n !== 17))
      expect(gate.waiting.size).toBe(0)
    })
  )
})
