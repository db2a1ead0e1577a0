/** Records as a backend keeps them, and back: what an older version of the schema wrote is migrated when it is read. */
import type { StoredChange, StoredValue } from "../catalog/backend.js"
import { type JsonObject, ownJson } from "../columns/jsonData.js"
import type { Codec } from "./data.js"
import { OpenError } from "./errors.js"
import type { JsonRow } from "./holding.js"
import type { Changed } from "./operation.js"
import type { Migrate } from "./settings.js"

/** What belongs to a record beside its data. */
export interface StoredExtra {
  readonly version: number
  readonly session: string | undefined
  /** Milliseconds of the backend's clock. */
  readonly ends: number | undefined
}

/** Makes the change of a backend. */
export const storedChange = (
  { after, key }: Changed,
  { ends, session, version }: StoredExtra
): StoredChange => {
  if (after === undefined) return { _tag: "Delete", key }
  const { data, seq } = after
  return {
    _tag: "Put",
    key,
    value: {
      data,
      seq,
      ...(version === 0 ? {} : { version }),
      ...(session === undefined ? {} : { session }),
      ...(ends === undefined ? {} : { ends })
    }
  }
}

const migrated = (
  { data, version = 0 }: StoredValue,
  wanted: number,
  migrate: Migrate | undefined
): JsonObject => {
  // What a store has written is an object.
  if (version >= wanted || migrate === undefined) return data as JsonObject
  const own = ownJson(migrate(data, version))
  if (typeof own === "string") throw new Error(`migrate returned what is no JSON: ${own}`)
  return own.value as JsonObject
}

/** Why a value cannot be read. */
const undecodable = (key: string, problem: string): OpenError =>
  new OpenError({
    reason: "Undecodable",
    key,
    message: `the record ${JSON.stringify(key)} is not as the schema has it: ${problem}. Mend it, or pass migrate`
  })

/** Makes a record of what a backend keeps. */
export type RowReader = (key: string, value: StoredValue) => JsonRow

/** Makes the reader of a store's values. It throws what `migrate` throws. */
export const rowReader =
  (version: number, migrate: Migrate | undefined): RowReader =>
  (key, value) =>
    Object.freeze({ key, data: migrated(value, version, migrate), seq: value.seq })

/** Makes a reader for all that is decoded later: it throws `Undecodable` at what the schema does not have. */
export const decodableReader =
  (read: RowReader, problemOf: Codec<never>["problem"]): RowReader =>
  (key, value) => {
    let problem: string | undefined
    try {
      const row = read(key, value)
      problem = problemOf?.(row.data)
      if (problem === undefined) return row
    } catch (cause) {
      problem = String(cause)
    }
    throw undecodable(key, problem)
  }
