/** This library's own tables keep the laws of tables. LAWS_RUNS multiplies the random rows, queries and writes. */
import { Effect } from "effect"
import type { Subject } from "effect-recorder/testing/TableLaws"
import { tableLaws } from "effect-recorder/testing/vitest"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Table from "../../src/Table.js"
import { runs } from "../support/laws/laws.js"

const options = { samples: runs(100) }

const inMemory: Subject = {
  name: "Table.memory",
  place: (definition) => Effect.map(Table.memory(definition), (table) => ({ open: Effect.succeed(table) })),
  capabilities: { log: "no", handles: "together", tag: "free" }
}

tableLaws(inMemory, options)

tableLaws(
  {
    ...inMemory,
    name: "Table.memory with a log",
    place: (definition) =>
      Effect.gen(function* () {
        const log = yield* ChangeLog.make<Table.TableChange>()
        const table = yield* Table.memory(definition, { log })
        return { open: Effect.succeed(table), log }
      }),
    capabilities: { ...inMemory.capabilities, log: "yes" }
  },
  options
)
