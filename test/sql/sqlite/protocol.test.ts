/** The way of a batch to the thread of a SQLite file. */
import { deserialize, serialize } from "node:v8"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeRows } from "../../../src/sql/internal/sqlite/insert.js"
import { decodeColumns, encodeColumns } from "../../../src/sql/internal/sqlite/protocol.js"
import { sizeLimits } from "../../../src/sql/internal/statementSize.js"
import { makeTable } from "../../../src/sql/internal/storage/tableOptions.js"
import { holds } from "../../support/laws/laws.js"
import { batch, columns } from "../../support/laws/rows.js"

describe("a batch on its way to the thread", () => {
  it("arrives with the same parameters, whatever its values are", () => {
    const options = { schema: undefined, table: "t", columns, id: "id", indexes: [] }
    const table = Effect.runSync(makeTable(options, sizeLimits))
    // A message is copied in this form. It knows no Buffer.
    const plain = (params: ReadonlyArray<unknown>) =>
      params.map((value) => (value instanceof Uint8Array ? [...value] : value))
    holds(batch(20), 100, (rows) => {
      const arrived = deserialize(serialize(encodeColumns(table, rows)))
      expect(plain(decodeColumns(rows.length, arrived))).toStrictEqual(plain(encodeRows(table, rows)))
    })
  })
})
