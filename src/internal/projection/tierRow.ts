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

/** Of which projection a row is. */
export interface Owner {
  /** Of the projection. */
  readonly name: string
  readonly compiled: {
    readonly name: string
    readonly version: number
    readonly kinds: ReadonlyArray<string> | undefined
  }
}

/** What a row is of. Two keys may share a revision and a generation: no reading of the log shows whose row it is. */
const ownerOf = ({ compiled, name }: Owner, key: string): string =>
  namespaceOf(name, compiled.name, compiled.version) + keyOf(compiled.kinds, key)

const Whole = Schema.NonNegativeInt
const RevisionRow = Schema.Struct({ epoch: Schema.String, seq: Whole, tag: Whole })

const Row = Schema.parseJson(
  Schema.Struct({
    format: Schema.Literal(format),
    of: Schema.String,
    at: Schema.Struct({ generation: Whole, revision: RevisionRow }),
    applied: RevisionRow,
    /** JSON of the encoded state; null for none. */
    state: Schema.NullOr(Schema.String)
  })
)

const decodeRow = Schema.decodeUnknownOption(Row)

export const encode = <S>(owner: Owner, key: string, { applied, at, state }: Cached<S>): string =>
  JSON.stringify({ format, of: ownerOf(owner, key), at, applied, state: state.text ?? null })

/** `undefined`: it is no row of this projection and key. */
export const decode = <S>(
  owner: Owner & { readonly compiled: { readonly states: States<S> } },
  key: string,
  text: string
): Cached<S> | undefined => {
  const row = Option.getOrUndefined(decodeRow(text))
  if (row === undefined || row.of !== ownerOf(owner, key)) return undefined
  const state = row.state === null ? none : owner.compiled.states.restore(row.state)
  return state === undefined ? undefined : { state, at: row.at, applied: row.applied }
}
