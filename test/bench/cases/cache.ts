/** Cached values: what a hit costs, what a cell takes, which entries stay, and calls for all of them. */
import { Cache, Duration, Effect } from "effect"
import * as Cells from "../../../src/internal/cache/cells.js"
import { lru } from "../baselines/lru.js"
import { type Bench, bytesEach, type Case, interleave } from "../support/bench.js"
import { uniform, zipf } from "../support/draws.js"

interface Row {
  readonly n: number
}

const noBound = { maxEntries: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY }

const ignore = (): void => undefined

const idOf = (i: number): string => `0193c8f0-0000-7000-8000-${i.toString(16).padStart(12, "0")}`

const fill = <K, V>(cells: Cells.Cells<K, V>, key: K, value: V, now = 0): void => {
  Cells.fill(cells, key, value, { stamp: Cells.nextStamp(cells), loadedAt: now, freshUntil: now + 300_000 })
}

const hits = async (bench: Bench): Promise<void> => {
  const count = 10_000
  const cells = Cells.make<string, Row>(noBound, ignore)
  const plain = new Map<string, { readonly value: Row; readonly expiresAt: number }>()
  for (let n = 0; n < count; n++) {
    fill(cells, idOf(n), { n })
    plain.set(idOf(n), { value: { n }, expiresAt: 300_000 })
  }
  const next = uniform(7)
  const ids = Array.from({ length: 100_000 }, () => idOf(Math.floor(next() * count)))
  let found = 0
  /** Nanoseconds a hit. */
  const each = (hit: (id: string) => Row | undefined) => () => {
    const start = performance.now()
    for (const id of ids) found += hit(id)?.n ?? 0
    return ((performance.now() - start) * 1e6) / ids.length
  }
  const samples = await interleave(
    { rounds: bench.pairs, parts: 9 },
    {
      cells: each((id) => Cells.hit(cells, id, 1)?.value),
      plain: each((id) => {
        const entry = plain.get(id)
        return entry !== undefined && entry.expiresAt > 1 ? entry.value : undefined
      })
    }
  )
  bench.figure("a hit of a cell", samples.cells, "ns")
  bench.figure(
    `a hit of a plain Map with expiry (${found > 0 ? "both read" : "nothing read"})`,
    samples.plain,
    "ns"
  )
  bench.ratio("a hit to one of a plain Map with expiry", samples.cells, samples.plain, { atMost: 2.5 })
}

const memory = async (bench: Bench): Promise<void> => {
  const count = 100_000
  const rows = Array.from({ length: count }, (_, n) => ({ id: idOf(n), row: { n } }))
  const ofCells = () => {
    const cells = Cells.make<string, Row>(noBound, ignore)
    for (const [now, { id, row }] of rows.entries()) fill(cells, id, row, now)
    return cells
  }
  const ofEffect = () => {
    let loaded = 0
    const lookup = () => Effect.sync((): Row => rows[loaded++]!.row)
    const made = Cache.make<string, Row>({ capacity: count, timeToLive: Duration.minutes(5), lookup })
    return Effect.runSync(
      Effect.tap(made, (cache) => Effect.forEach(rows, ({ id }) => cache.get(id), { discard: true }))
    )
  }
  const samples = await interleave(
    { rounds: 3 },
    { cells: () => bytesEach(count, ofCells), effect: () => bytesEach(count, ofEffect) }
  )
  bench.figure("a cell, beyond its key and row", samples.cells, "bytes")
  bench.figure("an entry of effect/Cache, beyond its key and row", samples.effect, "bytes")
  bench.ratio("bytes of a cell to an entry of effect/Cache", samples.cells, samples.effect, { atMost: 0.8 })
}

const misses = (bench: Bench): void => {
  const [ids, entries] = [20_000, 1_000]
  for (const scans of ["no scans", "a scan of 1,000 ids after each 5,000 reads"] as const) {
    const next = zipf(ids, 0.9)
    const cells = Cells.make<number, number>({ ...noBound, maxEntries: entries }, ignore)
    const recent = lru<number>(entries)
    let [ofCells, ofRecent, scanned] = [0, 0, ids]
    const read = (id: number): void => {
      if (!recent.read(id)) ofRecent++
      if (Cells.hit(cells, id, 0) !== undefined) return
      ofCells++
      fill(cells, id, id)
    }
    for (let reads = 1; reads <= 300_000; reads++) {
      read(next())
      if (scans === "no scans" || reads % 5_000 !== 0) continue
      for (let i = 0; i < 1_000; i++) read(scanned++)
    }
    bench.ratio(`misses to those of an LRU, Zipf 0.9, ${scans}`, [ofCells], [ofRecent], { atMost: 0.9 })
  }
}

/** Calls for all entries. */
export const forAll = (bench: Bench): void => {
  for (const count of [1_000, 1_000_000]) {
    const cells = Cells.make<number, number>(noBound, ignore)
    for (let i = 0; i < count; i++) fill(cells, i, i)
    const samples = Array.from({ length: bench.pairs }, () => {
      const start = performance.now()
      Cells.suspectAll(cells)
      return performance.now() - start
    })
    bench.limit(`suspecting ${count.toLocaleString("en-US")} entries`, samples, "ms", { atMost: 1 })
  }
}

export const cache: Case = {
  name: "cache",
  about: "cells to a plain Map with expiry, to effect/Cache, and to an LRU",
  run: async (bench) => {
    await hits(bench)
    await memory(bench)
    misses(bench)
    forAll(bench)
  }
}
