/** The Recorder over SQLite, on this thread and in a worker, and over memory beside them. */
import * as path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { memory } from "../../../src/Storage.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../../src/sql/SqliteWorker.js"
import { openPlain, tempFile } from "../../support/sqlite/sqlite.js"
import { columns, failsToStart, recorderSuite } from "./recorder.suite.js"

const table = { table: "t", columns, id: "id" } as const

describe("a Recorder over its storages", () => {
  recorderSuite("memory", memory({ columns, id: "id" }))
  recorderSuite(
    "SQLite",
    Effect.flatMap(tempFile, (filename) => SqliteStorage.make({ ...table, filename }))
  )
  recorderSuite(
    "the SQLite worker",
    Effect.flatMap(tempFile, (filename) => SqliteWorker.make({ ...table, filename }))
  )
})

describe("a Recorder whose storage cannot come up", () => {
  failsToStart(
    "a folder that is not there",
    Effect.flatMap(tempFile, (file) =>
      SqliteStorage.make({ ...table, filename: path.join(path.dirname(file), "no", "x.db") })
    ),
    /folder|open/i
  )
  failsToStart(
    "a worker without its folder",
    Effect.flatMap(tempFile, (file) =>
      SqliteWorker.make({ ...table, filename: path.join(path.dirname(file), "no", "x.db") })
    ),
    /folder|open/i
  )
  failsToStart(
    "a table of another shape",
    Effect.flatMap(tempFile, (filename) =>
      Effect.zipRight(
        Effect.scoped(
          Effect.map(openPlain(filename), (db) =>
            db.exec("CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY) STRICT")
          )
        ),
        SqliteStorage.make({ ...table, filename })
      )
    ),
    /ALTER TABLE/
  )
  failsToStart("wrong options", SqliteStorage.make({ ...table, table: "", filename: "x.db" }), /table/)
})

describe("a durable save inside of a write transaction on the same SQLite file", () => {
  it.scopedLive("waits for itself, ends at its caller's time-out, and the record is accounted for", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const recorder = yield* Recorder.make(yield* SqliteStorage.make({ ...table, filename }))
      const mine = yield* openPlain(filename)
      const record = { id: "a", n: 1, at: new Date(0) }
      mine.exec("BEGIN IMMEDIATE")
      const ended = yield* Effect.either(Effect.timeout(recorder.saveDurable(record), "300 millis"))
      expect(ended._tag === "Left" && ended.left._tag).toBe("TimeoutException")
      const { accepted, pending } = recorder.unsafeStats()
      expect([accepted, pending]).toEqual([1, 1])
      const status = yield* recorder.status
      expect(status._tag).toBe("Degraded")
      mine.exec("COMMIT")
      const { stats } = yield* recorder.close
      expect([stats.accepted, stats.stored, stats.pending]).toEqual([1, 1, 0])
      expect(mine.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 1 })
    })
  )

  it.scopedLive(
    "ends as Transient outcomes while another connection writes, and stores all in order after it",
    () =>
      Effect.gen(function* () {
        const filename = yield* tempFile
        const recorder = yield* Recorder.make(yield* SqliteStorage.make({ ...table, filename }))
        yield* recorder.ready
        const mine = yield* openPlain(filename)
        mine.exec("BEGIN IMMEDIATE")
        for (let n = 0; n < 10; n++) recorder.unsafeSave({ id: `r${n}`, n, at: new Date(n) })
        yield* Stream.runDrain(Stream.takeUntil(recorder.statusChanges, ({ _tag }) => _tag === "Degraded"))
        mine.exec("ROLLBACK")
        yield* recorder.flush
        expect(mine.prepare("SELECT n FROM t ORDER BY rowid").pluck().all()).toEqual([
          0, 1, 2, 3, 4, 5, 6, 7, 8, 9
        ])
      })
  )
})
