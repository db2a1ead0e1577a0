/** The horizon: a client that is away for longer than removals are remembered. */
import { describe, expect, it } from "@effect/vitest"
import { raiseHorizon } from "../../src/internal/mergePool/horizon.js"
import { merge } from "../../src/internal/mergePool/merging.js"
import {
  adoptHorizon,
  confirm,
  makeEdit,
  makeReplica,
  type Replica,
  readAll,
  readRow,
  receive,
  takeState
} from "../../src/internal/mergePool/replica.js"
import { makeState, type State, statePatch, stateText } from "../../src/internal/mergePool/state.js"
import {
  add,
  client,
  definition,
  drop,
  edited,
  increment,
  patchOf,
  put,
  remove,
  replicaOf,
  row,
  stampOf,
  stateOf,
  valueOf
} from "../support/mergePool/pools.js"

const minute = 60_000
const hour = 60 * minute
const h = (millis: number) => stampOf(millis, 0, 0)

/** Edits, and leaves the edit unconfirmed. */
const offline = (replica: Replica, edit: Parameters<typeof makeEdit>[1], wall: number) => {
  const made = makeEdit(replica, edit, wall)
  if ("_tag" in made) throw new Error(made.message)
  return made
}

/** Sends what a replica has not sent, as its client. */
const send = (server: State, replica: Replica, n: number, now: number) => {
  for (const { n: number, patch } of replica.unsent) {
    const merged = merge(server, patch, { owner: client(n), now })
    if (merged._tag === "Refused") return merged
    confirm(replica, number)
  }
  return undefined
}

const copyOf = (state: State): State => {
  // As a server that is started again reads it from where it is stored.
  const copy = makeState(state.definition)
  merge(copy, statePatch(state), { old: "take" })
  raiseHorizon(copy, state.horizon)
  return copy
}

describe("raising the horizon", () => {
  it("forgets removals of rows, fields and members up to it, and keeps all else", () => {
    const a = replicaOf(1)
    edited(a, row("gone", { title: put(1), votes: increment(1) }), 1)
    edited(a, row("kept", { title: put(1), votes: increment(2), tags: add("x", "y") }), 2)
    edited(a, remove("gone"), 3)
    edited(a, row("kept", { title: { _tag: "Clear" }, tags: drop("x") }), 4)
    edited(a, remove("later"), 9)
    const { confirmed } = a
    expect(confirmed.removals).toBe(4)
    expect(raiseHorizon(confirmed, h(4)).map(({ key }) => key)).toEqual(["gone"])
    expect(confirmed.removals).toBe(3)
    raiseHorizon(confirmed, h(5))
    expect(confirmed.removals).toBe(1)
    expect([...confirmed.rows.keys()]).toEqual(["kept", "later"])
    expect(valueOf(confirmed, "kept", "tags")).toEqual(["y"])
    expect(valueOf(confirmed, "kept", "votes")).toBe(2)
    expect(stateText(copyOf(confirmed))).toBe(stateText(confirmed))
  })

  it("changes nothing by a stamp that is not above it, or by no stamp", () => {
    const state = stateOf(h(5))
    for (const lower of [h(4), h(5), "", "zzzz"]) {
      expect(raiseHorizon(state, lower)).toEqual([])
      expect(state.horizon).toBe(h(5))
    }
  })

  it("leaves 2,000 rows that were added and removed without a trace", () => {
    const a = replicaOf(1)
    for (let i = 0; i < 1000; i++) {
      edited(a, row(`r${i}`, { title: put(i), tags: add("x") }), i)
      edited(a, remove(`r${i}`), i)
    }
    raiseHorizon(a.confirmed, h(hour))
    expect([a.confirmed.rows.size, a.confirmed.removals, a.confirmed.removed.size]).toEqual([0, 0, 0])
  })
})

describe("a cell at or below the horizon", () => {
  const at = h(100)
  const cells: ReadonlyArray<readonly [what: string, field: string, cell: ReadonlyArray<unknown>]> = [
    ["a write", "title", [stampOf(99, 0, 1), 1]],
    ["a write with the stamp of the horizon", "title", [at, 1]],
    ["a part", "votes", ["", stampOf(99, 0, 1), 1]],
    ["a number", "high", ["", stampOf(99, 0, 1), 1]],
    ["a value of a join of one's own", "words", ["", stampOf(99, 0, 1), ["p"]]],
    ["an addition", "tags", ["", ["x", stampOf(99, 0, 1)]]],
    ["a part after a forgotten reset", "votes", [stampOf(99, 0, 2), stampOf(200, 0, 1), 1]]
  ]

  it.each(cells)("is refused with its name if it is not held: %s", (_, field, cell) => {
    const state = stateOf(at)
    const good = ["q", "", [["title", stampOf(200, 0, 1), 1]]]
    const refused = merge(state, patchOf(good, ["r", "", [[field, ...cell]]]))
    expect(refused).toMatchObject({ reason: "TooOld", horizon: at, cells: [{ row: "r", field }] })
    expect(stateText(state)).toBe(stateText(stateOf(at)))
  })

  it("is taken again if it is held", () => {
    for (const [, field, cell] of cells) {
      const patch = patchOf(["r", "", [[field, ...cell]]])
      const state = stateOf(at, patch)
      expect(merge(state, patch)).toEqual({ _tag: "Merged", changes: [] })
    }
  })

  it("that is a removal is no news if there is nothing to remove, and refused if there is", () => {
    const removals = [
      patchOf(["r", stampOf(99, 0, 1), []]),
      patchOf(["r", "", [["votes", stampOf(99, 0, 1)]]]),
      patchOf(["r", "", [["tags", "", ["x", stampOf(50, 0, 1), stampOf(99, 0, 1)]]]])
    ]
    const held = patchOf([
      "r",
      "",
      [
        ["votes", "", stampOf(50, 0, 1), 1],
        ["tags", "", ["x", stampOf(50, 0, 1)]]
      ]
    ])
    for (const removal of removals) {
      expect(merge(stateOf(at), removal)).toEqual({ _tag: "Merged", changes: [] })
      expect(merge(stateOf(at, held), removal)).toMatchObject({ reason: "TooOld" })
    }
  })

  it("that a server has taken away is held no more, and its removal is not held either", () => {
    const held = patchOf(["r", stampOf(200, 0, 1), [["tags", stampOf(200, 0, 1), ["x", stampOf(50, 0, 1)]]]])
    const state = stateOf(at, held)
    const end = [["tags", stampOf(200, 0, 1), ["x", stampOf(50, 0, 1), stampOf(99, 0, 1)]]]
    expect(merge(state, patchOf(["r", "", end]), { old: "take" })).toMatchObject({ changes: [{ key: "r" }] })
    expect(stateText(state)).toBe(stateText(stateOf(at, patchOf(["r", stampOf(200, 0, 1), []]))))
  })

  it("is listed with all others of the patch", () => {
    const patch = patchOf(
      ["q", stampOf(99, 0, 1), [["votes", "", stampOf(9, 0, 1), 1]]],
      [
        "r",
        "",
        [
          ["title", stampOf(9, 0, 1), 1],
          ["tags", "", ["x", stampOf(9, 0, 1)], ["y", stampOf(9, 0, 1)]]
        ]
      ]
    )
    const refused = merge(stateOf(at, patchOf(["q", "", [["title", stampOf(5, 0, 1), 1]]])), patch)
    expect(refused).toMatchObject({
      cells: [
        { row: "q", field: "" },
        { row: "q", field: "votes" },
        { row: "r", field: "title" },
        { row: "r", field: "tags" }
      ]
    })
  })
})

describe("J6: a client that was away for two hours", () => {
  /** A server and a client that know the same, then the client goes; meanwhile rows are removed, and that is forgotten. */
  const away = () => {
    const server = makeState(definition)
    const [a, b] = [replicaOf(1), replicaOf(2)]
    offline(a, row("gone", { title: put("old"), votes: increment(5), tags: add("x") }), 1)
    offline(a, row("kept", { title: put("old"), votes: increment(5), tags: add("x") }), 2)
    send(server, a, 1, 10)
    takeState(b, statePatch(server))
    offline(b, row("gone", { votes: increment(1) }), 10 * minute)
    offline(b, row("kept", { votes: increment(1) }), 10 * minute)
    takeState(a, statePatch(server))
    offline(a, remove("gone"), 20 * minute)
    offline(a, row("kept", { tags: drop("x") }), 20 * minute)
    send(server, a, 1, 20 * minute)
    offline(b, row("gone", { votes: increment(10), tags: add("y") }), 90 * minute)
    offline(b, row("kept", { votes: increment(10), title: put("new") }), 90 * minute)
    raiseHorizon(server, h(hour))
    return { server, a, b }
  }

  const check = (server: State, b: Replica) => {
    expect(send(server, b, 2, 2 * hour)).toMatchObject({ reason: "TooOld" })
    const tooOld = takeState(b, statePatch(server))
    if ("_tag" in tooOld) throw new Error(tooOld.message)
    expect(tooOld.map(({ edit, n }) => [n, edit.key])).toEqual([
      [1, "gone"],
      [2, "kept"]
    ])
    expect(send(server, b, 2, 2 * hour)).toBeUndefined()
    expect(["title", "votes", "tags"].map((name) => valueOf(server, "gone", name))).toEqual([
      undefined,
      10,
      ["y"]
    ])
    expect(["title", "votes", "tags"].map((name) => valueOf(server, "kept", name))).toEqual([
      "new",
      15,
      undefined
    ])
    expect(stateText(b.confirmed)).toBe(stateText(server))
  }

  it("brings nothing back; what it wrote after the horizon arrives, and what it wrote before is handed out", () => {
    const { b, server } = away()
    check(server, b)
  })

  it("does so also when server and client start again in between", () => {
    const { b, server } = away()
    const again = makeReplica(client(2), copyOf(b.confirmed))
    again.unsent = b.unsent
    again.pending = b.pending
    check(copyOf(server), again)
  })

  it("adopts the horizon when it has followed all along, and drops the same removals", () => {
    const server = makeState(definition)
    const [a, b] = [replicaOf(1), replicaOf(2)]
    offline(a, row("r", { votes: increment(5), tags: add("x") }), 1)
    send(server, a, 1, 1)
    receive(b, statePatch(server))
    offline(a, remove("r"), 2)
    send(server, a, 1, 2)
    receive(b, statePatch(server))
    // It has seen the removal, which is forgotten when its edit arrives.
    offline(b, row("r", { votes: increment(1) }), 50)
    raiseHorizon(server, h(40))
    expect(send(server, b, 2, 60)).toMatchObject({ reason: "TooOld" })
    expect(adoptHorizon(b, h(40)).tooOld).toEqual([])
    expect(send(server, b, 2, 60)).toBeUndefined()
    expect(valueOf(server, "r", "votes")).toBe(1)
    expect(stateText(b.confirmed)).toBe(stateText(server))
  })

  it("has nothing to hand out if it edited nothing, and takes a horizon that is lower for no news", () => {
    const b = replicaOf(2)
    adoptHorizon(b, h(50))
    expect(adoptHorizon(b, h(40))).toEqual({ changes: [], tooOld: [] })
    expect(readAll(b).size).toBe(0)
    expect(readRow(b, "r")).toBeUndefined()
  })
})
