/** What entries expect of the last values of a log in memory, against a model of these. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Storage from "../../src/Storage.js"
import { holdsEffect } from "../support/laws/laws.js"

const { put, remove } = ChangeLog

type Seq = number | "absent"

const keys = fc.constantFrom("/a", "/b", "/c")

const change = fc.record({ key: keys, isRemoval: fc.boolean() })

const entry = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
  id: fc.option(fc.constantFrom("x", "y"), { nil: undefined, freq: 2 }),
  expect: fc.array(
    fc.record({
      key: keys,
      as: fc.constantFrom(...(["it is", "it is", "it is", "absent", "0", "later"] as const))
    }),
    { maxLength: 2 }
  )
})

type Given = typeof entry extends fc.Arbitrary<infer E> ? E : never

const step = fc.oneof(
  { weight: 8, arbitrary: fc.array(entry, { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constant("renew" as const) }
)

/** What the log must be like. */
interface Model {
  readonly head: number
  readonly seqs: ReadonlyMap<string, number>
  readonly ids: ReadonlySet<string>
}

const wantedSeq = (as: Given["expect"][number]["as"], present: Seq): Seq => {
  if (as === "it is") return present
  if (as === "absent") return "absent"
  return as === "0" ? 0 : present === "absent" ? 1 : present + 1
}

/** Makes the entries of a commit, and works out what becomes of it. */
const judged = (model: Model, given: ReadonlyArray<Given>) => {
  const seqs = new Map(model.seqs)
  const ids = new Set(model.ids)
  let { head } = model
  let conflict: { readonly index: number; readonly seq: Seq } | undefined
  const entries = given.map(({ changes, expect, id }, index) => {
    const conditions = expect.map(({ as, key }) => {
      const present: Seq = seqs.get(key) ?? "absent"
      return { condition: { key, seq: wantedSeq(as, present) }, present }
    })
    const made = {
      changes: changes.map(({ isRemoval, key }) => (isRemoval ? remove(key) : put(key, index))),
      expect: conditions.map(({ condition }) => condition),
      id
    }
    if (id !== undefined && ids.has(id)) return made
    const broken = conditions.find(({ condition, present }) => condition.seq !== present)
    if (broken !== undefined) conflict ??= { index, seq: broken.present }
    if (id !== undefined) ids.add(id)
    head++
    for (const { isRemoval, key } of changes) {
      if (isRemoval) seqs.delete(key)
      else seqs.set(key, head)
    }
    return made
  })
  return { entries, conflict, next: { head, seqs, ids } }
}

const renewed = (model: Model, isIndexed: boolean): Model =>
  isIndexed
    ? model
    : { head: 0, ids: new Set(), seqs: new Map([...model.seqs.keys()].map((key) => [key, 0])) }

const play = (kept: "indexed" | "none", steps: ReadonlyArray<ReadonlyArray<Given> | "renew">) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<number>({ state: "latest", keys: kept })
    let model: Model = { head: 0, seqs: new Map(), ids: new Set() }
    for (const one of steps) {
      if (one === "renew") {
        yield* log.renewEpoch
        model = renewed(model, kept === "indexed")
      } else {
        const { conflict, entries, next } = judged(model, one)
        const outcome = yield* Effect.either(log.commit(entries))
        if (conflict === undefined) {
          expect(Either.isRight(outcome)).toBe(true)
          model = next
        } else {
          const left = Either.isLeft(outcome) ? outcome.left : undefined
          expect(left).toMatchObject({ _tag: "Conflict", reason: "Changed", ...conflict })
        }
      }
      const { entries, revision } = yield* log.snapshot(ChangeLog.prefix(""))
      expect(revision.seq).toBe(model.head)
      expect(new Map(entries.map(({ key, revision: { seq } }) => [key, seq]))).toEqual(model.seqs)
    }
  })

describe("what an entry expects of the seq of a key", () => {
  for (const kept of ["none", "indexed"] as const) {
    it.effect(`is judged as a model does, with keys: ${kept}`, () =>
      holdsEffect(fc.array(step, { maxLength: 12 }), 80, (steps) => play(kept, steps))
    )
  }

  it.effect("is named in the conflict, with what the log has", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ state: "latest" })
      yield* log.append([put("/a", 1)])
      const at = (seq: Seq) => ({ changes: [put("/a", 2)], expect: [{ key: "/a", seq }] })
      expect(yield* Effect.flip(log.commit([at("absent")]))).toMatchObject({
        _tag: "Conflict",
        reason: "Changed",
        index: 0,
        condition: { key: "/a", seq: "absent" },
        seq: 1,
        message: "the key's value is of revision 1, and the key must have none: read again, and decide anew"
      })
      yield* log.append([remove("/a")])
      expect(yield* Effect.flip(log.commit([at(1)]))).toMatchObject({
        seq: "absent",
        message: "the key has no value, and it must be of revision 1: read again, and decide anew"
      })
    })
  )

  it.effect("is refused by a log that cannot judge it, with what to do", () =>
    Effect.gen(function* () {
      const ofSeq = { changes: [put("/a", 1)], expect: [{ key: "/a", seq: "absent" as const }] }
      const ofGeneration = { changes: [put("/a", 1)], expect: [{ key: "/a", generation: 0 }] }
      const indexed = yield* ChangeLog.make<number>({ keys: "indexed" })
      const stateful = yield* ChangeLog.make<number>({ state: "latest" })
      const needsState = {
        reason: "Invalid",
        message: expect.stringContaining('make it with state: "latest"')
      }
      const needsIndex = {
        reason: "Invalid",
        message: expect.stringContaining('make it with keys: "indexed"')
      }
      expect(yield* Effect.flip(indexed.commit([ofSeq]))).toMatchObject({ ...needsState, index: 0 })
      expect(indexed.check?.(ofSeq)).toMatchObject(needsState)
      expect(yield* Effect.flip(stateful.commit([ofGeneration]))).toMatchObject({ ...needsIndex, index: 0 })
      expect(stateful.check?.(ofSeq)).toBeUndefined()
    })
  )

  it.effect("makes a record bad where a storage of the log, or one with the log, cannot store it", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ state: "latest" })
      const toEntry = (seq: Seq) => ({ changes: [put("/a", 1)], expect: [{ key: "/a", seq }] })
      const storage = ChangeLog.asStorage(log, toEntry)
      yield* storage.save(["absent", 1])
      const late = yield* Effect.flip(storage.save([2, 2]))
      expect(late).toMatchObject({ kind: "Poison", outcome: "NotStored", bad: [{ index: 1 }] })
      const both = yield* ChangeLog.withLog(Storage.memory<Seq>(), { log, toEntry })
      expect(yield* Effect.flip(both.save([2]))).toMatchObject({ kind: "Poison", bad: [{ index: 0 }] })
      expect(log.latest?.get("/a")?.revision.seq).toBe(2)
    })
  )
})
