/** Decodes the events of a log: one decoder for every lane. */
import { Either, Schema } from "effect"
import type { Event } from "../log/events.js"
import { forgottenKind, kindOf } from "../log/kinds.js"
import type { Definition } from "./definition.js"
import type { AnyEvent, EventSet, EventValue } from "./events.js"
import { freezePlain } from "./states.js"

/**
 * An event of a log as a fold takes it.
 * - `Erased`: it folds as nothing.
 * - `Forgotten`: everything of the key before it folds as nothing.
 * - `Malformed`: it cannot be decoded, for the reason.
 */
export type Decoded<E> =
  | { readonly _tag: "Event"; readonly event: E }
  | { readonly _tag: "Erased" }
  | { readonly _tag: "Forgotten" }
  | { readonly _tag: "Malformed"; readonly problem: string; readonly cause?: unknown }

export type Decode<E> = (event: Event<EventValue>) => Decoded<E>

const erased = { _tag: "Erased" } as const
const forgotten = { _tag: "Forgotten" } as const

const malformed = (problem: string, cause?: unknown): Decoded<never> => ({
  _tag: "Malformed",
  problem,
  ...(cause === undefined ? {} : { cause })
})

const refused = (kind: string, cause: unknown): Decoded<never> =>
  malformed(`the Schema of its kind ${JSON.stringify(kind)} refuses its data: see the cause`, cause)

interface KindDecoder {
  readonly kind: string
  readonly decode: (data: unknown) => Either.Either<unknown, unknown>
}

const decodersOf = ({ renamed, schemas }: EventSet<never>): Map<string, KindDecoder> => {
  const decoders = new Map<string, KindDecoder>()
  for (const [kind, schema] of Object.entries(schemas)) {
    decoders.set(kind, { kind, decode: Schema.decodeUnknownEither(schema) })
  }
  for (const [old, kind] of Object.entries(renamed)) {
    const decoder = decoders.get(kind)
    if (decoder !== undefined) decoders.set(old, decoder)
  }
  return decoders
}

/** Makes the decoder of a set of events. */
export const decoderOf = <E extends AnyEvent>(events: EventSet<E>): Decode<E> => {
  // Decoders need the schemas alone.
  const decoders = decodersOf(events as unknown as EventSet<never>)
  return (event) => {
    if (event._tag === "Delete") return malformed("it removes the key, which no event does")
    const kind = kindOf(event.value)
    if (kind === undefined) return malformed("it has no kind: it is no event")
    if (kind === forgottenKind) return forgotten
    const decoder = decoders.get(kind)
    if (decoder === undefined) {
      return malformed(
        `its kind ${JSON.stringify(kind)} is not known: add its Schema, or name it in \`renamed\``
      )
    }
    if (event.value.erased === true) return erased
    try {
      const data = decoder.decode(event.value.data)
      if (Either.isLeft(data)) return refused(kind, data.left)
      // The Schema of a kind decodes to the data of this kind.
      return { _tag: "Event", event: { kind: decoder.kind, data: data.right } as E }
    } catch (cause) {
      // A transformation of the Schema threw.
      return refused(kind, cause)
    }
  }
}

/** Decodes each event once for all projections of one set of events, until `clear`. Records and arrays that they share are frozen. */
export interface Sharing {
  readonly share: <E extends AnyEvent>(events: object, decode: Decode<E>) => Decode<E>
  readonly clear: () => void
}

export const makeSharing = (): Sharing => {
  const sets = new Map<object, Map<Event<EventValue>, Decoded<AnyEvent>>>()
  return {
    share: <E extends AnyEvent>(events: object, decode: Decode<E>): Decode<E> => {
      const known = sets.get(events) ?? new Map<Event<EventValue>, Decoded<AnyEvent>>()
      sets.set(events, known)
      return (event) => {
        // Of one set all have decoded to its events.
        const before = known.get(event) as Decoded<E> | undefined
        if (before !== undefined) return before
        const decoded = decode(event)
        if (decoded._tag === "Event") freezePlain(decoded.event)
        known.set(event, decoded)
        return decoded
      }
    },
    clear: () => {
      for (const known of sets.values()) known.clear()
    }
  }
}

/** The kinds that a definition reads, by all the names that they have in a log, in order; `undefined` for all kinds. */
export const storedKinds = <S, E extends AnyEvent>({
  events,
  kinds
}: Definition<S, E>): ReadonlyArray<string> | undefined => {
  if (kinds === undefined) return undefined
  const wanted = new Set<string>(kinds)
  for (const [old, kind] of Object.entries(events.renamed)) if (wanted.has(kind)) wanted.add(old)
  return [...wanted].sort()
}
