/** The joins of pools as properties: whatever was written, with whatever stamps, in whatever order it comes. */
import { describe, it } from "@effect/vitest"
import fc from "fast-check"
import { raiseHorizon } from "../../src/internal/mergePool/horizon.js"
import { merge } from "../../src/internal/mergePool/merging.js"
import type { Patch } from "../../src/internal/mergePool/patch.js"
import { receive } from "../../src/internal/mergePool/replica.js"
import { forEachCell, forEachChange, removalsOf } from "../../src/internal/mergePool/row.js"
import {
  deltaPatch,
  makeState,
  type State,
  statePatch,
  stateText,
  textOf
} from "../../src/internal/mergePool/state.js"
import { ensure, ensureSame, lawTimeout } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"
import { edit, patch, stamp } from "../support/mergePool/arbitraries.js"
import {
  add,
  clear,
  contentOf,
  definition,
  drop,
  edited,
  increment,
  joined,
  patchOf,
  put,
  remove,
  replicaOf,
  row,
  stateOf
} from "../support/mergePool/pools.js"

const patches = fc.array(patch, { maxLength: 3 })

/** A horizon, and three states at it. */
const states = fc.tuple(fc.oneof(fc.constant(""), stamp), patches, patches, patches)

const atHorizon = ([horizon, ...of]: typeof states extends fc.Arbitrary<infer A> ? A : never) => {
  const [a, b, c] = of.map((each) => stateOf(horizon, ...each))
  return [a!, b!, c!] as const
}

/** Every cell by its key, as a tree of hashes has them. */
const cellsOf = (state: State): Map<string, string> => {
  const cells = new Map<string, string>()
  for (const [key, held] of state.rows) {
    forEachCell(definition, held, (field, index, cell) => {
      cells.set(`${key}/${field}`, textOf(definition, index, cell))
    })
  }
  return cells
}

describe("a join", () => {
  it("is commutative", { timeout: lawTimeout }, () =>
    holds(states, 500, (sample) => {
      const [a, b] = atHorizon(sample)
      ensureSame(stateText(joined(a, b)), stateText(joined(b, a)), "J1: a with b is b with a")
    })
  )

  it("is associative", { timeout: lawTimeout }, () =>
    holds(states, 500, (sample) => {
      const [a, b, c] = atHorizon(sample)
      ensureSame(
        stateText(joined(joined(a, b), c)),
        stateText(joined(a, joined(b, c))),
        "J1: it does not matter which two are joined first"
      )
    })
  )

  it("is idempotent, and changes nothing then", { timeout: lawTimeout }, () =>
    holds(states, 500, (sample) => {
      const [a, b] = atHorizon(sample)
      const both = joined(a, b)
      const again = merge(both, statePatch(b), { old: "take" })
      ensure(
        again._tag === "Merged" && again.changes.length === 0,
        "J1: what is held already changes nothing"
      )
      ensureSame(stateText(joined(a)), stateText(a), "J1: a state as a patch is that state")
    })
  )

  it(
    "reports what changed: as a patch, cell by cell, and by the count of removals",
    { timeout: lawTimeout },
    () =>
      holds(states, 500, (sample) => {
        const [a, b] = atHorizon(sample)
        const [copy, cells] = [joined(a), cellsOf(a)]
        const merged = merge(a, statePatch(b), { old: "take" })
        if (merged._tag === "Refused") throw new Error(merged.message)
        merge(copy, deltaPatch(a, merged.changes), { old: "take" })
        ensureSame(stateText(copy), stateText(a), "J2: the delta brings another replica to the same")
        for (const change of merged.changes) {
          forEachChange(definition, change, (field, index, before, after) => {
            const key = `${change.key}/${field}`
            ensureSame(
              cells.get(key),
              before && textOf(definition, index, before),
              "J2: a cell is what it was before"
            )
            if (after === undefined) cells.delete(key)
            else cells.set(key, textOf(definition, index, after))
          })
        }
        ensureSame(
          JSON.stringify([...cells].sort()),
          JSON.stringify([...cellsOf(a)].sort()),
          "J2: the changes lead to what is held"
        )
        let removals = 0
        for (const held of a.rows.values()) removals += removalsOf(definition, held)
        ensureSame(a.removals, removals, "J2: removals are counted")
      })
  )

  it("of what a horizon has passed is the same before it and after it", { timeout: lawTimeout }, () =>
    holds(fc.tuple(stamp, patches, patches), 500, ([horizon, first, second]) => {
      const [early, late] = [stateOf("", ...first, ...second), stateOf("", ...second, ...first)]
      const content = contentOf(early)
      raiseHorizon(early, horizon)
      ensureSame(contentOf(early), content, "J6: nothing that is read changes")
      raiseHorizon(late, horizon)
      ensureSame(stateText(early), stateText(late), "J6: equal states stay equal over a horizon")
    })
  )

  it("that is refused leaves no trace, whatever came before the bad cell", { timeout: lawTimeout }, () =>
    holds(fc.tuple(states, patch), 300, ([sample, given]) => {
      const [a] = atHorizon(sample)
      const [before, latest] = [stateText(a), a.latest]
      const refused = merge(a, {
        ...given,
        rows: [...given.rows, ...patchOf(["a", "", [["title", "x", 1]]]).rows]
      })
      ensure(refused._tag === "Refused", "J7: a malformed stamp is refused")
      ensureSame(stateText(a), before, "J7: a refused patch leaves the state")
      ensureSame(a.latest, latest, "J7: a refused patch leaves the clock")
    })
  )
})

/** All orders of a list. */
const ordersOf = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.length === 0
    ? [[]]
    : all.flatMap((first, i) => ordersOf(all.filter((_, j) => j !== i)).map((rest) => [first, ...rest]))

/** Five edits of three clients, some of which have seen others. */
const fiveOf = (
  first: Parameters<typeof row>[1],
  second: Parameters<typeof row>[1]
): ReadonlyArray<Patch> => {
  const [a, b, c] = [replicaOf(1), replicaOf(2), replicaOf(3)]
  const one = edited(a, row("r", first), 10)
  receive(b, one)
  const two = edited(b, row("r", second), 20)
  const gone = edited(a, remove("r"), 20)
  receive(c, gone)
  const four = edited(c, row("r", first), 15)
  const five = edited(b, row("r", Object.fromEntries(Object.keys(first).map((name) => [name, clear]))), 30)
  return [one, two, gone, four, five]
}

const fives: ReadonlyArray<readonly [string, ReadonlyArray<Patch>]> = [
  ["last", fiveOf({ title: put("a") }, { title: put("b") })],
  ["max and min", fiveOf({ high: put(2), low: put(2) }, { high: put(1), low: put(3) })],
  ["counter", fiveOf({ votes: increment(1) }, { votes: increment(2) })],
  ["set", fiveOf({ tags: add("x", "y") }, { tags: drop("x") })],
  ["custom", fiveOf({ words: put(["p"]) }, { words: put(["q"]) })],
  ["several fields", fiveOf({ title: put(1), votes: increment(1) }, { tags: add("x"), votes: increment(3) })]
]

describe("five edits, with removals of a row and of fields among them", () => {
  it.each(fives)("of %s end alike in all 120 orders, also if each comes twice", (_, five) => {
    const orders = ordersOf([0, 1, 2, 3, 4])
    ensureSame(orders.length, 120, "all orders are tried")
    const ends = new Set(
      orders.map((order) => {
        const state = makeState(definition)
        for (const i of [...order, ...order]) merge(state, five[i]!)
        return stateText(state)
      })
    )
    ensureSame(ends.size, 1, "J1: all orders end alike")
  })
})

type Step =
  | {
      readonly act: "edit"
      readonly who: number
      readonly what: Parameters<typeof edited>[1]
      readonly wall: number
    }
  | { readonly act: "deliver"; readonly from: number; readonly to: number; readonly at: number }
  | { readonly act: "state"; readonly from: number; readonly to: number }

const who = fc.nat(2)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    // Wall clocks go forward and back as they like.
    arbitrary: fc.record({ act: fc.constant("edit" as const), who, what: edit, wall: fc.nat(20) })
  },
  {
    weight: 3,
    arbitrary: fc.record({ act: fc.constant("deliver" as const), from: who, to: who, at: fc.nat(30) })
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("state" as const), from: who, to: who }) }
)

describe("three replicas that edit as they like", () => {
  it(
    "end with equal content and equal cells, however patches are late, lost for a while, or repeated",
    {
      timeout: lawTimeout
    },
    () =>
      holds(
        fc.tuple(fc.array(step, { maxLength: 25 }), fc.infiniteStream(fc.nat(1000))),
        400,
        ([steps, draws]) => {
          const all = [replicaOf(1), replicaOf(2), replicaOf(3)]
          const sent: Array<Patch> = []
          for (const each of steps) {
            if (each.act === "edit") sent.push(edited(all[each.who]!, each.what, each.wall))
            else if (each.act === "state") receive(all[each.to]!, statePatch(all[each.from]!.confirmed))
            else if (sent.length > 0) receive(all[each.to]!, sent[each.at % sent.length]!)
          }
          for (const replica of all) {
            const rest = [...sent]
            while (rest.length > 0) receive(replica, rest.splice(draws.next().value! % rest.length, 1)[0]!)
          }
          const [first, ...others] = all.map(({ confirmed }) => confirmed)
          for (const other of others) {
            ensureSame(stateText(other), stateText(first!), "J1: equal cells")
            ensureSame(contentOf(other), contentOf(first!), "J1: equal content")
          }
        }
      )
  )
})
