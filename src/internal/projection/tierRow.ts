/** What a tier holds of a projection: its namespace, keys and rows. A row is never trusted. */
import { Option, Schema } from "effect"
import type { Cached } from "./cached.js"
import { none, type States } from "./states.js"

/** Of rows. Those of another format are removed. */
const format = 1

/** What a projection's rows are kept under. */
export const namespaceOf = (name: string, definition: string, version: number): string =>
  JSON.stringify(["projection", name, definition, version])

/** `kinds` are in order, so that their order in the definition does not count. */
export const keyOf = (kinds: ReadonlyArray<string> | undefined, key: string): string =>
  JSON.stringify([kinds ?? null, key])

const Whole = Schema.NonNegativeInt
const RevisionRow = Schema.Struct({ epoch: Schema.String, seq: Whole, tag: Whole })

const Row = Schema.parseJson(
  Schema.Struct({
    format: Schema.Literal(format),
    at: Schema.Struct({ generation: Whole, revision: RevisionRow }),
    applied: RevisionRow,
    /** JSON of the encoded state; null for none. */
    state: Schema.NullOr(Schema.String)
  })
)

const decodeRow = Schema.decodeUnknownOption(Row)

export const encode = <S>({ applied, at, state }: Cached<S>): string =>
  JSON.stringify({ format, at, applied, state: state.text ?? null })

/** `undefined`: it is no row of this projection. */
export const decode = <S>(states: States<S>, text: string): Cached<S> | undefined => {
  const row = Option.getOrUndefined(decodeRow(text))
  if (row === undefined) return undefined
  const state = row.state === null ? none : states.restore(row.state)
  return state === undefined ? undefined : { state, at: row.at, applied: row.applied }
}
