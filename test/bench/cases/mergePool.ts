/** What a merge costs beside a Map of Maps that compares stamps, and beside TinyBase. */
import { define } from "../../../src/internal/mergePool/definition.js"
import { merge } from "../../../src/internal/mergePool/merging.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import { clientOfBits, makeStamp } from "../../../src/internal/mergePool/stamp.js"
import { makeState, type State } from "../../../src/internal/mergePool/state.js"
import { last } from "../../../src/internal/mergePool/values.js"
import { type Bench, type Case, interleave, type Sample } from "../support/bench.js"
import { loadPeers, type TinyChanges } from "../support/peers.js"

const count = 100_000

const client = clientOfBits(0x1234_5678_9abc_def0n)

const start = 1_700_000_000_000

export const valuesOf = (i: number) => ({ name: `row number ${i}`, x: i, y: 2 * i })

/** As it comes from a transport: text that nobody else has read. */
export const textOf = (count: number): string =>
  JSON.stringify({
    horizon: "",
    rows: Array.from({ length: count }, (_, i) => [
      `row-${i}`,
      "",
      Object.entries(valuesOf(i)).map(([name, value], n) => [name, makeStamp(start + i, n, client), value])
    ])
  })

const definition = define({ name: last(), x: last(), y: last() })

export const emptyState = (): State => {
  if ("_tag" in definition) throw new Error(definition.message)
  return makeState(definition)
}

export const mergeInto = (state: State, patch: Patch): void => {
  const merged = merge(state, patch, { owner: client, now: start + count })
  if (merged._tag === "Refused") throw new Error(merged.message)
}

type Bare = Map<string, Map<string, { readonly stamp: string; readonly value: unknown }>>

const mergeBare = (rows: Bare, patch: Patch): void => {
  for (const [key, , cells] of patch.rows) {
    let row = rows.get(key)
    if (row === undefined) {
      row = new Map()
      rows.set(key, row)
    }
    for (const [name, stamp, value] of cells) {
      const held = row.get(name)
      if (held === undefined || held.stamp < stamp) row.set(name, { stamp, value })
    }
  }
}

/** Milliseconds of a merge of content that was just parsed. */
export const timed =
  <A>(text: string, into: () => (content: A) => void): Sample =>
  () => {
    const [content, mergeContent]: [A, (content: A) => void] = [JSON.parse(text), into()]
    const begun = performance.now()
    mergeContent(content)
    return performance.now() - begun
  }

const run = async (bench: Bench): Promise<void> => {
  const fullText = textOf(count)
  const held = emptyState()
  mergeInto(held, JSON.parse(fullText))
  const own = {
    pool: timed<Patch>(fullText, () => (patch) => mergeInto(emptyState(), patch)),
    again: timed<Patch>(fullText, () => (patch) => mergeInto(held, patch)),
    bare: timed<Patch>(fullText, () => (patch) => mergeBare(new Map(), patch))
  }
  const samples = await interleave({ rounds: bench.pairs }, own)
  bench.figure("a full state of 100,000 rows with 3 fields", samples.pool, "ms")
  bench.figure("the same state again", samples.again, "ms")
  bench.figure("a bare Map of Maps that compares stamps", samples.bare, "ms")
  bench.ratio("the time of a bare Map of Maps to that of a merge", samples.bare, samples.pool, {
    atLeast: 0.3
  })
  const peers = await loadPeers(bench.note)
  if (peers === undefined) return
  const writer = peers.makeTinyBase("one")
  for (let i = 0; i < count; i++) writer.setRow("rows", `row-${i}`, valuesOf(i))
  const content = JSON.stringify(writer.content())
  const known = peers.makeTinyBase("other")
  known.merge(JSON.parse(content))
  const beside = await interleave(
    { rounds: Math.min(bench.pairs, 6) },
    {
      pool: own.pool,
      again: own.again,
      tinyBase: timed<TinyChanges>(content, () => peers.makeTinyBase("another").merge),
      tinyBaseAgain: timed<TinyChanges>(content, () => known.merge)
    }
  )
  bench.figure("a full state in a MergeableStore of TinyBase", beside.tinyBase, "ms")
  bench.ratio("the time of TinyBase to that of a merge", beside.tinyBase, beside.pool, { atLeast: 6 })
  bench.ratio(
    "the same state again: the time of TinyBase to that of a merge",
    beside.tinyBaseAgain,
    beside.again,
    {
      atLeast: 3
    }
  )
}

export const mergePool: Case = {
  name: "merge-pool",
  about: "merges of a full state to a bare Map of Maps, and to TinyBase's MergeableStore",
  run
}
