/** The invalidations that callers make, with the checks of what they name. */
import { Effect } from "effect"
import { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition } from "../columns/writes.js"
import { monotonicMillis } from "../time.js"
import type { Core } from "./core.js"
import { noteEarly, type Runtime } from "./runtime.js"
import { valid } from "./slots.js"
import * as Targets from "./targets.js"

/** Before the master is up nothing is cached but in a tier, which is asked when it is up. */
const now = <D extends AnyDefinition>(
  { clock, life }: Runtime<D>,
  target: Targets.Target<D>,
  use: (core: Core<D>, target: Targets.CheckedTarget) => void
): Effect.Effect<void, InvalidQuery> =>
  Effect.suspend(() => {
    if (life.reads === undefined)
      return Effect.map(valid(Targets.checkShape(target)), () => noteEarly(life, monotonicMillis(clock)))
    const { core } = life.reads
    return Effect.map(valid(Targets.check(core, target)), (checked) => use(core, checked))
  })

export const invalidate = <D extends AnyDefinition>(runtime: Runtime<D>, target: Targets.Target<D>) =>
  now(runtime, target, Targets.invalidate)

export const expire = <D extends AnyDefinition>(runtime: Runtime<D>, target: Targets.Target<D>) =>
  now(runtime, target, Targets.expire)

const notStatements = new InvalidQuery({
  part: "statements",
  message: "the statements must be an Effect: pass the one that runs them"
})

/** Before the master is up ids and queries are not checked, and nothing is cached: what has come up meanwhile is dropped. */
export const invalidateAfter = <D extends AnyDefinition, A, E, R>(
  runtime: Runtime<D>,
  target: Targets.Target<D>,
  statements: Effect.Effect<A, E, R>
): Effect.Effect<A, E | InvalidQuery, R> =>
  Effect.suspend(() => {
    const { clock, life, settings } = runtime
    if (!Effect.isEffect(statements)) return Effect.fail(notStatements)
    const early = (until: number) => noteEarly(life, until)
    const times = { doubt: settings.doubt, now: () => monotonicMillis(clock) }
    if (life.reads !== undefined) {
      const { core } = life.reads
      return Effect.flatMap(valid(Targets.check(core, target)), (checked) =>
        Targets.invalidateAfter(() => core, checked, early, times, statements)
      )
    }
    return Effect.andThen(valid(Targets.checkShape(target)), () =>
      Targets.invalidateAfter(() => life.reads?.core, { _tag: "All" }, early, times, statements)
    )
  })
