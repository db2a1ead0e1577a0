/** SQLite files that are deleted, moved and replaced under an open storage, and the storages to do it to. */
import * as fs from "node:fs"
import * as path from "node:path"
import Sqlite from "better-sqlite3"
import { Effect, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { Column, type InvalidOptions, type RowOf, type StorageError } from "../../../src/Storage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import type { SqlStorage, StorageLog } from "../../../src/sql/SqlStorage.js"
import { tempDir } from "../tempDir.js"

export const columns = { id: Column.text, n: Column.integer }
export type Rows = SqlStorage<typeof columns>
export type Row = RowOf<typeof columns>

const plain = { table: "t", columns, id: "id" } as const

export const log: StorageLog<typeof columns> = {
  table: "log",
  toEntry: ({ id, n }) => ({ changes: [ChangeLog.put(`/rows/${id}`, { n })] })
}

type Make = (filename: string) => Effect.Effect<Rows, StorageError | InvalidOptions, Scope.Scope>

/** The storages that own their file. */
export const storages: ReadonlyArray<readonly [name: string, make: Make]> = [
  ["SqliteStorage", (filename) => SqliteStorage.make({ ...plain, filename })],
  ["SqliteStorage with a log", (filename) => SqliteStorage.make({ ...plain, filename, log })],
  ["SqliteWorker", (filename) => SqliteWorker.make({ ...plain, filename })],
  ["SqliteWorker with a log", (filename) => SqliteWorker.make({ ...plain, filename, log })]
]

export const row = (n: number): Row => ({ id: `r${n}`, n })

export const rows = (from: number, to: number): ReadonlyArray<Row> =>
  Array.from({ length: to - from }, (_, n) => row(from + n))

export interface Place {
  /** A folder that stays. */
  readonly outside: string
  /** The folder of the file, in it. */
  readonly folder: string
  readonly file: string
}

export const place: Effect.Effect<Place, never, Scope.Scope> = Effect.map(tempDir, (outside) => {
  const folder = path.join(outside, "data")
  fs.mkdirSync(folder)
  return { outside, folder, file: path.join(folder, "audit.db") }
})

const withFile = <A>(file: string, use: (db: Sqlite.Database) => A): A => {
  const db = new Sqlite(file)
  try {
    return use(db)
  } finally {
    db.close()
  }
}

export const execIn = (file: string, sql: string): void => withFile(file, (db) => void db.exec(sql))

/** The numbers of the rows that a new reader of the path finds, in order; it throws when the file is garbled. */
export const heldIn = (file: string): ReadonlyArray<number> =>
  withFile(file, (db) => {
    const whole = db.pragma("integrity_check", { simple: true })
    if (whole !== "ok") throw new Error(`the file ${file} is garbled: ${whole}`)
    return db.prepare("SELECT n FROM t ORDER BY n").pluck().all() as ReadonlyArray<number>
  })

/** How many revisions the log of the file has. */
export const loggedIn = (file: string): number =>
  withFile(file, (db) => Number(db.prepare("SELECT count(*) FROM log").pluck().get()))

export const createTable = "CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) STRICT"

/** A database in one file, with some rows of its own. */
export const prepared = (file: string, from = 0, to = 0, create = createTable): void => {
  execIn(file, create)
  const insert = rows(from, to).map(({ id, n }) => `INSERT INTO t VALUES ('${id}', ${n});`)
  if (insert.length > 0) execIn(file, insert.join(""))
}
