/** The pure core of stores against plain models: what operations do, what data is taken, and what replies keep. */
import { Either } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { JsonObject } from "../../src/internal/columns/jsonData.js"
import { apply } from "../../src/internal/datastore/apply.js"
import { checkSteps } from "../../src/internal/datastore/check.js"
import type { Changes, Refused, Row, State, Step } from "../../src/internal/datastore/operation.js"
import { decodeReply, encodeReply, type Reply } from "../../src/internal/datastore/reply.js"
import { holds } from "../support/laws/laws.js"

const limits = { primary: "id", maxKeyBytes: 100, maxDepth: 100 }
const key = fc.constantFrom("a", "b", "c")
const expectation = fc.option(fc.oneof(fc.constant("absent" as const), fc.integer({ min: 1, max: 6 })), {
  nil: undefined,
  freq: 2
})
const fields = fc.dictionary(fc.constantFrom("x", "y", "owner", "__proto__"), fc.nat({ max: 3 }), {
  maxKeys: 3
})

const step: fc.Arbitrary<Step<JsonObject>> = fc.oneof(
  fc.record({ key, fields, expect: expectation }).map(({ expect, fields, key }) => ({
    _tag: "Set" as const,
    data: Object.fromEntries([...Object.entries(fields), ["id", key]]),
    expect
  })),
  fc
    .record({
      key,
      set: fields,
      unset: fc.subarray(["x", "y", "owner", "__proto__"], { maxLength: 2 }),
      expect: expectation
    })
    .map((patch) => ({ _tag: "Patch" as const, ...patch })),
  fc.record({ key, expect: expectation }).map((remove) => ({ _tag: "Delete" as const, ...remove }))
)

interface Held {
  readonly row: Row<JsonObject>
  readonly ends: number | undefined
}

const held = fc.record({
  fields,
  seq: fc.integer({ min: 1, max: 6 }),
  ends: fc.option(fc.constantFrom(9, 10, 11), { nil: undefined, freq: 2 })
})
const now = 10

const samples = fc.record({
  held: fc.dictionary(key, held, { maxKeys: 3 }),
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  judged: fc.boolean()
})

/** A principal sees what is not of owner 1, and writes nothing of owner 2. */
const mayRead = ({ data }: Row<JsonObject>): boolean => data.owner !== 1
const mayWrite = (before: Row<JsonObject> | undefined, after: Row<JsonObject> | undefined): boolean =>
  before?.data.owner !== 2 && after?.data.owner !== 2

type Outcome =
  | { readonly reason: Refused["reason"]; readonly step: number; readonly row: Row<JsonObject> | undefined }
  | {
      readonly rows: ReadonlyArray<Row<JsonObject> | undefined>
      readonly after: ReadonlyMap<string, Row<JsonObject>>
      readonly expired: ReadonlySet<string>
      readonly changes: number
    }

const keyOf = (step: Step<JsonObject>): string => (step._tag === "Set" ? (step.data.id as string) : step.key)

const patched = (data: JsonObject, step: Step<JsonObject> & { _tag: "Patch" }): JsonObject => {
  const all = new Map(Object.entries(data))
  for (const name of step.unset ?? []) all.delete(name)
  for (const [name, value] of Object.entries(step.set ?? {})) {
    all.delete(name)
    if (value !== undefined) all.set(name, value)
  }
  return Object.fromEntries(all)
}

/** What one operation comes to, step by step, on a map. */
const modelOf = (
  store: ReadonlyMap<string, Held>,
  seq: number,
  steps: ReadonlyArray<Step<JsonObject>>,
  judged: boolean
): Outcome => {
  const touched = new Set(steps.map(keyOf))
  /** Keys of steps that were judged, up to a refusal. */
  const judgedKeys = new Set<string>()
  const over = [...store].filter(([, { ends }]) => ends !== undefined && ends < now).map(([name]) => name)
  const run = (revision: number): Outcome => {
    const after = new Map([...store].map(([name, { row }]) => [name, row]))
    const expired = new Set(over.filter((name) => touched.has(name)))
    for (const name of expired) after.delete(name)
    const rows: Array<Row<JsonObject> | undefined> = []
    let changes = 0
    for (const [index, step] of steps.entries()) {
      const name = keyOf(step)
      judgedKeys.add(name)
      const before = after.get(name)
      const refuse = (reason: Refused["reason"], row?: Row<JsonObject>) => ({ reason, step: index, row })
      if (judged && before !== undefined && !mayRead(before)) return refuse("Forbidden")
      if (step.expect === "absent" ? before !== undefined : (step.expect ?? before?.seq) !== before?.seq) {
        return refuse("Conflict", before)
      }
      if (step._tag === "Patch" && before === undefined) return refuse("Missing")
      const made =
        step._tag === "Delete"
          ? undefined
          : {
              key: name,
              seq: revision,
              data: step._tag === "Set" ? step.data : patched(before!.data, step)
            }
      rows.push(made)
      if (before === undefined && made === undefined) continue
      if (judged && !mayWrite(before, made)) return refuse("Forbidden")
      changes++
      if (made === undefined) after.delete(name)
      else after.set(name, made)
    }
    return { rows, after, expired, changes }
  }
  const first = run(seq + 1)
  return over.some((name) => judgedKeys.has(name)) ? run(seq + 2) : first
}

const afterOf = (store: ReadonlyMap<string, Held>, { changed, expired }: Changes) => {
  const after = new Map([...store].map(([name, { row }]) => [name, row]))
  for (const { after: row, before, key } of [...expired, ...changed]) {
    expect(after.get(key)).toEqual(before)
    if (row === undefined) after.delete(key)
    else after.set(key, row)
  }
  return after
}

const byKey = (rows: ReadonlyMap<string, Row<JsonObject>>) =>
  [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, row]) => [name, row.seq, Object.entries(row.data)])

const json = (rows: ReadonlyArray<Row<JsonObject> | undefined>) =>
  rows.map((row) => row && [row.key, row.seq, Object.entries(row.data)])

describe("an operation", () => {
  it("does what its steps do in order on a map, all of them or none", () => {
    holds(samples, 600, ({ held, judged, steps }) => {
      const store = new Map<string, Held>(
        Object.entries(held).map(([name, { ends, fields, seq }]) => [
          name,
          { row: Object.freeze({ key: name, data: Object.freeze({ ...fields, id: name }), seq }), ends }
        ])
      )
      const seq = 6
      const state: State = {
        primary: "id",
        seq,
        get: (name) => store.get(name)?.row,
        endsAt: (name) => store.get(name)?.ends,
        judge: judged ? { mayRead, mayWrite } : undefined
      }
      const given = structuredClone(steps)
      const owned = Either.getOrThrow(checkSteps(steps, limits))
      expect(steps).toEqual(given)
      const model = modelOf(store, seq, owned.steps as ReadonlyArray<Step<JsonObject>>, judged)
      const result = apply(state, owned, now)
      if (Either.isLeft(result)) {
        const { reason, row, step } = result.left
        expect({ reason, step, row }).toEqual(model)
        if (reason === "Forbidden") expect(JSON.stringify(result.left)).not.toContain('"data"')
        return
      }
      if ("reason" in model) throw new Error(`it must be refused: ${model.reason} at ${model.step}`)
      const { changed, expired, revision, rows } = result.right
      expect(json(rows)).toEqual(json(model.rows))
      expect(byKey(afterOf(store, result.right))).toEqual(byKey(model.after))
      expect(new Set(expired.map(({ key }) => key))).toEqual(model.expired)
      expect(changed).toHaveLength(model.changes)
      expect(revision).toBe(seq + (expired.length > 0 ? 1 : 0) + (changed.length > 0 ? 1 : 0))
      for (const row of rows) {
        if (row === undefined) continue
        expect(row.seq).toBe(revision)
        expect(Object.isFrozen(row) && Object.isFrozen(row.data)).toBe(true)
        expect(Object.getPrototypeOf(row.data)).toBe(Object.prototype)
      }
    })
  })
})

/** Anything that untyped code may pass. */
const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true
})

const hostileStep = fc.oneof(
  anything,
  fc.record(
    {
      _tag: fc.constantFrom("Set", "Patch", "Delete", "set", 1),
      key: fc.oneof(fc.string({ unit: "binary", maxLength: 120 }), anything),
      data: fc.oneof(anything, fc.dictionary(fc.constantFrom("id", "__proto__", "x"), anything)),
      set: fc.oneof(anything, fc.dictionary(fc.constantFrom("id", "__proto__", "x"), anything)),
      unset: fc.oneof(anything, fc.array(fc.constantFrom("id", "x", 1, undefined))),
      expect: fc.constantFrom<unknown>("absent", 0, 1, -1, 1.5, 2 ** 53, Number.NaN, "1", undefined)
    },
    { requiredKeys: ["_tag"] }
  )
)

describe("steps from untyped code", () => {
  it("are refused typed, or are JSON that is equal to itself as text, and never throw", () => {
    holds(fc.oneof(fc.array(hostileStep, { maxLength: 4 }), anything), 600, (steps) => {
      const checked = checkSteps(steps as ReadonlyArray<Step<unknown>>, limits)
      if (Either.isLeft(checked)) {
        const { message, reason, step } = checked.left
        expect(["InvalidKey", "InvalidData", "InvalidOperation"]).toContain(reason)
        expect(message.length).toBeGreaterThan(10)
        expect(step).toBeGreaterThanOrEqual(0)
        return
      }
      for (const one of checked.right.steps) {
        const data = one._tag === "Set" ? one.data : one._tag === "Patch" ? (one.set ?? {}) : {}
        expect(Object.isFrozen(data) || one._tag === "Delete").toBe(true)
        expect(JSON.stringify(JSON.parse(JSON.stringify(data)))).toBe(JSON.stringify(data))
        expect(keyOf(one as Step<JsonObject>)).toMatch(/^[^\0]+$/su)
      }
    })
  })

  it("expect whole numbers from 1 that are exact", () => {
    const taken = (expect: unknown): boolean =>
      Either.isRight(checkSteps([{ _tag: "Delete", key: "a", expect } as Step<unknown>], limits))
    expect([1, 2 ** 53 - 1, "absent", undefined].map(taken)).toEqual([true, true, true, true])
    for (const wrong of [0, -1, 1.5, 2 ** 53, Number.NaN, "1", null]) expect(taken(wrong)).toBe(false)
  })

  it("are at most 1,000", () => {
    const steps = Array.from({ length: 1001 }, (_, n): Step<unknown> => ({ _tag: "Delete", key: `${n}` }))
    expect(Either.isRight(checkSteps(steps.slice(1), limits))).toBe(true)
    expect(Either.flip(checkSteps(steps, limits))).toMatchObject({ right: { reason: "InvalidOperation" } })
  })
})

const row = fc.record({ key, seq: fc.integer({ min: 1, max: 9 }), data: fields })

const reply: fc.Arbitrary<Reply> = fc.oneof(
  fc.record({
    _tag: fc.constant("Done" as const),
    revision: fc.nat(),
    rows: fc.array(fc.option(row, { nil: undefined }), { maxLength: 4 }),
    changed: fc.boolean()
  }),
  fc
    .record(
      {
        reason: fc.constantFrom("Conflict" as const, "Missing" as const, "QuotaExceeded" as const),
        message: fc.string(),
        step: fc.nat(),
        key,
        row,
        quota: fc.record({ name: fc.string(), limit: fc.nat() })
      },
      { requiredKeys: ["reason", "message"] }
    )
    .map((refused) => ({ _tag: "Refused" as const, refused }))
)

describe("a reply", () => {
  it("is the same after it was kept as JSON", () => {
    holds(reply, 200, (given) => {
      expect(decodeReply(JSON.parse(JSON.stringify(encodeReply(given))))).toEqual(given)
    })
  })
})
