/** How often a live table calls its master: for one cold key, for many, for queued patches, and for a long trace. */
import { Effect } from "effect"
import * as LiveTable from "../../../src/LiveTable.js"
import * as Table from "../../../src/Table.js"
import { lru } from "../baselines/lru.js"
import type { Bench } from "../support/bench.js"
import { zipf } from "../support/draws.js"
import { filled, idOf, type Keys, keys, makeKeys, remote } from "../support/keys.js"
import { using } from "../support/recorders.js"

const opened = (rows: number, options: LiveTable.Options<Keys> = {}, before?: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const { calls, table } = remote(yield* filled(Table.memory(keys), makeKeys(rows, 200)), before)
    calls.writes = 0
    return { live: yield* LiveTable.make(table, options), calls }
  })

const unbounded = { concurrency: "unbounded", discard: true } as const

const getting = async (bench: Bench): Promise<void> => {
  const gets = 10_000
  const ids = Array.from({ length: gets }, (_, n) => idOf(n))
  for (const [what, some, atMost] of [
    ["10,000 concurrent gets of one cold key", ids.map(() => idOf(0)), 1],
    ["gets of 10,000 distinct cold ids in one turn", ids, 20]
  ] as const) {
    await using(opened(gets), async ({ calls, live }) => {
      await Effect.runPromise(Effect.forEach(some, (id) => live.get(id), unbounded))
      bench.limit(what, [calls.rows], "reads of the master", { atMost })
    })
  }
}

const patching = (bench: Bench): Promise<void> =>
  using(opened(1_000, {}, Effect.sleep("50 millis")), async ({ calls, live }) => {
    const patches = Effect.forEach(
      makeKeys(1_000, 200),
      ({ id }) => live.patch(id, { state: "revoked" }),
      unbounded
    )
    await Effect.runPromise(patches)
    bench.limit(
      "1,000 patches of distinct ids, a master that takes 50 ms",
      [calls.writes],
      "calls of the master",
      {
        atMost: 5
      }
    )
  })

/** Misses of a live table and of an LRU, on the same trace. */
const misses = async (bench: Bench, scans: boolean): Promise<void> => {
  const [rows, maxEntries, reads] = [20_000, 1_000, 100_000]
  await using(opened(rows + reads, { maxEntries }, Effect.void), async ({ live }) => {
    const next = zipf(rows, 0.9)
    const recent = lru<number>(maxEntries)
    let [ofRecent, scanned] = [0, rows]
    const read = (n: number) => {
      if (!recent.read(n)) ofRecent++
      return live.get(idOf(n))
    }
    await Effect.runPromise(
      Effect.gen(function* () {
        for (let done = 1; done <= reads; done++) {
          yield* read(next())
          if (!scans || done % 5_000 !== 0) continue
          for (let i = 0; i < 1_000; i++) yield* read(scanned++)
        }
      })
    )
    const what = scans ? "a scan of 1,000 ids after each 5,000 reads" : "no scans"
    const { misses } = live.unsafeStats()
    bench.ratio(`misses to those of an LRU, Zipf 0.9, ${what}`, [misses], [ofRecent], { atMost: 0.9 })
  })
}

/** Calls of the master, and misses. */
export const loads = async (bench: Bench): Promise<void> => {
  bench.heading("calls of the master")
  await getting(bench)
  await patching(bench)
  bench.heading("misses: 20,000 ids, 1,000 entries")
  await misses(bench, false)
  await misses(bench, true)
}
