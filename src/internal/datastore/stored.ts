/** Records as a backend keeps them, and back: what an older version of the schema wrote is migrated when it is read. */
import type { StoredChange, StoredValue } from "../catalog/backend.js"
import { type JsonObject, ownJson } from "../columns/jsonData.js"
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

/** Makes the reader of a store's values. It throws what `migrate` throws. */
export const rowReader =
  (version: number, migrate: Migrate | undefined) =>
  (key: string, value: StoredValue): JsonRow =>
    Object.freeze({ key, data: migrated(value, version, migrate), seq: value.seq })

/** Why a value cannot be read. */
export const undecodable = (key: string, problem: string): OpenError =>
  new OpenError({
    reason: "Undecodable",
    key,
    message: `the record ${JSON.stringify(key)} is not as the schema has it: ${problem}. Mend it, or pass migrate`
  })
