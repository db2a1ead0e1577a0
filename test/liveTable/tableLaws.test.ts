/** A live table is a table: it keeps the laws of tables, its cache in front of its master or not. */
import { Effect } from "effect"
import type { Subject } from "effect-recorder/testing/TableLaws"
import { tableLaws } from "effect-recorder/testing/vitest"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import { runs } from "../support/laws/laws.js"
import { microtasks, withTurn } from "../support/time/turn.js"

const subject: Subject = {
  name: "LiveTable.table",
  place: (definition) =>
    // A reader of hits alone leaves no turn of the event loop to the writes.
    withTurn(microtasks)(
      Effect.gen(function* () {
        const live = yield* LiveTable.make(yield* Table.memory(definition))
        return { open: live.table }
      })
    ),
  capabilities: { log: "no", handles: "together", tag: "free" }
}

tableLaws(subject, { samples: runs(20) })
