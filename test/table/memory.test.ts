import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Option, Stream } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Table from "../../src/Table.js"

const { Column, Query, Write } = Table

const keys = Table.define({
  name: "keys",
  columns: {
    id: Column.uuid,
    account: Column.text,
    revoked: Column.boolean,
    note: Column.nullable(Column.text),
    at: Column.nullable(Column.timestamp)
  },
  id: "id"
})

const id = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`
const key = (n: number, over: Partial<Table.NewRow<typeof keys>> = {}): Table.NewRow<typeof keys> => ({
  id: id(n),
  account: `account ${n % 2}`,
  revoked: false,
  ...over
})

const withLog = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  const table = yield* Table.memory(keys, { log })
  const { head: start } = yield* log.head
  const logged = Effect.map(log.read({ after: start, limit: 100 }), (revisions) =>
    revisions.map(({ events }) =>
      events.map((event) => [event.key, event._tag === "Put" ? event.value : undefined])
    )
  )
  return { log, logged, table }
})

describe("Table.memory(definition)", () => {
  it.effect("does each write, and has one outcome for each, in order", () =>
    Effect.gen(function* () {
      const table = yield* Table.memory(keys)
      const results = yield* table.write([
        Write.insert(key(1)),
        Write.insert(key(1, { note: "other" })),
        Write.patch(id(1), { revoked: true }),
        Write.patch(id(1), { revoked: false }, Query.eq("revoked", false)),
        Write.patch(id(2), { revoked: true }),
        Write.replace(key(2, { note: "two" })),
        Write.replace(key(2)),
        Write.patch(id(2), {}),
        Write.delete(id(3)),
        Write.delete(id(2), Query.eq("revoked", true)),
        Write.delete(id(2))
      ])
      const seen = results.map((result) =>
        result._tag === "Written"
          ? [result.change, Option.getOrUndefined(result.row)?.note]
          : result._tag === "WriteRefused"
            ? result.reason
            : result._tag
      )
      expect(seen).toEqual([
        ["Changed", null],
        ["Unchanged", null],
        ["Changed", null],
        "Conflict",
        "Missing",
        ["Changed", "two"],
        ["Changed", null],
        "Invalid",
        ["Unchanged", undefined],
        "Conflict",
        ["Changed", undefined]
      ])
      const rows = (yield* table.list()).value
      expect(rows).toEqual([{ ...key(1), revoked: true, note: null, at: null }])
      expect((yield* table.deleteAll).change).toBe("Changed")
      expect((yield* table.deleteAll).change).toBe("Unchanged")
      expect((yield* table.count()).value).toBe(0)
    })
  )

  it.effect("reads by queries, ids and pages", () =>
    Effect.gen(function* () {
      const table = yield* Table.memory(keys)
      yield* table.write(Array.from({ length: 803 }, (_, n) => Write.insert(key(n))))
      const ids = (rows: Iterable<{ readonly id: string }>) => [...rows].map(({ id }) => id)
      expect(ids((yield* table.list({ limit: 2, page: 2 })).value)).toEqual([id(2), id(3)])
      expect((yield* table.count(Query.eq("account", "account 1"))).value).toBe(401)
      const streamed = yield* Stream.runCollect(table.stream({ orderBy: [Query.desc("id")] }))
      expect(ids(Chunk.toReadonlyArray(streamed))).toEqual(Array.from({ length: 803 }, (_, n) => id(802 - n)))
      expect(ids(yield* Stream.runCollect(table.stream({ limit: 301, page: 2 })))).toEqual(
        Array.from({ length: 301 }, (_, n) => id(301 + n))
      )
      const many = yield* table.getMany([id(5), id(9999), id(5), id(0xa).toUpperCase()])
      expect(many.value.map(Option.map((row) => row.id))).toEqual([
        Option.some(id(5)),
        Option.none(),
        Option.some(id(5)),
        Option.some(id(10))
      ])
      expect(Option.isNone((yield* table.get(id(9999))).value)).toBe(true)
    })
  )

  it.effect("shares no row with its caller", () =>
    Effect.gen(function* () {
      const table = yield* Table.memory(keys)
      const at = new Date(0)
      const written = yield* table.insert(key(1, { at }))
      at.setTime(1)
      const spoil = (row: { readonly at: Date | null }) => row.at?.setTime(2)
      Option.map(written.row, spoil)
      for (const one of (yield* table.getMany([id(1), id(1)])).value) {
        expect(Option.getOrThrow(one).at).toEqual(new Date(0))
        Option.map(one, spoil)
      }
      ;(yield* table.list()).value.map(spoil)
      expect(Option.getOrThrow((yield* table.get(id(1))).value).at).toEqual(new Date(0))
    })
  )

  it.effect("refuses ids and queries that it cannot have", () =>
    Effect.gen(function* () {
      const table = yield* Table.memory(keys)
      const parts = yield* Effect.forEach(
        [
          table.get("x"),
          table.getMany([id(1), 5 as unknown as string]),
          table.getMany(null as never),
          table.list({ limit: 1, page: 0 }),
          table.list({ where: Query.eq("other" as "note", "x") }),
          table.count(Query.eq("note", "\0")),
          Stream.runDrain(table.stream({ page: 1 }))
        ],
        (read) => Effect.flip(read as Effect.Effect<unknown, Table.ReadError>)
      )
      expect(parts.map((error) => (error._tag === "InvalidQuery" ? error.part : error))).toEqual([
        "id",
        "id",
        "id",
        "page",
        "where",
        "where",
        "page"
      ])
    })
  )

  it.effect("refuses writes that are no array", () =>
    Effect.gen(function* () {
      const table = yield* Table.memory(keys)
      const [refused, ...others] = yield* table.write(null as never)
      expect(refused).toMatchObject({ _tag: "WriteRefused", reason: "Invalid" })
      expect(others).toEqual([])
    })
  )

  it.effect("patches 10,000 rows in calls of 1,000", () =>
    Effect.gen(function* () {
      const table = yield* Table.memory(keys)
      const numbers = Array.from({ length: 10_000 }, (_, n) => n)
      yield* table.write(numbers.map((n) => Write.insert(key(n))))
      const results = yield* table.write(numbers.map((n) => Write.patch(id(n), { revoked: true })))
      expect(results.every((result) => result._tag === "Written" && result.change === "Changed")).toBe(true)
    })
  )

  it.effect("fails with InvalidOptions when its definition or its options are none", () =>
    Effect.gen(function* () {
      const options = yield* Effect.forEach(
        [
          Table.memory({ ...keys, name: "" }),
          Table.memory({ ...keys, name: "a/b" }),
          Table.memory({ ...keys, columns: {} }),
          Table.memory({ ...keys, id: "note" }),
          Table.memory({ ...keys, ids: "id" }),
          Table.memory(keys, { log: {} as never }),
          Table.make(keys, {} as never),
          Table.make(keys, null as never)
        ],
        (made) =>
          Effect.map(Effect.flip(made as Effect.Effect<unknown, Table.InvalidOptions>), (e) => e.option)
      )
      expect(options).toEqual(["name", "name", "columns", "id", "ids", "log", "list", "source"])
    })
  )
})

describe("Table.memory(definition, { log })", () => {
  it.effect("logs the changes of one call as one revision, with their op, columns, row and batch", () =>
    Effect.gen(function* () {
      const { logged, table } = yield* withLog
      const first = yield* table.write(
        [Write.insert(key(1)), Write.insert(key(2)), Write.delete(id(3))],
        "b1"
      )
      yield* table.write([Write.patch(id(1), { note: "n", revoked: false }), Write.delete(id(2))], "b2")
      yield* table.write([Write.deleteAll], "b3")
      const row = { ...key(1), note: null, at: null }
      expect(yield* logged).toEqual([
        [
          [`keys/${id(1)}`, { op: "Inserted", row, batch: "b1" }],
          [`keys/${id(2)}`, { op: "Inserted", row: { ...row, ...key(2) }, batch: "b1" }]
        ],
        [
          [`keys/${id(1)}`, { op: "Updated", columns: ["note"], row: { ...row, note: "n" }, batch: "b2" }],
          [`keys/${id(2)}`, { op: "Deleted", batch: "b2" }]
        ],
        [["keys/", { op: "Changed", batch: "b3" }]]
      ])
      const revisions = first.map((result) =>
        result._tag === "Written" ? Option.getOrUndefined(result.revision)?.seq : result
      )
      expect(revisions).toEqual([1, 1, undefined])
    })
  )

  it.effect("logs nothing for what changes nothing, and reads at the head", () =>
    Effect.gen(function* () {
      const { log, logged, table } = yield* withLog
      yield* table.insert(key(1))
      yield* table.insert(key(1, { note: "later" }))
      yield* table.replace(key(1))
      yield* Effect.flip(table.patch(id(9), { note: "x" }))
      yield* Effect.flip(table.patch(id(1), { note: "\0" }))
      expect(yield* logged).toHaveLength(1)
      const { head } = yield* log.head
      const reads = [table.get(id(1)), table.list(), table.count(), table.getMany([id(1), id(9)])]
      for (const read of reads) expect((yield* read).revision).toEqual(head)
    })
  )

  it.effect("applies nothing that the log refuses", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<Table.TableChange>({ maxBytes: 2000 })
      const table = yield* Table.memory(keys, { log })
      yield* table.insert(key(1))
      const failed = yield* Effect.flip(table.insert(key(2, { note: "x".repeat(2000) })))
      expect(failed).toMatchObject({ _tag: "StorageError", outcome: "NotStored" })
      expect((yield* table.count()).value).toBe(1)
    })
  )

  it.effect("shows no row before its revision is there, however slow the log is", () =>
    Effect.gen(function* () {
      const real = yield* ChangeLog.make<Table.TableChange>()
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const append: ChangeLog.ChangeLog<Table.TableChange>["append"] = (changes) =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.andThen(Deferred.await(go)),
          Effect.andThen(real.append(changes))
        )
      const table = yield* Table.memory(keys, { log: { ...real, append } })
      const write = yield* Effect.fork(table.insert(key(1)))
      yield* Deferred.await(begun)
      const read = yield* Effect.fork(table.count())
      yield* Effect.yieldNow()
      yield* Deferred.succeed(go, undefined)
      const { revision, value } = yield* Fiber.join(read)
      expect([value, revision?.seq]).toEqual([1, 1])
      yield* Fiber.join(write)
    })
  )

  it("names the keys of its rows", () => {
    expect(Table.keyOf(keys, id(10).toUpperCase())).toBe(`keys/${id(10)}`)
    expect(Table.prefixOf(keys)).toBe("keys/")
    expect(Table.keyOf(keys, "none")).toBe("keys/none")
  })
})
