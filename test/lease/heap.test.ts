/** The heap of deadlines against a sorted array. */
import { describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Heap from "../../src/internal/lease/heap.js"
import { ensure, ensureList, ensureSame } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

interface Entry extends Heap.Node {
  readonly id: number
}

const at = fc.nat(200)

// Few different deadlines, so that many are equal.
const deadline = fc.oneof(fc.nat(8), fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY))

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant("add" as const), deadline }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant("move" as const), at, deadline }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("remove" as const), at }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("take the first" as const) }) }
)

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

/** After all that are as early or earlier. */
const insert = (model: Array<Entry>, entry: Entry): void => {
  const later = model.findIndex((other) => other.deadline > entry.deadline)
  model.splice(later === -1 ? model.length : later, 0, entry)
}

const drop = (model: Array<Entry>, entry: Entry): void => void model.splice(model.indexOf(entry), 1)

const add = (heap: Heap.Heap<Entry>, model: Array<Entry>, id: number, deadline: number): void => {
  const entry: Entry = { id, deadline, order: 0, place: Heap.outside }
  Heap.add(heap, entry)
  insert(model, entry)
}

const apply = (heap: Heap.Heap<Entry>, model: Array<Entry>, step: Exclude<Step, { act: "add" }>): void => {
  const entry = step.act === "take the first" ? model[0] : model[step.at % Math.max(1, model.length)]
  if (entry === undefined) return
  drop(model, entry)
  if (step.act === "move") {
    Heap.move(heap, entry, step.deadline)
    insert(model, entry)
  } else Heap.remove(heap, entry)
}

describe("the heap", () => {
  it("has the earliest deadline first after any additions, moves and removals, and knows each place", () => {
    holds(fc.array(step, { maxLength: 120 }), 200, (steps) => {
      const heap = Heap.make<Entry>()
      const model: Array<Entry> = []
      for (const [id, step] of steps.entries()) {
        if (step.act === "add") add(heap, model, id, step.deadline)
        else apply(heap, model, step)
        ensureSame(Heap.first(heap), model[0], "the earliest is first")
        ensureSame(heap.nodes.length, model.length, "nothing is lost")
      }
      for (const entry of model) ensure(Heap.has(heap, entry), "each is where its place is")
      const taken: Array<Entry> = []
      for (let entry = Heap.first(heap); entry !== undefined; entry = Heap.first(heap)) {
        Heap.remove(heap, entry)
        ensure(!Heap.has(heap, entry), "what is removed is in no heap")
        taken.push(entry)
      }
      ensureList(taken, model, "in the order of deadlines, equal ones in which they were given")
    })
  })
})
