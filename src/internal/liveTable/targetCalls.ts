/** The invalidations that callers make, with the checks of what they name. */
import { Effect } from "effect"
import type { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition } from "../columns/writes.js"
import { monotonicMillis } from "../time.js"
import type { ReadFailed } from "./errors.js"
import { whenUp } from "./readCalls.js"
import type { Runtime } from "./runtime.js"
import { type Reads, valid } from "./slots.js"
import * as Targets from "./targets.js"

const targeted = <D extends AnyDefinition, A, E, R>(
  runtime: Runtime<D>,
  target: Targets.Target<D>,
  use: (reads: Reads<D>, target: Targets.CheckedTarget) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | InvalidQuery | ReadFailed, R> =>
  whenUp(runtime, (reads) =>
    Effect.flatMap(valid(Targets.check(reads.core, target)), (checked) => use(reads, checked))
  )

/** Nothing is cached before the master is up. */
const now = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  target: Targets.Target<D>,
  use: (core: Reads<D>["core"], target: Targets.CheckedTarget) => void
): Effect.Effect<void, InvalidQuery> =>
  Effect.suspend(() =>
    runtime.life.reads === undefined
      ? Effect.void
      : Effect.catchTag(
          targeted(runtime, target, ({ core }, checked) => Effect.sync(() => use(core, checked))),
          "ReadFailed",
          () => Effect.void
        )
  )

export const invalidate = <D extends AnyDefinition>(runtime: Runtime<D>, target: Targets.Target<D>) =>
  now(runtime, target, Targets.invalidate)

export const expire = <D extends AnyDefinition>(runtime: Runtime<D>, target: Targets.Target<D>) =>
  now(runtime, target, Targets.expire)

export const invalidateAfter = <D extends AnyDefinition, A, E, R>(
  runtime: Runtime<D>,
  target: Targets.Target<D>,
  statements: Effect.Effect<A, E, R>
): Effect.Effect<A, E | InvalidQuery | ReadFailed, R> =>
  targeted(runtime, target, ({ core }, checked) =>
    Targets.invalidateAfter(core, checked, () => monotonicMillis(runtime.clock), statements)
  )
