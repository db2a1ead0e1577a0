/** Bulk inserts into Postgres as one writes them by hand: arrays of the driver. */
import type * as Pg from "pg"
import { columnNames, type Entry } from "../support/records.js"

const casts = "uuid,timestamptz,text,text,text,text,int8,float8,text,jsonb".split(",")

/** Inserts a batch by one statement, which is prepared once. */
export const unnest = (client: Pg.Client, table: string) => {
  const arrays = casts.map((cast, i) => `$${i + 1}::${cast}[]`).join(", ")
  const text = `INSERT INTO ${table} (${columnNames.join(", ")}) SELECT * FROM unnest(${arrays}) ON CONFLICT (id) DO NOTHING`
  return (part: ReadonlyArray<Entry>) => {
    const values = columnNames.map((name) =>
      part.map((entry) => {
        const value = entry[name as keyof Entry]
        return name === "detail" ? JSON.stringify(value) : value
      })
    )
    return client.query({ name: table, text, values })
  }
}
