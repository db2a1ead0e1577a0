/** Bulk updates on SQLite: one statement with a row of placeholders for each row, as in bulk inserts. */
import type { RowUpdate, Statement, Table } from "../dialect.js"
import { budgetOf, sizeOf, spend } from "../statementSize.js"
import { compileSize, encode, maxRowsOf, placeholders } from "./insert.js"

/** Every column, and which of them are set. */
export const maxUpdates = (table: Table): number => maxRowsOf(table.columns.length + 1)

/** See `Dialect.update`. */
export const compileUpdate = (table: Table): ((updates: ReadonlyArray<RowUpdate>) => Statement) => {
  const { id, sql } = table
  const sizeFor = compileSize(maxUpdates(table))
  return (updates) => {
    const columns = table.columns.filter(({ name }) => updates.some(({ sets }) => sets.has(name)))
    const partly = columns.filter(({ name }) => !updates.every(({ sets }) => sets.has(name)))
    const values = 1 + columns.length + Math.min(partly.length, 1)
    const budget = budgetOf(
      table,
      updates.map(({ row }) => row)
    )
    const params: Array<unknown> = []
    for (const { row, sets } of updates) {
      for (const column of [id, ...columns]) {
        const value = encode(column, row[column.name])
        spend(budget, sizeOf(value))
        params.push(value)
      }
      if (partly.length > 0) params.push(partly.map(({ name }) => (sets.has(name) ? "1" : "0")).join(""))
    }
    const size = sizeFor(updates.length)
    // The rows that are left over have no id, and meet no row.
    while (params.length < size * values) params.push(null)
    const sets = columns.map((column, n) => {
      const given = `n.column${n + 2}`
      const at = partly.indexOf(column)
      const value =
        at < 0
          ? given
          : `CASE substr(n.column${values}, ${at + 1}, 1) WHEN '1' THEN ${given} ELSE r.${column.sql} END`
      return `${column.sql} = ${value}`
    })
    const text =
      `UPDATE ${sql} AS r SET ${sets.join(", ")}` +
      ` FROM (VALUES ${placeholders(size, values)}) AS n WHERE r.${id.sql} = n.column1`
    return { text, params }
  }
}
