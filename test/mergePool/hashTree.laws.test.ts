/** Hashes are those of what is held, however it came about, and find what two replicas hold otherwise. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Diff from "../../src/internal/mergePool/diff.js"
import * as Tree from "../../src/internal/mergePool/hashTree.js"
import * as Merge from "../../src/internal/mergePool/merge.js"
import type { Patch } from "../../src/internal/mergePool/patch.js"
import * as Stamp from "../../src/internal/mergePool/stamp.js"
import * as State from "../../src/internal/mergePool/state.js"
import { ensure, ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"
import {
  changes,
  clientNamed,
  contentOf,
  empty,
  joined,
  made,
  replicaOf,
  start
} from "../support/mergePool/pools.js"

const steps = fc.array(fc.record({ who: fc.nat(2), change: changes, hashes: fc.boolean() }), {
  maxLength: 20
})

/** The hash of a tree that is built at once. */
const builtAnew = (state: State.State): string => {
  const copy = joined(State.emptied(state, state.horizon), State.whole(state))
  return Tree.root(Tree.make(), copy)
}

describe("a hash tree", () => {
  it("M10: that is kept is equal to one that is built at once, at every step", () => {
    holds(steps, 300, (given) => {
      const state = empty()
      const tree = Tree.make()
      const replicas = [replicaOf(1), replicaOf(2), replicaOf(3)]
      const all: Array<Patch> = []
      for (const { change, hashes, who } of given) {
        const patch = made(replicas[who]!, change)
        all.push(patch)
        joined(state, patch)
        // A refused patch is undone in the tree too.
        Merge.merge(state, { horizon: "", rows: [...patch.rows, ["t", "", { title: [] }]] })
        if (hashes) ensureSame(Tree.root(tree, state), builtAnew(state), "kept and built")
      }
      const before = Tree.root(tree, state)
      ensureSame(before, builtAnew(joined(empty(), ...all.reverse())), "in any order")
      State.raise(state, Stamp.first(start + 1))
      ensureSame(Tree.root(tree, state), builtAnew(state), "after the horizon")
      State.become(state, joined(empty(), ...all))
      ensureSame(Tree.root(tree, state), before, "after everything was replaced")
      joined(state, made(replicas[0]!, { key: "r", field: "best", edit: { _tag: "Write", value: 9 } }))
      ensureSame(Tree.root(tree, state), builtAnew(state), "and changed then")
    })
  })

  it("M11: tells states apart that hold something else", () => {
    holds(fc.tuple(steps, steps), 200, ([one, other]) => {
      const [a, b] = [one, other].map((given) => {
        const replicas = [replicaOf(1), replicaOf(2), replicaOf(3)]
        return joined(empty(), ...given.map(({ change, who }) => made(replicas[who]!, change)))
      }) as [State.State, State.State]
      const equal = Tree.root(Tree.make(), a) === Tree.root(Tree.make(), b)
      ensureSame(equal, contentOf(a) === contentOf(b), "hash and content")
    })
  })
})

const rowCount = 20_000

/** A large state, in which some rows are written at another time. */
const large = (count: number, changed: (n: number) => boolean, count2 = 0): State.State => {
  const rows = Array.from({ length: count }, (_, n) => {
    const at = changed(n) ? start + 1 : start
    return [
      `row ${n}`,
      "",
      {
        title: [Stamp.make(at, n, clientNamed(1)), `title ${n}`],
        best: [Stamp.make(at, n, clientNamed(2)), n]
      }
    ]
  })
  const more = Array.from({ length: count2 }, (_, n) => [
    `more ${n}`,
    "",
    { title: [Stamp.make(start, n, clientNamed(3)), n] }
  ])
  return joined(empty(), { horizon: "", rows: [...rows, ...more] } as unknown as Patch)
}

/** One side asks the other one, by text; returns what differs, and how many characters that took. */
const compare = (one: State.State, other: State.State) => {
  const [mine, theirs] = [Tree.make(), Tree.make()]
  let characters = 0
  const sent = <A>(message: A): unknown => {
    const text = JSON.stringify(message)
    characters += text.length
    return JSON.parse(text)
  }
  const leaves = Diff.answerBranches(theirs, other, sent(Tree.branches(mine, one)))
  const rows = Diff.answerLeaves(mine, one, sent(leaves))
  const differences = Diff.compareRows(theirs, other, sent(rows))!
  sent(State.patchOf(other, differences.send))
  sent(differences.want)
  return { differences, characters }
}

describe("a diff", () => {
  it("of 10 rows at each side finds them, by hashes of their leaves alone", () => {
    const one = large(rowCount, (n) => n % 2000 === 7)
    const other = large(rowCount, (n) => n % 2000 === 3)
    const { characters, differences } = compare(one, other)
    const expected = Array.from({ length: rowCount }, (_, n) => n).filter(
      (n) => n % 2000 === 7 || n % 2000 === 3
    )
    expect(differences.send.map(({ key }) => key).sort()).toEqual(expected.map((n) => `row ${n}`).sort())
    expect(differences.want.slice().sort()).toEqual(expected.map((n) => `row ${n}`).sort())
    // As much are the hashes of 20 branches and the rows of 20 leaves of any number of rows.
    expect(characters).toBeLessThan(0.03 * JSON.stringify(State.whole(one)).length)
  })

  it("finds rows that only one side has, and all of them where one is empty or everything differs", () => {
    const one = large(500, () => false, 3)
    const other = large(500, () => false)
    const { send, want } = compare(one, other).differences
    expect([send, want.slice().sort()]).toEqual([[], ["more 0", "more 1", "more 2"]])
    const found = compare(other, one).differences.send.map(({ key }) => key)
    expect(found.sort()).toEqual(["more 0", "more 1", "more 2"])
    expect(compare(empty(), one).differences.send).toHaveLength(503)
    expect(compare(one, empty()).differences.want).toHaveLength(503)
    expect(
      compare(
        one,
        large(500, () => true)
      ).differences.send
    ).toHaveLength(500)
  })

  it("M12: makes replicas equal, whatever they hold", () => {
    holds(fc.tuple(steps, steps), 200, ([given, late]) => {
      const replicas = [replicaOf(1), replicaOf(2), replicaOf(3)]
      const [a, b] = [empty(), empty()]
      for (const { change, who } of given) {
        const patch = made(replicas[who]!, change)
        joined(a, patch)
        joined(b, patch)
      }
      for (const { change, hashes, who } of late) joined(hashes ? a : b, made(replicas[who]!, change))
      const { send, want } = compare(a, b).differences
      joined(a, State.patchOf(b, send))
      joined(
        b,
        State.patchOf(
          a,
          want.map((key) => a.rows.get(key)!)
        )
      )
      ensureSame(contentOf(a), contentOf(b), "both sides")
    })
  })

  it("takes keys whose rows share a leaf", () => {
    const leaf = Tree.leafOf("row 0")
    const keys = Array.from({ length: 40_000 }, (_, n) => `row ${n}`).filter(
      (key) => Tree.leafOf(key) === leaf
    )
    expect(keys.length).toBeGreaterThan(3)
    const write = (key: string, n: number) =>
      ({ key, field: "best", edit: { _tag: "Write", value: n } }) as const
    const [one, other] = [replicaOf(1), replicaOf(2)]
    for (const key of keys) joined(other.state, made(one, write(key, 1)))
    made(one, write(keys[1]!, 2))
    expect(compare(other.state, one.state).differences).toMatchObject({
      send: [{ key: keys[1] }],
      want: [keys[1]]
    })
  })

  it("refuses what are no hashes, and gives a side that lies rows that it has", () => {
    const state = large(100, () => false)
    const tree = Tree.make()
    for (const given of [undefined, "", "x".repeat(1024), "0".repeat(1023), 5, []]) {
      expect(Diff.answerBranches(tree, state, given)).toBeUndefined()
    }
    const hashes = "0".repeat(1024)
    for (const given of ["", [[64, hashes]], [[-1, hashes]], [[0.5, hashes]], [[0, "0"]], [[0]]]) {
      expect(Diff.answerLeaves(tree, state, given)).toBeUndefined()
    }
    for (const given of [
      {},
      [[4096, []]],
      [[0, [["k"]]]],
      [[0, [["k\0", "0".repeat(16)]]]],
      [[0, [["k", "g".repeat(16)]]]]
    ]) {
      expect(Diff.compareRows(tree, state, given)).toBeUndefined()
    }
    const lies = Array.from({ length: 64 }, (_, n) => [n, hashes])
    const found = Diff.answerLeaves(tree, state, lies)!
    ensure(found.flatMap(([, rows]) => rows).length === 100, "everything differs")
  })
})
