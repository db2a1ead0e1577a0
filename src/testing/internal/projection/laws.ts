/** All laws of projections, and how a definition is held against them. */

import { Effect, identity, Option, type Scope } from "effect"
import { isPlainObject } from "../../../internal/realms.js"
import { describeError, unless } from "../calls.js"
import { type Kit, lawMaker, type Trial } from "../law.js"
import { runnerOf } from "../report.js"
import { sameData } from "../sameData.js"
import {
  type History,
  type Lanes,
  lacks,
  type ProjectionGroup,
  type ProjectionLaw,
  type ProjectionNeed,
  type ProjectionSubject,
  type ProjectionSubjects
} from "./subject.js"

/** A value in a message. */
export const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

const stateText = (state: Option.Option<unknown>): string =>
  Option.match(state, { onNone: () => "no state", onSome: shown })

export const sameState = (a: Option.Option<unknown>, b: Option.Option<unknown>): boolean =>
  sameData(Option.getOrUndefined(a), Option.getOrUndefined(b))

const kindsOf = (history: History): string => history.map(({ kind }) => kind).join(", ")

const law = lawMaker<ProjectionSubjects, ProjectionNeed, ProjectionGroup>()

type Check = (trial: Trial<ProjectionSubject>, history: History) => Effect.Effect<void, string, Scope.Scope>

/** Makes a law that holds for each history. */
const forEach = (data: Parameters<typeof law>[0], check: Check): ProjectionLaw =>
  law(data, (trial) =>
    Effect.forEach(
      trial.subject.draw(trial.seed, trial.samples),
      (history) => Effect.scoped(check(trial, history)),
      { discard: true }
    )
  )

/** The places at which a history is cut: its ends, and its middle. */
const cutsOf = ({ length }: History): ReadonlyArray<number> => [...new Set([1, length >> 1, length - 1])]

const lanesOf = (
  { subject }: Trial<ProjectionSubject>,
  history: History,
  cut: number
): Effect.Effect<Lanes, string, Scope.Scope> =>
  Effect.mapError(
    subject.lanes(history, cut),
    (error) => `projecting ${kindsOf(history)} fails: ${describeError(error)}`
  )

/** Fails unless a lane gives what the full fold gives. */
const sameLanes =
  (lane: "fromMemory" | "fromTier", where: string): Check =>
  (trial, history) =>
    Effect.forEach(
      cutsOf(history),
      (cut) =>
        Effect.flatMap(lanesOf(trial, history, cut), (lanes) =>
          unless(
            sameState(lanes[lane], lanes.full)
              ? undefined
              : `the first ${cut} of ${kindsOf(history)} ${where}, and the others folded onto that, give ${stateText(lanes[lane])} instead of ${stateText(lanes.full)}`
          )
        ),
      { discard: true }
    )

const isPlain = (value: object): boolean => Array.isArray(value) || isPlainObject(value)

/** Freezes plain data. Other objects may note something in themselves. */
const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && isPlain(value) && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) freeze(member)
  }
  return value
}

/** Folds by calls of `apply`. `around` gets each state and event before the call, and returns them. */
const folded = (
  { subject }: Trial<ProjectionSubject>,
  history: History,
  around: <A>(value: A) => A
): Effect.Effect<unknown, string> =>
  Effect.try({
    try: () => {
      let state: unknown
      for (const event of history) {
        if (subject.isRelevant(event.kind))
          state = subject.apply(around(state === undefined ? subject.initial : state), around(event))
      }
      return state
    },
    catch: (error) => `apply throws on one of ${kindsOf(history)}: ${describeError(error)}`
  })

/** Every law. */
export const projectionLaws: ReadonlyArray<ProjectionLaw> = [
  forEach(
    {
      id: "F1",
      name: "apply-takes-every-event",
      group: "folding",
      statement: "The fold takes every event that the Schemas allow, in every order that writers produce.",
      advice:
        "Return the state unchanged for events that mean nothing, or give the subject `histories` that can be"
    },
    (trial, history) => Effect.asVoid(folded(trial, history, identity))
  ),
  forEach(
    {
      id: "F2",
      name: "fold-of-a-part-and-the-rest",
      group: "folding",
      statement: "A state in memory, with the events after it, is the fold of all events.",
      advice: "Let `apply` use nothing but its arguments, and put all it needs into the state"
    },
    sameLanes("fromMemory", "are kept in memory")
  ),
  law(
    {
      id: "F3",
      name: "same-events-same-state",
      group: "purity",
      statement: "The same events fold to the same state at another time.",
      advice: "Let `apply` use no clock, no chance and no variable outside of it"
    },
    (trial) =>
      Effect.gen(function* () {
        const histories = trial.subject.draw(trial.seed, trial.samples)
        const foldAll = Effect.forEach(histories, (history) => folded(trial, history, identity))
        const first = yield* foldAll
        // A clock of milliseconds has moved on by then.
        yield* Effect.sleep("2 millis")
        const second = yield* foldAll
        const other = histories.findIndex((_, n) => !sameData(first[n], second[n]))
        yield* unless(
          other === -1
            ? undefined
            : `${kindsOf(histories[other] ?? [])} fold to ${shown(first[other])} first, and then to ${shown(second[other])}`
        )
      })
  ),
  forEach(
    {
      id: "F4",
      name: "arguments-stay-as-they-are",
      group: "purity",
      statement: "The fold changes neither a state nor an event that it gets.",
      advice: "Let `apply` return a new state instead of changing the one that it gets"
    },
    (trial, history) => Effect.asVoid(folded(trial, history, (value) => freeze(value)))
  ),
  forEach(
    {
      id: "F5",
      name: "states-survive-their-encoding",
      group: "encoding",
      statement: "A state in a tier, with the events after it, is the fold of all events.",
      advice:
        "Correct the Schema of the state: it must encode all that `apply` uses, to JSON, and decode the same"
    },
    (trial, history) =>
      Effect.andThen(
        sameLanes("fromTier", "are kept in a tier")(trial, history),
        Effect.flatMap(lanesOf(trial, history, history.length), ({ full, stored }) =>
          unless(
            stored === "NotEncodable" ? `the state ${stateText(full)} cannot be encoded as JSON` : undefined
          )
        )
      )
  ),
  forEach(
    {
      id: "F6",
      name: "events-survive-their-encoding",
      group: "encoding",
      statement: "An event that is read from a log is the one that was appended.",
      advice: "Correct the Schema of the kind: it must encode to JSON, and decode to the same"
    },
    ({ subject }, history) =>
      Effect.forEach(
        history,
        (event) =>
          Effect.matchEffect(subject.reread(event), {
            onFailure: (error) =>
              Effect.fail(
                `an event ${event.kind} of ${shown(event.data)} is refused: ${describeError(error)}`
              ),
            onSuccess: (data) =>
              unless(
                sameData(data, event.data)
                  ? undefined
                  : `an event ${event.kind} of ${shown(event.data)} is read as ${shown(data)}`
              )
          }),
        { discard: true }
      )
  )
]

/** The laws of projections. No need is ever lacked. */
export const projectionKit: Kit<ProjectionSubjects, ProjectionNeed, ProjectionGroup> = {
  laws: projectionLaws,
  lacks
}

/** Holds a definition against every law. */
export const runProjectionLaws = runnerOf(projectionKit)
