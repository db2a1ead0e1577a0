/** Edits that nobody has confirmed: shown at once, sent later, and stamped anew if they must be. */
import { describe, expect, it } from "@effect/vitest"
import { merge } from "../../src/internal/mergePool/merging.js"
import {
  confirm,
  makeEdit,
  type Replica,
  readAll,
  readField,
  readRow,
  receive,
  stampAnew
} from "../../src/internal/mergePool/replica.js"
import { millisOf } from "../../src/internal/mergePool/stamp.js"
import { makeState, statePatch, stateText } from "../../src/internal/mergePool/state.js"
import {
  add,
  clear,
  client,
  definition,
  drop,
  edited,
  increment,
  put,
  remove,
  replicaOf,
  row,
  valueOf
} from "../support/mergePool/pools.js"

const hour = 3_600_000

const index = (name: string): number => definition.indexes.get(name)!

/** A server that has taken a client's edits, each with the client's stamps. */
const sentTo = (replica: Replica, n: number, now: number) => {
  const server = makeState(definition)
  const outcomes = replica.unsent.map(({ patch }) => merge(server, patch, { owner: client(n), now }))
  return { server, outcomes }
}

describe("an edit", () => {
  it("shows at once, over what is confirmed, and stays as it is when it is confirmed", () => {
    const a = replicaOf(1)
    receive(a, edited(replicaOf(2), row("r", { title: put("old"), votes: increment(5), tags: add("x") }), 1))
    makeEdit(a, row("r", { title: put("new"), votes: increment(1), tags: add("y") }), 2)
    makeEdit(a, row("r", { votes: increment(1), tags: drop("x") }), 3)
    const shown = readRow(a, "r")
    expect(Object.fromEntries(shown!)).toEqual({ tags: ["y"], title: "new", votes: 7 })
    expect(valueOf(a.confirmed, "r", "votes")).toBe(5)
    confirm(a, 1)
    expect([readRow(a, "r"), a.unsent.map(({ n }) => n), valueOf(a.confirmed, "r", "votes")]).toEqual([
      shown,
      [2],
      6
    ])
    confirm(a, 2)
    expect([readRow(a, "r"), a.unsent, a.pending.rows.size]).toEqual([shown, [], 0])
  })

  it("removes a row with what is shown of it, and rows without fields are none", () => {
    const a = replicaOf(1)
    receive(a, edited(replicaOf(2), row("r", { title: put(1) }), 1))
    makeEdit(a, row("q", { votes: increment(1) }), 2)
    makeEdit(a, remove("r"), 3)
    expect([...readAll(a).keys()]).toEqual(["q"])
    makeEdit(a, row("q", { votes: clear }), 4)
    expect(readAll(a).size).toBe(0)
    expect(readField(a, "q", index("votes"))).toBeUndefined()
  })

  it("that changes nothing is not sent", () => {
    const a = replicaOf(1)
    for (const nothing of [row("r", {}), row("r", { tags: drop("x") }), row("r", { tags: add() })]) {
      expect(makeEdit(a, nothing, 1)).toMatchObject({ patch: { rows: [] } })
    }
    expect(a.unsent).toEqual([])
  })

  it("is refused by what is wrong with it, and changes nothing", () => {
    const a = replicaOf(1)
    const wrong = [
      row("r", { other: put(1) }),
      row("r", { votes: put(1) }),
      row("r", { title: increment(1) }),
      row("r", { tags: put(["x"]) }),
      row("r", { words: add("x") }),
      row("r", { high: increment(1) }),
      row("r", { votes: increment(Number.NaN) }),
      row("r", { votes: increment(0.5) }),
      row("r", { high: put("1") }),
      row("r", { title: put(undefined) }),
      row("r", { title: put("\ud800") }),
      row("r", { tags: add(Number.NaN) }),
      row("r", { words: put([1]) }),
      row("", { title: put(1) }),
      remove("a\0")
    ]
    for (const each of wrong)
      expect(makeEdit(a, each, 1)).toMatchObject({ _tag: "Refused", reason: "InvalidData" })
    expect([a.unsent, readAll(a).size, a.edits]).toEqual([[], 0, 0])
  })

  it("that would count beyond 2^53 is refused, and the count stays", () => {
    const a = replicaOf(1)
    makeEdit(a, row("r", { votes: increment(Number.MAX_SAFE_INTEGER) }), 1)
    expect(makeEdit(a, row("r", { votes: increment(1) }), 2)).toMatchObject({ reason: "InvalidData" })
    expect(readField(a, "r", index("votes"))).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe("edits of a client whose wall clock is an hour ahead", () => {
  const made = () => {
    const a = replicaOf(1)
    makeEdit(a, row("r", { title: put("one"), votes: increment(1), tags: add("x") }), 3 * hour)
    makeEdit(a, row("r", { title: put("two"), votes: increment(1), tags: drop("x") }), 3 * hour + 1)
    return a
  }

  it("are refused with the server's time, and taken in order when they are stamped anew", () => {
    const a = made()
    const shown = readRow(a, "r")
    expect(sentTo(a, 1, 2 * hour).outcomes).toMatchObject([
      { reason: "ClockAhead", serverTime: 2 * hour },
      { reason: "ClockAhead" }
    ])
    const numbers = a.unsent.map(({ n }) => n)
    const stamps = stampAnew(a, 2 * hour, 3 * hour + 2).map(({ stamp }) => stamp)
    expect(stamps.map(millisOf)).toEqual([2 * hour, 2 * hour])
    expect(stamps[0]! < stamps[1]!).toBe(true)
    expect([a.unsent.map(({ n }) => n), readRow(a, "r")]).toEqual([numbers, shown])
    const { outcomes, server } = sentTo(a, 1, 2 * hour)
    expect(outcomes.map(({ _tag }) => _tag)).toEqual(["Merged", "Merged"])
    expect(["title", "votes", "tags"].map((name) => valueOf(server, "r", name))).toEqual([
      "two",
      2,
      undefined
    ])
  })

  it("are after what the client had seen, and before what others write later", () => {
    const a = made()
    receive(a, edited(replicaOf(2), row("r", { title: put("seen") }), 2 * hour))
    stampAnew(a, 2 * hour, 3 * hour)
    expect(readField(a, "r", index("title"))).toBe("two")
    receive(a, edited(replicaOf(3), row("r", { title: put("later") }), 2 * hour + 1))
    expect(readField(a, "r", index("title"))).toBe("later")
  })

  it("count once, also when the first attempt had arrived", () => {
    const a = made()
    const { server } = sentTo(a, 1, 4 * hour)
    stampAnew(a, 2 * hour, 3 * hour)
    for (const { patch } of a.unsent) merge(server, patch)
    expect(valueOf(server, "r", "votes")).toBe(2)
  })
})

describe("two replicas without a server", () => {
  it("converge by what each sends to the other, in one exchange", () => {
    const [a, b] = [replicaOf(1), replicaOf(2)]
    edited(a, row("r", { title: put("a"), votes: increment(1) }), 1)
    edited(b, row("r", { title: put("b"), votes: increment(2) }), 2)
    receive(b, statePatch(a.confirmed))
    receive(a, statePatch(b.confirmed))
    expect(stateText(a.confirmed)).toBe(stateText(b.confirmed))
    expect(readRow(a, "r")).toEqual(
      new Map<string, unknown>([
        ["title", "b"],
        ["votes", 3]
      ])
    )
  })
})
