/**
 * The laws of a watch: whatever is written, compacted, renewed, resumed and restarted, and however slowly watchers
 * read, each is told what its policy promises. And a writer waits for nobody but a watcher that blocks and is full.
 *
 * Two watches follow one log by two handles. The writer is a fiber of its own; it commits, or publishes by the first.
 *
 * Each of these guards was removed once by hand, and the property failed then:
 *
 * - fanOut.offer: nothing that was known at the start; nothing by offer to one who reads on from the log
 * - fanOut.makeRoom: one who falls behind reads on before the revision that found no room
 * - fanOut.dispatch: the events of a revision are matched; fanOut.replay: no room, no step of the cursor
 * - watcher.setRoom: only one who is live, wants all and knows nothing that comes; watcher.readOnAfter: no room for one behind
 * - registry.noteTaken: room lets it catch up; watcher.take: what was delivered is known to be gone later
 * - registry.end: one who has ended is removed; dispatcher.restartAtHead: what is gone makes everybody read on
 * - dispatcher.replayAll: a revision once; dispatcher.catchUp: more to read rings again
 * - buffer.dropOldest: a Gap, and one Gap for neighbours; buffer.conflate: not across a Synced
 * - registry.positionOf and watcher.finalError: the cursor is where the reader stands; keyIndex.find: everybody once
 * - events.validateCursor: floor, epoch and tag
 * - Watch.publish: it waits until the revision has been dispatched; fanOut.dispatch: not while somebody blocks
 * - registry.noteTaken: room of one who blocks rings; registry.remove: one who blocked lets the others on
 * - registry.skipTo: a publish does not wait for what is gone
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
