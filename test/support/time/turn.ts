/**
 * The end of a turn, in tests. With `microtasks` every fiber that can run has run before a timer fires, so that
 * `TestClock.adjust` drives a recorder all the way: when it returns, whoever could do something has done it.
 */
import { it } from "@effect/vitest"
import { Effect, type Scope, TestClock, type TestServices } from "effect"
import type { YieldWrap } from "effect/Utils"
import { CurrentTurn, type Turn } from "../../../src/internal/turn.js"

/** A turn ends as soon as the fibers of this moment have run. */
export const microtasks: Turn = { schedule: (task) => queueMicrotask(task) }

/** A turn that ends when the test says so. */
export interface ManualTurn extends Turn {
  /** Ends the turn and lets everybody run who has something to do then. What they schedule waits for the next end. */
  readonly end: Effect.Effect<void>
  /** How many tasks wait for the end of the turn. */
  readonly waiting: () => number
}

export const manual = (): ManualTurn => {
  let tasks: Array<() => void> = []
  return {
    schedule: (task) => {
      tasks.push(task)
    },
    end: Effect.suspend(() => {
      const due = tasks
      tasks = []
      for (const task of due) task()
      return settled
    }),
    waiting: () => tasks.length
  }
}

/** Completes when every fiber that could run has run: a timer of the host fires only after all microtasks. */
export const settled: Effect.Effect<void> = TestClock.adjust(0)

/** Forks, and completes when the fiber has done all that it can do for now. */
export const started = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.zipLeft(Effect.fork(effect), settled)

/** Runs an effect with turns of its own. */
export const withTurn =
  (turn: Turn) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, CurrentTurn, turn)

/** A test on the test clock, with a scope that ends with it, where turns end by themselves. */
export const scenario = (
  name: string,
  body: () => Generator<
    YieldWrap<Effect.Effect<unknown, unknown, Scope.Scope | TestServices.TestServices>>,
    void,
    never
  >,
  timeout?: number
): void => it.scoped(name, () => withTurn(microtasks)(Effect.gen(body)), timeout)
