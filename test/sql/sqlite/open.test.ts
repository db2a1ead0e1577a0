/** What the storages' own connection to a SQLite file is set to. */
import * as fs from "node:fs"
import * as Statement from "@effect/sql/Statement"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Column, type InvalidOptions, type StorageError } from "../../../src/Storage.js"
import { maxWalBytes } from "../../../src/sql/internal/sqlite/open.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import type { SqlStorage } from "../../../src/sql/SqlStorage.js"
import { openPlain, tempFile } from "../../support/sqlite/sqlite.js"

const columns = { id: Column.integer, text: Column.text }

type Make = (options: {
  readonly filename: string
  readonly table: string
  readonly columns: typeof columns
  readonly id: "id"
}) => Effect.Effect<SqlStorage<typeof columns>, StorageError | InvalidOptions, Scope.Scope>

const pageBytes = 4096

const suite = (name: string, make: Make, checkpointPages: number) => {
  // The named mutants run the tests of this thread alone, by their names.
  const test = (what: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.scopedLive(name === "SqliteWorker" ? `${what}, in a thread` : what, body)

  const open = Effect.flatMap(tempFile, (filename) =>
    Effect.map(make({ filename, table: "t", columns, id: "id" }), (storage) => ({ filename, storage }))
  )
  /** Asks the storage's own connection: the row is found where its setting is that. */
  const isSet = (pragma: string, column: string, value: number) =>
    Effect.gen(function* () {
      const { storage } = yield* open
      yield* storage.save([{ id: 1, text: "" }])
      const sql = Statement.unsafeFragment(`(SELECT "${column}" FROM pragma_${pragma}) = ${value}`)
      expect(yield* storage.load({ sql })).toHaveLength(1)
    })

  describe(name, () => {
    test("syncs each commit to the disk", () => isSet("synchronous", "synchronous", 2))

    test("never waits for a lock inside of the driver", () => isSet("busy_timeout", "timeout", 0))

    test("lets the WAL file grow to its bound", () =>
      Effect.gen(function* () {
        const { filename, storage } = yield* open
        const text = "x".repeat(pageBytes)
        let largest = 0
        // Each save writes some pages more than its records take.
        for (let n = 0; n < checkpointPages * 2; n += 50) {
          yield* storage.save(Array.from({ length: 50 }, (_, i) => ({ id: n + i, text })))
          largest = Math.max(largest, fs.statSync(`${filename}-wal`).size)
        }
        expect(largest / pageBytes).toBeGreaterThanOrEqual(checkpointPages)
        expect(largest / pageBytes).toBeLessThan(checkpointPages * 1.6)
      }))

    test("gives back what the WAL file grew by while another program read", () =>
      Effect.gen(function* () {
        const { filename, storage } = yield* open
        yield* storage.save([{ id: 0, text: "" }])
        const reader = yield* openPlain(filename)
        reader.exec("BEGIN")
        reader.prepare("SELECT count(*) FROM sqlite_master").get()
        const text = "x".repeat(64 * 1024)
        const size = () => fs.statSync(`${filename}-wal`).size
        let id = 1
        for (; size() < maxWalBytes * 1.5; id++) yield* storage.save([{ id, text }])
        reader.exec("COMMIT")
        for (const end = id + 20; id < end; id++) yield* storage.save([{ id, text }])
        expect(size()).toBeLessThanOrEqual(maxWalBytes)
      }))
  })
}

suite("SqliteStorage", SqliteStorage.make, 250)
suite("SqliteWorker", SqliteWorker.make, 1000)
