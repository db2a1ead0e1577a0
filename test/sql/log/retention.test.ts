/**
 * What retention leaves of a log, with windows whose numbers gain a digit: a number that is compared as text is found
 * there. The memory log is the reference where it has the bound.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Queue, type Scope, TestClock } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type { StorageError } from "../../../src/Storage.js"
import type { Executor } from "../../../src/sql/internal/dialect.js"
import { makeSqlChangeLog, noTransaction } from "../../../src/sql/internal/log/sqlChangeLog.js"
import { pgLog } from "../../../src/sql/internal/pg/log.js"
import { exclusiveExecutor, openFile } from "../../../src/sql/internal/sqlite/file.js"
import { sqliteLog } from "../../../src/sql/internal/sqlite/log.js"
import { gentleCheckpoint } from "../../../src/sql/internal/sqlite/open.js"
import type { LogOptions, SqlChangeLog } from "../../../src/sql/SqlChangeLog.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openPool, ownSchema } from "../../support/postgres/tables.js"

type Log = SqlChangeLog<unknown>

/** Makes a log of a table; `committed` takes the next transaction that has given up revisions. */
interface Place {
  readonly open: (
    options: Omit<LogOptions, "table">
  ) => Effect.Effect<Log, StorageError | ChangeLog.InvalidOptions, Scope.Scope>
  readonly committed: Effect.Effect<void>
}

const placeOf = (executor: Executor, statements: typeof pgLog): Effect.Effect<Place> =>
  Effect.map(Queue.unbounded<void>(), (floors) => {
    const reserve = Effect.map(executor.reserve, (run) => {
      let moved = false
      return (statement: Parameters<typeof run>[0]) =>
        Effect.tap(run(statement), () => {
          if (statement.text.includes('SET "floor"')) moved = true
          if (moved && statement.text === "COMMIT") floors.unsafeOffer(undefined)
        })
    })
    return {
      committed: Queue.take(floors),
      open: (options) =>
        makeSqlChangeLog<object>()({ ...options, table: "log" }, {}, () =>
          Effect.succeed({
            statements,
            client: undefined,
            backend: { executor: { run: executor.run, reserve }, joined: noTransaction }
          })
        )
    }
  })

const value = (n: number): string => String(n).padStart(4, "0")
const entry = (n: number) => ({ changes: [ChangeLog.put("/a", value(n))] })
const entryBytes = JSON.stringify([["/a", value(0)]]).length

const from = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => entry(first + n))

const window = 8

/** Appends up to a number, four of them an hour and the last eight a minute ago, after giving up those before. */
const fill = (log: Log, head: number) =>
  Effect.gen(function* () {
    yield* log.commit(from(1, head - window))
    yield* log.compact(head - window - 4)
    yield* TestClock.adjust("1 hour")
    yield* log.commit(from(head - window + 1, head))
    yield* TestClock.adjust("1 minute")
  })

const left = (log: ChangeLog.ChangeLog<unknown>) =>
  Effect.gen(function* () {
    const { floor } = yield* log.head
    const logged = yield* log.read({ after: floor, limit: 10_000 })
    return { floor: floor.seq, seqs: logged.map(({ revision }) => revision.seq) }
  })

const bounds = {
  age: { age: "1 hour" },
  bytes: { bytes: window * entryBytes },
  count: { count: window }
} as const

/** Their last eight numbers have one digit more or less than those before, or among each other. */
const heads = [12, 13, 17, 18, 99, 103, 107, 108, 999, 1003, 1007]

const suite = (name: string, place: Effect.Effect<Place, unknown, Scope.Scope>) =>
  describe(`retention in ${name}`, () => {
    it.scoped("gives up no young revision when ten were appended and one given up", () =>
      Effect.gen(function* () {
        const { open } = yield* place
        const log = yield* open({})
        for (let n = 1; n <= 10; n++) yield* log.commit([entry(n)])
        yield* log.compact(1)
        const pruned = yield* open({ retention: { age: "1 hour" } })
        expect(yield* pruned.prune).toBe(0)
        expect(yield* left(log)).toEqual({ floor: 1, seqs: [2, 3, 4, 5, 6, 7, 8, 9, 10] })
        // Longer than there have been years.
        const forEver = yield* open({ retention: { age: "1000000 days" } })
        expect(yield* forEver.prune).toBe(0)
      })
    )

    for (const [bound, retention] of Object.entries(bounds)) {
      it.scoped(`leaves the window by ${bound}, whatever digits its numbers have`, () =>
        Effect.gen(function* () {
          const { open } = yield* place
          for (const state of ["none", "latest"] as const) {
            for (const head of state === "none" ? heads : heads.slice(0, 2)) {
              const feed = `${state} ${head}`
              yield* Effect.flatMap(open({ feed, state }), (log) => fill(log, head))
              // Its background ends with it: while the clock goes on, it would run once for every half minute.
              yield* Effect.scoped(
                Effect.gen(function* () {
                  const log = yield* open({ feed, state, retention })
                  expect(yield* log.prune, feed).toBe(4)
                  const expected = Array.from({ length: window }, (_, n) => head - window + 1 + n)
                  expect(yield* left(log), feed).toEqual({ floor: head - window, seqs: expected })
                  expect(yield* log.prune, feed).toBe(0)
                })
              )
            }
          }
        })
      )
    }

    it.scoped("gives up in the background what is old, and no more", () =>
      Effect.gen(function* () {
        const { committed, open } = yield* place
        for (const head of [13, 1003]) {
          const feed = `background ${head}`
          yield* Effect.flatMap(open({ feed }), (log) => fill(log, head))
          yield* committed
          yield* Effect.scoped(
            Effect.gen(function* () {
              const log = yield* open({ feed, retention: bounds.age })
              yield* TestClock.adjust("30 seconds")
              yield* committed
              expect((yield* left(log)).floor).toBe(head - window)
            })
          )
        }
      })
    )
  })

describe("retention in memory, the reference", () => {
  const references = {
    bytes: { maxBytes: window * entryBytes, sizeOf: () => entryBytes },
    count: { maxRevisions: window }
  }
  for (const [bound, options] of Object.entries(references)) {
    it.effect(`leaves the window by ${bound}, whatever digits its numbers have`, () =>
      Effect.gen(function* () {
        for (const head of heads) {
          const log = yield* ChangeLog.make<unknown>(options)
          yield* log.commit(from(1, head))
          const expected = Array.from({ length: window }, (_, n) => head - window + 1 + n)
          expect(yield* left(log)).toEqual({ floor: head - window, seqs: expected })
        }
      })
    )
  }
})

suite(
  "SQLite",
  Effect.gen(function* () {
    const file = yield* openFile(":memory:", gentleCheckpoint, () => Effect.void)
    return yield* placeOf(yield* exclusiveExecutor(file), sqliteLog)
  })
)

for (const { name, url: server } of databaseUrls()) {
  suite(
    name,
    Effect.gen(function* () {
      const { executor } = yield* openPool({ url: yield* ownSchema(server) })
      return yield* placeOf(executor, pgLog)
    })
  )
}
