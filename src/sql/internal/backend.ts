/** What an adapter brings to a part of this folder. */
import type { Fragment } from "@effect/sql/Statement"
import type { Effect } from "effect"
import type { Dialect, Executor, Row, Run } from "./dialect.js"

/** A database with one table of records: how its statements are made, and how they reach it. */
export interface Backend {
  readonly dialect: Dialect
  readonly executor: Executor
  /** Runs the reads and deletes that a user calls beside the queue. */
  readonly read: Run
  /** Encodes a batch at once, and gives what inserts it and yields the driver's raw result. */
  readonly insert: (rows: ReadonlyArray<Row>) => Effect.Effect<unknown, unknown>
  /** The text and parameters of a fragment. */
  readonly compile: (fragment: Fragment) => readonly [text: string, params: ReadonlyArray<unknown>]
}
