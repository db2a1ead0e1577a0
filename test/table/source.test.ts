import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import { StorageError } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"

const { Column, Query, Write } = Table

const things = Table.define({
  name: "things",
  columns: { id: Column.text, n: Column.integer, data: Column.nullable(Column.json) },
  id: "id"
})
type Things = typeof things
type Source = Table.Source<Things>
type Row = Table.Row<Things>

const row = (id: string, n = 0): Row => ({ id, n, data: null })

const done = (row?: Row): Table.Written<Things> => ({
  _tag: "Written",
  row: Option.fromNullable(row),
  change: "Changed",
  revision: Option.none()
})

const doing = (write: Table.Write<Things>): Table.Written<Things> => {
  switch (write._tag) {
    case "Insert":
    case "Replace":
      return done(write.row as Row)
    case "Patch":
      return done({ ...row(write.id), ...(write.fields as Partial<Row>) })
    default:
      return done()
  }
}

/** A table over a source whose functions may be replaced, and the calls that reached it. */
const tableOf = (over: Partial<Source>) =>
  Effect.gen(function* () {
    const calls: Array<ReadonlyArray<unknown>> = []
    const batches: Array<string> = []
    const table = yield* Table.make(things, {
      maxBatch: 3,
      list: () => Effect.succeed({ value: [] }),
      count: () => Effect.succeed({ value: 0 }),
      getMany: (ids) =>
        Effect.sync(() => {
          calls.push(ids)
          return { value: ids.map((id) => row(id)) }
        }),
      write: (writes, batch) =>
        Effect.sync(() => {
          calls.push(writes)
          batches.push(batch)
          return writes.map(doing)
        }),
      ...over
    })
    return { batches, calls, table }
  })

const revision = (seq: number, epoch = "e") => ({ epoch, seq, tag: 1 })

describe("Table.make(definition, source)", () => {
  it.effect("asks for each id once, in calls of at most maxBatch, and answers each", () =>
    Effect.gen(function* () {
      const { calls, table } = yield* tableOf({})
      const { value } = yield* table.getMany(["a", "b", "a", "c", "d", "b"])
      expect(value.map((one) => Option.getOrThrow(one).id)).toEqual(["a", "b", "a", "c", "d", "b"])
      expect(calls).toEqual([["a", "b", "c"], ["d"]])
      expect(table.maxBatch).toBe(3)
    })
  )

  it.effect("names the earliest of the revisions that its calls hold, if all of them are known", () =>
    Effect.gen(function* () {
      const over = (revisions: ReadonlyArray<unknown>) => {
        const left = [...revisions]
        return tableOf({
          getMany: () =>
            Effect.sync(() => ({ value: [], revision: left.shift() as ReturnType<typeof revision> }))
        })
      }
      const read = (...revisions: ReadonlyArray<unknown>) =>
        Effect.flatMap(over(revisions), ({ table }) => table.getMany(["a", "b", "c", "d"]))
      expect((yield* read(revision(5), revision(4))).revision).toEqual(revision(4))
      expect((yield* read(revision(4), revision(5))).revision).toEqual(revision(4))
      expect((yield* read(revision(4), undefined)).revision).toBeUndefined()
      expect((yield* read(revision(4), revision(5, "f"))).revision).toBeUndefined()
      expect(yield* Effect.flip(read("4"))).toBeInstanceOf(Table.Malformed)
    })
  )

  it.effect(
    "splits writes into calls without an id twice, by one name, and goes on after one that failed",
    () =>
      Effect.gen(function* () {
        const error = new StorageError({ kind: "Transient", outcome: "NotStored", message: "away" })
        const { batches, calls, table } = yield* tableOf({})
        const failing = yield* tableOf({
          write: (writes) =>
            writes.some((write) => write._tag === "DeleteAll")
              ? Effect.fail(error)
              : Effect.succeed(writes.map(doing))
        })
        const writes = [
          Write.insert(row("a")),
          Write.patch("a", { n: 1 }),
          Write.insert(row("b")),
          Write.deleteAll,
          Write.delete("", Query.eq("n", 1)),
          Write.delete("c")
        ]
        const tags = (results: ReadonlyArray<Table.WriteResult<Things>>) => results.map(({ _tag }) => _tag)
        expect(tags(yield* table.write(writes))).toEqual([
          ...Array.from({ length: 4 }, () => "Written"),
          "WriteRefused",
          "Written"
        ])
        expect(calls.map((call) => call.length)).toEqual([1, 2, 1, 1])
        expect(new Set(batches).size).toBe(1)
        yield* table.delete("a")
        expect(new Set(batches).size).toBe(2)
        const results = yield* failing.table.write(writes)
        expect(results[3]).toBe(error)
        expect(tags(results)).toEqual([
          "Written",
          "Written",
          "Written",
          "StorageError",
          "WriteRefused",
          "Written"
        ])
      })
  )

  it.each<[what: string, over: Partial<Source>]>([
    ["no object", { list: () => Effect.succeed("rows" as never) }],
    ["no rows", { list: () => Effect.succeed({ value: "rows" as never }) }],
    ["a row of another shape", { list: () => Effect.succeed({ value: [{ id: "a" } as never] }) }],
    ["a row twice", { list: () => Effect.succeed({ value: [row("a"), row("a")] }) }],
    ["another order", { list: () => Effect.succeed({ value: [row("b"), row("a")] }) }]
  ])("refuses a list with %s", (_, over) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const { table } = yield* tableOf(over)
        expect(yield* Effect.flip(table.list())).toBeInstanceOf(Table.Malformed)
        const streamed = yield* Effect.flip(Stream.runDrain(table.stream()))
        expect(streamed).toBeInstanceOf(Table.Malformed)
      })
    )
  )

  it.effect("refuses rows by ids that were not requested, or twice, and counts that are none", () =>
    Effect.gen(function* () {
      const answers = [[row("b")], [row("a"), row("a")], [{ ...row("a"), n: "1" as never }]]
      for (const value of answers) {
        const { table } = yield* tableOf({ getMany: () => Effect.succeed({ value }) })
        expect(yield* Effect.flip(table.get("a"))).toBeInstanceOf(Table.Malformed)
      }
      for (const value of [-1, 0.5, "1" as never]) {
        const { table } = yield* tableOf({ count: () => Effect.succeed({ value }) })
        expect(yield* Effect.flip(table.count())).toBeInstanceOf(Table.Malformed)
      }
    })
  )

  it.effect("has an unknown outcome for each write whose answer is wrong", () =>
    Effect.gen(function* () {
      const answers: ReadonlyArray<ReadonlyArray<unknown>> = [
        [],
        [done(row("a")), done(row("b")), done(row("c"))],
        ["done", "done"],
        [done(row("b")), done(row("a"))],
        [
          { ...done(row("a")), revision: undefined },
          { ...done(row("b")), revision: Option.some("r") }
        ],
        [done(), done()],
        [done({ ...row("a"), n: "1" as never }), { ...done(row("b")), change: "Perhaps" }]
      ]
      for (const answer of answers) {
        const { table } = yield* tableOf({ write: () => Effect.succeed(answer as never) })
        for (const result of yield* table.write([Write.insert(row("a")), Write.insert(row("b"))])) {
          expect(result).toMatchObject({ _tag: "StorageError", kind: "Unknown", outcome: "Unknown" })
          expect((result as StorageError).cause).toBeInstanceOf(Table.Malformed)
        }
      }
    })
  )

  it.effect(
    "makes typed errors of a source that throws, dies, fails with anything, or interrupts itself",
    () =>
      Effect.gen(function* () {
        const causes = [
          () => {
            throw new Error("thrown")
          },
          () => Effect.die("dead"),
          () => Effect.fail("failed"),
          () => Effect.interrupt,
          () => undefined as never
        ]
        for (const call of causes) {
          const { table } = yield* tableOf({ count: call, getMany: call, list: call, write: call })
          const errors = yield* Effect.forEach(
            [
              table.count(),
              table.get("a"),
              table.list(),
              Stream.runDrain(table.stream()),
              table.insert(row("a")),
              table.deleteAll
            ],
            (read) => Effect.flip(read as Effect.Effect<unknown, unknown>)
          )
          for (const error of errors) {
            expect(error).toMatchObject({ _tag: "StorageError", kind: "Unknown", outcome: "Unknown" })
          }
        }
      })
  )

  it.effect("passes on what a source has classified", () =>
    Effect.gen(function* () {
      const error = new StorageError({ kind: "Fatal", outcome: "NotStored", message: "no table" })
      const refused = new Table.WriteRefused({ reason: "Unique", message: "taken" })
      const { table } = yield* tableOf({
        count: () => Effect.fail(error),
        write: (writes) => Effect.succeed(writes.map(() => refused))
      })
      expect(yield* Effect.flip(table.count())).toBe(error)
      expect(yield* Effect.flip(table.insert(row("a")))).toBe(refused)
    })
  )

  it.effect("lets its caller interrupt a call that hangs", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>()
      const hang = () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
      const { table } = yield* tableOf({ write: hang })
      const fiber = yield* Effect.fork(table.deleteAll)
      yield* Deferred.await(begun)
      expect((yield* Fiber.interrupt(fiber))._tag).toBe("Failure")
    })
  )

  it.effect("gives each caller rows of its own, and checks what it takes at the call", () =>
    Effect.gen(function* () {
      const shared = { ...row("a"), data: { list: [1] } }
      const { calls, table } = yield* tableOf({ getMany: () => Effect.succeed({ value: [shared] }) })
      const first = Option.getOrThrow((yield* table.get("a")).value)
      ;(first.data as { list: Array<number> }).list.push(2)
      expect(shared.data.list).toEqual([1])
      const data = { list: [1] }
      const write = table.replace({ id: "a", n: 0, data })
      yield* write
      data.list.push(2)
      expect(calls).toEqual([[{ _tag: "Replace", row: { id: "a", n: 0, data: { list: [1] } } }]])
    })
  )

  it("infers the types of writes from the table", () => {
    const takes = (_: ReadonlyArray<Table.Write<Things>>) => {}
    takes([Write.insert({ id: "a", n: 1 }), Write.patch("a", { data: null }), Write.deleteAll])
    // @ts-expect-error a column has the wrong type
    takes([Write.insert({ id: "a", n: "1" })])
    // @ts-expect-error the id cannot be patched
    takes([Write.patch("a", { id: "b" })])
    const of: Table.Of<Things> | undefined = undefined
    expect(of).toBe(undefined)
  })
})
