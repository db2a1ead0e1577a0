/** A storage in memory that writes to a log what it stores. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger, Option, Schedule } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Recorder from "../../src/Recorder.js"
import * as Storage from "../../src/Storage.js"
import type { TableOptions } from "../../src/sql/SqlStorage.js"
import * as FaultStorage from "../../src/testing/FaultStorage.js"
import { type LoggedDatabase, loggedStorageSuite } from "../sql/storage/outbox.suite.js"
import { holdsEffect } from "../support/laws/laws.js"
import { following } from "../support/watch/following.js"
import { expectGapFree, keysOf } from "../support/watch/histories.js"

const columns = { id: Storage.Column.text, n: Storage.Column.integer }
type Row = Storage.RowOf<typeof columns>

const row = (n: number): Row => ({ id: `r${n}`, n })
const rows = (...numbers: ReadonlyArray<number>) => numbers.map(row)
const toEntry = ({ id, n }: Row) => ({ id, changes: [ChangeLog.put(id, n)] })
const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

/** One table and one log for each name, as a database has them. */
const database = Effect.sync((): LoggedDatabase => {
  const made = new Map<string, unknown>()
  const once = <A, E>(name: string, make: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      if (made.has(name)) return Effect.succeed(made.get(name) as A)
      return Effect.tap(make, (value) => made.set(name, value))
    })
  const log: LoggedDatabase["log"] = ({ feed, state, table }) =>
    once(`log ${table} ${feed}`, ChangeLog.make<unknown>({ state }))
  const open = <const C extends Storage.Columns>({ columns, id, log: options, table }: TableOptions<C>) =>
    Effect.gen(function* () {
      const storage = yield* once(`table ${table}`, Storage.memory({ columns, id }))
      const toEntry = (row: Storage.NewRowOf<C>) => ({
        ...options!.toEntry(row),
        id: String((row as { readonly [name: string]: unknown })[id]).toLowerCase()
      })
      return yield* ChangeLog.withLog(storage, { log: yield* log(options!), toEntry })
    })
  return { storage: open, of: open, log }
})

loggedStorageSuite("Storage.memory", database)

/** A log whose next commits end as they are told to; the others go through. */
const flaky = Effect.gen(function* () {
  const log = yield* ChangeLog.make<unknown>({ maxBytes: 1000 })
  const ends: Array<(commit: Committing) => Committing> = []
  let commits = 0
  const commit: typeof log.commit = (entries) =>
    Effect.suspend(() => {
      commits++
      const end = ends.shift()
      return end === undefined ? log.commit(entries) : end(log.commit(entries))
    })
  return { log: { ...log, commit }, ends, commits: () => commits }
})

type Committing = ReturnType<ChangeLog.ChangeLog<unknown>["commit"]>

const unavailable = new ChangeLog.ChangeLogError({
  reason: "Unavailable",
  message: "away",
  outcome: "NotStored"
})
const away = () => Effect.fail(unavailable)
const answerLost = (commit: Committing) =>
  Effect.zipRight(
    commit,
    Effect.fail(new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "lost", outcome: "Unknown" }))
  )

const setUp = Effect.gen(function* () {
  const { commits, ends, log } = yield* flaky
  const table = yield* Storage.memory({ columns, id: "id" })
  const { floor } = yield* log.head
  return {
    table,
    storage: yield* ChangeLog.withLog(table, { log, toEntry }),
    log,
    ends,
    commits,
    reader: yield* following(log),
    keys: Effect.map(log.read({ after: floor, limit: 1000 }), (logged) => {
      expectGapFree(logged)
      return keysOf(logged)
    })
  }
})

describe("ChangeLog.withLog", () => {
  it.scoped("offers what the storage offers, live, and with its types", () =>
    Effect.gen(function* () {
      const { storage } = yield* setUp
      yield* storage.save(rows(1, 2, 3))
      expect(storage.records).toEqual(rows(1, 2, 3))
      expect(yield* storage.prune({ column: "n", before: 3 })).toBe(2)
      expect(yield* storage.load({ where: Storage.Query.eq("n", 3) })).toEqual(rows(3))
      expect({ ...storage }.records).toEqual(rows(3))
    })
  )

  it.scoped("offers what an instance of a class offers, also by its private fields", () =>
    Effect.gen(function* () {
      class Rows implements Storage.Storage<Row, undefined, ReadonlyArray<Row>> {
        readonly #rows: Array<Row> = []
        readonly maxBatch = 2
        save(batch: ReadonlyArray<Row>) {
          return Effect.sync(() => void this.#rows.push(...batch))
        }
        load() {
          return Effect.sync(() => this.#rows)
        }
        get name() {
          return `rows of ${this.maxBatch}`
        }
      }
      const { keys, log } = yield* setUp
      const storage = yield* ChangeLog.withLog(new Rows(), { log, toEntry })
      expect([storage.name, storage.prepare]).toEqual(["rows of 2", undefined])
      const recorder = yield* Recorder.make(storage)
      yield* recorder.saveAll(rows(1, 2, 3))
      expect(yield* recorder.load(undefined)).toEqual(rows(1, 2, 3))
      expect(yield* keys).toEqual(["r1", "r2", "r3"])
    })
  )

  // Answering before the append, or appending in the background, fails it.
  it.scoped("under a recorder a receipt comes when watchers can read the record, and not before", () =>
    Effect.gen(function* () {
      const { ends, reader, storage, table } = yield* setUp
      const [began, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      ends.push((commit) =>
        Deferred.succeed(began, undefined).pipe(
          Effect.zipRight(Deferred.await(goOn)),
          Effect.zipRight(commit)
        )
      )
      const recorder = yield* Recorder.make(storage)
      const receipt = yield* Effect.fork(
        Effect.map(recorder.saveDurable(row(1)), () => storage.records.length)
      )
      yield* Deferred.await(began)
      expect(table.records).toEqual(rows(1))
      expect([yield* Fiber.poll(receipt), recorder.unsafeStats().stored]).toEqual([Option.none(), 0])
      yield* Deferred.succeed(goOn, undefined)
      yield* Fiber.join(receipt)
      yield* reader.until(1)
      expect(keysOf(reader.seen)).toEqual(["r1"])
    })
  )

  it.scoped("a log that is away makes the save come again, with an open outcome", () =>
    Effect.gen(function* () {
      const { ends, keys, storage, table } = yield* setUp
      ends.push(away)
      const error = yield* Effect.flip(storage.save(rows(1, 2)))
      expect(error).toMatchObject({ kind: "Transient", outcome: "Unknown", cause: unavailable })
      expect([table.records, yield* keys]).toEqual([rows(1, 2), []])
      expect(yield* storage.save(rows(1, 2))).toEqual({ duplicates: 2 })
      expect(yield* keys).toEqual(["r1", "r2"])
    })
  )

  // Without the ids of its entries, r1 to r3 are logged twice.
  it.scopedLive(
    "under a recorder, over a log that is away or loses its answer: each record is logged once",
    () =>
      Effect.gen(function* () {
        const { commits, ends, keys, storage, table } = yield* setUp
        ends.push(away, answerLost, away)
        const retry = Schedule.spaced("1 millis")
        const recorder = yield* Recorder.make(storage, { retry })
        yield* recorder.saveAll(rows(1, 2, 3))
        yield* recorder.flush
        yield* recorder.saveAll(rows(3, 4))
        const { stats } = yield* recorder.close
        expect(stats).toMatchObject({ stored: 5, setAside: 0, handedBack: 0 })
        expect(table.records).toEqual(rows(1, 2, 3, 4))
        expect(yield* keys).toEqual(["r1", "r2", "r3", "r4"])
        expect(commits()).toBe(5)
      }).pipe(quiet)
  )

  const large = { id: "x".repeat(500), n: 0 }

  it.scoped("what the log can never hold is bad before anything is stored, all of it at once", () =>
    Effect.gen(function* () {
      const { keys, storage } = yield* setUp
      const error = yield* Effect.flip(
        storage.save([row(1), large, row(2), { ...large, id: "y".repeat(500) }])
      )
      expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored" })
      expect(error.bad?.map(({ index }) => index)).toEqual([1, 3])
      expect(error.bad?.[0]?.cause).toMatchObject({ reason: "TooLarge" })
      expect([storage.records, yield* keys]).toEqual([[], []])
    })
  )

  it.scoped("what only the commit refuses is set aside with an open outcome, and nothing waits for it", () =>
    Effect.gen(function* () {
      const { keys, log, table } = yield* setUp
      const { check: _, ...unchecked } = log
      const storage = yield* ChangeLog.withLog(table, { log: unchecked, toEntry })
      const error = yield* Effect.flip(storage.save([row(1), large]))
      expect(error.bad?.map(({ index }) => index)).toEqual([1])
      const recorder = yield* Recorder.make(storage)
      yield* recorder.saveAll([row(1), large, row(2)])
      yield* recorder.saveDurable(row(3))
      const { setAside, stats } = yield* recorder.close
      expect(setAside).toMatchObject([{ record: large, outcome: "Unknown", cause: { kind: "Poison" } }])
      expect(setAside[0]?.cause.cause).toMatchObject({ reason: "TooLarge" })
      expect(stats).toMatchObject({ stored: 3, setAside: 1 })
      expect(yield* keys).toEqual(["r1", "r2", "r3"])
    }).pipe(quiet)
  )

  it.scoped("toEntry that gives nothing is bad, and no defect", () =>
    Effect.gen(function* () {
      const { log, table } = yield* setUp
      const none = (() => undefined) as unknown as typeof toEntry
      const storage = yield* ChangeLog.withLog(table, { log, toEntry: none })
      const error = yield* Effect.flip(storage.save(rows(1)))
      expect(error.bad?.[0]?.cause).toMatchObject({ reason: "Invalid" })
    })
  )

  it.scoped("what a storage prepares is logged when it is run, each time it is run only once", () =>
    Effect.gen(function* () {
      const { keys, log, table } = yield* setUp
      const prepare = (batch: ReadonlyArray<Row>) => table.save(batch)
      const storage = yield* ChangeLog.withLog({ ...table, prepare }, { log, toEntry })
      const [good, bad] = [storage.prepare?.(rows(1, 2)), storage.prepare?.([row(3), large])]
      expect(yield* keys).toEqual([])
      expect(yield* good!).toEqual({ duplicates: 0 })
      expect(yield* good!).toEqual({ duplicates: 2 })
      expect((yield* Effect.flip(bad!)).bad?.map(({ index }) => index)).toEqual([1])
      expect(yield* keys).toEqual(["r1", "r2"])
    })
  )

  // Without it the stored part of a batch is never logged, for it is not saved again.
  it.scoped("the part that a failed save has stored is logged before the failure is reported", () =>
    Effect.gen(function* () {
      const { ends, keys, log, table } = yield* setUp
      const faults = yield* FaultStorage.make(table)
      const storage = yield* ChangeLog.withLog(faults.storage, { log, toEntry })
      const half = FaultStorage.Fault.fail("Transient", 2)
      yield* faults.next(half, half)
      const error = yield* Effect.flip(storage.save(rows(1, 2, 3)))
      expect(error).toMatchObject({ stored: 2 })
      expect(yield* keys).toEqual(["r1", "r2"])
      // And when it cannot be logged, it has to be saved again.
      ends.push(away)
      const both = (yield* Effect.flip(storage.save(rows(4, 5, 6)))) as Storage.StorageError
      expect([both.stored, both.outcome]).toEqual([undefined, "Unknown"])
      yield* storage.save(rows(4, 5, 6))
      expect(yield* keys).toEqual(["r1", "r2", "r4", "r5", "r6"])
    })
  )

  // Fails without the ids of the entries, without logging the part that a failed save has stored, and when the
  // failure of an append is not told.
  it.effect(
    "law: whatever fails on the way, the log holds each stored record once, in the order of the rows",
    () =>
      holdsEffect(
        fc.record({
          numbers: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 60 }),
          maxBatchSize: fc.integer({ min: 1, max: 20 }),
          ofLog: fc.array(fc.constantFrom(...(["through", "away", "lost"] as const)), { maxLength: 20 }),
          ofStorage: fc.array(fc.constantFrom(...(["through", "away", "lost", "part"] as const)), {
            maxLength: 20
          })
        }),
        100,
        ({ maxBatchSize, numbers, ofLog, ofStorage }) =>
          Effect.gen(function* () {
            const { ends, keys, log, table } = yield* setUp
            const commitEnds = { through: (commit: Committing) => commit, away, lost: answerLost }
            ends.push(...ofLog.map((end) => commitEnds[end]))
            const { Fault, make } = FaultStorage
            const faults = yield* make(table)
            const saveFaults = {
              through: undefined,
              away: Fault.fail(),
              lost: Fault.failAfterCommit(),
              part: Fault.fail("Transient", "half")
            }
            yield* faults.next(...ofStorage.map((fault) => saveFaults[fault]))
            const storage = yield* ChangeLog.withLog(faults.storage, { log, toEntry })
            const recorder = yield* Recorder.make(storage, { maxBatchSize, retry: Schedule.forever })
            for (const n of numbers) recorder.unsafeSave(row(n))
            const { stats } = yield* recorder.close
            expect(stats).toMatchObject({ accepted: numbers.length, stored: numbers.length })
            expect(table.records).toEqual([...new Set(numbers)].map(row))
            expect(yield* keys).toEqual(table.records.map(({ id }) => id))
          }).pipe(Effect.scoped, quiet)
      )
  )
})
