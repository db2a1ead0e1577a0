/** Permanent stores of several processes: what they save at once, who owns them, and whose sessions end. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { following } from "../../support/watch/following.js"
import { databases, operation, passing, remove, save, seqs, set, stored } from "./fixture.js"

for (const [name, database] of databases()) {
  describe(`permanent stores of several processes in ${name}`, () => {
    it.scoped("does an operation once, whichever process it is sent to", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        const a = yield* one.open(stored("a"))
        const again = () =>
          save(
            "a",
            ["k"],
            ({ remembered, ...locked }) =>
              remembered === undefined
                ? set("a", "k", 1).decide({ ...locked, remembered })
                : { revisions: [] },
            operation(1)
          )
        yield* one.save([set("a", "k", 1, operation(1))], undefined)
        const known: Array<unknown> = []
        const look = save(
          "a",
          [],
          ({ remembered, window }) => {
            known.push(remembered, window)
            return { revisions: [] }
          },
          operation(1, "a", "another")
        )
        expect(seqs(yield* other.save([again(), look], undefined))).toEqual([[], []])
        expect(known).toEqual([
          { ...operation(1), reply: 1, at: expect.any(Number) },
          { top: 1, floor: 0 }
        ])
        expect((yield* a.log.head).head.seq).toBe(1)
      })
    )

    it.scoped("shows a save that is sent again what it has appended", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        yield* one.open(stored("a"))
        const logged: Array<unknown> = []
        const both = save("a", ["k"], (locked) => {
          logged.push(locked.logged)
          const { decide } = set("a", "k", 1)
          const next = { ...locked, head: { ...locked.head, seq: locked.head.seq + 1 } }
          if (locked.logged !== undefined) return { revisions: [] }
          return {
            revisions: [locked, next].flatMap((one) => (decide(one) as { readonly revisions: [] }).revisions)
          }
        })
        const [first] = yield* one.save([both], undefined)
        const [second] = yield* other.save([both], undefined)
        expect(seqs([first!, second!])).toEqual([[1, 2], []])
        expect(logged).toEqual([undefined, first?._tag === "Saved" ? first.revisions[1] : "none"])
      })
    )

    it.scoped("counts on together when processes save to one store at once", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        const a = yield* one.open(stored("a"))
        const increment = () =>
          save("a", ["k"], (locked) => set("a", "k", Number(locked.get("k")?.data ?? 0) + 1).decide(locked))
        yield* Effect.forEach(
          Array.from({ length: 40 }, (_, n) => n),
          (n) => (n % 2 === 0 ? one : other).save([increment(), increment()], undefined),
          { concurrency: 4 }
        )
        expect((yield* a.load).values).toEqual([{ key: "k", data: 80, seq: 80 }])
      })
    )

    it.scoped("rings the followers of another process after the commit", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        const follower = yield* following((yield* other.open(stored("a"))).log)
        yield* one.open(stored("a"))
        yield* one.save([set("a", "k", 1), set("a", "k", 2)], undefined)
        yield* follower.until(2)
      })
    )

    it.scoped("leaves out the later saves of a store that breaks, and saves those of others", () =>
      Effect.gen(function* () {
        const { one } = yield* database
        const [a, b] = yield* Effect.forEach(["a", "b"], (id) => one.open(stored(id)))
        const outcomes = yield* one.save(
          [
            set("a", "k", 1),
            save("a", ["k"], () => ({ _tag: "Broken", message: "broken" })),
            set("a", "k", 2),
            set("b", "k", 1),
            set("gone", "k", 1),
            save("b", ["k"], (locked) => set("b", "l", 1).decide(locked))
          ],
          undefined
        )
        const others = ["gone", "l"].map((name) => expect.stringContaining(JSON.stringify(name)))
        expect(seqs(outcomes)).toEqual([[1], "broken", "broken", [1], ...others])
        expect((yield* a!.load).values).toEqual([{ key: "k", data: 1, seq: 1 }])
        expect((yield* b!.load).values).toEqual([{ key: "k", data: 1, seq: 1 }])
      })
    )

    it.scoped(
      "stores nothing of a batch of which the database refuses a part, and names what cannot be encoded",
      () =>
        Effect.gen(function* () {
          const { db, one } = yield* database
          const [a, b] = yield* Effect.forEach(["a", "b"], (id) => one.open(stored(id)))
          const wrong = yield* Effect.flip(one.save([set("a", "k", 1), set("b", "k", "\0")], undefined))
          expect(wrong).toMatchObject({ kind: "Poison", outcome: "NotStored", bad: [{ index: 1 }] })
          yield* db.sql(
            db.dialect === "pg"
              ? "ALTER TABLE shared_state ADD CHECK (key <> 'bad')"
              : "CREATE TRIGGER refuses BEFORE INSERT ON shared_state WHEN NEW.key = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END"
          )
          const refused = yield* Effect.flip(one.save([set("a", "k", 1), set("b", "bad", 1)], undefined))
          expect(refused).toMatchObject({ outcome: "NotStored" })
          expect(["Poison", "Unknown"]).toContain(refused.kind)
          expect((yield* a!.load).values).toEqual([])
          expect((yield* b!.load).revision.seq).toBe(0)
        })
    )

    it.scoped("stores no row of an operation whose id it cannot remember", () =>
      Effect.gen(function* () {
        const { db, one } = yield* database
        const a = yield* one.open(stored("a"))
        yield* db.sql(
          db.dialect === "pg"
            ? "ALTER TABLE shared_operations ADD CHECK (client <> 'unknown')"
            : "CREATE TRIGGER forgets BEFORE INSERT ON shared_operations WHEN NEW.client = 'unknown' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        const refused = yield* Effect.flip(one.save([set("a", "k", 1, operation(1, "unknown"))], undefined))
        expect(refused).toMatchObject({ outcome: "NotStored" })
        expect(yield* a.load).toMatchObject({ revision: { seq: 0 }, values: [], operations: [] })
        expect(seqs(yield* one.save([set("a", "k", 2, operation(1, "known"))], undefined))).toEqual([[1]])
      })
    )

    it.scoped("saves nothing with the token of an owner that another process has succeeded", () =>
      Effect.gen(function* () {
        const { db, one, other } = yield* database
        const a = yield* one.open(stored("a", { owner: "us" }))
        expect(seqs(yield* one.save([set("a", "k", 1)], undefined))).toEqual([
          expect.stringContaining('the owner of "us" alone')
        ])
        const first = yield* one.own("us")
        yield* one.save([set("a", "k", 1)], first.token)
        expect(yield* Effect.flip(other.own("us"))).toMatchObject({ _tag: "Owned", by: "one" })
        // As if its lease had run out while it was stopped.
        yield* db.sql(`UPDATE shared_owners SET token = NULL WHERE name = 'us'`)
        const second = yield* other.own("us")
        const refused = yield* Effect.flip(one.save([set("a", "k", 2)], first.token))
        expect(refused).toMatchObject({ kind: "Fatal", outcome: "NotStored" })
        expect(refused.message).toContain('"us" is owned by other now')
        expect(yield* first.lost).toContain('"us" was taken over')
        expect(yield* Effect.flip(one.save([set("a", "k", 2)], second.token))).toMatchObject({
          kind: "Fatal"
        })
        expect(seqs(yield* other.save([set("a", "k", 3)], second.token))).toEqual([[2]])
        expect((yield* a.load).values).toEqual([{ key: "k", data: 3, seq: 2 }])
      })
    )

    it.scoped("ends the sessions that another process has left, with the stores and keys of each", () =>
      Effect.gen(function* () {
        const { db, one, other } = yield* database
        yield* Effect.forEach(["a", "b"], (id) => one.open(stored(id)))
        yield* one.sessions.extend([
          { id: "s", ttl: 30_000 },
          { id: "t", ttl: 40_000 },
          { id: "empty", ttl: 20_000 }
        ])
        const of = (store: string, key: string, session?: string) => set(store, key, 1, undefined, session)
        yield* one.save(
          [
            of("a", "k", "s"),
            of("a", "l", "s"),
            of("b", "k", "s"),
            of("a", "t", "t"),
            of("a", "orphan", "unknown")
          ],
          undefined
        )
        expect(yield* other.sessions.ended(10)).toEqual([])
        yield* Effect.forEach(passing(35_000), (text) => db.sql(text))
        expect(yield* other.sessions.ended(10)).toEqual([
          { id: "empty", stores: [] },
          { id: "s", stores: ["a", "b"] },
          { id: "unknown", stores: ["a"] }
        ])
        expect(yield* other.sessions.ended(1)).toEqual([{ id: "empty", stores: [] }])
        expect(yield* other.sessions.keysOf("a", "s")).toEqual(["k", "l"])
        // Its last writer has the key.
        yield* one.save([of("a", "k", "t"), of("a", "l")], undefined)
        yield* other.save([remove("b", "k")], undefined)
        expect(yield* other.sessions.keysOf("a", "s")).toEqual([])
        expect(yield* other.sessions.keysOf("a", "t")).toEqual(["k", "t"])
        yield* other.sessions.forget(["empty", "s", "unknown", "t"])
        expect((yield* other.sessions.ended(10)).map(({ id }) => id)).toEqual(["unknown"])
        yield* one.sessions.extend([{ id: "unknown", ttl: 10_000 }])
        expect(yield* other.sessions.ended(10)).toEqual([])
      })
    )

    it.scoped("forgets what is older than a day when it is loaded, and what is below the floor at once", () =>
      Effect.gen(function* () {
        const { db, one, other } = yield* database
        const a = yield* one.open(stored("a"))
        const count = Effect.map(db.sql("SELECT count(*) AS n FROM shared_operations"), ([row]) =>
          Number(row?.n)
        )
        yield* one.save(
          [
            set("a", "k", 1, operation(1)),
            set("a", "k", 1, operation(3)),
            set("a", "k", 1, operation(1, "b"))
          ],
          undefined
        )
        yield* Effect.forEach(passing(24 * 60 * 60 * 1000 + 1000), (text) => db.sql(text))
        yield* one.save([set("a", "k", 1, operation(4)), set("a", "k", 1, operation(2))], undefined)
        const loaded = yield* (yield* other.open(stored("a"))).load
        expect(loaded.operations.map(({ client, n }) => [client, n])).toEqual([["a", 4]])
        expect(loaded.windows).toEqual(
          new Map([
            ["a", { top: 4, floor: 3 }],
            ["b", { top: 1, floor: 1 }]
          ])
        )
        expect(yield* count).toBe(1)
        const raise = save("a", [], () => ({ revisions: [], reply: "late", floor: 4 }), operation(5))
        const below: Array<unknown> = []
        const look = save(
          "a",
          [],
          ({ remembered, window }) => {
            below.push(remembered, window)
            return { revisions: [] }
          },
          operation(4)
        )
        yield* one.save([raise, look], undefined)
        expect(below).toEqual([undefined, { top: 5, floor: 4 }])
        expect((yield* a.load).operations.map(({ n }) => n)).toEqual([5])
      })
    )

    it.scoped("keeps of the clients without a reply the 10,000 that came last, and all others", () =>
      Effect.gen(function* () {
        const { db, one } = yield* database
        const a = yield* one.open(stored("a"))
        yield* one.save(
          [set("a", "k", 1, operation(1, "old")), set("a", "k", 1, operation(2, "old"))],
          undefined
        )
        yield* Effect.forEach(passing(24 * 60 * 60 * 1000 + 1000), (text) => db.sql(text))
        yield* one.save([set("a", "k", 1, operation(1, "new"))], undefined)
        yield* db.sql(
          `INSERT INTO shared_clients ("feed", "client", "top", "floor", "at") WITH RECURSIVE g(n) AS` +
            ` (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 10001)` +
            ` SELECT 'a', 'c' || n, 1, 1, CASE n WHEN 7 THEN 0 ELSE 1 END FROM g`
        )
        yield* a.tidy
        const { operations, windows } = yield* a.load
        expect(operations.map(({ client, n }) => [client, n])).toEqual([["new", 1]])
        // That of the client `old` was written last.
        expect(windows.get("old")).toEqual({ top: 2, floor: 2 })
        expect(windows.get("new")).toEqual({ top: 1, floor: 0 })
        expect([windows.size, windows.has("c7")]).toEqual([10_001, false])
      })
    )

    it.scoped("takes a name again at once when its owner has closed", () =>
      Effect.gen(function* () {
        const { one, other } = yield* database
        const held = yield* Effect.scoped(one.own("us"))
        const next = yield* other.own("us")
        expect(next.token).not.toBe(held.token)
        const lost = yield* Effect.fork(next.lost)
        expect(yield* Fiber.poll(lost)).toMatchObject({ _tag: "None" })
      })
    )
  })
}
