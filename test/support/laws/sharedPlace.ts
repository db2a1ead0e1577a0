/** A place for the storage laws that takes too long to make for each of them. */
import { Effect, type Scope } from "effect"
import type { Place } from "../../../src/testing/StorageLaws.js"
import { oncePerFile } from "./oncePerFile.js"
import type { All, Row } from "./subjects.js"

/** A place that is emptied for every law, because it takes long to make. */
export interface Shared {
  readonly open: Place<Row, All>["open"]
  readonly peek: Place<Row, All>["peek"]
  readonly empty: Effect.Effect<unknown>
}

/**
 * The place of every law is this one, made once for the tests of a file. The first handle of a law is the same for all
 * of them; the others are opened for it.
 */
export const sharedPlace = (
  make: Effect.Effect<Shared, unknown, Scope.Scope>
): Effect.Effect<Place<Row, All>> => {
  const opened = Effect.flatMap(make, (shared) => Effect.map(shared.open, (first) => ({ ...shared, first })))
  return Effect.map(
    Effect.tap(oncePerFile(opened), ({ empty }) => empty),
    ({ first, open, peek }) => {
      let handles = 0
      return { open: Effect.suspend(() => (handles++ === 0 ? Effect.succeed(first) : open)), peek }
    }
  )
}
