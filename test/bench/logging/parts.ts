/** Peers of other parts: caches beside a live table, and emitters beside the dispatcher of a watch. */
import { EventEmitter } from "node:events"
import { Cache, Chunk, Duration, Effect, type Exit, PubSub, Queue } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as FanOut from "../../../src/internal/watch/fanOut.js"
import * as Registry from "../../../src/internal/watch/registry.js"
import * as Watcher from "../../../src/internal/watch/watcher.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as Table from "../../../src/Table.js"
import { drawn, keyOf, keysOf, nanos } from "../cases/watch.js"
import { uniform } from "../support/draws.js"
import { filled, idOf, type Key, keys, makeKeys } from "../support/keys.js"
import type { Peers } from "../support/peers.js"
import { using } from "../support/recorders.js"
import { start, watcherOf } from "../support/watchers.js"
import { type Comparison, compare } from "./compare.js"
import { stores } from "./stores.js"

const count = 10_000
const ttl = 300_000
const reads = 20_000

/** Nanoseconds of a read that is answered at once. */
const each = (ids: ReadonlyArray<string>, read: (id: string) => unknown) => () => {
  const from = performance.now()
  let found = 0
  for (const id of ids) if (read(id) !== undefined) found++
  if (found !== ids.length) throw new Error("a read was no hit")
  return ((performance.now() - from) * 1e6) / ids.length
}

/** Nanoseconds of a read by Effect, in one fiber. */
const yielded =
  (ids: ReadonlyArray<string>, read: (id: string) => Effect.Effect<unknown, unknown>) => async () => {
    const from = performance.now()
    await Effect.runPromise(Effect.forEach(ids, read, { discard: true }))
    return ((performance.now() - from) * 1e6) / ids.length
  }

/** Nanoseconds of a read by a promise. */
const awaited = (ids: ReadonlyArray<string>, read: (id: string) => Promise<unknown>) => async () => {
  const from = performance.now()
  for (const id of ids) await read(id)
  return ((performance.now() - from) * 1e6) / ids.length
}

const caches = (comparison: Comparison, peers: Peers): Promise<void> => {
  const rows = makeKeys(count, 200)
  const next = uniform(7)
  const ids = Array.from({ length: reads }, () => idOf(Math.floor(next() * count)))
  const live = Effect.gen(function* () {
    const made = yield* LiveTable.make(yield* filled(Table.memory(keys), rows), { ttl })
    yield* made.getMany(rows.map(({ id }) => id))
    return made
  })
  return using(live, async (live) => {
    const byId = new Map(rows.map((row) => [row.id, row]))
    const lru = peers.makeLru<Key>(count, ttl)
    const bento = peers.makeBento(count, ttl)
    const cache = await Effect.runPromise(
      Cache.make({
        capacity: count,
        timeToLive: Duration.millis(ttl),
        lookup: (id: string) => Effect.sync(() => byId.get(id))
      })
    )
    for (const row of rows) {
      lru.set(row.id, row)
      await bento.getOrSet(row.id, () => row)
      await Effect.runPromise(cache.get(row.id))
    }
    await compare(
      comparison,
      "a cached read that is answered at once, ns",
      { "LiveTable.unsafeGet": each(ids, live.unsafeGet), "lru-cache, with a ttl": each(ids, lru.get) },
      { "lru-cache, with a ttl": "it reads its clock once a millisecond, and no change invalidates it" },
      "LiveTable.unsafeGet"
    )
    await compare(
      comparison,
      "a cached read that is awaited, ns",
      {
        "LiveTable.get": yielded(ids, (id) => live.get(id)),
        "effect/Cache": yielded(ids, (id) => cache.get(id)),
        bentocache: awaited(ids, (id) => bento.getOrSet(id, () => byId.get(id)))
      },
      {},
      "LiveTable.get"
    )
    await bento.close()
  })
}

/** So few: each event goes to all of them. */
const subscribers = 100

const emitters = async (comparison: Comparison): Promise<void> => {
  const names = keysOf(subscribers)
  const registry = Registry.make<number>(() => {})
  const watchers = new Map(names.map((key, i) => [key, watcherOf(i + 1, ChangeLog.key(key))]))
  for (const watcher of watchers.values()) Registry.add(registry, watcher, start, start)
  const emitter = new EventEmitter()
  const held = new Map<string, unknown>()
  for (const name of names) emitter.on(name, (event) => held.set(name, event))
  const rows = drawn(names)
  await using(PubSub.unbounded<ChangeLog.Event<number>>(), (pubsub) =>
    using(Effect.all(names.map(() => PubSub.subscribe(pubsub))), async (queues) => {
      const emptied = (): Exit.Exit<unknown> =>
        Effect.runSyncExit(Effect.forEach(queues, (queue) => Effect.map(Queue.takeAll(queue), Chunk.size)))
      await compare(
        comparison,
        `an event for one of ${subscribers} keys, until its subscriber holds it, ns`,
        {
          Watch: () => {
            Registry.skipTo(registry, start)
            return nanos(
              rows,
              (part, from, to) => FanOut.dispatch(registry, part, from, to),
              (key) => {
                const watcher = watchers.get(key)
                while (watcher !== undefined && Watcher.take(watcher) !== undefined);
              }
            )
          },
          EventEmitter: () =>
            nanos(
              rows,
              (part, from, to) => {
                for (let i = from; i < to; i++) emitter.emit(keyOf(part[i]!), part[i]!.events[0]!)
              },
              (key) => held.delete(key)
            ),
          "PubSub of Effect, each subscriber filters": () => {
            const some = rows.slice(0, 2000)
            const spent = nanos(
              some,
              (part, from, to) => {
                for (let i = from; i < to; i++) pubsub.unsafeOffer(part[i]!.events[0]!)
                emptied()
              },
              () => undefined
            )
            return spent
          }
        },
        {
          EventEmitter:
            "it keeps no position, no buffer and no order between keys, and calls the listener itself"
        },
        "Watch"
      )
    })
  )
}

/** Measures the peers of other parts. */
export const parts = async (comparison: Comparison, peers: Peers): Promise<void> => {
  await caches(comparison, peers)
  await emitters(comparison)
  await stores(comparison, peers)
}
