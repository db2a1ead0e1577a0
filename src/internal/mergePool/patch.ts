/** What replicas send each other: cells as data. */
import type { Json } from "../columns/jsonData.js"
import type { Stamp } from "./stamp.js"

/** A cell of a patch: its field, then the cell as data. */
export type CellPatch = readonly [field: string, reset: Stamp, ...state: ReadonlyArray<Json>]

/** Cells of one row, and the stamp of the row's last removal, which is empty if there is none to send. */
export type RowPatch = readonly [key: string, reset: Stamp, cells: ReadonlyArray<CellPatch>]

/** Cells of any rows. It is JSON. A whole state is a patch, too. */
export interface Patch {
  /** The horizon of the sender; empty if it has none. */
  readonly horizon: Stamp
  readonly rows: ReadonlyArray<RowPatch>
}

/** Names a cell; an empty field is the reset of the row. */
export interface CellName {
  readonly row: string
  readonly field: string
}

/** Why a patch is refused as a whole. */
export type Refused = { readonly _tag: "Refused"; readonly message: string } & (
  | { readonly reason: "InvalidData" | "JoinFailed"; readonly row?: string; readonly field?: string }
  /** A stamp, a part or a dot of another client. */
  | { readonly reason: "Forbidden"; readonly row: string; readonly field: string }
  /** A stamp is more than a minute ahead of the server, which takes it at the time `takenAt`. */
  | { readonly reason: "ClockAhead"; readonly serverTime: number; readonly takenAt: number }
  /** Cells at or below the horizon that are not held: what they were may have been removed since. */
  | { readonly reason: "TooOld"; readonly horizon: Stamp; readonly cells: ReadonlyArray<CellName> }
)
