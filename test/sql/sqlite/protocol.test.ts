/** The way of a batch to the thread of a SQLite file. */
import { deserialize, serialize } from "node:v8"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Column } from "../../../src/Storage.js"
import { encodeRows } from "../../../src/sql/internal/sqlite/insert.js"
import { decodeBatch, encodeBatch } from "../../../src/sql/internal/sqlite/protocol.js"
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
    holds(batch(40), 100, (rows) => {
      const arrived = deserialize(serialize(encodeBatch(table, rows)))
      expect(plain(decodeBatch(rows.length, arrived))).toStrictEqual(plain(encodeRows(table, rows)))
    })
  })

  it("takes no more than its bytes along, of whatever buffer they are a part", () => {
    const own = { schema: undefined, table: "t", columns: { id: Column.text, bytes: Column.bytes }, id: "id" }
    const table = Effect.runSync(makeTable({ ...own, indexes: [] }, sizeLimits))
    const bytes = new Uint8Array(2 ** 20).subarray(7, 17)
    const arrived = structuredClone(encodeBatch(table, [{ id: "a", bytes }]))
    const buffers = [arrived, ...("columns" in arrived ? arrived.columns : [])]
      .flatMap((part): ReadonlyArray<unknown> => Object.values(part))
      .filter((value) => value instanceof Uint8Array)
    expect(buffers.map(({ buffer }) => buffer.byteLength)).toEqual([10])
  })
})
