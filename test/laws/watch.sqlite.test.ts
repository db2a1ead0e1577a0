/** The laws of a watch over a log in a SQLite file. See watch.test.ts. */
import { describe } from "@effect/vitest"
import { samples } from "./watch/schedule.js"
import { sqlitePlaces } from "./watch/sqlite.js"
import { watchLaw } from "./watch/suite.js"

describe("the histories of a watch", () => {
  watchLaw("a log in a SQLite file", 300, samples, sqlitePlaces)
})
