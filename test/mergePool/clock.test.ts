/** Stamps never go back, whatever the clocks do. */
import { describe, expect, it } from "@effect/vitest"
import * as Merge from "../../src/internal/mergePool/merge.js"
import * as Replica from "../../src/internal/mergePool/replica.js"
import * as Stamp from "../../src/internal/mergePool/stamp.js"
import * as State from "../../src/internal/mergePool/state.js"
import {
  clientNamed,
  contentOf,
  empty,
  joined,
  made,
  replicaOf,
  start,
  strategies
} from "../support/mergePool/pools.js"

const hour = 3_600_000
const title = (value: string) => ({ key: "r", field: "title", edit: { _tag: "Write", value } }) as const

describe("a clock", () => {
  it("gives stamps that ascend, also when the clock of the server is set back by an hour", () => {
    let clock = Stamp.clockOf(clientNamed(1), Stamp.never)
    let before = ""
    for (const now of [start, start, start + 1, start - hour, start - hour, start + 1, start + 2]) {
      clock = Stamp.tick(clock, now)
      expect(clock.last > before).toBe(true)
      before = clock.last
    }
    expect(Stamp.millisOf(before)).toBe(start + 2)
  })

  it("goes on after a restart from the largest stamp that was held", () => {
    const one = replicaOf(1)
    made(one, title("a"), start + hour)
    const restarted = Replica.make(strategies, clientNamed(2))
    joined(restarted.state, State.whole(one.state))
    made(restarted, title("b"), start)
    expect(State.read(joined(empty(), State.whole(one.state), State.whole(restarted.state)), "r")).toEqual({
      title: "b"
    })
  })

  it("carries a full counter into the milliseconds", () => {
    const full = Stamp.make(start, Stamp.maxCounter, clientNamed(1))
    const next = Stamp.tick(Stamp.clockOf(clientNamed(2), full), start).last
    expect([next > full, Stamp.millisOf(next)]).toEqual([true, start + 1])
  })

  it("orders stamps by time, then counter, then client", () => {
    const stamps = [
      Stamp.make(start, 0, clientNamed(1)),
      Stamp.make(start, 0, clientNamed(2 ** 31)),
      Stamp.make(start, 1, clientNamed(0)),
      Stamp.make(start, Stamp.maxCounter, clientNamed(0)),
      Stamp.make(start + 1, 0, clientNamed(0)),
      Stamp.make(Stamp.maxMillis, 0, clientNamed(0))
    ]
    expect(stamps.slice().sort()).toEqual(stamps)
    expect(stamps.map(Stamp.isStamp)).toEqual(stamps.map(() => true))
    expect(stamps.map(Stamp.clientOf)[1]).toBe(clientNamed(2 ** 31))
    expect(Stamp.first(start) <= stamps[0]!).toBe(true)
    expect(Stamp.first(start + 1) > stamps[3]!).toBe(true)
  })

  it("of all 64 bits has another id for each", () => {
    const ids = [0, 1, 15, 16, 2 ** 31, 2 ** 32 - 1].flatMap((high) =>
      [0, 1, 2 ** 31, 2 ** 32 - 1].map((low) => Stamp.clientOfBits(high, low))
    )
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every(Stamp.isClient)).toBe(true)
  })
})

describe("a stamp ahead of the server", () => {
  const merged = (millis: number, counter = 0, now = start) => {
    const state = empty()
    const stamp = Stamp.make(millis, counter, clientNamed(1))
    const patch = { horizon: "", rows: [["r", "", { title: [stamp, "a"] }]] }
    return { state, result: Merge.merge(state, patch, { now }) }
  }

  it("is taken up to 60 s, with any counter, and refused beyond, with nothing changed", () => {
    expect(merged(start + Stamp.maxAhead, Stamp.maxCounter).result._tag).toBe("Merged")
    const { result, state } = merged(start + Stamp.maxAhead + 1)
    expect(result).toEqual({ _tag: "ClockAhead", at: { row: "r", field: "title" } })
    expect([contentOf(state), state.newest]).toEqual([contentOf(empty()), ""])
  })

  it("at the limit with a full counter lets honest clients go on within a millisecond", () => {
    const { state } = merged(start + Stamp.maxAhead, Stamp.maxCounter)
    const honest = replicaOf(2)
    joined(honest.state, State.whole(state))
    const sent = made(honest, title("b"))
    expect(Merge.merge(state, sent, { now: start })._tag).toBe("ClockAhead")
    expect(Merge.merge(state, sent, { now: start + 1 })._tag).toBe("Merged")
  })

  it("is stamped anew with all edits that were not sent, in their order", () => {
    const server = joined(empty(), made(replicaOf(3), title("old")))
    const client = replicaOf(1)
    joined(client.state, State.whole(server))
    for (const value of ["a", "b", "c"]) made(client, title(value), start + hour)
    expect(Merge.merge(server, client.unsent[0]!.patch, { now: start })._tag).toBe("ClockAhead")
    expect(Replica.replace(client, State.whole(server), start)).toEqual({ _tag: "Replaced", tooOld: [] })
    const stamps = client.unsent.map(({ stamp }) => stamp)
    expect([stamps.length, stamps.slice().sort()]).toEqual([3, stamps])
    for (const { patch } of client.unsent) {
      expect(Merge.merge(server, patch, { now: start, client: clientNamed(1) })._tag).toBe("Merged")
    }
    expect(State.read(server, "r")).toEqual({ title: "c" })
    expect(contentOf(client.state)).toBe(contentOf(server))
  })
})
