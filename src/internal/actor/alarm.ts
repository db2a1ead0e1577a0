/**
 * The alarm of an actor: ends the linger of a batch in time. One fiber and at most one timer serve all batches, and no
 * batch costs a fiber or a race.
 *
 * A batch that begins early leaves the timer as it is. A later batch lingers until a later time, because all of them
 * linger equally long: when the timer ends, the alarm sleeps on for what is left.
 */
import { Effect } from "effect"
import { constTrue, constVoid } from "effect/Function"
import { type Engine, resumeWorker } from "./engine.js"

export const alarm = <R, I>(engine: Engine<R, I>): Effect.Effect<void> => {
  const asleep = Effect.async<void>((resume) => {
    if (engine.ringsAt !== undefined) return resume(Effect.void)
    engine.wakeAlarm = () => {
      engine.wakeAlarm = undefined
      resume(Effect.void)
    }
  })
  const next = (): Effect.Effect<void> => {
    if (engine.ringsAt === undefined) return asleep
    const left = engine.ringsAt - engine.intake.monotonic()
    if (left > 0) return Effect.sleep(Math.ceil(left))
    resumeWorker(engine)
    return Effect.void
  }
  return Effect.whileLoop({ while: constTrue, body: next, step: constVoid })
}
