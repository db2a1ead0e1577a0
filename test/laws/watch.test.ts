/**
 * The laws of a watch: whatever is written, compacted, renewed, resumed and restarted, and however slowly followers
 * read, each is told what its policy promises.
 *
 * Each of these guards was removed once by hand, and the property failed then:
 *
 * - hub.offer: nothing that was known at the start; nothing by offer to one who reads on from the log
 * - hub.makeRoom: one who falls behind reads on before the revision that found no room
 * - hub.dispatch: the events of a revision are gathered; hub.replay: no room, no step of the cursor
 * - hub.taken: room makes hungry; hub.delivered: what was delivered is known to be gone later
 * - hub.end: one who has ended is removed; dispatcher.begin: what is gone makes everybody read on
 * - dispatcher.replayAll: a revision once; dispatcher.catchUp: more to read rings again
 * - outbox.dropOldest: a Gap, and one Gap for neighbours; outbox.conflate: not across a Synced
 * - outbox.ending: the cursor is where the reader stands; keyIndex.find: everybody once
 * - history.cursorProblem: floor, epoch and tag
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
