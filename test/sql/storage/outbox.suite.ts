/** A storage that writes to a change log what it stores: one suite over memory and every SQL storage. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Exit, Fiber, Logger, Schedule, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Recorder from "../../../src/Recorder.js"
import {
  Column,
  type Columns,
  type InvalidOptions,
  type NewRowOf,
  type Query,
  type StorageError,
  type TableStorage
} from "../../../src/Storage.js"
import type { StorageLog, TableOptions } from "../../../src/sql/SqlStorage.js"
import { following } from "../../support/watch/following.js"
import { expectGapFree, keysOf } from "../../support/watch/histories.js"

const columns = { id: Column.text, n: Column.integer, at: Column.nullable(Column.timestamp) }
type C = typeof columns
type Row = NewRowOf<C>

type State = "none" | "latest"

/** A storage and its log, as far as the suite uses them. */
type Logged<D extends Columns> = Pick<TableStorage<D>, "save"> & {
  readonly load: (query: Query<D>) => ReturnType<TableStorage<D>["load"]>
}

/** A database, and the ways into it. */
export interface LoggedDatabase {
  readonly storage: (
    options: TableOptions<C>
  ) => Effect.Effect<Logged<C>, StorageError | InvalidOptions, Scope.Scope>
  /** A storage whose id is of another type. */
  readonly of: <const D extends { readonly id: typeof Column.uuid | typeof Column.bigint }>(
    options: TableOptions<D>
  ) => Effect.Effect<Logged<D>, StorageError | InvalidOptions, Scope.Scope>
  readonly log: (options: {
    readonly table: string
    readonly feed?: string | undefined
    readonly state?: State | undefined
    readonly keys?: "indexed" | "none" | undefined
  }) => Effect.Effect<ChangeLog.ChangeLog<unknown>, StorageError | InvalidOptions, Scope.Scope>
}

const row = (n: number): Row => ({ id: `r${n}`, n })

const key = (n: number) => `/rows/r${n}`

const keys = (...numbers: ReadonlyArray<number>) => numbers.map(key)

const toEntry = ({ id, n }: Row): ChangeLog.Entry<unknown> => {
  if (n === 13) throw new Error("unlucky")
  return { changes: n === 14 ? [] : [ChangeLog.put(`/rows/${id}`, { n })] }
}

type Database = Effect.Effect<LoggedDatabase, unknown, Scope.Scope>
const setUpIn = (database: Database, state: State) =>
  Effect.gen(function* () {
    const db = yield* database
    const logged = { table: "log", feed: "rows", state, toEntry }
    const storage = yield* db.storage({ table: "t", columns, id: "id", log: logged })
    const log = yield* db.log({ table: "log", feed: "rows", state })
    const { floor } = yield* log.head
    const all = log.read({ after: floor, limit: 10_000 })
    return { db, storage, log, all, reader: yield* following(log) }
  })

/** Of any storage with a log. */
export const loggedStorageSuite = (
  name: string,
  database: Database,
  states: ReadonlyArray<State> = ["none", "latest"]
): void => {
  for (const state of states) {
    const setUp = () => setUpIn(database, state)

    describe(`${name} with a log, state ${state}`, () => {
      it.scopedLive("logs each record that was new, in order, and what comes again not at all", () =>
        Effect.gen(function* () {
          const { all, reader, storage } = yield* setUp()
          expect(yield* storage.save([row(3), row(1), row(2)])).toEqual({ duplicates: 0 })
          expect(keysOf(yield* all)).toEqual(keys(3, 1, 2))
          expect(yield* storage.save([row(3), row(1), row(2)])).toEqual({ duplicates: 3 })
          expect(yield* storage.save([row(4), row(1), row(5), row(4)])).toEqual({ duplicates: 2 })
          const logged = yield* all
          expectGapFree(logged)
          expect(keysOf(logged)).toEqual(keys(3, 1, 2, 4, 5))
          expect(logged.map(({ events }) => events[0])).toMatchObject(
            [3, 1, 2, 4, 5].map((n) => ({ value: { n } }))
          )
          expect((yield* storage.load({})).length).toBe(5)
          // The doorbell has rung for it, in this process.
          yield* Effect.timeout(reader.until(5), "10 seconds")
        })
      )

      it.scopedLive("keeps the state, or none, as the log does", () =>
        Effect.gen(function* () {
          const { log, storage } = yield* setUp()
          yield* storage.save([row(1), row(2)])
          const snapshot = yield* Effect.either(log.snapshot(ChangeLog.prefix("/rows/")))
          if (state === "none") expect(Either.isLeft(snapshot)).toBe(true)
          else expect(Either.getOrThrow(snapshot).entries.map(({ key }) => key)).toEqual(keys(1, 2))
        })
      )

      it.scopedLive(
        "stores nothing of a batch that holds what cannot be logged, and says which record it is",
        () =>
          Effect.gen(function* () {
            const { all, storage } = yield* setUp()
            const error = yield* Effect.flip(storage.save([row(1), row(13), row(2), row(14)]))
            expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored" })
            expect(error.bad?.map(({ index }) => index)).toEqual([1, 3])
            expect(yield* storage.load({})).toEqual([])
            expect(yield* all).toEqual([])
          })
      )

      it.scopedLive("under a recorder: rows and revisions are the same, bad ones are set aside", () =>
        Effect.gen(function* () {
          const { all, storage } = yield* setUp()
          const recorder = yield* Recorder.make(storage, { name: "logged", maxBatchSize: 40 })
          for (let n = 0; n < 100; n++) recorder.unsafeSave(row(n))
          // Sent again, as after a lost answer.
          for (let n = 50; n < 60; n++) recorder.unsafeSave(row(n))
          const { setAside, stats } = yield* recorder.close
          expect(setAside.map(({ record }) => record.n).sort()).toEqual([13, 14])
          expect([stats.stored, stats.duplicates]).toEqual([108, 10])
          const logged = yield* all
          expectGapFree(logged)
          const good = Array.from({ length: 100 }, (_, n) => n).filter((n) => n !== 13 && n !== 14)
          expect(keysOf(logged)).toEqual(good.map(key))
        }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
      )

      it.scopedLive("several storages save at once, also the same records: each is logged once", () =>
        Effect.gen(function* () {
          const { all, db, storage } = yield* setUp()
          const more = {
            table: "t",
            columns,
            id: "id",
            log: { table: "log", feed: "rows", state, toEntry }
          } as const
          const storages = [storage, yield* db.storage(more), yield* db.storage(more)]
          const numbers = Array.from({ length: 60 }, (_, n) => 100 + n)
          const save = (to: Logged<C>, w: number) =>
            Effect.forEach([0, 1, 2, 3, 4, 5], (part) => {
              const batch = numbers.slice(part * 10, part * 10 + 10 - w).map(row)
              // SQLite tells a writer at once that another one writes.
              const again = Schedule.spaced("2 millis")
              return Effect.retry(to.save(batch), {
                schedule: again,
                while: ({ kind }) => kind === "Transient"
              })
            })
          yield* Effect.forEach(storages, save, { concurrency: "unbounded" })
          const logged = yield* all
          expectGapFree(logged)
          expect([...keysOf(logged)].sort()).toEqual(numbers.map(key).sort())
        })
      )

      it.scopedLive("an interrupted save is stored and logged, or neither", () =>
        Effect.gen(function* () {
          const { all, storage } = yield* setUp()
          for (let turns = 0; turns < 12; turns++) {
            const fiber = yield* Effect.fork(storage.save([row(200 + 2 * turns), row(201 + 2 * turns)]))
            for (let n = 0; n < turns * 3; n++) yield* Effect.yieldNow()
            yield* Fiber.interrupt(fiber)
          }
          yield* storage.save([row(1)])
          const stored = (yield* storage.load({})).map(({ n }) => key(n))
          expect([...keysOf(yield* all)].sort()).toEqual(stored.sort())
          expect(stored.length % 2).toBe(1)
        })
      )

      for (const [type, ids] of [
        ["uuid", ["0192F3A0-0000-7000-8000-00000000000A", "0192f3a0-0000-7000-8000-00000000000b"]],
        ["bigint", [2n ** 62n + 1n, -(2n ** 61n) - 3n]]
      ] as const) {
        it.scopedLive(`knows ids of type ${type}`, () =>
          Effect.gen(function* () {
            const db = yield* database
            const log = yield* db.log({ table: "log", feed: type, state })
            const storage = yield* db.of({
              table: `t_${type}`,
              columns: { id: Column[type] as typeof Column.uuid },
              id: "id",
              log: {
                table: "log",
                feed: type,
                state,
                toEntry: ({ id }) => ({ changes: [ChangeLog.put(`/${String(id).toLowerCase()}`, 1)] })
              }
            })
            const rows = ids.map((id) => ({ id: id as string }))
            expect(yield* storage.save(rows.slice(0, 1))).toEqual({ duplicates: 0 })
            expect(yield* storage.save([...rows, ...rows])).toEqual({ duplicates: 3 })
            const { floor } = yield* log.head
            expect(keysOf(yield* log.read({ after: floor, limit: 9 }))).toEqual(
              ids.map((id) => `/${String(id).toLowerCase()}`)
            )
          })
        )
      }
    })
  }
}

/** Of storages with an option `log`. */
export const outboxSuite = (
  name: string,
  database: Database,
  states: ReadonlyArray<State> = ["none", "latest"]
): void => {
  loggedStorageSuite(name, database, states)
  for (const state of states) {
    describe(`${name} with the option log, state ${state}`, () => {
      it.scopedLive("keeps the index of a log that has one, and refuses what it cannot judge", () =>
        Effect.gen(function* () {
          const db = yield* database
          const feed = { table: "log", state, keys: "indexed" } as const
          const storage = yield* db.storage({
            table: "t",
            columns,
            id: "id",
            log: {
              ...feed,
              toEntry: ({ id, n }) => ({
                changes: [ChangeLog.put("/rows", { kind: `kind ${n % 2}` }), ChangeLog.put(`/rows/${id}`, n)],
                ...(n === 13 ? { expect: [{ key: "/rows", generation: 0 }] } : {})
              })
            }
          })
          const { index } = yield* db.log(feed)
          yield* storage.save([row(1), row(2)])
          yield* storage.save([row(2), row(3)])
          const refused = yield* Effect.flip(storage.save([row(4), row(13)]))
          expect(refused).toMatchObject({ kind: "Poison", outcome: "NotStored", bad: [{ index: 1 }] })
          const history = yield* index!.history("/rows", { kinds: ["kind 1"], limit: 10 })
          expect(history.events.map(({ generation }) => generation)).toEqual([1, 3])
          expect(history.last?.generation).toBe(3)
        })
      )

      it.scopedLive("refuses what does not fit, before it stores anything", () =>
        Effect.gen(function* () {
          const { db } = yield* setUpIn(database, state)
          const wrong = { table: "t", columns, id: "id" } as const
          const other = state === "none" ? "latest" : "none"
          const fatal = yield* Effect.exit(
            db.storage({ ...wrong, log: { table: "log", feed: "rows", state: other, toEntry } })
          )
          expect(Exit.isFailure(fatal) && String(fatal.cause)).toContain(`state: "${state}"`)
          for (const log of [{ table: "", toEntry }, { table: "log" }, { table: "log", toEntry, feed: "" }]) {
            const error = yield* Effect.flip(db.storage({ ...wrong, log: log as StorageLog<C> }))
            expect(error._tag).toBe("InvalidOptions")
          }
        })
      )
    })
  }
}
