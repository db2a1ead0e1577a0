/**
 * The laws of a watch: whatever is written, compacted, renewed, resumed and restarted, and however slowly watchers
 * read, each is told what its policy promises. And a writer waits for nobody but a watcher that blocks and is full.
 *
 * Two watches follow one log by two handles. The writer is a fiber of its own; it commits, or publishes by the first.
 *
 * Each of these guards was removed once by hand, and the property failed then:
 *
 * - telling.offer: nothing that was known at the start; nothing by offer to one who reads on from the log
 * - telling.makeRoom: one who falls behind reads on before the revision that found no room
 * - telling.dispatch: the events of a revision are gathered; telling.replay: no room, no step of the cursor
 * - hub.setRoom: only one who is live, wants all and knows nothing that comes; hub.fallBehind: no room for one behind
 * - hub.taken: room makes hungry; reader.delivered: what was delivered is known to be gone later
 * - hub.end: one who has ended is removed; dispatcher.begin: what is gone makes everybody read on
 * - dispatcher.replayAll: a revision once; dispatcher.catchUp: more to read rings again
 * - outbox.dropOldest: a Gap, and one Gap for neighbours; outbox.conflate: not across a Synced
 * - hub.standing and outbox.ending: the cursor is where the reader stands; keyIndex.find: everybody once
 * - history.cursorProblem: floor, epoch and tag
 * - Watch.publish: it waits until the revision has been dispatched; telling.dispatch: not while somebody blocks
 * - hub.taken: room of one who blocks rings; hub.remove: one who blocked lets the others on
 * - hub.goOnAt: a publish does not wait for what is gone
 *
 * Over SQLite (watch.sqlite.test.ts): sqlChangeLog.ringAll and the ring of renewEpoch; the previous value in
 * store.appendLocked. Over Postgres (../faults/watchHistories.test.ts): the ring of everybody at Up (PgDoorbell);
 * a lost answer leaves the outcome unknown (pgErrors), also the one to COMMIT (transaction).
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryPlace } from "./watch/place.js"
import { samples } from "./watch/schedule.js"
import { watchLaw } from "./watch/suite.js"

describe("the histories of a watch", () => {
  watchLaw("a log in memory", 400, samples, Effect.succeed(memoryPlace))
})
