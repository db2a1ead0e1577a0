/** Examples of a definition in one line: given events, when more come, then a state. */
import { Data, Effect, Option } from "effect"
import type { AnyEvent, Definition } from "../../../Projection.js"
import { describeError } from "../calls.js"
import { sameState, shown } from "./laws.js"
import { type Lanes, subject } from "./subject.js"

/** An example does not hold. `message` shows what came and what was wanted. */
export class ExampleFailed extends Data.TaggedError("ExampleFailed")<{
  readonly message: string
}> {}

/** Events of one key, and what they fold to. */
export interface Given<in out S, in out E extends AnyEvent> {
  /** Further events. They are folded onto the state of those before. */
  readonly when: (...events: ReadonlyArray<E>) => Given<S, E>
  /** Checks the state after all events, folded at once and event by event. */
  readonly thenState: (expected: S) => Effect.Effect<void, ExampleFailed>
  /** Checks that there is no state after all events. */
  readonly thenNone: Effect.Effect<void, ExampleFailed>
}

const textOf = (state: Option.Option<unknown>): string =>
  Option.match(state, { onNone: () => "no state", onSome: shown })

const check = (lanes: Lanes, expected: Option.Option<unknown>): Effect.Effect<void, ExampleFailed> => {
  for (const [how, state] of [
    ["All events", lanes.full],
    ["The last events, folded onto the state before them,", lanes.fromMemory]
  ] as const) {
    if (sameState(state, expected)) continue
    return new ExampleFailed({ message: `${how} give ${textOf(state)} instead of ${textOf(expected)}` })
  }
  return Effect.void
}

const example = <S, E extends AnyEvent>(
  definition: Definition<S, E>,
  before: ReadonlyArray<E>,
  events: ReadonlyArray<E>
): Given<S, E> => {
  const { lanes } = subject(definition)
  const then = (expected: Option.Option<unknown>) =>
    Effect.scoped(lanes([...before, ...events], before.length)).pipe(
      Effect.mapError((error) => new ExampleFailed({ message: describeError(error) })),
      Effect.flatMap((found) => check(found, expected))
    )
  return {
    when: (...more) => example(definition, [...before, ...events], more),
    thenState: (expected) => then(Option.some(expected)),
    thenNone: then(Option.none())
  }
}

/**
 * Begins an example with events of one key:
 *
 * ```ts
 * yield* ProjectionLaws.given(accounts, opened, deposited).when(paid).thenState({ cents: 20 })
 * ```
 */
export const given = <S, E extends AnyEvent>(
  definition: Definition<S, E>,
  ...events: ReadonlyArray<E>
): Given<S, E> => example(definition, [], events)
