/** Replicas with a field of each strategy, and the edits that they may make. */
import fc from "fast-check"
import { canonical } from "../../../src/internal/mergePool/canonical.js"
import { counter } from "../../../src/internal/mergePool/counter.js"
import { set } from "../../../src/internal/mergePool/elements.js"
import * as Merge from "../../../src/internal/mergePool/merge.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import * as Replica from "../../../src/internal/mergePool/replica.js"
import * as Stamp from "../../../src/internal/mergePool/stamp.js"
import * as State from "../../../src/internal/mergePool/state.js"
import { custom, last, max, min } from "../../../src/internal/mergePool/strategy.js"

/** The longest text wins; of two that are as long, the larger one. */
const longest = custom<string>({
  name: "longest",
  join: (a, b) => (b.length > a.length || (b.length === a.length && b > a) ? b : a),
  encode: (text) => text,
  decode: (json) => (typeof json === "string" ? json : undefined)
})

export const strategies = {
  title: last(),
  best: max(),
  least: min(),
  votes: counter(),
  labels: set(),
  note: longest
}

/** An instant of the server's clock. */
export const start = Date.UTC(2026, 0, 1)

export const clientNamed = (n: number): string => Stamp.clientOfBits(0, n)

export const replicaOf = (n: number): Replica.Replica => Replica.make(strategies, clientNamed(n))

/** A replica for what no client writes. */
export const empty = (): State.State => State.make(strategies)

const values = fc.constantFrom<null | boolean | number | string>(null, true, 0, 1, 7, "a", "bb")
const elements = fc.constantFrom("x", "y", "z")

const edits: fc.Arbitrary<Replica.Change> = fc.oneof(
  fc.record({
    key: fc.constantFrom("r", "s"),
    field: fc.constant("title"),
    edit: fc.record({ _tag: fc.constant("Write" as const), value: values })
  }),
  fc.record({
    key: fc.constantFrom("r", "s"),
    field: fc.constantFrom("best", "least"),
    edit: fc.record({ _tag: fc.constant("Write" as const), value: fc.integer({ min: -3, max: 3 }) })
  }),
  fc.record({
    key: fc.constantFrom("r", "s"),
    field: fc.constant("votes"),
    edit: fc.record({ _tag: fc.constant("Count" as const), by: fc.integer({ min: -3, max: 3 }) })
  }),
  fc.record({
    key: fc.constantFrom("r", "s"),
    field: fc.constant("labels"),
    edit: fc.oneof(
      fc.record({ _tag: fc.constant("Add" as const), element: elements }),
      fc.record({ _tag: fc.constant("Take" as const), element: elements })
    )
  }),
  fc.record({
    key: fc.constantFrom("r", "s"),
    field: fc.constant("note"),
    edit: fc.record({ _tag: fc.constant("Write" as const), value: fc.constantFrom("", "n", "no", "on") })
  })
)

const removals: fc.Arbitrary<Replica.Change> = fc.oneof(
  fc.record({
    key: fc.constantFrom("r", "s"),
    field: fc.constantFrom(...Object.keys(strategies)),
    edit: fc.constant("remove" as const)
  }),
  fc.record({ key: fc.constantFrom("r", "s"), edit: fc.constant("remove" as const) })
)

/** What a client may do. */
export const changes: fc.Arbitrary<Replica.Change> = fc.oneof(
  { weight: 4, arbitrary: edits },
  { weight: 1, arbitrary: removals }
)

/** The one text of everything that a replica holds. */
export const contentOf = (state: State.State): string =>
  canonical([state.horizon, ...[...state.rows.values()].map((row) => State.textOf(state, row)).sort()])

/** Makes a change, and returns what is sent. */
export const made = (replica: Replica.Replica, change: Replica.Change, now = start): Patch => {
  const result = Replica.change(replica, change, now)
  if (typeof result === "string") throw new Error(result)
  return replica.unsent[replica.unsent.length - 1]!.patch
}

/** Joins patches as those that the server of the pool has sent. */
export const joined = (state: State.State, ...patches: ReadonlyArray<Patch>): State.State => {
  for (const patch of patches) {
    const merged = Merge.merge(state, patch, { isTrusted: true })
    if (merged._tag !== "Merged") throw new Error(JSON.stringify(merged))
  }
  return state
}
