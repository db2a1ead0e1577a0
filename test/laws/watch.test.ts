/**
 * The laws of a watch: whatever is written, compacted, renewed, resumed and restarted, and however slowly watchers
 * read, each watcher is delivered what its policy promises. A writer waits only for a watcher that blocks and is full.
 *
 * Two watches follow one log by two handles. The writer is a fiber of its own; it commits, or publishes by the first.
 *
 * The guards that keep these laws stand in test/mutants/named, each with the test that fails without it. The same laws
 * hold over SQLite (watch.sqlite.test.ts) and over Postgres (../faults/watchHistories.test.ts).
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryPlace } from "./watch/place.js"
import { samples } from "./watch/schedule.js"
import { watchLaw } from "./watch/suite.js"

describe("the histories of a watch", () => {
  watchLaw("a log in memory", 400, samples, Effect.succeed(memoryPlace))
})
