/** What dispatching to watchers costs: by itself, for a publisher, and until a reader has received it. */
import { EventEmitter } from "node:events"
import { Chunk, Effect, PubSub, Queue } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as FanOut from "../../../src/internal/watch/fanOut.js"
import * as Registry from "../../../src/internal/watch/registry.js"
import * as Watcher from "../../../src/internal/watch/watcher.js"
import * as Watch from "../../../src/Watch.js"
import { slots } from "../baselines/slots.js"
import { type Bench, type Case, collect, interleave } from "../support/bench.js"
import { turn, using } from "../support/recorders.js"
import { quantile } from "../support/statistics.js"
import { start, watcherOf } from "../support/watchers.js"

export const keysOf = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `orders/${i}`)

const events = 20_000

/** Revisions of one event each, of keys drawn at random. */
export const drawn = (keys: ReadonlyArray<string>): ReadonlyArray<ChangeLog.LoggedRevision<number>> =>
  Array.from({ length: events }, (_, i) => {
    const revision: ChangeLog.Revision = { epoch: "bench", seq: i + 1, tag: 0 }
    const key = keys[Math.floor(Math.random() * keys.length)]!
    return { revision, events: [{ _tag: "Put", key, value: i, revision }], previous: undefined }
  })

/** The readers take what was dispatched between two slices of the dispatcher. */
const slice = 1000

export const keyOf = ({ events }: ChangeLog.LoggedRevision<number>): string => events[0]!.key

/** Revisions dispatched between two looks at the clock, as the dispatcher does it. */
const chunk = 32

/** Nanoseconds per event that `dispatch` takes; `read` is not timed. */
export const nanos = (
  rows: ReadonlyArray<ChangeLog.LoggedRevision<number>>,
  dispatch: (rows: ReadonlyArray<ChangeLog.LoggedRevision<number>>, from: number, to: number) => unknown,
  read: (key: string) => void
): number => {
  let spent = 0
  for (let from = 0; from < rows.length; from += slice) {
    const part = rows.slice(from, from + slice)
    const began = performance.now()
    for (let i = 0; i < part.length; i += chunk) dispatch(part, i, Math.min(i + chunk, part.length))
    spent += performance.now() - began
    for (const row of part) read(keyOf(row))
  }
  return (spent * 1e6) / rows.length
}

const dispatching = async (bench: Bench, count: number): Promise<void> => {
  const keys = keysOf(count)
  const floor = slots<ChangeLog.Event<number>>(keys)
  const registry = Registry.make<number>(() => {})
  const watchers = new Map(keys.map((key, i) => [key, watcherOf(i + 1, ChangeLog.key(key))]))
  for (const watcher of watchers.values()) Registry.add(registry, watcher, start, start)
  let rows = drawn(keys)
  const samples = await interleave(
    {
      rounds: bench.pairs,
      parts: 5,
      begin: () => {
        rows = drawn(keys)
      }
    },
    {
      floor: () =>
        nanos(
          rows,
          (rows, from, to) => {
            for (let i = from; i < to; i++) floor.dispatch(keyOf(rows[i]!), rows[i]!.events[0]!)
          },
          floor.take
        ),
      watch: () => {
        Registry.skipTo(registry, start)
        return nanos(
          rows,
          (rows, from, to) => FanOut.dispatch(registry, rows, from, to),
          (key) => {
            const watcher = watchers.get(key)
            while (watcher !== undefined && Watcher.take(watcher) !== undefined);
          }
        )
      }
    }
  )
  const named = `${count.toLocaleString("en-US")} watchers`
  bench.figure(`Map and slots, ${named}`, samples.floor, "ns/event")
  bench.figure(`Watch, ${named}`, samples.watch, "ns/event")
  bench.ratio(`dispatch to a Map and slots, ${named}`, samples.watch, samples.floor, { atMost: 2 })
}

const published = 5_000

/** Microseconds for a publisher that publishes a revision in each step of a fiber, until all of it is dispatched. */
const publishing = async (publish: (i: number) => Effect.Effect<unknown, unknown>): Promise<number> => {
  const from = performance.now()
  let i = 0
  await Effect.runPromise(
    Effect.whileLoop({ while: () => i < published, body: () => publish(i++), step: () => {} })
  )
  await turn()
  await turn()
  return ((performance.now() - from) * 1000) / published
}

const publishers = (bench: Bench): Promise<void> =>
  using(
    Effect.all([0, 1, 2].map(() => ChangeLog.make<number>())).pipe(
      Effect.bindTo("logs"),
      Effect.bind("idle", ({ logs }) => Watch.make(logs[1]!)),
      Effect.bind("watched", ({ logs }) => Watch.make(logs[2]!)),
      Effect.tap(({ watched }) => Effect.forEach(keysOf(1000), (key) => watched.register(key)))
    ),
    async ({ idle, logs, watched }) => {
      const change = (i: number) => [ChangeLog.put("elsewhere", i)]
      const samples = await interleave(
        { rounds: bench.pairs, parts: 9 },
        {
          log: () => publishing((i) => logs[0]!.append(change(i))),
          idle: () => publishing((i) => idle.publish(change(i))),
          watched: () => publishing((i) => watched.publish(change(i)))
        }
      )
      bench.figure("append to the log", samples.log, "us/revision")
      bench.figure("publish, no watcher", samples.idle, "us/revision")
      bench.figure("publish, 1,000 idle watchers", samples.watched, "us/revision")
      bench.ratio("publish with 0 watchers to append", samples.idle, samples.log, { atMost: 1.05 })
      bench.ratio("publish with 1,000 idle watchers to append", samples.watched, samples.log, { atMost: 1.1 })
    }
  )

const perSecond = 10_000
const seconds = 1

/** Publishes at an even rate by the clock; the 99th percentile of the latencies in milliseconds. */
const latencies = async (send: (sentAt: number) => void, seen: ReadonlyArray<number>): Promise<number> => {
  const from = performance.now()
  let sent = 0
  while (sent < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, ((performance.now() - from) * perSecond) / 1000)
    while (sent < due) {
      send(performance.now())
      sent++
    }
    await turn()
  }
  while (seen.length < sent) await turn()
  return quantile(seen, 0.99)
}

const reading = (bench: Bench): Promise<void> =>
  using(
    Effect.all([ChangeLog.make<number>({ maxRevisions: 100_000 }), PubSub.unbounded<number>()]).pipe(
      Effect.bindTo("made"),
      Effect.bind("watch", ({ made: [log] }) => Watch.make(log)),
      Effect.bind("watcher", ({ watch }) => watch.open(ChangeLog.key("a"), { buffer: 100_000 })),
      Effect.bind("queue", ({ made: [, pubsub] }) => PubSub.subscribe(pubsub))
    ),
    async ({ watcher, made: [, pubsub], queue, watch }) => {
      let seen: Array<number> = []
      const note = (sentAt: number): void => {
        seen.push(performance.now() - sentAt)
      }
      const emitter = new EventEmitter()
      emitter.on("a", note)
      Effect.runFork(
        Effect.forever(
          Effect.map(watcher.takeAll, (frames) => {
            for (const frame of Chunk.toReadonlyArray(frames)) {
              if (frame._tag !== "Events") continue
              for (const event of frame.events) if (event._tag === "Put") note(event.value)
            }
          })
        )
      )
      Effect.runFork(Effect.forever(Effect.map(Queue.take(queue), note)))
      const fresh = (send: (sentAt: number) => void) => () => {
        seen = []
        return latencies(send, seen)
      }
      const samples = await interleave(
        { rounds: Math.ceil(bench.pairs / 3) },
        {
          emitter: fresh((at) => emitter.emit("a", at)),
          pubsub: fresh((at) => Effect.runSync(PubSub.publish(pubsub, at))),
          watch: fresh((at) => Effect.runSync(watch.publish([ChangeLog.put("a", at)])))
        }
      )
      bench.figure("EventEmitter, p99 from publish to reader", samples.emitter, "ms")
      bench.figure("PubSub, p99", samples.pubsub, "ms")
      bench.limit(`Watch, p99 at ${perSecond} events/s`, samples.watch, "ms", { atMost: 1 })
    }
  )

/** The latency of those who read, while one of 1,000 watchers reads nothing. */
const stalled = (bench: Bench): Promise<void> => {
  const crowd = (stalls: boolean) =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>()
      const watch = yield* Watch.make(log)
      const seen: Array<number> = []
      for (let i = 0; i < 1000; i++) {
        const watcher = yield* watch.open(ChangeLog.prefix(""), { buffer: 64 })
        if (i === 0 && stalls) continue
        const readers = Effect.map(watcher.takeAll, (frames) => {
          for (const frame of frames) {
            if (frame._tag !== "Events") continue
            for (const event of frame.events)
              if (event._tag === "Put") seen.push(performance.now() - event.value)
          }
        })
        yield* Effect.forkScoped(Effect.forever(readers))
      }
      return { watch, seen }
    })
  const round = (stalls: boolean) => () =>
    using(crowd(stalls), async ({ seen, watch }) => {
      for (let i = 0; i < 100; i++) {
        await Effect.runPromise(watch.publish([ChangeLog.put("a", performance.now())]))
        await turn()
        await turn()
      }
      while (seen.length < 100 * (stalls ? 999 : 1000)) await turn()
      return quantile(seen, 0.99)
    })
  return interleave({ rounds: bench.pairs }, { healthy: round(false), stalled: round(true) }).then(
    (samples) => {
      bench.figure("p99 of 1,000 who read", samples.healthy, "ms")
      bench.figure("p99 of 999 who read, beside one who does not", samples.stalled, "ms")
      bench.ratio("one stalled watcher among 1,000", samples.stalled, samples.healthy, { atMost: 1.1 })
    }
  )
}

export const watch: Case = {
  name: "watch",
  about: "watchers of a change log: dispatch, what publishing costs, latency, one who stalls",
  run: async (bench) => {
    bench.heading(`${events.toLocaleString("en-US")} events of keys drawn at random, dispatched`)
    for (const count of [100, 10_000, 100_000]) {
      await dispatching(bench, count)
      collect()
    }
    bench.heading(`${published.toLocaleString("en-US")} revisions, published one after the other by a fiber`)
    await publishers(bench)
    bench.heading(`From publish to a reader, ${perSecond.toLocaleString("en-US")} events/s`)
    await reading(bench)
    bench.heading("100 events to 1,000 watchers of everything")
    await stalled(bench)
  }
}
