/** The writes that callers make, with the checks of what they pass. */
import { Effect } from "effect"
import type * as Table from "../../Table.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import type { WriteFailed } from "./errors.js"
import type { Outcome } from "./outcomes.js"
import { whenUp } from "./readCalls.js"
import { type Runtime, stoppedWrite, writeEnd } from "./runtime.js"
import * as Staging from "./staging.js"
import * as Writing from "./writing.js"

/** Why a write cannot be queued; `undefined`: it can, or the master is not up, and it is checked when it is. */
const refusalOf = <D extends AnyDefinition>(
  { life }: Runtime<D>,
  write: Write<D>
): Table.WriteRefused | undefined => {
  const checked = life.reads?.core.checkWrite(write)
  return checked?._tag === "WriteRefused" ? checked : undefined
}

type WriteError = Table.WriteRefused | WriteFailed

const resultOf = <D extends AnyDefinition>(
  outcome: Outcome<D>
): Effect.Effect<Table.Written<D>, WriteError> =>
  outcome._tag === "Written" ? Effect.succeed(outcome) : Effect.fail(outcome)

export const write = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  given: Write<D>
): Effect.Effect<Table.Written<D>, WriteError> =>
  Effect.suspend(() => {
    const refused = refusalOf(runtime, given)
    if (refused !== undefined) return Effect.fail(refused)
    const { actor, writing } = runtime
    return Effect.flatMap(
      Writing.enqueue(writing, actor, given, () => stoppedWrite(runtime)),
      resultOf
    )
  })

export const unsafeWrite = <D extends AnyDefinition>(runtime: Runtime<D>, given: Write<D>): boolean => {
  if (refusalOf(runtime, given) !== undefined) return false
  const { actor, failures, writing } = runtime
  const job = Writing.makeJob(given, (outcome) => {
    if (outcome._tag !== "Written") failures.unsafeOffer({ write: given, error: outcome })
  })
  return Writing.unsafeEnqueue(writing, actor, job)
}

export const stage = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  given: Write<D>
): Effect.Effect<Staging.Staged<D>, WriteError> => {
  const { actor, writing } = runtime
  const staged = whenUp(runtime, ({ core }): Effect.Effect<Staging.Staged<D>, WriteError> => {
    const checked = core.checkWrite(given)
    return checked._tag === "WriteRefused"
      ? Effect.fail(checked)
      : Staging.stage(
          core,
          given,
          checked,
          Writing.queue(writing, actor, given, () => stoppedWrite(runtime))
        )
  })
  return Effect.catchTag(staged, "ReadFailed", (error) => Effect.fail(writeEnd(error)))
}
