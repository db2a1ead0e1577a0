/**
 * Whose matter a failure is, on a real database: the record's, the table's or the server's. The good records are
 * stored, the bad ones set aside, and what no record can be blamed for is waited out.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Logger, Option, Schedule, type Scope } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { Column, type RowOf } from "../../../src/Storage.js"
import { CurrentSizeLimits } from "../../../src/sql/internal/statementSize.js"
import { expectBalance, numbers } from "../../support/recorder/account.js"
import { status } from "../../support/recorder/watching.js"
import type { Database } from "./sqlTable.suite.js"

const columns = { id: Column.integer, note: Column.text }

export type Row = RowOf<typeof columns>

const table = { table: "trail", columns, id: "id" } as const

export const retry = Schedule.spaced("20 millis")

const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

/** A row's note, which no message may quote. */
const good = "a note about Ada"

export const rows = (from: number, count: number, note = good): ReadonlyArray<Row> =>
  numbers(count, from).map((id) => ({ id, note }))

/** `rows` with one among them. */
const among = (all: ReadonlyArray<Row>, at: number, row: Row): ReadonlyArray<Row> => [
  ...all.slice(0, at),
  row,
  ...all.slice(at)
]

/** A trigger before each insert into the trail. */
export const trigger = (dialect: Database["dialect"], when: string, body: string): ReadonlyArray<string> =>
  dialect === "sqlite"
    ? [`CREATE TRIGGER rule BEFORE INSERT ON trail WHEN ${when} BEGIN ${body}; END`]
    : [
        `CREATE FUNCTION rule() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF ${when} THEN ${body}; END IF; RETURN NEW; END $$`,
        "CREATE TRIGGER rule BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION rule()"
      ]

/** The trail's ids in the order of the table's own counting. */
export const idsOf = ({ sql }: Database) =>
  Effect.map(sql("SELECT id FROM trail ORDER BY id"), (found) => found.map(({ id }) => Number(id)))

/** One bad record among `all` is set aside, the others are stored; gives what is told of it. */
export const setsAsideOne = (
  database: Database,
  recorder: Recorder.Recorder<Row>,
  all: ReadonlyArray<Row>,
  bad: Row
) =>
  Effect.gen(function* () {
    expect(yield* recorder.saveAll(all)).toBe(true)
    // What comes later has something to compare with.
    yield* recorder.saveDurable({ id: 100_000, note: good })
    yield* recorder.flush
    const { setAside, stats, unsaved } = yield* recorder.close
    expectBalance(stats)
    expect(unsaved).toEqual([])
    expect(setAside.map(({ record }) => record)).toEqual([bad])
    const ids = all.filter((row) => row !== bad).map(({ id }) => id)
    expect(yield* idsOf(database)).toEqual([...ids, 100_000])
    const [entry] = setAside
    if (entry === undefined) throw new Error("nothing is set aside")
    expect(entry.cause.message).not.toContain(bad.note)
    return { cause: entry.cause, stats }
  })

export const blameSuite = (name: string, opened: Effect.Effect<Database, unknown, Scope.Scope>): void => {
  const scenario = (
    what: string,
    body: (database: Database) => Effect.Effect<void, unknown, Scope.Scope>
  ): void => it.scopedLive(`${name}: ${what}`, () => quiet(Effect.flatMap(opened, body)))

  scenario(
    "a rule that forbids one of 1,000 sets one aside at once, and is quoted without the row",
    (database) =>
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(yield* database.make(table), { retry })
        const raise =
          database.dialect === "sqlite"
            ? "SELECT RAISE(ABORT, 'notes about such people are forbidden')"
            : "RAISE EXCEPTION 'notes about such people are forbidden: %', NEW.note"
        for (const text of trigger(database.dialect, "NEW.id = 777", raise)) yield* database.sql(text)
        const bad = { id: 777, note: "Zoltan" }
        const { cause, stats } = yield* setsAsideOne(
          database,
          recorder,
          rows(1, 1000).map((row) => (row.id === 777 ? bad : row)),
          bad
        )
        expect(cause.message).toContain("people are forbidden")
        // The others wait for no retry.
        expect(stats.retries).toBe(0)
      })
  )

  scenario("a trigger that one record breaks in the first batch sets that one aside", (database) =>
    Effect.gen(function* () {
      const storage = yield* database.make(table)
      const broken =
        database.dialect === "sqlite"
          ? trigger("sqlite", "json_extract(NEW.note, '$.user') = 'x'", "SELECT RAISE(IGNORE)")
          : trigger("pg", "(NEW.note::json ->> 'user') = 'x'", "NULL")
      for (const text of broken) yield* database.sql(text)
      const recorder = yield* Recorder.make(storage, { retry })
      const json = (row: Row): Row => ({ ...row, note: `{"user":"${row.id}"}` })
      const bad = { id: 1000, note: "no JSON at all" }
      const all = among(rows(1, 99).map(json), 40, bad)
      expect(yield* recorder.saveAll(all)).toBe(true)
      yield* recorder.saveDurable(json({ id: 2000, note: "" }))
      yield* recorder.flush
      const { setAside, stats, unsaved } = yield* recorder.close
      expectBalance(stats)
      expect([unsaved, setAside.map(({ record }) => record)]).toEqual([[], [bad]])
      expect(stats.stored).toBe(100)
      expect(yield* idsOf(database)).toEqual([...numbers(99), 2000])
    })
  )

  scenario("a table that is renamed away and back loses nothing, and sets nothing aside", (database) =>
    Effect.gen(function* () {
      const recorder = yield* Recorder.make(yield* database.make(table), { retry })
      yield* recorder.saveDurable({ id: 1, note: good })
      yield* database.sql("ALTER TABLE trail RENAME TO elsewhere")
      expect(yield* recorder.saveAll(rows(2, 300))).toBe(true)
      yield* status(recorder, "Degraded")
      yield* database.sql("ALTER TABLE elsewhere RENAME TO trail")
      yield* recorder.flush
      const { setAside, stats, unsaved } = yield* recorder.close
      expect([setAside, unsaved]).toEqual([[], []])
      expect(stats.stored).toBe(301)
      expect(yield* idsOf(database)).toEqual(numbers(301))
    })
  )

  scenario("a statement that could not be prepared is tried anew", (database) =>
    Effect.gen(function* () {
      const storage = yield* database.make(table)
      yield* storage.save(rows(1, 3))
      yield* database.sql("ALTER TABLE trail RENAME TO elsewhere")
      for (let n = 0; n < 3; n++) {
        expect(yield* Effect.flip(storage.save(rows(4, 2)))).toMatchObject({ kind: "Transient" })
      }
      yield* Effect.flip(storage.load({}))
      yield* database.sql("ALTER TABLE elsewhere RENAME TO trail")
      expect(yield* storage.save(rows(4, 2))).toEqual({ duplicates: 0 })
      expect((yield* storage.load({})).length).toBe(5)
    })
  )

  scenario(
    "a column that is NOT NULL and not in the definition is waited out, however many come",
    (database) =>
      Effect.gen(function* () {
        const { dialect, sql } = database
        const recorder = yield* Recorder.make(yield* database.make(table), { retry })
        yield* recorder.saveDurable({ id: 1, note: good })
        const to = (extra: string) => [
          "ALTER TABLE trail RENAME TO before",
          `CREATE TABLE trail (id INTEGER PRIMARY KEY, note TEXT NOT NULL, extra TEXT ${extra}) STRICT`,
          "INSERT INTO trail SELECT id, note, 'x' FROM before",
          "DROP TABLE before"
        ]
        const add =
          dialect === "sqlite"
            ? to("NOT NULL")
            : [
                "ALTER TABLE trail ADD COLUMN extra text NOT NULL DEFAULT 'x'",
                "ALTER TABLE trail ALTER COLUMN extra DROP DEFAULT"
              ]
        for (const text of add) yield* sql(text)
        expect(yield* recorder.saveAll(rows(2, 300))).toBe(true)
        const { cause } = yield* status(recorder, "Degraded", ({ attempt }) => attempt >= 2)
        expect(Option.getOrThrow(cause)).toMatchObject({ kind: "Poison", blame: "either" })
        // A lone record, too, waits for what it can be compared with.
        recorder.unsafeSave({ id: 302, note: good })
        yield* status(recorder, "Degraded", ({ attempt }) => attempt >= 4)
        expect(recorder.unsafeStats()).toMatchObject({ setAside: 0, pending: 301 })
        const mend = dialect === "sqlite" ? to("") : ["ALTER TABLE trail ALTER COLUMN extra DROP NOT NULL"]
        for (const text of mend) yield* sql(text)
        yield* recorder.flush
        const { setAside, stats } = yield* recorder.close
        expect(setAside).toEqual([])
        expect(stats.stored).toBe(302)
        expect(yield* idsOf(database)).toEqual(numbers(302))
      })
  )

  scenario("a lone record that breaks a constraint of its own is answered at once", (database) =>
    Effect.gen(function* () {
      const indexes = [{ name: "trail_note", columns: ["note"], kind: "unique" }] as const
      const recorder = yield* Recorder.make(yield* database.make({ ...table, indexes }))
      yield* recorder.saveDurable({ id: 1, note: good })
      const refused = yield* Effect.flip(recorder.saveDurable({ id: 2, note: good }))
      expect(refused.reason).toBe("SetAside")
      expect((yield* recorder.status)._tag).toBe("Running")
      expect(recorder.unsafeStats().retries).toBe(0)
    })
  )

  scenario(
    "a batch is limited by its size, and a record that no statement can hold is set aside",
    (database) =>
      Effect.gen(function* () {
        const limits = { batch: 20_000, record: 60_000 }
        const storage = yield* Effect.provideService(database.make(table), CurrentSizeLimits, limits)
        const recorder = yield* Recorder.make(storage, { retry })
        const bad = { id: 500, note: "y".repeat(60_001) }
        // A large one goes alone.
        const all = among(among(rows(1, 60, "x".repeat(1500)), 20, bad), 40, {
          id: 501,
          note: "z".repeat(30_000)
        })
        expect(yield* recorder.saveAll(all)).toBe(true)
        yield* recorder.flush
        const { setAside, stats } = yield* recorder.close
        expect(setAside.map(({ record }) => record.id)).toEqual([500])
        expect(setAside[0]?.cause.message).toMatch(/larger than a statement/)
        expect(stats).toMatchObject({ stored: 61, retries: 0 })
        // Twelve records of 1,500 units go into a statement of 20,000.
        expect(stats.saves).toBeLessThanOrEqual(9)
        expect(yield* idsOf(database)).toEqual([...numbers(60), 501])
      })
  )
}
