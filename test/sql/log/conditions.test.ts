/** What entries expect of a log in a database: judged while the head is locked, all or nothing. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Random, Schedule, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import { runs } from "../../support/laws/laws.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { openClient, ownSchema, type Sql } from "../../support/postgres/tables.js"
import { indexOf } from "./indexed.js"
import { keys, make, type Place, places } from "./places.js"

const { put } = ChangeLog

const feed = { table: "log", keys: "indexed" } as const

const made = (key: string, generation: number) => ({
  changes: [put(key, { kind: "made" })],
  expect: [{ key, generation }]
})

const over = (key: string, seq: number | "absent") => ({ changes: [put(key, 1)], expect: [{ key, seq }] })

/** The sum of a key's events, and how many it has had. */
const stateOf = (log: ChangeLog.ChangeLog<unknown>, key: string) =>
  Effect.map(indexOf(log).history(key, { limit: 10_000 }), ({ events, last }) => ({
    generation: last?.generation ?? 0,
    sum: events.reduce((sum, { event }) => sum + (event._tag === "Put" ? (event.value as number) : 0), 0)
  }))

const suite = (name: string, place: Effect.Effect<Place, unknown, Scope.Scope>) =>
  describe(`conditions in ${name}`, () => {
    it.scopedLive("are judged in the order of the entries, and one that fails leaves nothing", () =>
      Effect.gen(function* () {
        const { context, own } = yield* place
        const log = yield* own(feed)
        expect(yield* log.commit([made("/a", 0), made("/a", 1)])).toMatchObject({ duplicates: 0 })
        const conflict = yield* Effect.flip(log.commit([made("/b", 0), made("/a", 1)]))
        expect(conflict).toMatchObject({
          _tag: "Conflict",
          reason: "Changed",
          index: 1,
          condition: { key: "/a", generation: 1 },
          generation: 2
        })
        expect(yield* keys(log)).toEqual(["/a", "/a"])
        // A lost answer: its id is known before anything is judged.
        const entry = { id: "once", ...made("/b", 0) }
        yield* log.commit([entry])
        expect(yield* log.commit([entry, entry])).toEqual({ revisions: [], duplicates: 2 })

        const { head } = yield* log.head
        const nothing = (over: object) => ({
          changes: [put("/c/1", { kind: "made" })],
          expect: [{ nothing: ChangeLog.prefix("/c/"), kinds: ["made"], after: head, ...over }]
        })
        const paid = yield* log.append([put("/c/2", { kind: "paid" })])
        yield* log.commit([nothing({})])
        expect(yield* Effect.flip(log.commit([nothing({})]))).toMatchObject({ revision: { seq: 5 } })
        const found = yield* Effect.flip(log.commit([nothing({ kinds: undefined })]))
        expect(found).toMatchObject({ reason: "Changed", revision: paid })
        yield* log.compact(4)
        expect(yield* Effect.flip(log.commit([nothing({})]))).toMatchObject({ reason: "Compacted" })
        const foreign = { ...paid, tag: paid.tag ^ 1 }
        expect(yield* Effect.flip(log.commit([nothing({ after: foreign })]))).toMatchObject({
          _tag: "Conflict",
          reason: "EpochChanged"
        })
        // What many conditions ask about is read in parts.
        const { head: now } = yield* log.head
        const many = Array.from({ length: 120 }, (_, n) => ({
          nothing: ChangeLog.key(`/d/${n}`),
          after: now
        }))
        const other = yield* make(context, feed)
        yield* other.commit([{ changes: [put("/d/119", 1)], expect: many }])
        const last = yield* Effect.flip(other.commit([{ changes: [put("/e", 1)], expect: many }]))
        expect(last).toMatchObject({ condition: { nothing: { key: "/d/119" } } })
      })
    )

    it.scopedLive("on the seq of a key are judged by the state, alone, together and in a transaction", () =>
      Effect.gen(function* () {
        const { context, own } = yield* place
        const kept = { table: "kept", state: "latest" } as const
        const log = yield* own(kept)
        const joined = yield* make(context, kept)
        yield* log.commit([over("/a", "absent"), over("/a", 1), over("/b", "absent")])
        const conflict = yield* Effect.flip(joined.commit([over("/b", 3), over("/a", 1)]))
        expect(conflict).toMatchObject({
          _tag: "Conflict",
          reason: "Changed",
          index: 1,
          condition: { key: "/a", seq: 1 },
          seq: 2
        })
        // A key that is not changed is looked up too, and a removed one is absent at once.
        yield* log.commit([{ changes: [put("/c", 1)], expect: [{ key: "/b", seq: 3 }] }])
        yield* log.commit([{ changes: [ChangeLog.remove("/a")] }, over("/a", "absent")])
        yield* log.append([ChangeLog.remove("/a")])
        for (const seq of [0, 6, 7]) {
          expect(yield* Effect.flip(log.commit([over("/a", seq)]))).toMatchObject({ seq: "absent" })
        }
        const sql = yield* Effect.provide(SqlClient, context)
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* joined.append([put("/a", 1)])
            expect(yield* Effect.flip(joined.commit([over("/a", "absent")]))).toMatchObject({ seq: 8 })
            yield* joined.commit([over("/a", 8)])
          })
        )
        const late = yield* SqlChangeLog.transact(({ append, commit }) =>
          Effect.andThen(append(joined, [put("/b", 1)]), commit(joined, [over("/a", 8)]))
        ).pipe(Effect.provide(context), Effect.flip)
        expect(late).toMatchObject({ _tag: "Conflict", seq: 9 })
        yield* log.renewEpoch
        expect(yield* Effect.flip(log.commit([over("/a", "absent")]))).toMatchObject({ seq: 0 })
        expect(yield* Effect.flip(log.commit([over("/z", 0)]))).toMatchObject({ seq: "absent" })
        yield* log.commit([over("/a", 0)])
        const plain = yield* own({ table: "plain" })
        expect(yield* Effect.flip(plain.commit([over("/a", "absent")]))).toMatchObject({
          reason: "Invalid",
          message: expect.stringContaining('make it with state: "latest"'),
          index: 0
        })
      })
    )

    it.scopedLive(
      "roll back the transaction that they are a part of, and leave a caller's own as it was",
      () =>
        Effect.gen(function* () {
          const { context } = yield* place
          const log = yield* make(context, feed)
          yield* log.append([put("/a", 1)])
          const sql = yield* Effect.provide(SqlClient, context)
          yield* sql`CREATE TABLE plain (n INTEGER)`
          const conflict = yield* SqlChangeLog.transact(({ append, commit }) =>
            Effect.gen(function* () {
              yield* sql`INSERT INTO plain (n) VALUES (1)`
              yield* append(log, [put("/b", 1)])
              yield* commit(log, [made("/a", 0)])
            })
          ).pipe(Effect.provide(context), Effect.flip)
          expect(conflict).toMatchObject({ _tag: "Conflict", generation: 1 })
          expect([yield* sql`SELECT n FROM plain`, yield* keys(log)]).toEqual([[], ["/a"]])
          yield* sql.withTransaction(
            Effect.gen(function* () {
              yield* log.append([put("/c", 1)])
              expect(yield* Effect.flip(log.commit([made("/c", 0)]))).toMatchObject({ _tag: "Conflict" })
              yield* log.commit([made("/c", 1)])
            })
          )
          expect(yield* keys(log)).toEqual(["/a", "/c", "/c"])
        })
    )

    it.scopedLive(
      "let each of 64 writers add once, who try again on a conflict, with rollbacks between",
      () =>
        Effect.gen(function* () {
          const { context, own } = yield* place
          const logs = yield* Effect.all([own(feed), own(feed), make(context, feed)])
          const sql = yield* Effect.provide(SqlClient, context)
          const [reader, , joined] = logs
          const add = (writer: number, amount: number) =>
            Effect.gen(function* () {
              const log = logs[writer % 3]!
              const { generation } = yield* stateOf(log, "/sum")
              yield* log.commit([{ changes: [put("/sum", amount)], expect: [{ key: "/sum", generation }] }])
            })
          const rolledBack = sql
            .withTransaction(
              Effect.andThen(
                stateOf(joined, "/sum"),
                Effect.andThen(joined.append([put("/sum", 1_000_000)]), Effect.fail("rolled back" as const))
              )
            )
            .pipe(Effect.ignore)
          let added = 0
          for (let round = 0; round < runs(1); round++) {
            const seed = yield* Random.nextIntBetween(0, 2 ** 31)
            const amounts = Array.from({ length: 64 }, (_, n) => 1 + ((seed + n * 7919) % 100))
            const writers = amounts.map((amount, n) =>
              Effect.andThen(n % 16 === 0 ? rolledBack : Effect.yieldNow(), add(n, amount)).pipe(
                Effect.retry({ while: ({ _tag }) => _tag === "Conflict" })
              )
            )
            yield* Effect.all(writers, { concurrency: 4 })
            added += amounts.reduce((sum, amount) => sum + amount, 0)
            expect(yield* stateOf(reader, "/sum"), `seed ${seed}`).toEqual({
              generation: 64 * (round + 1),
              sum: added
            })
          }
        }),
      runs(60_000)
    )
  })

for (const [name, place] of places) suite(name, place)

/** Waits until so many backends of the schema wait for a lock. */
const waiting = (sql: Sql, count: number) =>
  Effect.repeat(
    sql(
      "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.application_name = current_schema()"
    ),
    { until: (rows) => rows.length === count, schedule: Schedule.forever }
  ).pipe(Effect.timeout("20 seconds"))

/**
 * Lets two writers that expect the same wait for the head, which another program holds: both have begun before either
 * commits. `at` makes an entry that is right after so many revisions, and `lost` is what the loser is shown.
 */
const oneOfTwo = (
  server: string,
  options: { readonly state?: "latest"; readonly keys?: "indexed" },
  at: (head: number) => ChangeLog.Entry<unknown>,
  lost: (head: number) => object
) =>
  Effect.gen(function* () {
    const url = new URL(yield* ownSchema(server))
    const sql = yield* openClient(url.href)
    const [schema] = yield* sql("SELECT current_schema() AS name")
    url.searchParams.set("application_name", String(schema?.name))
    const log = yield* PgChangeLog.make<unknown>({ table: "log", ...options, url: url.href })
    const program = yield* openClient(url.href)
    yield* log.commit([at(0)])
    // Of a log without state one entry is judged by the statement that appends it, two in a transaction.
    for (const [n, others] of [[], [{ changes: [put("/b", 1)] }]].entries()) {
      yield* program("BEGIN")
      yield* program("SELECT 1 FROM log_heads FOR UPDATE")
      const commits = yield* Effect.forEach([1, 2], () =>
        Effect.fork(Effect.either(log.commit([at(1 + n), ...others])))
      )
      yield* waiting(sql, 2)
      yield* program("COMMIT")
      const outcomes = yield* Effect.forEach(commits, Fiber.join)
      expect(outcomes.map(({ _tag }) => _tag).sort()).toEqual(["Left", "Right"])
      const [left] = outcomes.flatMap((one) => (one._tag === "Left" ? [one.left] : []))
      expect(left).toMatchObject({ _tag: "Conflict", reason: "Changed", ...lost(2 + n) })
    }
    expect(yield* keys(log)).toEqual(["/a", "/a", "/a", "/b"])
  })

for (const { name, url: server } of databaseUrls()) {
  describe(`conditions on ${name}`, () => {
    it.scopedLive(
      "of two writers at one generation lets one win, also when one waits for the other's head",
      () =>
        oneOfTwo(
          server,
          { keys: "indexed" },
          (generation) => made("/a", generation),
          (generation) => ({ generation })
        )
    )

    it.scopedLive("of two writers at one seq lets one win, when both wait for the head", () =>
      oneOfTwo(
        server,
        { state: "latest" },
        (seq) => over("/a", seq === 0 ? "absent" : seq),
        (seq) => ({ seq })
      )
    )
  })
}
