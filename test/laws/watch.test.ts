/**
 * The laws of a watch: whatever is written, compacted, renewed, resumed and restarted, and however slowly followers
 * read, each is told what its policy promises.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ensureList, lawTimeout } from "../support/ensure.js"
import { holdsEffect } from "../support/laws.js"
import { microtasks, withTurn } from "../support/turn.js"
import { virtualTime } from "../support/virtualTime.js"
import { run, type Sample, sample } from "./watch/history.js"
import { validate } from "./watch/validators.js"

const breaksOf = (history: Sample) =>
  Effect.suspend(() => {
    const time = virtualTime()
    return run(history, time).pipe(withTurn(microtasks), Effect.withClock(time.clock))
  }).pipe(
    Effect.map(({ observed, truth }) =>
      observed.flatMap((each) =>
        validate(truth, each).map((problem) => `${problem} (${JSON.stringify(each)})`)
      )
    )
  )

describe("every follower is told what its policy promises", () => {
  it.effect(
    "over a log in memory",
    () =>
      holdsEffect(sample, 400, (history) =>
        Effect.map(breaksOf(history), (breaks) => ensureList(breaks, [], "no breaks"))
      ),
    lawTimeout
  )
})
