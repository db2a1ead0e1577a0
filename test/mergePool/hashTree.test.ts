/** The hash tree and its diff, over plain rows: sums by content alone, and the rows in which two peers differ. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  differentLeaves,
  differentNodes,
  differentRows,
  maxLeaves,
  sumsOfLeaves,
  sumsOfNodes
} from "../../src/internal/mergePool/diff.js"
import {
  fanOut,
  keysOfLeaf,
  leafCount,
  leafOf,
  leafSums,
  nodeSums,
  noteChanges,
  rootSum,
  rowSum
} from "../../src/internal/mergePool/hashTree.js"
import { ensureList, ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"
import { change, type Row, sameLeaf, treeOf } from "./plainRows.js"

const none = "0".repeat(16)

const rowsOf = (count: number): Map<string, Row> =>
  new Map(Array.from({ length: count }, (_, n) => [`row ${n}`, { a: `${n}`, b: "same" }]))

/** The keys that differ, found as two peers find them; with the leaves on the way. */
const findDifferent = (own: ReturnType<typeof treeOf>, other: ReturnType<typeof treeOf>) => {
  const nodes = differentNodes(own, nodeSums(other))
  const leaves = differentLeaves(own, sumsOfNodes(other, nodes))
  const rows = differentRows(other, leaves, sumsOfLeaves(own, leaves))
  return { leaves, rows: [...rows].sort() }
}

describe("a hash tree", () => {
  it("has the sum 0 without rows, and again when all are gone", () => {
    const rows = rowsOf(100)
    const tree = treeOf(rows)
    expect(rootSum(treeOf(new Map()))).toBe(none)
    expect(rootSum(tree)).not.toBe(none)
    for (const key of [...rows.keys()]) change(tree, rows, key, undefined)
    expect(rootSum(tree)).toBe(none)
    expect(nodeSums(tree)).toBe(none.repeat(fanOut))
    expect(Array.from({ length: leafCount }, (_, leaf) => keysOfLeaf(tree, leaf)).flat()).toEqual([])
  })

  it.each<[string, Row, Row, Row, Row]>([
    ["values that change places between rows", { a: "1" }, { a: "2" }, { a: "2" }, { a: "1" }],
    ["a value that changes its field", { a: "1" }, {}, { b: "1" }, {}],
    ["text that moves from a field's name to its value", { ab: "c" }, {}, { a: "bc" }, {}],
    ["a cell that changes its row", { a: "1" }, {}, {}, { a: "1" }]
  ])("has other sums for %s", (_, first, second, third, fourth) => {
    const sum = (one: Row, other: Row) =>
      rootSum(
        treeOf(
          new Map([
            ["one", one],
            ["other", other]
          ])
        )
      )
    expect(sum(first, second)).not.toBe(sum(third, fourth))
  })

  it("has sums that differ in both halves for texts that are alike", () => {
    const sums = Array.from({ length: 4_096 }, (_, n) => rootSum(treeOf(new Map([["r", { a: `${n}` }]]))))
    expect(new Set(sums.map((sum) => sum.slice(0, 8))).size).toBeGreaterThan(4_090)
    expect(new Set(sums.map((sum) => sum.slice(8))).size).toBeGreaterThan(4_090)
  })

  it("spreads the rows over its leaves", () => {
    const tree = treeOf(rowsOf(40_960))
    const sizes = Array.from({ length: leafCount }, (_, leaf) => keysOfLeaf(tree, leaf).length)
    expect(Math.max(...sizes)).toBeLessThan(40)
    expect(sizes.filter((size) => size === 0).length).toBeLessThan(10)
  })

  it("counts a row once that changes twice among more changes than wait", () => {
    const rows = rowsOf(2_000)
    const tree = treeOf(rows)
    const changes = [...rows].map(([key, before]) => ({ key, before }))
    for (const key of rows.keys()) rows.set(key, { a: "between" })
    const again = [...rows].map(([key, before]) => ({ key, before }))
    for (const key of rows.keys()) rows.set(key, { a: "last" })
    noteChanges(tree, [...changes, ...again])
    expect(rootSum(tree)).toBe(rootSum(treeOf(rows)))
  })

  it("kept through changes equals one that is built anew, at every step", () => {
    const key = fc.constantFrom("", "a", "b", "a/b", ...sameLeaf.slice(0, 3))
    const row = fc.option(fc.dictionary(fc.constantFrom("a", "b", "__proto__"), fc.string(), { maxKeys: 3 }))
    const step = fc.record({ key, row, isRead: fc.boolean() })
    holds(fc.array(step, { maxLength: 20 }), 60, (steps) => {
      const rows = new Map<string, Row>()
      const tree = treeOf(rows)
      for (const { isRead, key, row } of steps) {
        change(tree, rows, key, row ?? undefined)
        if (!isRead) continue
        const anew = treeOf(rows)
        ensureSame(rootSum(tree), rootSum(anew), "J9: the root")
        ensureSame(nodeSums(tree), nodeSums(anew), "J9: the nodes")
        const leaf = leafOf(key)
        const node = Math.floor(leaf / fanOut)
        ensureSame(leafSums(tree, node), leafSums(anew, node), "J9: the leaves")
        ensureList([...keysOfLeaf(tree, leaf)].sort(), [...keysOfLeaf(anew, leaf)].sort(), "J9: the keys")
      }
    })
  })
})

describe("a diff", () => {
  it("finds the rows that differ, on either side, and no others", () => {
    const [one, other] = [rowsOf(5_000), rowsOf(5_000)]
    one.delete("row 7")
    other.delete("row 8")
    other.set("row 9", { a: "9", b: "changed" })
    one.set("new", { a: "x" })
    const found = findDifferent(treeOf(one), treeOf(other))
    expect(found.rows).toEqual(["new", "row 7", "row 8", "row 9"])
    expect(found.leaves).toHaveLength(4)
  })

  it("finds the rows of one leaf apart", () => {
    const rows = new Map(sameLeaf.map((key): [string, Row] => [key, { a: key }]))
    expect(new Set(sameLeaf.map(leafOf)).size).toBe(1)
    const other = new Map(rows)
    other.set(sameLeaf[1] as string, { a: "changed" })
    other.delete(sameLeaf[2] as string)
    expect(findDifferent(treeOf(rows), treeOf(other)).rows).toEqual([sameLeaf[1], sameLeaf[2]].sort())
  })

  it("finds nothing between peers that are alike", () => {
    expect(findDifferent(treeOf(rowsOf(300)), treeOf(rowsOf(300)))).toEqual({ leaves: [], rows: [] })
  })

  it("finds most leaves when all is different, so that the whole state is less", () => {
    const other = new Map([...rowsOf(20_000).keys()].map((key): [string, Row] => [key, { a: "other" }]))
    expect(findDifferent(treeOf(rowsOf(20_000)), treeOf(other)).leaves.length).toBeGreaterThan(maxLeaves)
  })

  it("takes a row of a peer once, however often it is named", () => {
    const tree = treeOf(rowsOf(3))
    const wrong: readonly [string, string] = ["row 1", none]
    expect(differentRows(tree, [], [wrong, wrong, ["row 2", rowSum(tree, "row 2")]])).toEqual(["row 1"])
  })
})
