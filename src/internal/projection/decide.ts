/** Appends events by the state that they are decided on, and decides anew if another writer was faster. */
import { Effect, Either, type Option, Random } from "effect"
import { check } from "../arguments.js"
import { isInTransaction } from "../callerContext.js"
import { type Change, type ChangeLogError, Conflict, put, type Revision } from "../log/events.js"
import type { KeyEvent } from "../log/keyIndex.js"
import { matcherOfKinds } from "../log/kinds.js"
import { validateKey } from "../log/selector.js"
import * as Rules from "../options.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"
import { add, begin } from "./fold.js"
import { consistently } from "./projecting.js"
import type { Result } from "./runtime.js"
import type { Kept } from "./states.js"
import { keep } from "./storing.js"
import type { Calls } from "./ways.js"

/** Options of `decide`; each has a default. */
export interface DecideOptions {
  /**
   * Makes the call safe to repeat: if the log knows the id, nothing is appended, and the outcome is `Duplicate`. Default:
   * none.
   */
  readonly id?: string | undefined
  /** The most attempts, the first one included. Default 50. */
  readonly attempts?: number | undefined
}

/** What became of a decision. */
export interface Decided<out S> {
  /**
   * - `Appended`: the events are in the log.
   * - `Nothing`: there was no event to append.
   * - `Duplicate`: the log knew the id. Nothing was appended by this call.
   */
  readonly outcome: "Appended" | "Nothing" | "Duplicate"
  /** Of the events that were appended. */
  readonly revision: Revision | undefined
  /** The state after the decision: with `Appended` exactly that of `revision`. */
  readonly state: Option.Option<S>
  /** How many events the key had, as of this state. */
  readonly generation: number
  /** How often it was decided. */
  readonly attempts: number
}

/** Returns the events to append to a key that has a state, or none. It may be called several times. */
export type Decision<S, E, X, R> = (
  state: Option.Option<S>
) => ReadonlyArray<E> | Effect.Effect<ReadonlyArray<E>, X, R>

/** The first pause is below 2 ms, the next one below 4 ms, and none is longer than this. */
const maxPause = 1_000

/** No key has had so many events: an entry that expects them is a duplicate, or a conflict. */
const unreachable = Number.MAX_SAFE_INTEGER

const validateId = (given: unknown): string | undefined => validateKey(given)?.replace("a key ", "")

const rules = {
  id: Rules.optional(Rules.valid<string>(validateId)),
  attempts: Rules.or(Rules.whole(1, "attempts"), 50)
} satisfies Rules.Rules<DecideOptions>

/** One call of `decide`. */
interface Deciding<S, E extends AnyEvent> {
  readonly calls: Calls<S, E>
  readonly key: string
  readonly id: string | undefined
  readonly attempts: number
}

/** Events that are ready to be appended, and the state after them. */
interface Planned<S> {
  readonly changes: ReadonlyArray<Change<EventValue>>
  readonly after: Kept<S>
}

const failed = <S, E extends AnyEvent>(
  { calls, key }: Deciding<S, E>,
  reason: ProjectionError["reason"],
  message: string,
  cause?: unknown
): ProjectionError =>
  new ProjectionError({
    reason,
    projection: calls.runtime.name,
    key,
    message,
    ...(cause === undefined ? {} : { cause })
  })

const pause = (attempt: number): Effect.Effect<void> =>
  Effect.flatMap(Random.nextRange(0, Math.min(maxPause, 2 ** attempt)), (millis) => Effect.sleep(millis))

const decidedOf = <S, E extends AnyEvent>(
  { calls }: Deciding<S, E>,
  outcome: Decided<S>["outcome"],
  { generation, state }: Pick<Result<S>, "generation" | "state">,
  attempts: number,
  revision?: Revision
): Decided<S> => ({
  outcome,
  revision,
  state: calls.runtime.compiled.states.read(state),
  generation,
  attempts
})

/** Folds the events onto the state that they were decided on, so that none is appended that cannot be folded. */
const foldNext = <S, E extends AnyEvent>(
  { calls: { runtime }, key }: Deciding<S, E>,
  { generation, head, state }: Result<S>,
  changes: ReadonlyArray<Change<EventValue>>
): Kept<S> | ProjectionError => {
  const { folder, kinds, states } = runtime.compiled
  const isRelevant = matcherOfKinds(kinds)
  const revision: Revision = { ...head, seq: head.seq + 1 }
  const events: Array<KeyEvent<EventValue>> = []
  for (const [index, change] of changes.entries()) {
    if (isRelevant?.(change) === false) continue
    events.push({ generation: generation + 1 + index, event: { ...change, revision } })
  }
  if (events.length === 0) return state
  const fold = begin(key, states.copy(state), undefined)
  add(folder, fold, events)
  return keep(runtime, fold)
}

/** Encodes and folds what was decided. */
const plan = <S, E extends AnyEvent>(
  deciding: Deciding<S, E>,
  result: Result<S>,
  events: ReadonlyArray<E>
): Either.Either<Planned<S>, ProjectionError> => {
  const changes: Array<Change<EventValue>> = []
  if (!Array.isArray(events)) {
    return Either.left(failed(deciding, "Malformed", "the decision is no array of events: return one"))
  }
  for (const [index, event] of events.entries()) {
    const change = deciding.calls.runtime.compiled.encode(deciding.key, event)
    if (Either.isLeft(change)) {
      const message = `the decided event ${index + 1} is none of the definition's events: see the cause. Nothing was appended`
      return Either.left(failed(deciding, "Malformed", message, change.left))
    }
    changes.push(change.right)
  }
  const after = foldNext(deciding, result, changes)
  return after instanceof ProjectionError ? Either.left(after) : Either.right({ changes, after })
}

const commit = <S, E extends AnyEvent>(
  deciding: Deciding<S, E>,
  changes: ReadonlyArray<Change<EventValue>>,
  generation: number
) => {
  const { calls, id, key } = deciding
  const logFailed = (error: ChangeLogError): ProjectionError =>
    failed(deciding, "Log", `the log did not take the events: ${error.message}`, error)
  // A conflict is an answer here: a failure of the caller's own may look the same.
  return calls.log
    .commit([{ changes, ...(id === undefined ? {} : { id }), expect: [{ key, generation }] }])
    .pipe(
      Effect.catchTag("Conflict", (conflict) => Effect.succeed(conflict)),
      Effect.mapError(logFailed)
    )
}

/** The answer of a call whose id the log knows; `undefined` if it does not. */
const ifDuplicate = <S, E extends AnyEvent>(
  deciding: Deciding<S, E>,
  attempt: number
): Effect.Effect<Decided<S> | undefined, ProjectionError> => {
  const { calls, id, key } = deciding
  if (id === undefined) return Effect.succeed(undefined)
  return Effect.flatMap(commit(deciding, [put(key, { kind: "$probe" })], unreachable), (committed) =>
    committed instanceof Conflict
      ? Effect.succeed(undefined)
      : Effect.map(consistently(calls, key), (result) => decidedOf(deciding, "Duplicate", result, attempt))
  )
}

const append = <S, E extends AnyEvent>(
  deciding: Deciding<S, E>,
  result: Result<S>,
  { after, changes }: Planned<S>,
  attempt: number
): Effect.Effect<Decided<S> | Conflict, ProjectionError> => {
  const { calls, key } = deciding
  type Found = Effect.Effect<Decided<S> | Conflict, ProjectionError>
  return Effect.flatMap(commit(deciding, changes, result.generation), (committed): Found => {
    if (committed instanceof Conflict) return Effect.succeed(committed)
    const [revision] = committed.revisions
    if (revision === undefined) {
      return Effect.map(consistently(calls, key), (now) => decidedOf(deciding, "Duplicate", now, attempt))
    }
    const next = { state: after, generation: result.generation + changes.length }
    return Effect.succeed(decidedOf(deciding, "Appended", next, attempt, revision))
  })
}

/** Decides once. */
const once = <S, E extends AnyEvent, X, R>(
  deciding: Deciding<S, E>,
  decision: Decision<S, E, X, R>,
  attempt: number
): Effect.Effect<Decided<S> | Conflict, X | ProjectionError, R> => {
  const { calls, key } = deciding
  const { states } = calls.runtime.compiled
  return Effect.flatMap(consistently(calls, key), (result) => {
    const decided = Effect.suspend(() => {
      const given = decision(states.read(result.state))
      return Effect.isEffect(given) ? given : Effect.succeed(given)
    })
    const planned = Effect.flatMap(decided, (events) =>
      Array.isArray(events) && events.length === 0
        ? Effect.succeed(undefined)
        : plan(deciding, result, events)
    )
    // A call that is repeated decides on the state after its own events, which it may refuse.
    return Effect.matchEffect(planned, {
      onFailure: (error) =>
        Effect.flatMap(ifDuplicate(deciding, attempt), (before) =>
          before === undefined ? Effect.fail(error) : Effect.succeed(before)
        ),
      onSuccess: (planned) =>
        planned === undefined
          ? Effect.map(
              ifDuplicate(deciding, attempt),
              (before) => before ?? decidedOf(deciding, "Nothing", result, attempt)
            )
          : append(deciding, result, planned, attempt)
    })
  })
}

const contended = <S, E extends AnyEvent>(deciding: Deciding<S, E>, conflict: Conflict): ProjectionError =>
  failed(
    deciding,
    "Contended",
    `other writers were faster, ${deciding.attempts} times: try again later, or raise \`attempts\``,
    conflict
  )

const again = <S, E extends AnyEvent, X, R>(
  deciding: Deciding<S, E>,
  decision: Decision<S, E, X, R>,
  attempt: number
): Effect.Effect<Decided<S>, X | ProjectionError, R> =>
  Effect.flatMap(once(deciding, decision, attempt), (found) => {
    if (!(found instanceof Conflict)) return Effect.succeed(found)
    return attempt >= deciding.attempts
      ? Effect.fail(contended(deciding, found))
      : Effect.andThen(pause(attempt), () => again(deciding, decision, attempt + 1))
  })

const aDecision = Rules.func("that returns the events to append")

const settingsOf = (decision: unknown, options: DecideOptions) =>
  Effect.andThen(check("decision", aDecision, decision), Rules.resolve<DecideOptions>()(rules, options))

/** Decides until the events are appended to the state that they were decided on. */
export const decide = <S, E extends AnyEvent, X, R>(
  calls: Calls<S, E>,
  key: string,
  decision: Decision<S, E, X, R>,
  options: DecideOptions
): Effect.Effect<Decided<S>, X | ProjectionError | Rules.InvalidOptions, R> =>
  Effect.flatMap(settingsOf(decision, options), ({ attempts, id }) => {
    const deciding: Deciding<S, E> = { calls, key, id, attempts }
    return Effect.withFiberRuntime(({ currentContext }) =>
      isInTransaction(currentContext)
        ? Effect.fail(
            failed(
              deciding,
              "Refused",
              "in a transaction it could neither be judged nor rolled back: call decide outside of it"
            )
          )
        : again(deciding, decision, 1)
    )
  })
