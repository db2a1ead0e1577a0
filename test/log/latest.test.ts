/** The last values of a log in memory against a list in the order of its changes. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import { holdsEffect } from "../support/laws/laws.js"

type Kept = ChangeLog.KeyValue<number>

const change = fc.record({
  key: fc.constantFrom("/a", "/b", "/c", "/d/1", "/d/2"),
  value: fc.option(fc.nat({ max: 9 }), { nil: undefined, freq: 3 })
})
const changes = fc.array(change, { minLength: 1, maxLength: 4 })

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("append" as const), changes }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("commit" as const), changes, again: changes }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("renew" as const) }) }
)

const changesOf = (given: ReadonlyArray<{ readonly key: string; readonly value: number | undefined }>) =>
  given.map(({ key, value }) => (value === undefined ? ChangeLog.remove(key) : ChangeLog.put(key, value)))

/** Moves each changed key to the end. */
const changed = (
  model: ReadonlyArray<Kept>,
  events: ReadonlyArray<ChangeLog.Change<number>>,
  revision: ChangeLog.Revision
): ReadonlyArray<Kept> =>
  events.reduce<ReadonlyArray<Kept>>((kept, event) => {
    const others = kept.filter(({ key }) => key !== event.key)
    return event._tag === "Delete" ? others : [...others, { key: event.key, value: event.value, revision }]
  }, model)

const play = (
  keys: "indexed" | "none",
  steps: ReadonlyArray<typeof step extends fc.Arbitrary<infer S> ? S : never>
) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<number>({ state: "latest", keys })
    const latest = log.latest!
    let model: ReadonlyArray<Kept> = []
    for (const one of steps) {
      if (one.do === "append") {
        const events = changesOf(one.changes)
        model = changed(model, events, yield* log.append(events))
      } else if (one.do === "commit") {
        const entries = [one.changes, one.again].map((given) => ({ changes: changesOf(given) }))
        const { revisions } = yield* log.commit(entries)
        for (const [n, { changes }] of entries.entries()) model = changed(model, changes, revisions[n]!)
      } else if (one.do === "compact") yield* log.compact((yield* log.head).head.seq)
      else {
        const epoch = yield* log.renewEpoch
        model = model.map(({ revision, ...kept }) => ({
          ...kept,
          revision: keys === "indexed" ? { ...revision, epoch } : ChangeLog.start(epoch)
        }))
      }
      expect(latest.bySeq()).toEqual(model)
      expect(latest.size()).toBe(model.length)
      for (const key of ["/a", "/b", "/d/2", "/never"]) {
        expect(latest.get(key)).toEqual(model.find((kept) => kept.key === key))
      }
      const { entries } = yield* log.snapshot(ChangeLog.prefix(""))
      expect(entries).toEqual([...model].sort((a, b) => ChangeLog.compareKeys(a.key, b.key)))
    }
  })

describe("the last values of a log in memory", () => {
  it.effect("stand in the order of their changes: one that is set again moves to the end", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ state: "latest" })
      const latest = log.latest!
      const names = () => latest.bySeq().map(({ key }) => key)
      yield* log.append(["/c", "/a", "/b"].map((key, n) => ChangeLog.put(key, n)))
      expect(names()).toEqual(["/c", "/a", "/b"])
      yield* log.append([ChangeLog.put("/a", 3), ChangeLog.put("/c", 4), ChangeLog.put("/a", 5)])
      expect(names()).toEqual(["/b", "/c", "/a"])
      yield* log.append([ChangeLog.remove("/b"), ChangeLog.remove("/a"), ChangeLog.put("/b", 6)])
      expect(names()).toEqual(["/c", "/b"])
      yield* log.renewEpoch
      yield* log.append([ChangeLog.put("/a", 7)])
      expect(names()).toEqual(["/c", "/b", "/a"])
      expect(latest.size()).toBe(3)
      expect(latest.get("/a")).toMatchObject({ value: 7, revision: { seq: 1 } })
      expect(latest.get("/never")).toBeUndefined()
    })
  )

  it.effect("are not what was read before: what a reader has stays as it was", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ state: "latest" })
      yield* log.append([ChangeLog.put("/a", 1)])
      const before = log.latest!.bySeq()
      yield* log.append([ChangeLog.put("/b", 2), ChangeLog.remove("/a")])
      expect(before.map(({ key, value }) => [key, value])).toEqual([["/a", 1]])
    })
  )

  it.effect("are not there without state", () =>
    Effect.map(ChangeLog.make(), ({ latest }) => expect(latest).toBeUndefined())
  )

  for (const keys of ["none", "indexed"] as const) {
    it.effect(`have the order and the values of a model, with keys: ${keys}`, () =>
      holdsEffect(fc.array(step, { maxLength: 20 }), 50, (steps) => play(keys, steps))
    )
  }
})
