/** Permanent stores in a database: opening, saving, loading. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { prefix } from "../../../src/ChangeLog.js"
import { databases, operation, put, remove, save, seqs, set, stored } from "./fixture.js"

for (const [name, database] of databases()) {
  describe(`permanent stores in ${name}`, () => {
    it.scoped("opens what is stored, whatever is asked for", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        const made = yield* one.open(stored("a", { owner: "us" }))
        expect(made.stored).toEqual(stored("a", { owner: "us" }))
        const asked = stored("a", { part: "pool", primary: "key", version: 3, fingerprint: "f" })
        expect((yield* other.open(asked)).stored).toEqual(made.stored)
        yield* one.setVersion("a", 2)
        expect((yield* other.open(asked)).stored.version).toBe(2)
        expect(yield* Effect.flip(one.setVersion("b", 2))).toMatchObject({ kind: "Fatal" })
      })
    )

    it.scoped("makes one store when several processes open it at once", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        const opened = yield* Effect.forEach(
          [one, other, one, other],
          ({ open }, version) => open(stored("a", { version })),
          {
            concurrency: 4
          }
        )
        expect(new Set(opened.map(({ stored }) => stored.version)).size).toBe(1)
        yield* one.save([set("a", "k", 1)], undefined)
        const heads = yield* Effect.forEach(opened, ({ log }) => log.head)
        expect(new Set(heads.map(({ head }) => `${head.epoch} ${head.seq}`)).size).toBe(1)
      })
    )

    it.scoped("saves a batch of several stores, each save on what the saves before it have made", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        const a = yield* one.open(stored("a"))
        yield* one.open(stored("b"))
        const seen: Array<unknown> = []
        const outcomes = yield* one.save(
          [
            set("a", "k", { n: 1 }, operation(1)),
            set("b", "k", "b"),
            save(
              "a",
              ["k", "l"],
              (locked) => {
                const { get, head, remembered, totals, window } = locked
                seen.push(get("k")?.data, get("l"), head.seq, totals, remembered, window)
                return { revisions: [[put(locked, "l", null)], [{ _tag: "Delete", key: "k" }]] }
              },
              operation(2)
            ),
            set("a", "m", 2, operation(1))
          ],
          undefined
        )
        expect(seqs(outcomes)).toEqual([[1], [1], [2, 3], []])
        expect(seen).toEqual([
          { n: 1 },
          undefined,
          1,
          { records: 1, bytes: 7 },
          undefined,
          { top: 1, floor: 0 }
        ])
        const { head } = yield* a.log.head
        expect(outcomes.map((outcome) => outcome._tag === "Saved" && outcome.head.seq)).toEqual([1, 1, 3, 3])
        expect(outcomes[2]).toMatchObject({ head })
        const loaded = yield* (yield* other.open(stored("a"))).load
        expect(loaded.revision).toEqual(head)
        expect(loaded.values).toEqual([{ key: "l", data: null, seq: 2 }])
        expect(loaded.operations).toEqual([{ ...operation(1), reply: 1, at: expect.any(Number) }])
        expect(loaded.windows).toEqual(new Map([["a", { top: 1, floor: 0 }]]))
        const { entries } = yield* a.log.snapshot(prefix(""))
        expect(entries).toEqual([expect.objectContaining({ key: "l", value: { data: null, seq: 2 } })])
      })
    )

    it.scoped("deletes, and gives an empty store", () =>
      Effect.gen(function* () {
        const { one } = yield* database
        const a = yield* one.open(stored("a"))
        yield* one.save([set("a", "k", 1), set("a", "l", 1)], undefined)
        expect(
          seqs(yield* one.save([remove("a", "k"), remove("a", "k"), remove("a", "l")], undefined))
        ).toEqual([[3], [], [4]])
        expect((yield* a.load).values).toEqual([])
      })
    )
  })
}
