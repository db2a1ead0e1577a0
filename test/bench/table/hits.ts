/** What a hit of a live table costs, and what a row takes in its memory. */
import { Cache, Duration, Effect, Option } from "effect"
import { monotonicMillis } from "../../../src/internal/time.js"
import * as LiveTable from "../../../src/LiveTable.js"
import { Column } from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"
import { type Bench, bytesEach, interleave, type Sample } from "../support/bench.js"
import { uniform } from "../support/draws.js"
import { filled, idOf, type Key, type Keys, keys, type LiveKeys, makeKeys } from "../support/keys.js"
import { loadPeers } from "../support/peers.js"
import { using } from "../support/recorders.js"

const count = 10_000
/** None is over before the last pair is measured, on a slow machine too. */
const ttl = 3_600_000

const clock = Effect.runSync(Effect.clock)

const drawn = (reads: number): ReadonlyArray<string> => {
  const next = uniform(7)
  return Array.from({ length: reads }, () => idOf(Math.floor(next() * count)))
}

/** Nanoseconds a synchronous read. */
const each =
  (ids: ReadonlyArray<string>, read: (id: string) => unknown): Sample =>
  () => {
    let found = 0
    const start = performance.now()
    for (const id of ids) if (read(id) !== undefined) found++
    const nanos = ((performance.now() - start) * 1e6) / ids.length
    if (found !== ids.length) throw new Error("a read was no hit")
    return nanos
  }

/** Nanoseconds a read through Effect, in one fiber. */
const yielded =
  (ids: ReadonlyArray<string>, read: (id: string) => Effect.Effect<unknown, unknown>): Sample =>
  async () => {
    const start = performance.now()
    await Effect.runPromise(
      Effect.gen(function* () {
        for (const id of ids) yield* read(id)
      })
    )
    return ((performance.now() - start) * 1e6) / ids.length
  }

/** Of a peer that is not installed. */
const none: Sample = () => Number.NaN

const warmed = (live: LiveKeys): Effect.Effect<LiveKeys, unknown> =>
  Effect.as(live.getMany(makeKeys(count, 200).map(({ id }) => id)), live)

const liveKeys = (options: LiveTable.Options<Keys>) =>
  Effect.gen(function* () {
    const master = yield* filled(Table.memory(keys), makeKeys(count, 200))
    return yield* warmed(yield* LiveTable.make(master, { ttl, ...options }))
  })

const synchronous = async (bench: Bench, live: LiveKeys, rows: ReadonlyArray<Key>): Promise<void> => {
  const ids = drawn(100_000)
  const plain = new Map(rows.map((row) => [row.id, { row, expiresAt: monotonicMillis(clock) + ttl }]))
  const peers = await loadPeers(bench.note)
  const lru = peers?.makeLru<Key>(count, ttl)
  for (const row of rows) lru?.set(row.id, row)
  const samples = await interleave(
    { rounds: bench.pairs, parts: 9, warmUps: 2 },
    {
      live: each(ids, live.unsafeGet),
      plain: each(ids, (id) => {
        const entry = plain.get(id)
        return entry !== undefined && entry.expiresAt > monotonicMillis(clock) ? entry.row : undefined
      }),
      map: each(ids, (id) => plain.get(id)),
      lru: lru === undefined ? none : each(ids, lru.get)
    }
  )
  bench.figure("unsafeGet", samples.live, "ns")
  bench.figure("a plain Map whose entries expire, by the same clock", samples.plain, "ns")
  bench.figure("a plain Map without expiry", samples.map, "ns")
  if (lru !== undefined) bench.figure("lru-cache with a ttl (its clock is read once a ms)", samples.lru, "ns")
  bench.ratio("unsafeGet to a plain Map whose entries expire", samples.live, samples.plain, { atMost: 3 })
}

const throughEffect = async (bench: Bench, live: LiveKeys, rows: ReadonlyArray<Key>): Promise<void> => {
  const ids = drawn(20_000)
  const byId = new Map(rows.map((row) => [row.id, row]))
  const lookup = (id: string) => Effect.sync(() => byId.get(id))
  const cache = Effect.runSync(Cache.make({ capacity: count, timeToLive: Duration.millis(ttl), lookup }))
  await Effect.runPromise(Effect.forEach(byId.keys(), (id) => cache.get(id), { discard: true }))
  const peers = await loadPeers(bench.note)
  const bento = peers?.makeBento(count, ttl)
  for (const row of rows) await bento?.getOrSet(row.id, () => row)
  const awaited = async (): Promise<number> => {
    const some = ids.slice(0, 2_000)
    const start = performance.now()
    for (const id of some) await bento?.getOrSet(id, () => undefined)
    return ((performance.now() - start) * 1e6) / some.length
  }
  const samples = await interleave(
    { rounds: bench.pairs, parts: 5, warmUps: 2 },
    {
      live: yielded(ids, live.get),
      effect: yielded(ids, (id) => cache.get(id)),
      bento: bento === undefined ? none : awaited
    }
  )
  bench.figure("yield* live.get(id)", samples.live, "ns")
  bench.figure("yield* of a hit of effect/Cache", samples.effect, "ns")
  if (bento !== undefined) bench.figure("await of a hit of bentocache, in memory", samples.bento, "ns")
  bench.ratio("a hit through Effect to one of effect/Cache", samples.live, samples.effect, { atMost: 0.5 })
  await bento?.close()
}

const dated = Table.define({
  name: "dated",
  columns: { id: Column.text, account: Column.text, state: Column.text, at: Column.timestamp },
  id: "id"
})

/** Rows with a date are copied for each caller: a date cannot be frozen. */
const copied = (bench: Bench, live: LiveKeys): Promise<void> =>
  using(
    Effect.gen(function* () {
      const master = yield* Table.memory(dated)
      const rows = makeKeys(count, 200).map(({ account, id, state }, n) => ({
        id,
        account,
        state,
        at: new Date(n)
      }))
      yield* master.write(rows.map((row) => Table.Write.insert(row)))
      const live = yield* LiveTable.make(master, { ttl })
      yield* live.getMany(rows.map(({ id }) => id))
      return live
    }),
    async (withDates) => {
      const ids = drawn(50_000)
      const samples = await interleave(
        { rounds: bench.pairs, parts: 5 },
        { withDates: each(ids, withDates.unsafeGet), shared: each(ids, live.unsafeGet) }
      )
      bench.figure("unsafeGet of a row with a date, which is copied", samples.withDates, "ns")
      bench.ratio("unsafeGet of a row with a date to one without", samples.withDates, samples.shared)
    }
  )

const metered = (bench: Bench, live: LiveKeys): Promise<void> =>
  using(liveKeys({ sample: 0 }), async (unmetered) => {
    const ids = drawn(100_000)
    const samples = await interleave(
      { rounds: bench.pairs, parts: 9 },
      { metered: each(ids, live.unsafeGet), unmetered: each(ids, unmetered.unsafeGet) }
    )
    bench.ratio(
      "hits with the staleness meter, by default, to hits without",
      samples.metered,
      samples.unmetered,
      {
        atMost: 1.1
      }
    )
  })

const memory = async (bench: Bench): Promise<void> => {
  const entries = 100_000
  const ids = Array.from({ length: entries }, (_, n) => idOf(n))
  const rows = makeKeys(entries, 200)
  const master = Effect.runSync(Effect.scoped(filled(Table.memory(keys), rows)))
  const read = Effect.map(master.getMany(ids), ({ value }) => value.map(Option.getOrThrow))
  const ofLive = () =>
    using(LiveTable.make(master, { maxEntries: entries }), async (live) => {
      const bytes = await bytesEach(entries, async () => {
        for (let from = 0; from < entries; from += 10_000) {
          await Effect.runPromise(live.getMany(ids.slice(from, from + 10_000)))
        }
        // Who waited for the same loads is woken in the turns after: that is no memory of a row.
        await new Promise((resolve) => setTimeout(resolve, 100))
        return live
      })
      if (live.unsafeStats().entries !== entries) throw new Error("not all rows are kept")
      return bytes
    })
  const ofEffect = () =>
    bytesEach(entries, async () => {
      const own = await Effect.runPromise(read)
      let at = 0
      const lookup = () => Effect.sync(() => own[at++]!)
      const cache = Effect.runSync(
        Cache.make<string, Key>({ capacity: entries, timeToLive: Duration.millis(ttl), lookup })
      )
      await Effect.runPromise(Effect.forEach(ids, (id) => cache.get(id), { discard: true }))
      own.length = 0
      return cache
    })
  const ofRows = () => bytesEach(entries, () => Effect.runPromise(read))
  const samples = await interleave({ rounds: 3 }, { rows: ofRows, live: ofLive, effect: ofEffect })
  const beyond = (all: ReadonlyArray<number>) => all.map((bytes, round) => bytes - samples.rows[round]!)
  bench.figure("a row by itself", samples.rows, "bytes")
  bench.figure("a cached row, beyond the row itself", beyond(samples.live), "bytes")
  bench.figure("an entry of effect/Cache, beyond the row itself", beyond(samples.effect), "bytes")
  bench.ratio(
    "bytes of a cached row to those of effect/Cache",
    beyond(samples.live),
    beyond(samples.effect),
    {
      atMost: 0.8
    }
  )
}

/** Hits, and the memory of rows. */
export const hits = async (bench: Bench): Promise<void> => {
  bench.heading(`hits of ${count.toLocaleString("en-US")} rows`)
  await using(liveKeys({}), async (live) => {
    const rows = makeKeys(count, 200)
    await synchronous(bench, live, rows)
    await throughEffect(bench, live, rows)
    await copied(bench, live)
    await metered(bench, live)
  })
  await memory(bench)
}
