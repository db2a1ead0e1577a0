/** Tables, and caches in front of them. */
import type { Case } from "../support/bench.js"
import { hits } from "../table/hits.js"
import { sqlTables } from "../table/sql.js"

export const table: Case = {
  name: "table",
  about:
    "patches in bulk to one awaited UPDATE each, and reads that return the log's revision to reads that do not",
  run: async (bench) => {
    await hits(bench)
    if (process.env["ONLY"] === undefined) await sqlTables(bench)
  }
}
