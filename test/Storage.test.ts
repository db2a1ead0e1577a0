import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { Column, ColumnError, InvalidOptions, memory, Query, rowCheck } from "../src/Storage.js"
import { holdsEffect } from "./support/laws/laws.js"

describe("Storage.memory()", () => {
  it.effect("is an array: it keeps every record, by reference, in the order of saving", () =>
    holdsEffect(fc.array(fc.tuple(fc.nat({ max: 70 }), fc.boolean())), 100, (batches) =>
      Effect.gen(function* () {
        const storage = memory<{ readonly n: number }>()
        const expected: Array<{ readonly n: number }> = []
        for (const [size, look] of batches) {
          const batch = Array.from({ length: size }, (_, i) => ({ n: expected.length + i }))
          expected.push(...batch)
          yield* storage.save(batch)
          if (look) expect(storage.records).toEqual(expected)
        }
        expect(yield* storage.load(undefined)).toEqual(expected)
        expect(storage.records.every((record, i) => record === expected[i])).toBe(true)
        expect(yield* storage.load(({ n }) => n % 2 === 0)).toEqual(expected.filter(({ n }) => n % 2 === 0))
      })
    )
  )
})

describe("Storage.memory({ columns, id })", () => {
  const columns = { id: Column.text, at: Column.timestamp, detail: Column.nullable(Column.json) }

  it.effect("stores copies, which neither the saver nor the loader can change", () =>
    Effect.gen(function* () {
      const table = yield* memory({ columns, id: "id" })
      const detail = { deep: [1] }
      const at = new Date(0)
      yield* table.save([{ id: "a", at, detail }])
      detail.deep.push(2)
      at.setTime(5)
      const expected = [{ id: "a", at: new Date(0), detail: { deep: [1] } }]
      const [first] = yield* table.load({})
      expect([first]).toEqual(expected)
      ;(first!.detail as typeof detail).deep.push(3)
      expect(yield* table.load({ where: Query.eq("id", "a") })).toEqual(expected)
      expect(table.records).toEqual(expected)
    })
  )

  it.effect("loads null for a nullable column that was left out, and has it in the type", () =>
    Effect.gen(function* () {
      const some = { id: Column.text, n: Column.nullable(Column.integer) }
      const table = yield* memory({ columns: some, id: "id" })
      yield* table.save([{ id: "a" }, { id: "b", n: undefined }, { id: "c", n: null }, { id: "d", n: 4 }])
      const loaded = yield* table.load({})
      const numbers: ReadonlyArray<number | null> = loaded.map(({ n }) => n)
      expect(numbers).toEqual([null, null, null, 4])
      expect(loaded.every((row) => Object.hasOwn(row, "n"))).toBe(true)
      // What was loaded can be saved, and asked for the next page.
      expect(yield* table.save(loaded)).toEqual({ duplicates: 4 })
      expect(yield* table.load({ after: loaded[2]! })).toEqual(loaded.slice(3))
      // @ts-expect-error a column that is not nullable is never left out
      expect(yield* Effect.isFailure(table.save([{ n: 1 }]))).toBe(true)
    })
  )

  it.effect("refuses wrong options, typed", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(memory({ columns, id: "at" as "id" }))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error).toMatchObject({ option: "id" })
    })
  )

  it("has its check for storages of one's own", () => {
    const check = Either.getOrThrow(rowCheck(columns, "id"))
    expect(check([{ id: "a", at: new Date() }])).toBeUndefined()
    const error = check([{ id: "a", at: new Date() }, { id: "b", at: "now" }, 5])
    expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored" })
    expect(error?.bad?.map(({ index }) => index)).toEqual([1, 2])
    expect(error?.bad?.[0]?.cause).toBeInstanceOf(ColumnError)
    expect(error?.bad?.[0]?.cause).toMatchObject({ column: "at", rule: "WrongType" })
    expect(error?.message).toContain("2 of 3 records")
    expect(Either.isLeft(rowCheck({}, "id" as never))).toBe(true)
  })
})
