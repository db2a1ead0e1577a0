/** What watchers share: nobody can change it for another. And what others hand over is not theirs any more. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import type * as Watch from "../../src/Watch.js"
import { scenario, settled } from "../support/time/turn.js"
import { setUp, taking } from "../support/watch/watches.js"

const all = ChangeLog.prefix("")

const pair = [ChangeLog.put("a", 1), ChangeLog.put("b", 2)]

/** Tries to empty every array of a frame, and tells which could be changed. */
const emptied = (frame: Watch.Frame<number>): ReadonlyArray<string> => {
  const changed: Array<string> = []
  for (const [name, part] of Object.entries(frame)) {
    if (!Array.isArray(part)) continue
    for (const [i, one] of part.entries()) {
      if (typeof one === "object" && Reflect.set(one, "key", "spoiled")) changed.push(`${name}[${i}]`)
    }
    if (Reflect.set(part, "length", 0)) changed.push(name)
  }
  if (frame._tag !== "Gap" && Reflect.set(frame.revision, "seq", 99)) changed.push("revision")
  return changed
}

describe("a frame", () => {
  const follows: { readonly [what: string]: Watch.FollowOptions<number> } = {
    "of whole revisions cannot be changed, neither for others nor for the log": {},
    "with the values before cannot be changed, neither for others nor for the log": { previous: "include" },
    "of a part, by a predicate cannot be changed, neither for others nor for the log": {
      where: ({ key }) => key === "a"
    },
    "conflated cannot be changed, neither for others nor for the log": { policy: "conflate", buffer: 1 },
    "that drops the oldest cannot be changed, neither for others nor for the log": {
      policy: "drop-oldest",
      buffer: 1
    },
    "read on from the log cannot be changed, neither for others nor for the log": { buffer: 1 },
    "of a snapshot cannot be changed, neither for others nor for the log": { snapshot: "first" },
    "of a snapshot by a predicate cannot be changed, neither for others nor for the log": {
      snapshot: "first",
      where: ({ key }) => key === "a"
    },
    "of a later snapshot cannot be changed, neither for others nor for the log": {
      autoResnapshot: "on",
      buffer: 1
    }
  }
  for (const [what, follow] of Object.entries(follows)) {
    scenario(what, function* () {
      const { log, put, watch } = yield* setUp()
      yield* put("a", 0)
      const one = yield* watch.open(all, follow)
      for (let i = 0; i < 3; i++) yield* log.append(pair)
      yield* settled
      if (follow.autoResnapshot === "on") yield* log.compact(4)
      const changed: Array<string> = []
      for (let n = 0; n < 3; n++) {
        for (let frame = one.unsafePoll(); frame !== undefined; frame = one.unsafePoll()) {
          changed.push(...emptied(frame))
        }
        yield* settled
      }
      expect(changed).toEqual([])
      const { head } = yield* log.head
      expect(head.seq).toBe(4)
      const { entries } = yield* log.snapshot(all)
      expect(entries.map(({ key, value }) => [key, value])).toEqual([
        ["a", 1],
        ["b", 2]
      ])
    })
  }

  it.scoped("that its reader empties is whole for each later reader", () =>
    Effect.gen(function* () {
      const { log, watch } = yield* setUp()
      const { head } = yield* log.head
      const one = yield* watch.open(all)
      yield* log.append(pair)
      yield* one.take
      emptied(yield* one.take)
      const later = yield* watch.open(all, { after: head })
      expect(yield* taking(later, 2)).toEqual(["1: a=1, b=2", "synced 1"])
    })
  )
})

describe("what is handed over", () => {
  it.scoped("changes may be used again when they have been published", () =>
    Effect.gen(function* () {
      const { log, watch } = yield* setUp()
      const one = yield* watch.open(all)
      const changes: Array<ChangeLog.Change<number>> = [ChangeLog.put("a", 1)]
      yield* watch.publish(changes)
      Reflect.set(changes[0]!, "key", "z")
      changes.push(ChangeLog.put("b", 2))
      expect(yield* taking(one, 2)).toEqual(["synced 0", "1: a=1"])
      expect((yield* log.snapshot(all)).entries.map(({ key }) => key)).toEqual(["a"])
    })
  )

  it.scoped("a selector may be changed while it is followed", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const parts = [ChangeLog.key("a"), ChangeLog.prefix("k/")]
      const selector: ChangeLog.Selector = { _tag: "AnyOf", parts }
      const slow = yield* watch.open(selector, { buffer: 1 })
      Reflect.set(parts[0]!, "key", "z")
      parts.length = 1
      for (const key of ["a", "k/a", "z", "k/b"]) yield* put(key, 1)
      expect(yield* taking(slow, 4)).toEqual(["synced 0", "1: a=1", "2: k/a=1", "4: k/b=1"])
      expect(slow.selector).toEqual(ChangeLog.anyOf(ChangeLog.key("a"), ChangeLog.prefix("k/")))
    })
  )

  it.scoped("a cursor may be changed when a watcher has resumed after it", () =>
    Effect.gen(function* () {
      const { log, put, watch } = yield* setUp()
      const after = { ...(yield* log.head).head }
      for (const value of [1, 2]) yield* put("a", value)
      const one = yield* watch.open(all, { after })
      after.seq = 2
      expect(yield* taking(one, 3)).toEqual(["1: a=1", "2: a=2", "synced 2"])
    })
  )
})

describe("what others bring", () => {
  it.effect("a snapshot that one watcher changes stays as it is for the others", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ state: "latest" })
      yield* log.append(pair)
      for (const { entries } of [yield* log.snapshot(all), yield* log.snapshot(ChangeLog.key("a"))]) {
        for (const entry of entries) Reflect.set(entry, "key", "spoiled")
        Reflect.set(entries, "length", 0)
      }
      expect((yield* log.snapshot(all)).entries.map(({ key }) => key)).toEqual(["a", "b"])
    })
  )

  it.scoped("a bell that throws undoes no commit, and the others ring", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>()
      let rung = 0
      yield* log.doorbell(() => {
        throw new Error("no")
      })
      yield* log.doorbell(() => rung++)
      expect((yield* log.append(pair)).seq).toBe(1)
      yield* log.renewEpoch
      expect(rung).toBe(2)
    })
  )

  it.effect("sizes that are no numbers are refused, and the log keeps its bounds", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ maxBytes: 100, sizeOf: () => "7" as never })
      expect(yield* Effect.flip(log.append(pair))).toMatchObject({ reason: "Invalid" })
    })
  )

  it.scoped("a follow of very many ranges in order gets each, and ends as it began", () =>
    Effect.gen(function* () {
      const { put, watch } = yield* setUp()
      const nameOf = (n: number): string => `k/${String(n).padStart(6, "0")}`
      const ranges = Array.from({ length: 20_000 }, (_, n) => ChangeLog.range(nameOf(n), `${nameOf(n)}/`))
      const one = yield* watch.open(ChangeLog.anyOf(...ranges, ...ranges.slice(0, 10)))
      for (const n of [0, 9_999, 19_999]) yield* put(nameOf(n), n)
      expect((yield* taking(one, 4)).slice(1)).toEqual([
        "1: k/000000=0",
        "2: k/009999=9999",
        "3: k/019999=19999"
      ])
      yield* one.cancel
      expect((yield* watch.health).watchers).toBe(0)
    })
  )
})
