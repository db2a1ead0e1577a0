/** What one writes by hand on the driver: one statement with a row of placeholders for each record. */
import Database from "better-sqlite3"
import { columnNames, type Entry } from "../support/records.js"

export interface HandWritten {
  /** Returns how many rows were new. */
  readonly insert: (batch: ReadonlyArray<Entry>) => number
  readonly count: () => number
  readonly close: () => void
}

export const openHandWritten = (filename: string): HandWritten => {
  const database = new Database(filename)
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec(
    "CREATE TABLE entries (id TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL," +
      " target TEXT NOT NULL, outcome TEXT NOT NULL, status INTEGER NOT NULL, duration_ms REAL NOT NULL," +
      " request_id TEXT NOT NULL, detail TEXT NOT NULL) STRICT"
  )
  const statements = new Map<number, Database.Statement>()
  const row = `(${columnNames.map(() => "?").join(",")})`
  const statementFor = (rows: number): Database.Statement => {
    let statement = statements.get(rows)
    if (statement === undefined) {
      const values = new Array<string>(rows).fill(row).join(",")
      statement = database.prepare(
        `INSERT INTO entries (${columnNames.join(",")}) VALUES ${values} ON CONFLICT (id) DO NOTHING`
      )
      statements.set(rows, statement)
    }
    return statement
  }
  return {
    insert: (batch) => {
      const params: Array<unknown> = []
      for (const {
        action,
        actor,
        at,
        detail,
        duration_ms,
        id,
        outcome,
        request_id,
        status,
        target
      } of batch) {
        params.push(id, at.getTime(), actor, action, target, outcome, status, duration_ms, request_id)
        params.push(JSON.stringify(detail))
      }
      return statementFor(batch.length).run(params).changes
    },
    count: () => database.prepare("SELECT count(*) FROM entries").pluck().get() as number,
    close: () => database.close()
  }
}
