/** Work for very many, cut into slices, so that nothing else on the event loop waits long for it. */
import type { Clock } from "effect"
import type { Turn } from "./turn.js"

/** Does something for each item, in order. It must not throw. */
export type InSlices = <A>(items: Iterable<A>, each: (item: A) => void) => void

/** All in one piece. */
export const atOnce: InSlices = (items, each) => {
  for (const item of items) each(item)
}

const sliceNanos = 2_000_000n

/** Each item may resume a fiber, which runs in the same turn and takes up to 30 microseconds. */
const maxPerSlice = 200

/** The first slice at once, so that few are done with when it returns; each further one at the end of a turn. */
export const inSlices =
  (turn: Turn, clock: Clock.Clock): InSlices =>
  (items, each) => {
    const left = items[Symbol.iterator]()
    const slice = (): void => {
      const until = clock.unsafeCurrentTimeNanos() + sliceNanos
      for (let done = 1; done <= maxPerSlice; done++) {
        const next = left.next()
        if (next.done === true) return
        each(next.value)
        // Reading the clock costs as much as resuming a fiber.
        if (done % 32 === 0 && clock.unsafeCurrentTimeNanos() >= until) break
      }
      turn.schedule(slice)
    }
    slice()
  }
