/** Bulk updates on Postgres: each column is one array, as in bulk inserts. */
import type { RowUpdate, Statement, Table, TableColumn } from "../dialect.js"
import { arrayEncoders } from "./arrays.js"
import { arrayOf, encodeTable } from "./insert.js"

const flag = "sets"

/** What is given, under a name that no table has. */
const given = '"given"""'

/** For each update whether it sets the column. */
const encodeFlags = (updates: ReadonlyArray<RowUpdate>, { name }: TableColumn): Buffer =>
  arrayEncoders.boolean(
    updates.map(({ sets }) => ({ [flag]: sets.has(name) })),
    flag
  )

/** See `Dialect.update`. */
export const update =
  (table: Table, returning = "") =>
  (updates: ReadonlyArray<RowUpdate>): Statement => {
    const { id, name, sql } = table
    const columns = table.columns.filter(({ name }) => updates.some(({ sets }) => sets.has(name)))
    const partly = columns.filter(({ name }) => !updates.every(({ sets }) => sets.has(name)))
    const rows = updates.map(({ row }) => row)
    const params = [
      ...encodeTable({ ...table, columns: [id, ...columns] }, rows),
      ...partly.map((column) => encodeFlags(updates, column))
    ]
    const types = [...[id, ...columns].map(arrayOf), ...partly.map(() => "boolean[]")]
    // The names of the arrays are numbers, because a column may have any name.
    const arrays = types.map((type, n) => `unnest($${n + 1}::${type}) AS "${n}"`).join(", ")
    const sets = columns.map((column, n) => {
      const at = partly.indexOf(column)
      const value = `${given}."${n + 1}"`
      const before = `"${name}".${column.sql}`
      return at < 0
        ? `${column.sql} = ${value}`
        : `${column.sql} = CASE WHEN ${given}."${columns.length + 1 + at}" THEN ${value} ELSE ${before} END`
    })
    const text =
      `UPDATE ${sql} SET ${sets.join(", ")} FROM (SELECT ${arrays}) AS ${given}` +
      ` WHERE "${name}".${id.sql} = ${given}."0"${returning}`
    return { text, params }
  }
