/** What replicas hold does not depend on the order, the number or the ways of what they were sent. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Merge from "../../src/internal/mergePool/merge.js"
import type { Patch } from "../../src/internal/mergePool/patch.js"
import * as Replica from "../../src/internal/mergePool/replica.js"
import * as State from "../../src/internal/mergePool/state.js"
import { ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"
import { changes, contentOf, empty, joined, made, replicaOf, start } from "../support/mergePool/pools.js"

/** One client makes a change, or takes what another one holds. */
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ who: fc.nat(2), change: changes }) },
    { weight: 1, arbitrary: fc.record({ who: fc.nat(2), from: fc.nat(2) }) }
  ),
  { maxLength: 14 }
)

type Step = typeof steps extends fc.Arbitrary<ReadonlyArray<infer A>> ? A : never

/** Plays the steps, and returns all replicas with everything that they sent. */
const play = (given: ReadonlyArray<Step>) => {
  const replicas = [replicaOf(1), replicaOf(2), replicaOf(3)]
  const sent: Array<Patch> = []
  for (const step of given) {
    const replica = replicas[step.who]!
    if ("change" in step) sent.push(made(replica, step.change))
    else joined(replica.state, State.whole(replicas[step.from]!.state))
  }
  return { replicas, sent }
}

const wholes = (given: ReadonlyArray<Step>): ReadonlyArray<Patch> =>
  play(given).replicas.map(({ state }) => State.whole(state))

describe("a join", () => {
  it("M1: is commutative, associative and idempotent over all strategies, rows and removals", () => {
    holds(steps, 400, (given) => {
      const [a, b, c] = wholes(given) as [Patch, Patch, Patch]
      const all = contentOf(joined(empty(), a, b, c))
      for (const order of [
        [a, c, b],
        [b, a, c],
        [b, c, a],
        [c, a, b],
        [c, b, a],
        [a, a, b, c, b, a]
      ]) {
        ensureSame(contentOf(joined(empty(), ...order)), all, "any order, and any number of times")
      }
      const bc = State.whole(joined(empty(), b, c))
      ensureSame(contentOf(joined(empty(), a, bc)), all, "associative")
    })
  })

  it("M2: of what was sent is what its order, its copies and its ways leave it", () => {
    const ways = fc.record({ given: steps, order: fc.array(fc.nat(1000), { maxLength: 40 }) })
    holds(ways, 300, ({ given, order }) => {
      const { replicas, sent } = play(given)
      const all = contentOf(joined(empty(), ...sent))
      const shuffled = order
        .map((n) => sent[n % Math.max(1, sent.length)]!)
        .slice(0, sent.length === 0 ? 0 : 40)
      ensureSame(
        contentOf(joined(empty(), ...shuffled, ...sent.slice().reverse())),
        all,
        "edits alone are enough"
      )
      for (const { state } of replicas) joined(state, ...shuffled, ...sent)
      for (const { state } of replicas) ensureSame(contentOf(state), all, "replicas converge")
    })
  })

  it("M3: of five operations is the same in all 120 orders", () => {
    const concurrent = fc.array(fc.record({ who: fc.nat(2), change: changes }), {
      minLength: 5,
      maxLength: 5
    })
    holds(concurrent, 20, (given) => {
      const { sent } = play(given)
      const all = contentOf(joined(empty(), ...sent))
      for (const order of orders(sent))
        ensureSame(contentOf(joined(empty(), ...order)), all, "one of 120 orders")
    })
  })

  it("M4: tells exactly the cells that it has changed", () => {
    holds(steps, 200, (given) => {
      const [a, b] = wholes(given) as [Patch, Patch, Patch]
      const state = joined(empty(), a)
      const copy = joined(empty(), a)
      const merged = Merge.merge(state, b)
      if (merged._tag !== "Merged") throw new Error(merged._tag)
      const delta = State.deltaOf(state, merged.changed)
      ensureSame(contentOf(joined(copy, delta)), contentOf(state), "the delta is enough")
      if (merged.changed.length === 0)
        ensureSame(contentOf(joined(empty(), a)), contentOf(state), "no change")
    })
  })
})

const orders = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.length < 2
    ? [items]
    : items.flatMap((item, i) =>
        orders<A>([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest])
      )

describe("what is written at the same time", () => {
  const vote = (by: number) => ({ key: "r", field: "votes", edit: { _tag: "Count", by } }) as const
  const title = (value: string) => ({ key: "r", field: "title", edit: { _tag: "Write", value } }) as const
  const add = (element: string) => ({ key: "r", field: "labels", edit: { _tag: "Add", element } }) as const
  const take = (element: string) => ({ key: "r", field: "labels", edit: { _tag: "Take", element } }) as const

  it("M5: as a removal loses to it, also in fields that the remover had not seen", () => {
    for (const change of [title("t"), vote(2), add("x")]) {
      const [one, other] = [replicaOf(1), replicaOf(2)]
      const written = made(other, change)
      const removed = made(one, { key: "r", edit: "remove" }, start + 1)
      for (const order of [
        [written, removed],
        [removed, written]
      ]) {
        expect(State.read(joined(empty(), ...order), "r")).toBeUndefined()
      }
    }
  })

  it("M6: after a removal that was seen brings back what it writes, and nothing else", () => {
    const [one, other] = [replicaOf(1), replicaOf(2)]
    const before = [made(one, title("t")), made(one, vote(3))]
    joined(other.state, ...before)
    const removed = made(other, { key: "r", edit: "remove" })
    const after = made(other, vote(1))
    for (const order of orders([...before, removed, after])) {
      expect(State.read(joined(empty(), ...order), "r")).toEqual({ votes: 1 })
    }
  })

  it("M7: with one stamp, because a client id is used twice, is the larger one everywhere", () => {
    const [one, clone] = [replicaOf(1), replicaOf(1)]
    const [a, b] = [made(one, title("a")), made(clone, title("b"))]
    expect(a.rows[0]![2].title![0]).toBe(b.rows[0]![2].title![0])
    for (const order of [
      [a, b],
      [b, a]
    ]) {
      expect(State.read(joined(empty(), ...order), "r")).toEqual({ title: "b" })
    }
    const votes = [made(one, vote(1)), made(clone, vote(4))]
    for (const order of [votes, votes.slice().reverse()]) {
      expect(State.read(joined(empty(), ...order), "r")).toEqual({ votes: 4 })
    }
  })

  it("M8: as an element is taken out keeps it, where the taker had not seen it", () => {
    const [one, other] = [replicaOf(1), replicaOf(2)]
    const first = made(one, add("x"))
    joined(other.state, first)
    const taken = made(other, take("x"))
    const again = made(one, add("x"))
    for (const order of orders([first, taken, again])) {
      expect(State.read(joined(empty(), ...order), "r")).toEqual({ labels: ["x"] })
    }
  })

  it("adds up what all clients count, however often it is sent", () => {
    const [one, other] = [replicaOf(1), replicaOf(2)]
    const sent = [made(one, vote(2)), made(one, vote(-5)), made(other, vote(10))]
    expect(State.read(joined(empty(), ...sent, ...sent.slice().reverse()), "r")).toEqual({ votes: 7 })
    expect(Replica.change(one, vote(Number.POSITIVE_INFINITY), start)).toContain("votes")
  })
})
