/** Permanent pools hold what was acknowledged, over memory, SQLite and Postgres, in one process or several. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MergePool from "../../../src/MergePool.js"
import { databases } from "../../sql/datastore/fixture.js"
import { holdsEffect, seededTimeout } from "../../support/laws/laws.js"
import { history, play } from "./permanent.js"

const overMemory = Effect.map(MergePool.memory(), (backend) => ({ one: backend, other: backend }))

describe.each([
  ["memory", overMemory, 3] as const,
  ...databases()
    .slice(0, 2)
    .map(([name, made]) => [name, made, 1] as const)
])("permanent pools over %s", (_, database, count) => {
  it.scopedLive(
    "hold what was acknowledged, in each process and after each restart, with equal hashes",
    () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        let played = 0
        yield* holdsEffect(history, count, (sample) => play(sample, [one, other], `board ${++played}`))
      }),
    seededTimeout
  )
})
