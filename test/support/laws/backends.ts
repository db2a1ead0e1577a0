/** This library's own backend of permanent stores in memory as a subject of their laws. */
import { Effect } from "effect"
import { memory } from "../../../src/internal/catalog/memoryBackend.js"
import type { Subject } from "../../../src/testing/DatastoreLaws.js"
import { passingClock } from "../time/passing.js"

/** A backend in memory, whose time can be let pass. */
export const memorySubject: Subject = {
  name: "Datastore.memory",
  place: Effect.flatMap(passingClock, ({ clock, pass }) =>
    Effect.map(Effect.withClock(memory(), clock), (backend) => ({ open: Effect.succeed(backend), pass }))
  ),
  capabilities: { faults: "none", time: "on demand" }
}
