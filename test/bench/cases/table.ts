/** Tables, and caches in front of them. */
import type { Case } from "../support/bench.js"
import { changes } from "../table/changes.js"
import { hits } from "../table/hits.js"
import { loads } from "../table/loads.js"
import { sqlTables } from "../table/sql.js"
import { stalls } from "../table/stalls.js"
import { forAll } from "./cache.js"

export const table: Case = {
  name: "table",
  about: "live tables to a plain Map, effect/Cache and an LRU; patches in bulk to one awaited UPDATE each",
  run: async (bench) => {
    await hits(bench)
    await loads(bench)
    forAll(bench)
    await changes(bench)
    await stalls(bench)
    await sqlTables(bench)
  }
}
