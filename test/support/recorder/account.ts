/** The law of the library, held against what a backend really has. */
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import type { CloseReport, Recorder, Stats } from "../../../src/Recorder.js"
import type { Backend } from "./backends.js"

/** `accepted = stored + setAside + dropped + handedBack + pending`. */
export const expectBalance = (stats: Stats): void => {
  const { accepted, dropped, handedBack, pending, setAside, stored } = stats
  expect({ accepted, pending }).toEqual({
    accepted: stored + setAside + dropped + handedBack + pending,
    pending: Math.max(0, pending)
  })
}

/** What the test knows: which records were accepted, and what became of those that no report names. */
export interface Known<Record> {
  readonly accepted: ReadonlyArray<Record>
  readonly dropped?: ReadonlyArray<Record>
  /** Taken by the dead-letter sink. */
  readonly sunk?: ReadonlyArray<Record>
}

/**
 * The account of a closed recorder balances, nothing is pending, and it partitions the records themselves: the backend
 * holds every stored record once, and beyond these only some that were set aside or handed back as `Unknown`.
 */
export const expectAccount = <Record>(
  report: CloseReport<Record, never>,
  backend: Pick<Backend<Record>, "held" | "overlaps">,
  known: Known<Record>
): void => {
  const { setAside, stats, unsaved } = report
  const { accepted, dropped = [], sunk = [] } = known
  expectBalance(stats)
  expect(backend.overlaps()).toBe(0)
  const gone = [
    ...dropped,
    ...sunk,
    ...setAside.map((entry) => entry.record),
    ...unsaved.map((u) => u.record)
  ]
  const goneSet = new Set(gone)
  expect(goneSet.size).toBe(gone.length)
  const stored = accepted.filter((record) => !goneSet.has(record))
  expect(stats).toMatchObject({
    accepted: accepted.length,
    stored: stored.length,
    setAside: setAside.length + sunk.length,
    dropped: dropped.length,
    handedBack: unsaved.length,
    pending: 0
  })
  const held = new Set(backend.held)
  expect(held.size).toBe(backend.held.length)
  expect(stored.filter((record) => !held.has(record))).toEqual([])
  const open = new Set([
    ...sunk,
    ...setAside.map((entry) => entry.record),
    ...unsaved.filter(({ outcome }) => outcome === "Unknown").map(({ record }) => record)
  ])
  const storedSet = new Set(stored)
  expect(backend.held.filter((record) => !storedSet.has(record) && !open.has(record))).toEqual([])
}

/** Closes the recorder, checks its account, and gives its report. */
export const closeAndAccount = <Record, Query, Result>(
  recorder: Recorder<Record, Query, Result>,
  backend: Backend<Record>,
  known: Known<Record>
): Effect.Effect<CloseReport<Record, Query, Result>> =>
  Effect.tap(recorder.close, (report) => expectAccount(report, backend, known))

/** The numbers 1 to `count`, as records. */
export const numbers = (count: number, first = 1): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => first + index)
