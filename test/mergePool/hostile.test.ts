/** Patches that are wrong, foreign or hostile change nothing, and say where they are wrong. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Merge from "../../src/internal/mergePool/merge.js"
import * as Stamp from "../../src/internal/mergePool/stamp.js"
import * as State from "../../src/internal/mergePool/state.js"
import { custom } from "../../src/internal/mergePool/strategy.js"
import { ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"
import { clientNamed, contentOf, empty, joined, made, replicaOf, start } from "../support/mergePool/pools.js"

const me = clientNamed(1)
const stamp = Stamp.make(start, 1, me)
const other = Stamp.make(start, 2, clientNamed(2))

const deep = (levels: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

const cell = (field: string, ...given: ReadonlyArray<unknown>) => ({
  horizon: "",
  rows: [["r", "", { [field]: given }]]
})

const held = () => {
  const server = empty()
  const one = replicaOf(2)
  joined(
    server,
    made(one, { key: "r", field: "title", edit: { _tag: "Write", value: "t" } }),
    made(one, { key: "r", field: "votes", edit: { _tag: "Count", by: 3 } }),
    made(one, { key: "r", field: "labels", edit: { _tag: "Add", element: "x" } })
  )
  return server
}

const wrong: ReadonlyArray<readonly [name: string, patch: unknown]> = [
  ["null", null],
  ["a list", []],
  ["rows that are none", { horizon: "", rows: {} }],
  ["a horizon that is none", { horizon: 5, rows: [] }],
  ["a row that is none", { horizon: "", rows: [null] }],
  ["a key that is empty", { horizon: "", rows: [["", "", {}]] }],
  ["a key with U+0000", { horizon: "", rows: [["a\0", "", {}]] }],
  ["a key with a lone surrogate", { horizon: "", rows: [["a\ud800", "", {}]] }],
  ["a key that is too long", { horizon: "", rows: [["k".repeat(2000), "", {}]] }],
  ["a reset that is no stamp", { horizon: "", rows: [["r", "x", {}]] }],
  ["cells that are a list", { horizon: "", rows: [["r", "", []]] }],
  ["a field that is unknown", cell("none", stamp, 1)],
  ["the field __proto__", JSON.parse(`{"horizon":"","rows":[["r","",{"__proto__":["${stamp}",1]}]]}`)],
  ["a cell that is empty", cell("title")],
  ["a stamp that is short", cell("title", "abc", 1)],
  ["a stamp with another character", cell("title", `${stamp.slice(0, -1)}é`, 1)],
  ["a reset above its stamp", cell("title", stamp, 1, other)],
  ["a value with U+0000", cell("title", stamp, "\0")],
  ["a value that is no number", cell("title", stamp, Number.NaN)],
  ["a value that is too deep", cell("title", stamp, deep(101))],
  ["a value that is undefined", cell("title", stamp, undefined)],
  ["a maximum that is an object", cell("best", stamp, {})],
  ["a counter that is a number", cell("votes", stamp, 7)],
  ["a part below 0", cell("votes", stamp, [[me, -1, 0]])],
  ["a part of 2^53", cell("votes", stamp, [[me, 2 ** 53, 0]])],
  ["a part of no client", cell("votes", stamp, [["me", 1, 0]])],
  [
    "parts out of order",
    cell("votes", stamp, [
      [clientNamed(2), 1, 0],
      [me, 1, 0]
    ])
  ],
  ["an element without a dot", cell("labels", stamp, [[["y", []]], []])],
  [
    "an element twice",
    cell("labels", stamp, [
      [
        ["y", [stamp]],
        ["y", [other]]
      ],
      []
    ])
  ],
  ["a dot that is there and gone", cell("labels", stamp, [[["y", [stamp]]], [stamp]])],
  ["what the user's decode refuses", cell("note", stamp, 5)]
]

describe("a patch with", () => {
  it.each(wrong)("%s is refused as malformed, and nothing changes", (_, patch) => {
    const server = held()
    const content = contentOf(server)
    expect(Merge.merge(server, patch)).toMatchObject({ _tag: "Malformed" })
    expect([contentOf(server), server.newest]).toEqual([content, held().newest])
  })

  it("a right row before a wrong one changes nothing", () => {
    const server = held()
    const content = contentOf(server)
    const rows = [
      ["new", "", { title: [stamp, "a"] }],
      ["r", stamp, {}],
      ["s", "", { title: ["x", 1] }]
    ]
    expect(Merge.merge(server, { horizon: "", rows })).toMatchObject({
      _tag: "Malformed",
      at: { row: "s", field: "title" }
    })
    expect([contentOf(server), server.rows.size, server.removals]).toEqual([content, 1, 0])
  })

  it("-0 holds 0, and a data property __proto__ is data", () => {
    const server = empty()
    expect(Merge.merge(server, cell("title", stamp, -0))._tag).toBe("Merged")
    expect(Object.is(State.read(server, "r")?.title, 0)).toBe(true)
    const value = JSON.parse('{"__proto__":{"a":1}}')
    expect(Merge.merge(server, cell("title", Stamp.make(start, 2, me), value))._tag).toBe("Merged")
    expect(JSON.stringify(State.read(server, "r")?.title)).toBe('{"__proto__":{"a":1}}')
  })

  it("no caller can change what is held", () => {
    const server = empty()
    const value = { a: [1] }
    Merge.merge(server, cell("title", stamp, value))
    value.a.push(2)
    expect(State.read(server, "r")).toEqual({ title: { a: [1] } })
  })

  it("any JSON is refused, or joined, and never throws", () => {
    const any = fc.jsonValue({ maxDepth: 4 })
    const rows = fc.array(
      fc.tuple(
        fc.string(),
        fc.constantFrom("", stamp),
        fc.dictionary(fc.constantFrom("title", "votes", "labels", "x"), any)
      )
    )
    holds(fc.oneof(any, fc.record({ horizon: fc.constant(""), rows })), 300, (patch) => {
      const server = held()
      const content = contentOf(server)
      if (Merge.merge(server, patch)._tag !== "Merged")
        ensureSame(contentOf(server), content, "refused as a whole")
    })
  })
})

describe("a client that writes in another one's name", () => {
  const foreign: ReadonlyArray<readonly [name: string, patch: unknown]> = [
    ["a stamp", cell("title", Stamp.make(start + 1, 0, clientNamed(2)), "forged")],
    ["an equal stamp with a larger value", cell("title", held().rows.get("r")!.cells[4]!.stamp, "zzz")],
    ["a part of a counter", cell("votes", stamp, [[clientNamed(2), 9, 0]])],
    ["a dot of a set", cell("labels", stamp, [[["y", [other]]], []])],
    [
      "a removal of what nobody has seen",
      cell("labels", stamp, [[], [Stamp.make(start + 5, 0, clientNamed(2))]])
    ],
    ["a reset", cell("title", Stamp.make(start + 9, 0, me), "a", Stamp.make(start + 5, 0, clientNamed(2)))],
    ["a removal of a field", cell("title", Stamp.make(start + 5, 0, clientNamed(2)))],
    ["a removal of a row", { horizon: "", rows: [["r", Stamp.make(start + 5, 0, clientNamed(2)), {}]] }]
  ]

  it.each(foreign)("by %s is refused, and nothing changes", (_, patch) => {
    const server = held()
    const content = contentOf(server)
    expect(Merge.merge(server, patch, { client: me })).toMatchObject({ _tag: "Foreign", at: { row: "r" } })
    expect(contentOf(server)).toBe(content)
    // Without an owner, as the server joins what it has judged.
    expect(Merge.merge(server, patch)._tag).toBe("Merged")
  })

  it("may send what is held already, and take out what it has seen", () => {
    const server = held()
    const mine = replicaOf(1)
    joined(mine.state, State.whole(server))
    expect(Merge.merge(server, State.whole(mine.state), { client: me })).toEqual({
      _tag: "Merged",
      changed: []
    })
    made(mine, { key: "r", field: "labels", edit: { _tag: "Take", element: "x" } })
    made(mine, { key: "r", field: "votes", edit: { _tag: "Count", by: 1 } })
    for (const { patch } of mine.unsent)
      expect(Merge.merge(server, patch, { client: me })._tag).toBe("Merged")
    expect(State.read(server, "r")).toEqual({ title: "t", votes: 4, labels: [] })
  })
})

describe("a join of the user that throws", () => {
  it("changes nothing, and is thrown on", () => {
    const broken = custom<number>({
      name: "broken",
      join: () => {
        throw new Error("broken")
      },
      encode: (n) => n,
      decode: (json) => (typeof json === "number" ? json : undefined)
    })
    const state = State.make({ a: broken })
    Merge.merge(state, cell("a", stamp, 1))
    const content = contentOf(state)
    const rows = [
      ["new", "", { a: [other, 1] }],
      ["r", "", { a: [other, 2] }],
      ["t", "", { a: [other, 2] }]
    ]
    expect(() => Merge.merge(state, { horizon: "", rows })).toThrow("broken")
    expect([contentOf(state), state.rows.size]).toEqual([content, 1])
  })
})
