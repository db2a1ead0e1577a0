/**
 * States as caches keep them: text, and a copy that all readers share if it can be frozen. Every reader of any lane gets
 * what the text decodes to, so that no one can change what another one gets, and all lanes give the same.
 */
import { Option, Schema } from "effect"
import { isPlainObject } from "../realms.js"
import { utf8Length } from "../text.js"
import type { StateSchema } from "./definition.js"

/** A state, or none, that was folded. */
export interface Kept<S> {
  /** `undefined` if there is none, or if it cannot be encoded. */
  readonly text: string | undefined
  /** What all readers share: none, a frozen state, or one that cannot be encoded. `undefined`: each decodes the text. */
  readonly shared: Option.Option<S> | undefined
}

/** Encodes and decodes the states of a definition. */
export interface States<S> {
  /** `undefined` if it cannot be encoded as JSON from which it can be decoded. */
  readonly keep: (state: S) => Kept<S> | undefined
  /** `undefined` if the text is no state. */
  readonly restore: (text: string) => Kept<S> | undefined
  /** A state that its receiver may change, where it was encoded; `undefined` for none. */
  readonly copy: (kept: Kept<S>) => S | undefined
  /** What a reader gets. */
  readonly read: (kept: Kept<S>) => Option.Option<S>
}

export const none: Kept<never> = Object.freeze({ text: undefined, shared: Option.none() })

/** A state that cannot be encoded: the readers of one flight share it, and no cache takes it. */
export const unencoded = <S>(state: S): Kept<S> => {
  if (isPlain(state, new Set())) freeze(state)
  return { text: undefined, shared: Option.some(state) }
}

export const bytesOf = ({ text }: Kept<unknown>): number => (text === undefined ? 0 : utf8Length(text))

const isPlainOrArray = (value: object): boolean => Array.isArray(value) || isPlainObject(value)

/** Whether a value is made of primitives, arrays and records alone: others break when they are frozen, or do not freeze. */
const isPlain = (value: unknown, seen: Set<object>): boolean => {
  if (typeof value === "function") return false
  if (typeof value !== "object" || value === null || seen.has(value)) return true
  if (!isPlainOrArray(value)) return false
  seen.add(value)
  return Object.values(value).every((member) => isPlain(member, seen))
}

const freeze = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const member of Object.values(value)) freeze(member)
}

/** Freezes records and arrays, in depth, and leaves other objects as they are. */
export const freezePlain = (value: unknown): void => {
  if (typeof value !== "object" || value === null || !isPlainOrArray(value) || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const name in value) freezePlain((value as { readonly [name: string]: unknown })[name])
}

/** Whether JSON keeps an encoded value as it is; `undefined` is left out of records, so it is kept there only. */
const isJson = (value: unknown): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      return Number.isFinite(value)
    case "object":
      if (value === null) return true
      if (Array.isArray(value)) return value.every(isJson)
      return (
        isPlainObject(value) && Object.values(value).every((member) => member === undefined || isJson(member))
      )
    default:
      return false
  }
}

/** Makes the codec of a Schema. */
export const statesOf = <S>(schema: StateSchema<S>): States<S> => {
  // A transformation of the Schema may throw.
  const encode = Option.liftThrowable(Schema.encodeUnknownSync(schema))
  const decodeJson = Option.liftThrowable(Schema.decodeUnknownSync(schema))
  // The Schema decodes to its own type.
  const decode = (text: string): Option.Option<S> =>
    Option.flatMap(parseJson(text), decodeJson) as Option.Option<S>
  const restore = (text: string): Kept<S> | undefined => {
    const state = decode(text)
    if (Option.isNone(state)) return undefined
    if (!isPlain(state.value, new Set())) return { text, shared: undefined }
    freeze(state.value)
    return { text, shared: state }
  }
  const own = ({ shared, text }: Kept<S>): Option.Option<S> =>
    text === undefined ? (shared ?? Option.none()) : decode(text)
  return {
    keep: (state) => {
      const text = textOf(encode(state))
      return text === undefined ? undefined : restore(text)
    },
    restore,
    copy: (kept) => Option.getOrUndefined(own(kept)),
    read: (kept) => kept.shared ?? own(kept)
  }
}

const parseJson = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const stringify = Option.liftThrowable((value: unknown): string | undefined =>
  isJson(value) ? JSON.stringify(value) : undefined
)

const textOf = (encoded: Option.Option<unknown>): string | undefined =>
  Option.getOrUndefined(Option.flatMap(encoded, stringify))
