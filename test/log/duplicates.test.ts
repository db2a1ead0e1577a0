import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"

it.effect("a commit that is larger than its log appends no id twice", () =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<number>({ maxRevisions: 2 })
    const ids = ["first", "b", "c", "d", "first"]
    const { duplicates, revisions } = yield* log.commit(
      ids.map((id, n) => ({ id, changes: [ChangeLog.put(`key ${n}`, n)] }))
    )
    expect([revisions.map(({ seq }) => seq), duplicates]).toEqual([[1, 2, 3, 4], 1])
  })
)
