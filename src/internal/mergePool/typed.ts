/** Pools and replicas with the types of their fields, by the strategies that they are opened or made with. */
import type { Effect, Option } from "effect"
import type { Json } from "../columns/jsonData.js"
import type { Fields } from "./definition.js"
import type { Edit } from "./edits.js"
import type { MergeError } from "./poolErrors.js"
import type { PoolHandle } from "./poolHandle.js"
import type { ReadFailed, ReadOptions } from "./poolReading.js"
import type { Unsent } from "./replica.js"
import type { ReplicaHandle } from "./replicaHandle.js"
import type { FieldEdit, Strategy } from "./strategy.js"

/** The names of fields. */
export type NameOf<F extends Fields> = Extract<keyof F, string>

/** What programs read of a field by its strategy; without one, it is joined by `last`. */
export type ValueOf<S> = S extends Strategy<infer A> ? A : Json

/** A row as programs read it: its fields that are something. */
export interface RowOf<F extends Fields> extends ReadonlyMap<string, unknown> {
  get<K extends NameOf<F>>(name: K): ValueOf<F[K]> | undefined
}

/** Edits of fields by their names. */
export type EditsOf<F extends Fields> = { readonly [K in NameOf<F>]?: FieldEdit }

/** What a program does at once to one row of a pool with these fields. */
export type EditOf<F extends Fields> =
  | { readonly _tag: "Row"; readonly key: string; readonly fields: EditsOf<F> }
  | Extract<Edit, { readonly _tag: "Remove" }>

/** A pool with these fields: a {@link PoolHandle} whose rows have the types of its strategies. */
export interface Pool<F extends Fields> extends PoolHandle {
  /** Reads a row: its fields that are something, and may be seen; none if there is none. */
  readonly get: (key: string, options?: ReadOptions) => Effect.Effect<Option.Option<RowOf<F>>, ReadFailed>
}

/** A replica of a pool with these fields: a {@link ReplicaHandle} whose rows have the types of its strategies. */
export interface Replica<F extends Fields> extends Omit<ReplicaHandle, "edit" | "get" | "rows"> {
  /** Edits fields of a row at once; they get one stamp. Returns the edit, which waits in `unsent`. */
  readonly edit: (key: string, fields: EditsOf<F>) => Effect.Effect<Unsent, MergeError>
  /** Reads a row with what was edited here; none if there is none. */
  readonly get: (key: string) => Effect.Effect<Option.Option<RowOf<F>>>
  /** Reads all rows. */
  readonly rows: Effect.Effect<ReadonlyMap<string, RowOf<F>>>
}
