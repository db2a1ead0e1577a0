import { describe, expect, it } from "@effect/vitest"
import { keepOwn } from "../../src/internal/mergePool/adopting.js"
import { cellKey, partsOfKey } from "../../src/internal/mergePool/cell.js"
import { define } from "../../src/internal/mergePool/definition.js"
import { hashState } from "../../src/internal/mergePool/hashedState.js"
import { merge } from "../../src/internal/mergePool/merging.js"
import { receive } from "../../src/internal/mergePool/replica.js"
import { makeState, stateText } from "../../src/internal/mergePool/state.js"
import { custom, last } from "../../src/internal/mergePool/values.js"
import {
  add,
  clear,
  client,
  defined,
  definition,
  drop,
  edited,
  few,
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

const s = (millis: number, n = 1) => stampOf(millis, 0, n)

const cell = (name: string, ...state: ReadonlyArray<unknown>) => patchOf(["r", "", [[name, ...state]]])

describe("a field", () => {
  it("keeps the last write, the largest and the smallest number, the sum, and the union", () => {
    const [a, b] = [replicaOf(1), replicaOf(2)]
    const one = edited(
      a,
      row("r", { title: put("a"), high: put(1), low: put(1), votes: increment(1), words: put(["p"]) }),
      10
    )
    const two = edited(
      b,
      row("r", { title: put("b"), high: put(2), low: put(2), votes: increment(5), words: put(["q"]) }),
      9
    )
    receive(a, two)
    receive(b, one)
    expect(stateText(a.confirmed)).toBe(stateText(b.confirmed))
    const values = ["title", "high", "low", "votes", "words"].map((name) => valueOf(a.confirmed, "r", name))
    expect(values).toEqual(["a", 2, 1, 6, ["p", "q"]])
  })

  it("counts what a client adds again and again once", () => {
    const a = replicaOf(1)
    const patches = [1, 2, -4].map((by, i) => edited(a, row("r", { votes: increment(by) }), i))
    const state = stateOf("", ...patches, ...patches, ...patches.reverse())
    expect(valueOf(state, "r", "votes")).toBe(-1)
  })

  it("keeps a member that is added while another client removes it", () => {
    const [a, b] = [replicaOf(1), replicaOf(2)]
    receive(b, edited(a, row("r", { tags: add("x", "y") }), 1))
    const removed = edited(b, row("r", { tags: drop("x", "y") }), 50)
    const added = edited(a, row("r", { tags: add("x") }), 2)
    expect(valueOf(stateOf("", removed, added), "r", "tags")).toEqual(["x"])
    expect(valueOf(stateOf("", added, removed), "r", "tags")).toEqual(["x"])
  })

  it("keeps of equal largest numbers the first write, whatever comes first", () => {
    for (const name of ["high", "low"]) {
      const [one, two] = [cell(name, "", s(1), 5), cell(name, "", s(2), 5)]
      expect(stateText(stateOf("", two, one))).toBe(stateText(stateOf("", one)))
      expect(stateText(stateOf("", one, two))).toBe(stateText(stateOf("", one)))
    }
  })

  it("takes the larger canonical text of equal stamps, whatever comes first", () => {
    const [one, two] = [cell("title", s(1), { b: 1, a: -0 }), cell("title", s(1), { a: 0, b: 2 })]
    const same = cell("title", s(1), { b: 2, a: 0 })
    const law = "J3: the larger canonical text wins"
    expect(stateText(stateOf("", one, two)), law).toBe(stateText(stateOf("", two, one)))
    expect(valueOf(stateOf("", one, two), "r", "title"), law).toEqual({ a: 0, b: 2 })
    expect(stateText(stateOf("", two))).toBe(stateText(stateOf("", same)))
  })
})

describe("J4: a removal", () => {
  it("of a row removes fields that were not seen, and a later write brings back itself alone", () => {
    const [a, b, c] = [replicaOf(1), replicaOf(2), replicaOf(3)]
    const unseen = edited(c, row("r", { votes: increment(3), tags: add("x"), low: put(1) }), 5)
    const gone = edited(a, remove("r"), 10)
    receive(b, gone)
    const again = edited(b, row("r", { title: put("new") }), 20)
    for (const order of [
      [unseen, gone, again],
      [again, gone, unseen],
      [gone, again, unseen]
    ]) {
      const state = stateOf("", ...order)
      expect(["title", "votes", "tags", "low"].map((name) => valueOf(state, "r", name))).toEqual([
        "new",
        undefined,
        undefined,
        undefined
      ])
    }
  })

  it("of a field acts on every strategy alike, and later edits begin from nothing", () => {
    const [a, b] = [replicaOf(1), replicaOf(2)]
    const all = {
      title: put(1),
      high: put(9),
      low: put(-9),
      votes: increment(9),
      tags: add("x"),
      words: put(["p"])
    }
    receive(b, edited(a, row("r", all), 1))
    receive(a, edited(b, row("r", Object.fromEntries(Object.keys(all).map((name) => [name, clear]))), 2))
    const names = Object.keys(all)
    expect(names.map((name) => valueOf(a.confirmed, "r", name))).toEqual(names.map(() => undefined))
    edited(
      a,
      row("r", { high: put(1), low: put(1), votes: increment(1), tags: add("y"), words: put(["q"]) }),
      3
    )
    expect(names.map((name) => valueOf(a.confirmed, "r", name))).toEqual([undefined, 1, 1, 1, ["y"], ["q"]])
  })

  it("and a set, an increment or an addition at the same time end alike everywhere", () => {
    for (const fields of [{ title: put(1) }, { votes: increment(1) }, { tags: add("x") }]) {
      for (const what of [
        remove("r"),
        row("r", Object.fromEntries(Object.keys(fields).map((name) => [name, clear])))
      ]) {
        const [a, b] = [replicaOf(1), replicaOf(2)]
        const [one, two] = [edited(a, row("r", fields), 5), edited(b, what, 5)]
        expect(stateText(stateOf("", one, two))).toBe(stateText(stateOf("", two, one)))
      }
    }
  })
})

describe("a merge", () => {
  const now = 100_000
  const seed = () =>
    stateOf(
      "",
      cell("votes", "", s(1, 2), 5),
      cell("title", s(1, 2), 1),
      cell("tags", "", ["x", s(1, 2)]),
      cell("high", "", s(1, 2), 5)
    )
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])
  const getter = Object.defineProperty([], 0, {
    get: () => {
      throw new Error("no")
    },
    enumerable: true
  })

  const hostile: ReadonlyArray<readonly [string, unknown]> = [
    ["no object", null],
    ["no rows", {}],
    ["rows that are no array", { horizon: "", rows: { length: 1 } }],
    ["a row that is no array", patchOf("r")],
    ["a row without cells", patchOf(["r", ""])],
    ["an empty key", patchOf(["", "", []])],
    ["a key with U+0000", patchOf(["a\0", "", []])],
    ["a key with a lone surrogate", patchOf(["\ud800", "", []])],
    ["a key that is too long", patchOf(["é".repeat(257), "", []])],
    ["a key that is no text", patchOf([1, "", []])],
    ["a reset that is no stamp", patchOf(["r", "x", []])],
    ["a cell that is no array", patchOf(["r", "", ["title"]])],
    ["an unknown field", cell("other", s(2), 1)],
    ["a field named __proto__", cell("__proto__", s(2), 1)],
    ["a cell that is nothing since never", cell("votes", "")],
    ["a last write without a stamp", cell("title", "", 1)],
    ["two values", cell("title", s(2), 1, 2)],
    ["NaN", cell("title", s(2), Number.NaN)],
    ["undefined", cell("title", s(2), undefined)],
    ["U+0000 in a value", cell("title", s(2), ["\0"])],
    ["a lone surrogate in a name", cell("title", s(2), { "\udc00": 1 })],
    ["a value that is too deep", cell("title", s(2), deep(1001))],
    ["a value that is too large", cell("title", s(2), "x".repeat(2 ** 20))],
    ["a value that is no plain data", cell("title", s(2), new Map())],
    ["a value that throws", cell("title", s(2), getter)],
    ["a row that throws", patchOf(getter)],
    ["infinity as the largest", cell("high", "", s(2), Number.POSITIVE_INFINITY)],
    ["text as the largest", cell("high", "", s(2), "9")],
    ["a part of 2^53", cell("votes", "", s(2), 2 ** 53)],
    ["half a vote", cell("votes", "", s(2), 0.5)],
    ["parts of one client twice", cell("votes", "", s(2), 1, s(3), 1)],
    ["a part without a sum", cell("votes", "", s(2))],
    ["a member without a dot", cell("tags", "", ["x"])],
    ["members out of order", cell("tags", "", ["y", s(2)], ["x", s(2)])],
    ["a removal before its addition", cell("tags", "", ["x", s(2), s(2)])],
    ["words that do not decode", cell("words", "", s(2), [1])]
  ]

  it.each(hostile)("refuses %s, with what to do, and leaves everything as it was", (_, given) => {
    const state = seed()
    const [before, latest] = [stateText(state), state.latest]
    const rows = (given as { readonly rows?: unknown } | null)?.rows
    const mixed = Array.isArray(rows)
      ? {
          horizon: "",
          rows: [
            ...cell("title", s(9), "good").rows,
            ...patchOf(["z", "", [["votes", "", s(9), 1]]]).rows,
            ...rows
          ]
        }
      : given
    for (const each of rows === getter ? [given] : [given, mixed]) {
      // It is hostile on purpose.
      const refused = merge(state, each as never, { now })
      expect(refused).toMatchObject({ _tag: "Refused", reason: "InvalidData" })
      expect(stateText(state)).toBe(before)
      expect(state.latest).toBe(latest)
    }
  })

  const foreign: ReadonlyArray<readonly [string, ReturnType<typeof patchOf>]> = [
    ["a write", cell("title", s(5, 2), 2)],
    ["another value of a held stamp", cell("title", s(1, 2), 2)],
    ["a reset", cell("votes", s(5, 2))],
    ["a reset of a row", patchOf(["r", s(5, 2), []])],
    ["a later part", cell("votes", "", s(5, 2), 9)],
    ["another sum of a held part", cell("votes", "", s(1, 2), 9)],
    ["an addition", cell("tags", "", ["y", s(5, 2)])],
    ["a removal", cell("tags", "", ["x", s(1, 2), s(5, 2)])],
    ["a larger number", cell("high", "", s(1, 2), 9)]
  ]

  it.each(foreign)("refuses %s by the stamp of another client", (_, given) => {
    const state = seed()
    const before = stateText(state)
    const refused = merge(state, given, { now, owner: client(1) })
    expect(refused).toMatchObject({ reason: "Forbidden", row: "r" })
    expect(stateText(state)).toBe(before)
  })

  it("takes what is a client's own, beside what is held of others", () => {
    const state = seed()
    const own = [
      cell("title", s(5), 2),
      cell("votes", "", s(5), 1, s(1, 2), 5),
      cell("tags", "", ["x", s(1, 2), s(5)], ["y", s(5)]),
      cell("high", "", s(5), 9),
      patchOf(["r", s(6), []])
    ]
    for (const each of own) expect(merge(state, each, { now, owner: client(1) })._tag).toBe("Merged")
  })

  it("leaves out a client's removal of what is neither held nor its own", () => {
    const state = seed()
    const merged = merge(state, cell("tags", "", ["z", s(3, 2), s(5)]), { now, owner: client(1) })
    expect(merged).toEqual({ _tag: "Merged", changes: [] })
  })

  it("counts the cells of a patch, and refuses the one that is too many", () => {
    const patch = patchOf(["r", s(2), [["title", s(3), 1]]], ["q", "", [["title", s(3), 1]]])
    expect(merge(seed(), patch, { maxCells: 3 })._tag).toBe("Merged")
    expect(merge(seed(), patch, { maxCells: 2 })).toMatchObject({ reason: "InvalidData" })
  })

  it("keeps no part of a patch that its sender can change", () => {
    const value = { a: [1] }
    const patch = cell("title", s(5), value)
    const state = stateOf("", patch)
    value.a.push(2)
    expect(valueOf(state, "r", "title")).toEqual({ a: [1] })
  })

  it("keeps rows and names like __proto__ as plain ones", () => {
    const state = stateOf("", patchOf(["__proto__", "", [["title", s(1), JSON.parse('{"__proto__":1}')]]]))
    expect(Object.keys(valueOf(state, "__proto__", "title") as object)).toEqual(["__proto__"])
    expect(stateText(state)).toContain('{"__proto__":1}')
  })

  it("refuses a patch whose join throws, as a whole", () => {
    const bad = custom<number>({
      name: "bad",
      join: () => {
        throw new Error("out of order")
      },
      encode: (value) => value,
      decode: Number
    })
    const state = makeState(defined({ bad, title: last() }))
    const of = (value: number, at: number) =>
      patchOf([
        "r",
        "",
        [
          ["title", s(at), value],
          ["bad", "", s(at), value]
        ]
      ])
    merge(state, of(1, 1))
    const before = stateText(state)
    expect(merge(state, of(2, 2))).toMatchObject({ reason: "JoinFailed", row: "r", field: "bad" })
    expect(stateText(state)).toBe(before)
  })

  it("refuses a patch whose join gives what its codec does not decode, as a whole", () => {
    const state = makeState(defined({ few, title: last() }))
    const of = (word: string, at: number, title = "t") =>
      patchOf([
        "r",
        "",
        [
          ["title", s(at), title],
          ["few", "", s(at), [word]]
        ]
      ])
    merge(state, of("a", 1))
    merge(state, of("b", 2))
    const before = stateText(state)
    const refused = merge(state, of("c", 3, "new"))
    expect(refused).toMatchObject({ reason: "JoinFailed", row: "r", field: "few" })
    expect(refused).toMatchObject({ message: expect.stringMatching(/too many words.*MergeLaws/) })
    expect([stateText(state), state.latest]).toEqual([before, s(2)])
    expect(merge(state, of("a", 4, "new"))).toMatchObject({ _tag: "Merged" })
    expect(valueOf(state, "r", "few")).toEqual(["a", "b"])
  })
})

describe("what a replica keeps beside a server's rows", () => {
  it("is all but the cell that does not join with that of the server", () => {
    const fields = defined({ few, title: last() })
    const [server, own] = [makeState(fields), makeState(fields)]
    merge(server, patchOf(["r", "", [["few", "", s(1), ["a", "b"]]]]))
    merge(
      own,
      patchOf(
        [
          "r",
          "",
          [
            ["few", "", s(2, 2), ["c"]],
            ["title", s(2, 2), "own"]
          ]
        ],
        ["q", "", [["title", s(3, 2), "q"]]]
      )
    )
    const missing = keepOwn(hashState(server), [...own.rows])
    expect(missing.rows).toEqual([
      ["r", "", [["title", s(2, 2), "own"]]],
      ["q", "", [["title", s(3, 2), "q"]]]
    ])
    expect(valueOf(server, "r", "few")).toEqual(["a", "b"])
  })
})

describe("the fields of a pool", () => {
  it("have a fingerprint by names and strategies, in whatever order they are given", () => {
    const of = (fields: Parameters<typeof define>[0]) => defined(fields).fingerprint
    const named = (name: string) =>
      custom<number>({ name, join: Math.max, encode: (value) => value, decode: Number })
    expect(of({ a: last(), b: named("x") })).toBe(of({ b: named("x"), a: last() }))
    const all = [
      { a: last() },
      { b: last() },
      { a: named("x") },
      { a: named("y") },
      { a: last(), b: last() }
    ].map(of)
    expect(new Set(all).size).toBe(all.length)
  })

  const wrong = {
    none: {},
    "an empty name": { "": last() },
    "U+0000": { "a\0": last() },
    "a long name": { ["x".repeat(129)]: last() }
  }

  it.each(Object.entries(wrong))("are refused if they are wrong: %s", (_, fields) => {
    expect(define(fields)).toMatchObject({ _tag: "InvalidFields" })
  })

  it("make keys with their rows, which lead back to both", () => {
    for (const key of ["a", "a/b", "~", "~1", "/~0/", "__proto__"]) {
      for (const field of ["", "title", "x/y", "~1"])
        expect(partsOfKey(cellKey(key, field))).toEqual([key, field])
    }
    expect(cellKey("a/b", "title").indexOf("/")).toBe(4)
  })

  it("are those of the definition, by index", () => {
    expect(definition.names).toEqual([...definition.names].sort())
  })
})
