/** How work for very many is cut, so that the event loop is never held up by it. */
import { describe, expect, it } from "@effect/vitest"
import { Clock } from "effect"
import { inSlices } from "../../src/internal/slices.js"

/** A clock that goes on by so many microseconds whenever it is read, and turns that end when the test says so. */
const made = (microsPerRead: number) => {
  let nanos = 0n
  const tasks: Array<() => void> = []
  const clock: Clock.Clock = {
    ...Clock.make(),
    unsafeCurrentTimeNanos: () => {
      nanos += BigInt(microsPerRead * 1000)
      return nanos
    }
  }
  const done: Array<number> = []
  const run = inSlices({ schedule: (task) => tasks.push(task) }, clock)
  /** How many items each slice did, the first one included. */
  const slices = (items: Iterable<number>): ReadonlyArray<number> => {
    const counts: Array<number> = []
    let before = done.length
    run(items, (item) => done.push(item))
    for (;;) {
      counts.push(done.length - before)
      before = done.length
      expect(tasks.length).toBeLessThanOrEqual(1)
      const next = tasks.shift()
      if (next === undefined) return counts
      next()
    }
  }
  return { done, run, slices, tasks }
}

const first = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

describe("work for very many", () => {
  it("is done at once where it is little, with nothing left for later", () => {
    const { done, slices } = made(0)
    expect(slices(first(199))).toEqual([199])
    expect(done).toEqual(first(199))
  })

  it("is cut by number: each of them may resume a fiber", () => {
    const { done, slices } = made(0)
    expect(slices(first(450))).toEqual([200, 200, 50])
    expect(done).toEqual(first(450))
  })

  it("is cut by monotonic time: two milliseconds", () => {
    // One millisecond passes from one look at the clock to the next, which is after 32 items.
    expect(made(1000).slices(first(200))).toEqual([64, 64, 64, 8])
    expect(made(5000).slices(first(100))).toEqual([32, 32, 32, 4])
  })

  it("leaves out what is interrupted between two slices", () => {
    const { done, run, tasks } = made(0)
    const all = new Set(first(400))
    run(all, (item) => {
      all.delete(item)
      done.push(item)
    })
    expect(all.size).toBe(200)
    all.delete(300)
    for (let next = tasks.shift(); next !== undefined; next = tasks.shift()) next()
    expect(done).toEqual(first(400).filter((item) => item !== 300))
    expect(all.size).toBe(0)
  })
})
