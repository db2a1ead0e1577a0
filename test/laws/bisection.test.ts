/** What bad records cost a recorder in calls of `save`. test/recorder/bisection.test.ts has the laws of the search itself. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import * as Recorder from "../../src/Recorder.js"
import { ensure, ensureList, lawTimeout } from "../support/laws/ensure.js"
import { holdsEffect } from "../support/laws/laws.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend, refusing } from "../support/recorder/backends.js"
import { microtasks, withTurn } from "../support/time/turn.js"

const records = numbers(1000)

/** Saves 1,000 records with these bad ones, checks what became of all, and gives the calls of `save`. */
const cost = (bad: ReadonlySet<number>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const storage = backend<number>({ save: refusing((record) => bad.has(record)) })
      const recorder = yield* Recorder.make(storage.storage)
      for (const record of records) recorder.unsafeSave(record)
      const { setAside } = yield* closeAndAccount(recorder, storage, { accepted: records })
      ensureList(
        setAside.map(({ record }) => record),
        records.filter((record) => bad.has(record)),
        "the bad records are set aside, and no other one"
      )
      ensureList(
        storage.held,
        records.filter((record) => !bad.has(record)),
        "the others are stored in order"
      )
      return storage.saves.length
    })
  )

describe("1,000 records", () => {
  it.effect(
    "A17: of which one is bad cost at most 22 saves, at each of the 1,000 positions",
    () =>
      Effect.gen(function* () {
        const costs = yield* Effect.forEach(records, (bad) => cost(new Set([bad])))
        expect(Math.max(...costs)).toBeLessThanOrEqual(22)
        expect(costs.at(-1)).toBeLessThanOrEqual(12)
      }).pipe(withTurn(microtasks)),
    lawTimeout
  )

  it.effect(
    "A17: of which k are bad cost at most 22 k saves, wherever they stand",
    () => {
      const bad = fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 40 })
      return holdsEffect(bad, 100, (bad) =>
        Effect.map(cost(new Set(bad)), (saves) =>
          ensure(saves <= 22 * bad.length, `${bad.length} bad records cost ${saves} saves`)
        )
      ).pipe(withTurn(microtasks))
    },
    lawTimeout
  )
})
