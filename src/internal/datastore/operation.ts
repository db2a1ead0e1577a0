/** What clients and servers ask of a store: steps that are judged in order, all of them or none. */
import type { Json, JsonObject } from "../columns/jsonData.js"

/** A record of a store. Readers share it: it is frozen, and so is its data. */
export interface Row<out A> {
  /** The value of the record's primary field. */
  readonly key: string
  readonly data: A
  /** The number of the revision that wrote it. */
  readonly seq: number
}

/** What a step expects of its record: the seq of the present one, or that there is none. */
export type Expect = number | "absent"

/** Replaces a record as a whole, or makes it. */
export interface SetStep<out A> {
  readonly _tag: "Set"
  readonly data: A
  readonly expect?: Expect | undefined
}

/** Sets and removes top-level fields of a record that is there, never the primary one. */
export interface PatchStep<out A> {
  readonly _tag: "Patch"
  readonly key: string
  readonly set?: Partial<A> | undefined
  readonly unset?: ReadonlyArray<string> | undefined
  readonly expect?: Expect | undefined
}

/** Removes a record. If there is none, nothing happens. */
export interface DeleteStep {
  readonly _tag: "Delete"
  readonly key: string
  readonly expect?: Expect | undefined
}

/** One step of an operation. */
export type Step<A> = SetStep<A> | PatchStep<A> | DeleteStep

/** Steps that are one revision. */
export interface Operation<A = JsonObject> {
  readonly steps: ReadonlyArray<Step<A>>
}

/** The most steps of one operation. */
export const maxSteps = 1000

/** Makes a step that replaces a record, or makes it. */
export const set = <A>(data: A, expect?: Expect): Step<A> => ({ _tag: "Set", data, expect })

/** Makes a step that changes fields of a record. */
export const patch = <A>(
  key: string,
  fields: { readonly set?: Partial<A>; readonly unset?: ReadonlyArray<string> },
  expect?: Expect
): Step<A> => ({ _tag: "Patch", key, ...fields, expect })

/** Makes a step that removes a record. */
export const remove = (key: string, expect?: Expect): Step<never> => ({ _tag: "Delete", key, expect })

/**
 * Why an operation is refused; nothing of it is applied.
 *
 * - `InvalidKey`: the primary field is missing, empty, no text, or too long; or a patch names it.
 * - `InvalidData`: the data is no JSON object, is nested too deeply, or is not as the store's schema has it.
 * - `Missing`: there is no such record to patch.
 * - `Conflict`: the record is not as a step expects it. `row` is the present one, if there is one.
 * - `Forbidden`: the principal may not do it, or may not know of the record.
 */
export interface Refused {
  readonly reason: "InvalidKey" | "InvalidData" | "InvalidOperation" | "Missing" | "Conflict" | "Forbidden"
  readonly message: string
  /** The step, by its position. */
  readonly step: number
  readonly key?: string | undefined
  /** Of a `Conflict`. Left out: there is no such record. */
  readonly row?: Row<JsonObject> | undefined
}

/** Whether an answer is a refusal: nothing else has a reason. To read it takes less time than `in`. */
export const isRefused = (given: object): given is Refused => (given as Partial<Refused>).reason !== undefined

/** What one key comes to by an operation. */
export interface Changed {
  readonly key: string
  readonly before: Row<JsonObject> | undefined
  /** Left out: it is removed. */
  readonly after: Row<JsonObject> | undefined
}

/** What an operation does to a store. */
export interface Changes {
  /** The revision of the operation; if it changes nothing, that of the store as it is. */
  readonly revision: number
  /** Records whose time was over: they are removed by a revision of their own, the one before, if there are any. */
  readonly expired: ReadonlyArray<Changed>
  /** In the order of the steps. A key may be there twice. */
  readonly changed: ReadonlyArray<Changed>
  /** For each step the record that it wrote; none for one that removes. */
  readonly rows: ReadonlyArray<Row<JsonObject> | undefined>
}

/** What may be done to a store on whose behalf an operation is judged. */
export interface Judge {
  readonly mayRead: (row: Row<JsonObject>) => boolean
  /** With the record before and after; left out where there is none. */
  readonly mayWrite: (before: Row<JsonObject> | undefined, after: Row<JsonObject> | undefined) => boolean
}

/** A store as an operation sees it. */
export interface State {
  /** The field that is the key of a record. */
  readonly primary: string
  /** The number of the last revision. */
  readonly seq: number
  readonly get: (key: string) => Row<JsonObject> | undefined
  /** When a record ends, in the time of `now`. Left out: none ends. */
  readonly endsAt?: ((key: string) => number | undefined) | undefined
  /** Left out: the server itself, which may do everything. */
  readonly judge?: Judge | undefined
  /** Returns why data of a record is not as the store's schema has it, or `undefined`. */
  readonly problem?: ((data: JsonObject) => string | undefined) | undefined
}

/** Steps whose data is checked, copied and frozen. `bytes` is about the JSON of what each writes. */
export interface Owned {
  readonly steps: ReadonlyArray<Step<JsonObject>>
  readonly bytes: number
}

/** The names of the data of a reply that is remembered as JSON. */
export type ReplyJson = { readonly [key: string]: Json }
