/** Which revisions a log in memory can name by their numbers; those in databases are in test/sql. */
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"

it.effect("a log names a revision by its number, from the floor to the head", () =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<number>()
    const revisions = yield* Effect.forEach([1, 2, 3, 4], (value) => log.append([ChangeLog.put("a", value)]))
    yield* log.compact(2)
    const named = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 3.5], (seq) => log.revisionAt!(seq))
    expect(named).toEqual([undefined, undefined, ...revisions.slice(1), undefined, undefined])
  })
)
