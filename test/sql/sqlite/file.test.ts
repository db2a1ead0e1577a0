/** What a SQLite storage or log does when its file is deleted, moved or replaced while it is open. */
import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Option, Schedule, type Scope, Stream } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import * as SqliteStorage from "../../../src/sql/SqliteStorage.js"
import type { SqlQuery } from "../../../src/sql/SqlStorage.js"
import { expectBalance, numbers } from "../../support/recorder/account.js"
import {
  columns,
  execIn,
  heldIn,
  type Place,
  place,
  prepared,
  type Row,
  row,
  rows,
  storages
} from "../../support/sqlite/files.js"

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

interface Loss {
  readonly how: string
  readonly lose: (place: Place) => void
  /** What the path holds beside what is saved after the loss. */
  readonly others?: ReadonlyArray<number>
  /** Where the lost file is now, with all that was confirmed before. */
  readonly moved?: (place: Place) => string
}

const backup = ({ outside }: Place) => path.join(outside, "backup.db")
const elsewhere = ({ outside }: Place) => path.join(outside, "elsewhere")

const losses: ReadonlyArray<Loss> = [
  { how: "is deleted", lose: ({ file }) => fs.unlinkSync(file) },
  {
    how: "is deleted with its companions",
    lose: ({ file }) => {
      for (const suffix of ["", "-wal", "-shm"]) fs.unlinkSync(`${file}${suffix}`)
    }
  },
  {
    how: "is renamed",
    lose: (at) => fs.renameSync(at.file, elsewhere(at)),
    moved: elsewhere
  },
  {
    how: "is replaced by a backup",
    lose: (at) => {
      prepared(backup(at), 900, 910)
      fs.linkSync(at.file, elsewhere(at))
      fs.renameSync(backup(at), at.file)
    },
    others: numbers(10, 900),
    moved: elsewhere
  },
  {
    how: "is replaced by another database, without the table",
    lose: (at) => {
      execIn(backup(at), "CREATE TABLE other (x)")
      fs.renameSync(backup(at), at.file)
    }
  },
  {
    how: "is replaced by an empty file",
    lose: (at) => {
      fs.writeFileSync(backup(at), "")
      fs.renameSync(backup(at), at.file)
    }
  },
  {
    how: "is in a folder that is deleted and made anew",
    lose: ({ folder }) => {
      fs.rmSync(folder, { recursive: true })
      fs.mkdirSync(folder)
    }
  },
  {
    how: "is in a folder that is renamed and made anew",
    lose: (at) => {
      fs.renameSync(at.folder, elsewhere(at))
      fs.mkdirSync(at.folder)
    },
    moved: (at) => path.join(elsewhere(at), "audit.db")
  }
]

const retry = Schedule.spaced("2 millis")

type OfRows = Recorder.Recorder<Row, SqlQuery<typeof columns>>

const confirmed = (recorder: OfRows, from: number, to: number) =>
  Effect.forEach(rows(from, to), (row) => recorder.saveDurable(row), { concurrency: "unbounded" })

for (const [name, make] of storages) {
  const inThread = name.startsWith("SqliteWorker")
  // The named mutants run the tests of this thread alone, by their names.
  const test = (what: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
    it.scopedLive(inThread ? `${what}, in a thread` : what, body)

  describe(`${name}, whose file`, () => {
    // Threads take long to start, and do the same.
    const chosen = inThread ? losses.filter(({ moved }) => moved !== undefined).slice(0, 2) : losses
    for (const { how, lose, moved, others = [] } of chosen) {
      // What is confirmed then is in the file at the path.
      test(how, () =>
        Effect.gen(function* () {
          const at = yield* place
          const storage = yield* make(at.file)
          const recorder = yield* Recorder.make(storage, { retry })
          yield* confirmed(recorder, 0, 200)
          lose(at)
          yield* confirmed(recorder, 200, 400)
          const expected = [...numbers(200, 200), ...others]
          expect(heldIn(at.file)).toEqual(expected)
          if (moved !== undefined) expect(heldIn(moved(at))).toEqual(numbers(200, 0))
          // Reads follow it too.
          const read = yield* Stream.runCollect(storage.query({}))
          expect(new Set([...read].map(({ n }) => n))).toEqual(new Set(expected))
          const { setAside, stats, unsaved } = yield* recorder.close
          expect([setAside, unsaved]).toEqual([[], []])
          expectBalance(stats)
          expect(stats).toMatchObject({ accepted: 400, stored: 400 })
        }).pipe(quiet)
      )
    }

    test("is replaced, is read and pruned anew, also before anything is saved", () =>
      Effect.gen(function* () {
        const at = yield* place
        const storage = yield* make(at.file)
        yield* storage.save(rows(0, 5))
        prepared(backup(at), 900, 910)
        fs.renameSync(backup(at), at.file)
        expect((yield* storage.load({})).map(({ n }) => n)).toEqual(numbers(10, 900))
        prepared(backup(at), 800, 810)
        fs.renameSync(backup(at), at.file)
        expect(yield* storage.prune({ column: "n", before: 805 })).toBe(5)
        expect(heldIn(at.file)).toEqual(numbers(5, 805))
      }))

    test("is away with its folder, and comes back: Degraded meanwhile, nothing lost or doubled", () =>
      Effect.gen(function* () {
        const at = yield* place
        const storage = yield* make(at.file)
        const recorder = yield* Recorder.make(storage, { retry })
        yield* confirmed(recorder, 0, 200)
        fs.renameSync(at.folder, elsewhere(at))
        const read = yield* Effect.flip(storage.load({}))
        expect(read).toMatchObject({ kind: "Transient", outcome: "NotStored" })
        const saving = yield* Effect.fork(confirmed(recorder, 200, 400))
        const degraded = yield* recorder.statusChanges.pipe(
          Stream.filter((status) => status._tag === "Degraded"),
          Stream.runHead,
          Effect.flatten
        )
        expect((Option.getOrThrow(degraded.cause) as Error).message).toContain(JSON.stringify(at.file))
        fs.renameSync(elsewhere(at), at.folder)
        yield* Fiber.join(saving)
        expect(heldIn(at.file)).toEqual(numbers(400, 0))
        const { stats } = yield* recorder.close
        expect(stats).toMatchObject({ accepted: 400, stored: 400, duplicates: 0 })
      }).pipe(quiet))

    if (name === "SqliteWorker with a log") return

    test("is replaced by what does not serve: away, with the reason, until it does", () =>
      Effect.gen(function* () {
        const at = yield* place
        const storage = yield* make(at.file)
        yield* storage.save(rows(0, 5))
        const refusal = Effect.flip(storage.save(rows(5, 10)))
        const cause = (part: string) =>
          Effect.map(refusal, (error) => {
            expect(error).toMatchObject({ kind: "Transient", outcome: "NotStored" })
            expect(error.message).toContain(JSON.stringify(at.file))
            expect(error.message).toContain(part)
          })
        fs.writeFileSync(backup(at), "no database at all ".repeat(500))
        fs.renameSync(backup(at), at.file)
        yield* cause("SQLITE_NOTADB")
        prepared(backup(at), 0, 0, "CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY) STRICT")
        fs.renameSync(backup(at), at.file)
        yield* cause('ALTER TABLE "t" ADD COLUMN "n"')
        fs.unlinkSync(at.file)
        fs.mkdirSync(at.file)
        yield* cause("SQLITE_CANTOPEN")
        fs.rmdirSync(at.file)
        fs.renameSync(at.folder, elsewhere(at))
        yield* cause("directory does not exist")
        fs.renameSync(elsewhere(at), at.folder)
        yield* storage.save(rows(5, 10))
        expect(heldIn(at.file)).toEqual(numbers(5, 5))
        prepared(backup(at), 0, 0, "CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY) STRICT")
        fs.renameSync(backup(at), at.file)
        yield* cause('ALTER TABLE "t" ADD COLUMN "n"')
        execIn(at.file, 'ALTER TABLE "t" ADD COLUMN "n" INTEGER NOT NULL DEFAULT 0')
        yield* storage.save(rows(10, 12))
        expect(heldIn(at.file)).toEqual([10, 11])
      }))

    test("is emptied in its place: away, until it is deleted", () =>
      Effect.gen(function* () {
        const at = yield* place
        const storage = yield* make(at.file)
        yield* storage.save(rows(0, 5))
        fs.truncateSync(at.file)
        for (const call of [storage.save(rows(5, 10)), Effect.asVoid(storage.load({}))]) {
          const error = yield* Effect.flip(Effect.asVoid(call))
          expect(error).toMatchObject({ kind: "Transient", outcome: "NotStored" })
          expect(error.message).toContain("emptied")
        }
        fs.unlinkSync(at.file)
        yield* storage.save(rows(5, 10))
        expect(heldIn(at.file)).toEqual(numbers(5, 5))
      }))

    test("loses its WAL file: not confirmed, and everything is there again afterwards", () =>
      Effect.gen(function* () {
        const at = yield* place
        const storage = yield* make(at.file)
        yield* storage.save(rows(0, 5))
        for (const suffix of ["-wal", "-shm"]) fs.unlinkSync(`${at.file}${suffix}`)
        const error = yield* Effect.flip(storage.save(rows(5, 10)))
        expect(error).toMatchObject({ kind: "Transient", outcome: "Unknown" })
        yield* storage.save(rows(5, 10))
        expect(heldIn(at.file)).toEqual(numbers(10, 0))
      }))
  })
}

describe("SqliteStorage", () => {
  it.scopedLive("follows a link that is set to another file", () =>
    Effect.gen(function* () {
      const at = yield* place
      const link = path.join(at.outside, "link.db")
      const [first, second] = [path.join(at.folder, "first.db"), path.join(at.folder, "second.db")]
      fs.symlinkSync(first, link)
      const storage = yield* SqliteStorage.make({ table: "t", columns, id: "id", filename: link })
      yield* storage.save(rows(0, 5))
      fs.unlinkSync(link)
      fs.symlinkSync(second, link)
      yield* storage.save(rows(5, 10))
      expect([heldIn(first), heldIn(second)]).toEqual([numbers(5, 0), numbers(5, 5)])
    })
  )

  it.scopedLive("keeps to a relative path's file when the process changes its folder", () =>
    Effect.gen(function* () {
      const at = yield* place
      const before = process.cwd()
      yield* Effect.addFinalizer(() => Effect.sync(() => process.chdir(before)))
      process.chdir(at.folder)
      const storage = yield* SqliteStorage.make({ table: "t", columns, id: "id", filename: " audit.db" })
      yield* storage.save(rows(0, 5))
      process.chdir(at.outside)
      yield* storage.save(rows(5, 10))
      fs.unlinkSync(at.file)
      yield* storage.save(rows(10, 15))
      expect(heldIn(at.file)).toEqual(numbers(5, 10))
      expect(fs.readdirSync(at.outside)).toEqual(["data"])
    })
  )

  it.scopedLive("has no file to watch in memory", () =>
    Effect.gen(function* () {
      const storage = yield* SqliteStorage.make({ table: "t", columns, id: "id", filename: ":memory:" })
      yield* storage.save(rows(0, 5))
      yield* storage.save([row(5)])
      expect((yield* storage.load({})).length).toBe(6)
    })
  )
})
