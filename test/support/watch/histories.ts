/** What tests expect of a history that somebody has read. */
import { expect } from "@effect/vitest"
import type * as ChangeLog from "../../../src/ChangeLog.js"

/** The history has no gap, and nothing twice. */
export const expectGapFree = (seen: ReadonlyArray<ChangeLog.LoggedRevision<unknown>>): void => {
  expect(seen.map(({ revision }) => revision.seq)).toEqual(
    seen.map((_, n) => (seen[0]?.revision.seq ?? 0) + n)
  )
}

/** The keys that were put, in order. */
export const keysOf = (seen: ReadonlyArray<ChangeLog.LoggedRevision<unknown>>): ReadonlyArray<string> =>
  seen.flatMap(({ events }) => events.map(({ key }) => key))
