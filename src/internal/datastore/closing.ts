/** What a closed catalog of stores gives back. */
import type { Option } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend } from "../catalog/backend.js"
import type { Stats } from "./stats.js"

/** An operation that was accepted and is not stored. */
export interface Unsaved {
  readonly store: string
  /** The keys that it writes. */
  readonly keys: ReadonlyArray<string>
  readonly error: StorageError
}

/** What a closed catalog gives back. */
export interface CloseReport {
  /** What it stood on, still usable until the scope it was made in ends; none when it never came up. */
  readonly backend: Option.Option<Backend>
  /** Operations that were accepted and are given back, in order. */
  readonly unsaved: ReadonlyArray<Unsaved>
  readonly stats: Stats
}
