/** What the laws of projections are held against. */
import { Arbitrary, Effect, FastCheck, type Option, Schema, type Scope } from "effect"
import type { TypeLambda } from "effect/HKT"
import * as ChangeLog from "../../../ChangeLog.js"
import * as Projection from "../../../Projection.js"
import * as Tier from "../../../Tier.js"
import { type Law, leftOutReasonOf } from "../law.js"

/** Which events a definition is tested with. */
export interface ProjectionSubjectOptions<out E extends Projection.AnyEvent> {
  /**
   * Events of one key, in an order that your writers can produce. Give them if `apply` refuses some orders. Default: random
   * orders of random events, by the Schemas.
   */
  readonly histories?: ReadonlyArray<ReadonlyArray<E>> | undefined
}

/** Events of one key, as their writer has them. */
export type History = ReadonlyArray<Projection.AnyEvent>

/** What the lanes of a projection give for one history. */
export interface Lanes {
  /** Folded from all events. */
  readonly full: Option.Option<unknown>
  /** Of the events up to the cut, kept in memory, and the others folded onto it. */
  readonly fromMemory: Option.Option<unknown>
  /** Of the events up to the cut, kept in a tier, and the others folded onto it. */
  readonly fromTier: Option.Option<unknown>
  readonly stored: Projection.Stored
}

/** A definition under test, made by `subject`. */
export interface ProjectionSubject {
  readonly name: string
  readonly kinds: ReadonlyArray<string>
  /** Whether it folds events of a kind. */
  readonly isRelevant: (kind: string) => boolean
  /** Draws so many histories: the same seed draws the same. */
  readonly draw: (seed: number, count: number) => ReadonlyArray<History>
  /** The state before the first event, and after no state. */
  readonly initial: unknown
  /** Calls `apply` of the definition. It throws what `apply` throws. */
  readonly apply: (state: unknown, event: Projection.AnyEvent) => unknown
  /** What an event is after it was encoded, logged and decoded. */
  readonly reread: (event: Projection.AnyEvent) => Effect.Effect<unknown, unknown>
  readonly lanes: (history: History, cut: number) => Effect.Effect<Lanes, unknown, Scope.Scope>
}

/** There is no need that a definition can lack. */
export type ProjectionNeed = never

/** What the laws of one group are about. */
export type ProjectionGroup = "folding" | "purity" | "encoding"

/** The subjects of this kit: they have no free types. */
export interface ProjectionSubjects extends TypeLambda {
  readonly type: ProjectionSubject
}

/** One law. */
export type ProjectionLaw = Law<ProjectionSubjects, ProjectionNeed, ProjectionGroup>

export const lacks = (): string | undefined => undefined

/** Why a law is left out for this definition: it never is. */
export const projectionLeftOutReason = leftOutReasonOf<ProjectionSubjects, ProjectionNeed>(lacks)

const key = "key"

const maxEvents = 16

const drawn = (schemas: Projection.Schemas) => {
  const event = FastCheck.oneof(
    ...Object.entries(schemas).map(([kind, schema]) =>
      Arbitrary.make(schema).map((data): Projection.AnyEvent => ({ kind, data }))
    )
  )
  const histories = FastCheck.array(event, { minLength: 1, maxLength: maxEvents })
  return (seed: number, count: number): ReadonlyArray<History> =>
    FastCheck.sample(histories, { seed, numRuns: count })
}

const rereading = (schema: Schema.Schema.AnyNoContext, data: unknown): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(Schema.encodeUnknown(schema)(data), (encoded) =>
    Effect.suspend(() => Schema.decodeUnknown(schema)(JSON.parse(JSON.stringify(encoded) ?? "null")))
  )

const lanesOf =
  <S, E extends Projection.AnyEvent>(definition: Projection.Definition<S, E>) =>
  (history: ReadonlyArray<E>, cut: number): Effect.Effect<Lanes, unknown, Scope.Scope> =>
    Effect.gen(function* () {
      const { events } = definition
      const log = yield* ChangeLog.make<Projection.EventValue>({ keys: "indexed" })
      const append = (some: ReadonlyArray<E>) =>
        Effect.forEach(
          some,
          ({ data, kind }) =>
            Effect.flatMap(events.change(key, kind, data), (change) => log.append([change])),
          { discard: true }
        )
      const further = { ...definition, incremental: "on" } as const
      const tier = yield* Tier.memory()
      const memory = yield* Projection.make(further, log)
      const writer = yield* Projection.make(further, log, { slots: 0, tier })
      const reader = yield* Projection.make(further, log, { slots: 0, tier })
      yield* append(history.slice(0, cut))
      yield* memory.project(key)
      const { stored } = yield* writer.projectOutcome(key)
      yield* append(history.slice(cut))
      const full = yield* Projection.make(definition, log, { slots: 0 })
      return {
        full: yield* full.project(key),
        fromMemory: yield* memory.project(key),
        fromTier: yield* reader.project(key),
        stored
      }
    })

/** Makes a subject of a definition of yours. */
export const subject = <S, E extends Projection.AnyEvent>(
  definition: Projection.Definition<S, E>,
  { histories }: ProjectionSubjectOptions<E> = {}
): ProjectionSubject => {
  const { events, initial, kinds, name } = definition
  const { schemas } = events
  const lanes = lanesOf(definition)
  return {
    name,
    kinds: Object.keys(schemas),
    isRelevant: (kind) => kinds === undefined || kinds.includes(kind),
    draw: histories === undefined ? drawn(schemas) : () => histories,
    // The laws pass on what `apply` has returned, and events that were drawn for it.
    initial,
    apply: (state, event) => definition.apply(state as S, event as E),
    reread: ({ data, kind }) => {
      const schema = schemas[kind]
      return schema === undefined ? Effect.fail(`there is no kind ${kind}`) : rereading(schema, data)
    },
    lanes: (history, cut) => lanes(history as ReadonlyArray<E>, cut)
  }
}
