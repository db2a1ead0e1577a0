/** Events of projections: their kinds, what a log holds of them, and how they are encoded. */
import { Either, ParseResult, Schema } from "effect"
import { type Change, put } from "../log/events.js"

/** What an event log holds under a key: an event's kind, and its data as its Schema encodes it. */
export interface EventValue {
  readonly kind: string
  readonly data?: unknown
  /** The key that the data was encrypted with is destroyed: the event folds as nothing. */
  readonly erased?: boolean | undefined
}

/** An event of any set. */
export interface AnyEvent {
  readonly kind: string
  readonly data: unknown
}

/** A Schema for each kind. Kinds that begin with `$` are the library's own. */
export type Schemas = { readonly [kind: string]: Schema.Schema.AnyNoContext }

/** The events of some schemas: a union of `{ kind, data }`. */
export type EventOf<D extends Schemas> = {
  readonly [K in keyof D & string]: { readonly kind: K; readonly data: Schema.Schema.Type<D[K]> }
}[keyof D & string]

/** The data of the events of one kind. */
export type DataOf<E extends AnyEvent, K extends E["kind"]> = Extract<E, { readonly kind: K }>["data"]

/** Kinds of events, with a Schema for each. Projections decode by it, and writers encode by it. */
export interface EventSet<in out E extends AnyEvent> {
  readonly schemas: Schemas
  /** Kinds of old events, and the kinds that they have now. */
  readonly renamed: { readonly [old: string]: string }
  /** Makes the change that appends an event to a key. Fails if the data is not of the kind's Schema. */
  readonly change: <const K extends E["kind"]>(
    key: string,
    kind: K,
    data: DataOf<E, K>
  ) => Either.Either<Change<EventValue>, ParseResult.ParseError>
}

/** Options of a set of events. */
export interface EventOptions<D extends Schemas> {
  /** Kinds of old events, and the kinds that they have now. Their data is decoded by the Schema of the new kind. */
  readonly renamed?: { readonly [old: string]: keyof D & string } | undefined
}

type OwnKinds<D extends Schemas> = { readonly [K in keyof D]: K extends `$${string}` ? never : D[K] }

/** Makes a set of events of a Schema for each kind. `Projection.make` refuses a set that cannot work. */
export const events = <const D extends Schemas>(
  schemas: D & OwnKinds<D>,
  options: EventOptions<D> = {}
): EventSet<EventOf<D>> => {
  const encoders = new Map(
    // `Projection.make` refuses what is no record.
    Object.entries<Schema.Schema.AnyNoContext>(schemas ?? {}).map(([kind, schema]) => [
      kind,
      Schema.encodeUnknownEither(schema)
    ])
  )
  return {
    schemas,
    renamed: { ...options?.renamed },
    change: (key, kind, data) => {
      const encode = encoders.get(kind) ?? unknownKind(kind)
      return Either.map(encode(data), (data): Change<EventValue> => put(key, { kind, data }))
    }
  }
}

const unknownKind = (kind: string) => (data: unknown) =>
  Either.left(
    ParseResult.parseError(
      new ParseResult.Type(
        Schema.Never.ast,
        data,
        `there is no kind ${JSON.stringify(kind)} in this set of events`
      )
    )
  )
