/** Permanent stores in bulk: how many statements a burst is, and that tables stay within their bounds. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import { prefix } from "../../../src/ChangeLog.js"
import type { Json } from "../../../src/internal/columns/jsonData.js"
import { CurrentSizeLimits } from "../../../src/sql/internal/statementSize.js"
import { holdsEffect, runs } from "../../support/laws/laws.js"
import type { TableDatabase } from "../../support/table/databases.js"
import { backendOf, counting, databases, operation, remove, save, seqs, set, stored } from "./fixture.js"

const rows = (db: TableDatabase, table: string) =>
  Effect.map(db.sql(`SELECT count(*) AS n FROM shared_${table}`), ([row]) => Number(row?.n))

/** 34,000 in the long run. */
const count = Math.min(runs(1000), 50_000)

for (const [name, database] of databases()) {
  describe(`permanent stores in bulk in ${name}`, () => {
    it.scoped("saves 10,000 sets of a store by 5 transactions, of 6 statements on Postgres", () =>
      Effect.gen(function* () {
        const { counts, db } = counting((yield* database).db)
        const backend = yield* backendOf(db)
        const a = yield* backend.open(stored("a", { owner: "us" }))
        const { token } = yield* backend.own("us")
        counts.statements = counts.transactions = 0
        for (let batch = 0; batch < 5; batch++) {
          const saves = Array.from({ length: 2000 }, (_, n) => {
            const at = batch * 2000 + n
            return set("a", `key ${at % 3000}`, { id: `key ${at % 3000}`, at })
          })
          yield* backend.save(saves, token)
        }
        expect(counts.transactions).toBe(5)
        // On SQLite each table that is written is a statement.
        expect(counts.statements).toBeLessThanOrEqual(db.dialect === "pg" ? 30 : 50)
        const { revision, values } = yield* a.load
        expect([revision.seq, values.length, values.at(-1)?.seq]).toEqual([10_000, 3000, 10_000])
      })
    )

    it.scoped("opens a store that is there by one statement, however many there are", () =>
      Effect.gen(function* () {
        const { counts, db } = counting((yield* database).db)
        const backend = yield* backendOf(db)
        const ids = Array.from({ length: 50 }, (_, n) => `store ${n}`)
        const openAll = Effect.scoped(Effect.forEach(ids, (id) => backend.open(stored(id))))
        const counted = Effect.suspend(() => {
          counts.statements = 0
          return Effect.map(openAll, () => counts.statements / ids.length)
        })
        expect(yield* counted).toBeLessThanOrEqual(5)
        expect(yield* counted).toBe(1)
      })
    )

    it.scoped(
      "keeps its tables within the bound of the log when everything is deleted",
      () =>
        Effect.gen(function* () {
          const { db } = yield* database
          const backend = yield* backendOf(db, { retention: { count: 100 } })
          const a = yield* backend.open(stored("a"))
          const keys = Array.from({ length: count }, (_, n) => `key ${n}`)
          const saves = keys.map((key, n) => set("a", key, n, operation(n + 1), "s"))
          for (let n = 0; n < count; n += 1000) yield* backend.save(saves.slice(n, n + 1000), undefined)
          const floor = save(
            "a",
            [],
            () => ({ revisions: [], reply: null, floor: count }),
            operation(count + 1)
          )
          const removals = [...keys.map((key) => remove("a", key)), floor]
          for (let n = 0; n <= count; n += 1000) yield* backend.save(removals.slice(n, n + 1000), undefined)
          // The log that the store is served by.
          yield* (a.log as unknown as { readonly prune: Effect.Effect<number> }).prune
          const counts = yield* Effect.forEach(
            ["state", "session_keys", "operations", "clients", "sessions"],
            (table) => rows(db, table)
          )
          expect(counts).toEqual([0, 0, 1, 1, 1])
          const [log] = yield* db.sql("SELECT count(*) AS n FROM shared")
          expect(Number(log?.n)).toBe(100)
        }),
      20_000 + 10 * count
    )

    it.scoped(
      "refuses a batch that is too large for one commit with how much of it fits, and a save by itself for good",
      () =>
        Effect.gen(function* () {
          const { db } = yield* database
          const sizes = { batch: 1000, record: 5000 }
          const backend = yield* Effect.provideService(backendOf(db), CurrentSizeLimits, sizes)
          const a = yield* backend.open(stored("a"))
          const large = (length: number) => set("a", "k", "x".repeat(length))
          const batch = yield* Effect.flip(backend.save([large(400), large(400), large(400)], undefined))
          expect(batch).toMatchObject({ kind: "Transient", outcome: "NotStored", blame: "size", fits: 2 })
          const alone = yield* Effect.flip(backend.save([large(6000)], undefined))
          expect(alone).toMatchObject({ kind: "Poison", outcome: "NotStored", bad: [{ index: 0 }] })
          expect(seqs(yield* backend.save([large(4000)], undefined))).toEqual([[1]])
          expect((yield* a.load).values).toHaveLength(1)
        })
    )

    it.scoped("locks the stores of batches in one order, whatever order their saves have", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        yield* Effect.forEach(["a", "b"], (id) => one.open(stored(id)))
        const sets = (...ids: ReadonlyArray<string>) => ids.map((id) => set(id, "k", 1, undefined, `s ${id}`))
        const saved = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => n),
          (n) => (n % 2 === 0 ? one.save(sets("a", "b"), undefined) : other.save(sets("b", "a"), undefined)),
          { concurrency: 4 }
        )
        expect(saved.flatMap(seqs).flat()).toHaveLength(40)
      })
    )

    it.scoped("has the totals that a count gives, and holds what the log's snapshot has", () =>
      Effect.gen(function* () {
        const { db, one, other } = yield* database
        const data = fc.jsonValue({ maxDepth: 2 })
        const step = fc.record({
          store: fc.constantFrom("a", "b"),
          key: fc.constantFrom("k", "l", "ü"),
          write: fc.option(data, { nil: undefined })
        })
        const batches = fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 4 })
        let run = 0
        yield* holdsEffect(batches, 4, (all) =>
          Effect.scoped(
            Effect.gen(function* () {
              const named = (store: string) => `${run} ${store}`
              run++
              const opened = yield* Effect.forEach(["a", "b"], (id) => one.open(stored(named(id))))
              for (const [n, batch] of all.entries()) {
                yield* (n % 2 === 0 ? one : other).save(
                  batch.map(({ key, store, write }) =>
                    write === undefined ? remove(named(store), key) : set(named(store), key, write as Json)
                  ),
                  undefined
                )
              }
              for (const {
                load,
                log,
                stored: { id }
              } of opened) {
                const { revision, values } = yield* load
                const { entries, revision: at } = yield* log.snapshot(prefix(""))
                expect(revision).toEqual(at)
                expect(new Map(values.map(({ key, ...value }) => [key, value]))).toEqual(
                  new Map(entries.map(({ key, value }) => [key, value]))
                )
                expect(values.map(({ seq }) => seq)).toEqual(
                  values.map(({ seq }) => seq).sort((a, b) => a - b)
                )
                const bytes = values.map(({ data }) => Buffer.byteLength(JSON.stringify(data)))
                const [totals] = yield* db.sql(`SELECT records, bytes FROM shared_stores WHERE id = '${id}'`)
                expect([Number(totals?.records), Number(totals?.bytes)]).toEqual([
                  values.length,
                  bytes.reduce((a, b) => a + b, 0)
                ])
              }
            })
          )
        )
      })
    )
  })
}
