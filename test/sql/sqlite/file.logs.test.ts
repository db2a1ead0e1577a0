/** SQLite change logs, several users of one file, and threads, when the file is deleted, moved or replaced. */
import * as fs from "node:fs"
import * as path from "node:path"
import { Worker } from "node:worker_threads"
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Logger, Schedule } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Recorder from "../../../src/Recorder.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import { numbers } from "../../support/recorder/account.js"
import {
  execIn,
  heldIn,
  loggedIn,
  type Place,
  place,
  row,
  rows,
  storages
} from "../../support/sqlite/files.js"
import { keysOf } from "../../support/watch/histories.js"

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))
const retry = Schedule.spaced("2 millis")

const put = (n: number) => [ChangeLog.put(`/n/${n}`, n)]

const elsewhere = ({ outside }: Place) => path.join(outside, "elsewhere")

/** The storage of a name. */
const make = (name: string, filename: string) => {
  const found = storages.find(([each]) => each === name)
  return found === undefined ? Effect.dieMessage(`there is no ${name}`) : found[1](filename)
}

const openLog = (filename: string) => SqliteChangeLog.make<unknown>({ filename, table: "log" })

describe("SqliteChangeLog, whose file", () => {
  for (const [how, lose] of [
    ["is deleted", ({ file }) => fs.unlinkSync(file)],
    ["is renamed", (at) => fs.renameSync(at.file, elsewhere(at))],
    [
      "is replaced by a database without the tables",
      (at) => {
        execIn(elsewhere(at), "CREATE TABLE other (x)")
        fs.renameSync(elsewhere(at), at.file)
      }
    ]
  ] satisfies ReadonlyArray<readonly [string, (at: Place) => void]>) {
    it.scopedLive(`${how}: begins another epoch in the file at the path`, () =>
      Effect.gen(function* () {
        const at = yield* place
        const log = yield* openLog(at.file)
        const { floor } = yield* log.head
        for (const n of numbers(5)) yield* log.append(put(n))
        lose(at)
        const revision = yield* log.append(put(6))
        expect(revision.seq).toBe(1)
        expect(loggedIn(at.file)).toBe(1)
        expect(yield* Effect.flip(log.read({ after: floor, limit: 10 }))).toMatchObject({
          _tag: "EpochChanged"
        })
        const head = yield* log.head
        const read = yield* log.read({ after: head.floor, limit: 10 })
        expect(keysOf(read)).toEqual(["/n/6"])
      })
    )
  }

  it.scopedLive("is away with its folder: Unavailable meanwhile, and its revisions go on", () =>
    Effect.gen(function* () {
      const at = yield* place
      const log = yield* openLog(at.file)
      const { floor } = yield* log.head
      yield* log.append(put(1))
      fs.renameSync(at.folder, elsewhere(at))
      for (const call of [Effect.asVoid(log.append(put(2))), Effect.asVoid(log.head)]) {
        const error = yield* Effect.flip(call)
        expect(error).toMatchObject({ reason: "Unavailable", outcome: "NotStored" })
        expect(error.message).toContain(JSON.stringify(at.file))
      }
      fs.renameSync(elsewhere(at), at.folder)
      yield* log.append(put(3))
      const read = yield* log.read({ after: floor, limit: 10 })
      expect(read.map(({ revision }) => revision.seq)).toEqual([1, 2])
      expect(keysOf(read)).toEqual(["/n/1", "/n/3"])
    })
  )
})

describe("several users of one SQLite file", () => {
  it.scopedLive("go on together in the file that replaces it", () =>
    Effect.gen(function* () {
      const at = yield* place
      const backup = path.join(at.outside, "backup.db")
      yield* Effect.scoped(make("SqliteStorage with a log", backup))
      const recorders = yield* Effect.forEach(
        ["SqliteStorage with a log", "SqliteStorage", "SqliteWorker with a log", "SqliteWorker"],
        (name) => Effect.flatMap(make(name, at.file), (storage) => Recorder.make(storage, { retry }))
      )
      const log = yield* openLog(at.file)
      const each = (from: number) =>
        Effect.forEach(
          recorders,
          (recorder, k) =>
            Effect.forEach(rows(from + k * 50, from + k * 50 + 50), recorder.saveDurable, {
              concurrency: "unbounded"
            }),
          { concurrency: "unbounded" }
        )
      yield* each(0)
      expect(heldIn(at.file)).toEqual(numbers(200, 0))
      fs.linkSync(at.file, elsewhere(at))
      fs.renameSync(backup, at.file)
      yield* each(200)
      yield* log.append(put(1))
      expect(heldIn(at.file)).toEqual(numbers(200, 200))
      expect(loggedIn(at.file)).toBe(101)
      // What was confirmed before is in the file that was there then.
      expect(heldIn(elsewhere(at))).toEqual(numbers(200, 0))
    }).pipe(quiet)
  )
})

describe("a thread of a SQLite file", () => {
  it.scopedLive("that ends while the file is away is replaced when it is back, or has been made anew", () =>
    Effect.gen(function* () {
      const at = yield* place
      const spy = vi.spyOn(Worker.prototype, "postMessage")
      yield* Effect.addFinalizer(() => Effect.sync(() => spy.mockRestore()))
      const storage = yield* make("SqliteWorker", at.file)
      yield* storage.save([row(1)])
      const end = Effect.promise(() => (spy.mock.contexts.at(-1) as Worker).terminate())
      fs.renameSync(at.folder, elsewhere(at))
      yield* end
      expect(yield* Effect.flip(storage.save([row(2)]))).toMatchObject({ kind: "Transient" })
      fs.renameSync(elsewhere(at), at.folder)
      yield* storage.save([row(2)])
      expect(heldIn(at.file)).toEqual([1, 2])
      yield* end
      fs.unlinkSync(at.file)
      yield* Effect.retry(storage.save([row(3)]), { times: 1 })
      expect(heldIn(at.file)).toEqual([3])
    })
  )
})
