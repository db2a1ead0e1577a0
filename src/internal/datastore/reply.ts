/** What an operation comes to, as it is answered now and when it is sent again. */
import type { Json, JsonObject } from "../columns/jsonData.js"
import type { WriteError } from "./errors.js"
import type { JsonRow } from "./holding.js"

/** An operation that was applied. */
export interface Done {
  readonly _tag: "Done"
  /** The revision of the operation; if it changed nothing, that of the store. */
  readonly revision: number
  /** For each step the record that it wrote; none for one that removes. */
  readonly rows: ReadonlyArray<JsonRow | undefined>
  /** Whether it changed anything. */
  readonly changed: boolean
  /** The rights by which the principal may not see a record that it has written itself. Left out: it may see them all. */
  readonly unseen?: string | undefined
}

/** A refusal as data: what {@link WriteError} is made of. */
export type RefusalData = Omit<ConstructorParameters<typeof WriteError>[0], "cause">

export interface Refusal {
  readonly _tag: "Refused"
  readonly refused: RefusalData
}

export type Reply = Done | Refusal

const rowJson = (row: JsonRow | undefined): Json =>
  row === undefined ? null : { key: row.key, data: row.data, seq: row.seq }

/** Encodes a reply as JSON, for a backend. */
export const encodeReply = (reply: Reply): Json => {
  if (reply._tag === "Done") {
    const { changed, revision, rows, unseen } = reply
    return { revision, rows: rows.map(rowJson), changed, ...(unseen !== undefined && { unseen }) }
  }
  const { key, message, quota, reason, row, step } = reply.refused
  const json: { [name: string]: Json } = { reason, message }
  if (key !== undefined) json.key = key
  if (step !== undefined) json.step = step
  if (quota !== undefined) json.quota = { ...quota }
  if (row !== undefined) json.row = rowJson(row)
  return { refused: json }
}

/** Decodes a reply that {@link encodeReply} has encoded. */
export const decodeReply = (json: Json): Reply => {
  // It was written by this module alone.
  const given = json as JsonObject
  if (given.refused !== undefined) {
    return { _tag: "Refused", refused: given.refused as unknown as RefusalData }
  }
  const { changed, revision, rows, unseen } = given as unknown as Done
  return {
    _tag: "Done",
    revision,
    rows: rows.map((row) => (row === null ? undefined : (row as JsonRow))),
    changed,
    unseen
  }
}
