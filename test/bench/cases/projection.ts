/** Event logs and projections. */
import { databaseFolds, memoryFolds } from "../projection/folds.js"
import { kinds } from "../projection/kinds.js"
import { logs } from "../projection/logs.js"
import type { Case } from "../support/bench.js"
import { withDatabase } from "../support/database.js"
import { loadPeers } from "../support/peers.js"

export const projection: Case = {
  name: "projection",
  about: "folds of events to a loop by hand and to emmett; a log with an index of its keys to one without",
  run: async (bench) => {
    await memoryFolds(bench)
    await kinds(bench)
    const peers = await loadPeers(bench.note)
    await withDatabase(async ({ url }) => {
      const emmett = await peers?.makeEmmett(url)
      await databaseFolds(bench, url, emmett)
      await logs(bench, url, emmett)
      await emmett?.close()
    })
  }
}
