/** A definition over a log, checked, and made ready to fold. */
import { type Either, type ParseResult, Schema } from "effect"
import type { ChangeLog } from "../log/changeLog.js"
import type { Change } from "../log/events.js"
import type { KeyIndex } from "../log/keyIndex.js"
import { validateKey } from "../log/selector.js"
import * as Rules from "../options.js"
import { isLonger, validateText } from "../text.js"
import { decoderOf, storedKinds } from "./decoder.js"
import type { Definition } from "./definition.js"
import type { AnyEvent, DataOf, EventSet, EventValue } from "./events.js"
import type { Folder } from "./fold.js"
import { type States, statesOf } from "./states.js"

export interface Compiled<S, E> {
  readonly name: string
  readonly version: number
  readonly incremental: boolean
  readonly index: KeyIndex<EventValue>
  /** By the names that they have in the log, in order; `undefined` for all. */
  readonly kinds: ReadonlyArray<string> | undefined
  readonly states: States<S>
  readonly folder: Folder<S, E>
  /** The set of its events, by which projections know that they decode alike. */
  readonly events: object
  /** Makes the change that appends an event to a key. Anything may be given as the event. */
  readonly encode: (key: string, event: E) => Either.Either<Change<EventValue>, ParseResult.ParseError>
}

/** A namespace of a tier holds two names. */
const maxNameBytes = 200

export const validateName = (given: unknown): string | undefined => {
  const problem = validateText("it", given)
  if (problem !== undefined || given === "") return "must be a text that is not empty, without U+0000"
  return isLonger(JSON.stringify(given), maxNameBytes)
    ? `must have at most ${maxNameBytes} bytes of UTF-8`
    : undefined
}

const validateOwnKind = (kind: string): string | undefined =>
  kind.startsWith("$")
    ? `must not have the kind ${JSON.stringify(kind)}: kinds that begin with $ are the library's own`
    : validateKey(kind) === undefined
      ? undefined
      : `must not have the kind ${JSON.stringify(kind.slice(0, 32))}: a log cannot hold it as a key`

const validateEvents = (given: unknown): string | undefined => {
  const { renamed, schemas } = (given ?? {}) as Partial<EventSet<never>>
  if (typeof schemas !== "object" || schemas === null || renamed === undefined)
    return "must be made by Projection.events of a Schema for each kind"
  for (const [kind, schema] of Object.entries(schemas)) {
    const problem = validateOwnKind(kind)
    if (problem !== undefined) return problem
    if (!Schema.isSchema(schema)) return `must have a Schema for the kind ${JSON.stringify(kind)}`
  }
  for (const [old, kind] of Object.entries(renamed)) {
    const problem = validateOwnKind(old)
    if (problem !== undefined) return problem
    if (Object.hasOwn(schemas, old))
      return `must not rename the kind ${JSON.stringify(old)}, which has a Schema`
    if (!Object.hasOwn(schemas, kind))
      return `must have a Schema for ${JSON.stringify(kind)}, to which a kind is renamed`
  }
  return Object.keys(schemas).length === 0 ? "must have a Schema for at least one kind" : undefined
}

const validateKinds = (
  events: EventSet<never>,
  kinds: ReadonlyArray<unknown> | undefined
): string | undefined => {
  if (kinds === undefined) return undefined
  if (kinds.length === 0) return "must have at least one kind: leave it out for all kinds"
  const unknown = kinds.find((kind) => typeof kind !== "string" || !Object.hasOwn(events.schemas, kind))
  return unknown === undefined
    ? undefined
    : "must be kinds of `events`, by the names that they have now: old names are read with them"
}

const rules = {
  name: Rules.valid<string>(validateName),
  version: Rules.or(Rules.whole(0, "", 10_000), 0),
  events: Rules.valid<EventSet<never>>(validateEvents),
  kinds: Rules.optional(Rules.that("an array of kinds", Array.isArray)),
  state: Rules.that("a Schema", Schema.isSchema),
  initial: Rules.that("a state, not undefined", (given) => given !== undefined),
  incremental: Rules.or(Rules.oneOf("on", "off"), "off"),
  apply: Rules.func("that returns the state after an event")
} satisfies Rules.Rules<Definition<never, never>>

const wrong = (option: string, message: string): Rules.InvalidOptions =>
  new Rules.InvalidOptions({ option, message })

const noIndex = wrong(
  "log",
  'must have an index of its keys: make it with keys: "indexed". A log without one is copied into a new one: read its revisions, and commit them there as entries'
)

/** Returns an initial state for each fold, which the fold may change; `undefined` if the Schema cannot encode it. */
const initialOf = <S>(states: States<S>, initial: S): (() => S) | undefined => {
  const kept = states.keep(initial)
  if (kept === undefined) return undefined
  if (typeof initial !== "object" || initial === null) return () => initial
  return () => {
    const copy = states.copy(kept)
    // It was decoded from this text before.
    return copy as S
  }
}

const noEvent: AnyEvent = { kind: "", data: undefined }

/** Compiles a definition over a log. Answers the error of the first thing that cannot work. */
export const compile = <S, E extends AnyEvent>(
  definition: Definition<S, E>,
  log: ChangeLog<EventValue>,
  projection: string | undefined
): Compiled<S, E> | Rules.InvalidOptions => {
  const checked = Rules.nested<Definition<S, E>>()(rules).read("definition", definition)
  if (checked instanceof Rules.InvalidOptions) return checked
  // The rules have checked what the types promise.
  const problem = validateKinds(definition.events as unknown as EventSet<never>, definition.kinds)
  if (problem !== undefined) return wrong("definition.kinds", problem)
  const index = (log as ChangeLog<EventValue> | undefined)?.index
  if (index === undefined) return noIndex
  const states = statesOf<S>(definition.state)
  const initial = initialOf(states, definition.initial)
  if (initial === undefined)
    return wrong("definition.initial", "must be a state that its Schema encodes as JSON")
  const { apply, events, name } = definition
  return {
    name,
    version: checked.version,
    incremental: checked.incremental === "on",
    index,
    kinds: storedKinds(definition),
    states,
    folder: { name: projection ?? name, decode: decoderOf(events), initial, apply },
    events,
    encode: (key, event) => {
      const { data, kind } = (event as E | undefined) ?? noEvent
      // The data of an event is that of its kind.
      return events.change(key, kind, data as DataOf<E, E["kind"]>)
    }
  }
}
