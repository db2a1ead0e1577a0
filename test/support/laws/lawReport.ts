/** Holds something against laws in virtual time: what hangs costs no time of anybody's. */
import { Effect, Fiber, Scheduler } from "effect"
import { withTurn } from "../time/turn.js"
import { virtualTime } from "../time/virtualTime.js"

export const inVirtualTime = async <A>(effect: Effect.Effect<A, unknown>): Promise<A> => {
  const time = virtualTime()
  const timed = effect.pipe(withTurn(time.turn), Effect.withClock(time.clock))
  // Fibers run in microtasks only, so that time stands still as long as one of them has something to do.
  const fiber = Effect.runFork(timed, { scheduler: new Scheduler.MixedScheduler(Number.MAX_SAFE_INTEGER) })
  await time.settle()
  while (fiber.unsafePoll() === null) await time.advance(1000)
  return Effect.runPromise(Fiber.join(fiber))
}
