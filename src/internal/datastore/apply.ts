/**
 * What an operation does to a store: one pure function of the server, of a save while the head is locked, and of a client
 * that shows its operations before the server has answered.
 */
import * as Either from "effect/Either"
import type { Json, JsonObject } from "../columns/jsonData.js"
import {
  type Changed,
  type Changes,
  type Expect,
  isRefused,
  type Operation,
  type Refused,
  type Row,
  type State,
  type Step
} from "./operation.js"

/** What earlier steps of an operation have made of the store. */
interface Draft {
  readonly state: State
  readonly revision: number
  readonly expired: Array<Changed>
  readonly changed: Array<Changed>
  readonly rows: Array<Row<JsonObject> | undefined>
  /** What steps have made of keys; only of an operation with several steps. */
  readonly latest: Map<string, Row<JsonObject> | undefined> | undefined
}

/** The keys that an operation looks at, each once. */
export const keysOf = (primary: string, { steps }: Operation): ReadonlyArray<string> => {
  if (steps.length === 1) return [keyOf(primary, steps[0] as Step<JsonObject>)]
  const keys = new Set<string>()
  for (const step of steps) keys.add(keyOf(primary, step))
  return Array.from(keys)
}

/** The key of a step that was checked. */
const keyOf = (primary: string, step: Step<JsonObject>): string =>
  // The primary field of checked data is text.
  step._tag === "Set" ? (step.data[primary] as string) : step.key

/** Strictly after its instant. */
const isOver = ({ endsAt }: State, key: string, now: number): boolean => {
  const ends = endsAt?.(key)
  return ends !== undefined && now > ends
}

const currentOf = ({ latest, state }: Draft, key: string): Row<JsonObject> | undefined =>
  latest?.has(key) === true ? latest.get(key) : state.get(key)

const refuse = (
  reason: Refused["reason"],
  message: string,
  step: number,
  key: string,
  row?: Row<JsonObject>
): Refused => ({ reason, message, step, key, ...(row && { row }) })

const judgeExpect = (
  expect: Expect,
  before: Row<JsonObject> | undefined,
  step: number,
  key: string
): Refused | undefined => {
  if (expect === "absent") {
    if (before === undefined) return undefined
    return refuse("Conflict", "there is such a record already: read it, and decide anew", step, key, before)
  }
  if (before?.seq === expect) return undefined
  return before === undefined
    ? refuse("Conflict", "there is no such record any more: decide anew", step, key)
    : refuse(
        "Conflict",
        `the record was written by revision ${before.seq}, and not ${expect}: decide anew`,
        step,
        key,
        before
      )
}

const patched = (
  data: JsonObject,
  set: Partial<JsonObject> | undefined,
  unset: ReadonlyArray<string>
): JsonObject => {
  const entries: Array<[string, Json]> = []
  for (const [name, value] of Object.entries(data)) {
    if (!unset.includes(name) && !(set !== undefined && Object.hasOwn(set, name))) entries.push([name, value])
  }
  for (const [name, value] of Object.entries(set ?? {})) if (value !== undefined) entries.push([name, value])
  // It defines properties, so that `__proto__` is a plain one.
  return Object.freeze(Object.fromEntries(entries))
}

/** Returns the record that a step makes, none if it removes, or why it cannot. */
const outcomeOf = (
  step: Step<JsonObject>,
  before: Row<JsonObject> | undefined,
  seq: number,
  index: number,
  key: string
): Row<JsonObject> | undefined | Refused => {
  switch (step._tag) {
    case "Set":
      return Object.freeze({ key, data: step.data, seq })
    case "Delete":
      return undefined
    case "Patch":
      if (before === undefined) {
        return refuse("Missing", "there is no such record to patch: set it as a whole", index, key)
      }
      return Object.freeze({ key, data: patched(before.data, step.set, step.unset ?? []), seq })
  }
}

const forbidden = (index: number, key: string): Refused =>
  refuse("Forbidden", "the principal may not do this to the record", index, key)

/** Applies a step to the draft, or returns why it is refused. */
const applyStep = (draft: Draft, step: Step<JsonObject>, index: number, now: number): Refused | undefined => {
  const { changed, expired, latest, revision, rows, state } = draft
  const { judge, primary } = state
  const key = keyOf(primary, step)
  let before = currentOf(draft, key)
  if (
    before !== undefined &&
    state.endsAt !== undefined &&
    before.seq <= state.seq &&
    isOver(state, key, now)
  ) {
    expired.push({ key, before, after: undefined })
    before = undefined
  }
  // Before anything else, which would reveal it.
  if (judge !== undefined && before !== undefined && !judge.mayRead(before)) return forbidden(index, key)
  const conflict = step.expect === undefined ? undefined : judgeExpect(step.expect, before, index, key)
  if (conflict !== undefined) return conflict
  const after = outcomeOf(step, before, revision, index, key)
  if (after !== undefined && isRefused(after)) return after
  const problem = after === undefined ? undefined : state.problem?.(after.data)
  if (problem !== undefined) return refuse("InvalidData", problem, index, key)
  const isNothing = before === undefined && after === undefined
  if (judge !== undefined && !isNothing && !judge.mayWrite(before, after)) return forbidden(index, key)
  rows.push(after)
  if (!isNothing) changed.push({ key, before, after })
  latest?.set(key, after)
  return undefined
}

const firstRefusal = (draft: Draft, { steps }: Operation, now: number): Refused | undefined => {
  for (let i = 0; i < steps.length; i++) {
    const refused = applyStep(draft, steps[i] as Step<JsonObject>, i, now)
    if (refused !== undefined) return refused
  }
  return undefined
}

/** Where nothing can be over. Nothing is pushed into it. */
const noneExpired: Array<Changed> = []

const draftOf = (state: State, revision: number, { steps }: Operation): Draft => ({
  state,
  revision,
  expired: state.endsAt === undefined ? noneExpired : [],
  changed: [],
  rows: [],
  latest: steps.length > 1 ? new Map() : undefined
})

/** As {@link apply}, where its result stays in this part. */
export const applied = (state: State, operation: Operation, now: number): Changes | Refused => {
  const { seq } = state
  let draft = draftOf(state, seq + 1, operation)
  let refused = firstRefusal(draft, operation, now)
  if (draft.expired.length > 0) {
    // What is over is removed by the next revision, so the operation has the one after it.
    draft = draftOf(state, seq + 2, operation)
    refused = firstRefusal(draft, operation, now)
  }
  if (refused !== undefined) return refused
  const { changed, expired, rows } = draft
  const revision = changed.length > 0 ? draft.revision : seq + (expired.length > 0 ? 1 : 0)
  return { revision, expired, changed, rows }
}

/**
 * Applies an operation to a store, and returns what it does, or why it is refused. It changes nothing itself.
 *
 * - The operation's data must have been checked: see `Datastore.checkSteps`.
 * - `now` is the time in which the state answers when records end. A record that is over counts as removed before.
 * - A step sees what the steps before it have done. The records of one operation have one seq, that of its revision.
 */
export const apply = (state: State, operation: Operation, now: number): Either.Either<Changes, Refused> => {
  const done = applied(state, operation, now)
  return isRefused(done) ? Either.left(done) : Either.right(done)
}
