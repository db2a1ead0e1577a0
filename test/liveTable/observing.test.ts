/** What shows from outside: metrics, spans, and how far behind a live table is. */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, Metric, MetricLabel, Option, Stream, TestClock } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as LiveTable from "../../src/LiveTable.js"
import * as Metrics from "../../src/Metrics.js"
import * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { type Keys, key, keys, liveKeys } from "../support/liveTable/keys.js"
import { answering, away, failing, never } from "../support/liveTable/master.js"
import { tier } from "../support/projection/tiers.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { keepingTracer, type Seen } from "../support/tracing.js"

const old = [key("k1", "old"), key("k2", "old")]

const counters = {
  hits: Metrics.liveTableHits,
  misses: Metrics.liveTableMisses,
  loads: Metrics.liveTableLoads,
  loadFailures: Metrics.liveTableLoadFailures,
  evicted: Metrics.liveTableEvicted,
  invalidated: Metrics.liveTableInvalidated,
  writes: Metrics.liveTableWrites,
  writesRefused: Metrics.liveTableWritesRefused,
  writesFailed: Metrics.liveTableWritesFailed,
  tierHits: Metrics.liveTableTierHits,
  tierFaults: Metrics.liveTableTierFaults,
  stale: Metrics.liveTableStale
}

/** The metrics of the live table of a name. */
const metricsOf = (name: string) => {
  const labels = [MetricLabel.make("liveTable", name)]
  const counts = Effect.forEach(Object.entries(counters), ([of, metric]) =>
    Effect.map(Metric.value(Metric.taggedWithLabels(metric, labels)), ({ count }) => [of, count] as const)
  )
  const entries = Metric.value(Metric.taggedWithLabels(Metrics.liveTableEntries, labels))
  return Effect.map(Effect.all([counts, entries]), ([all, { value }]) => ({
    ...(Object.fromEntries(all) as Record<keyof typeof counters, number>),
    entries: value
  }))
}

describe("the metrics of a live table", () => {
  scenario("count what its stats count, under its name, once a load or a write has ended", function* () {
    const name = "observed by metrics"
    const { live, master } = yield* liveKeys({ name, maxEntries: 2, minInterval: 0 }, old)
    yield* live.get("k1")
    yield* live.get("k1")
    yield* live.get("none")
    yield* live.get("k2")
    yield* live.patch("k1", { state: "new" })
    yield* Effect.flip(live.patch("none", { state: "new" }))
    master.next("write", failing(away()))
    yield* Effect.flip(live.patch("k1", { state: "newer" }))
    master.next("getMany", failing(away()))
    yield* Effect.flip(live.get("k3"))
    yield* live.get("k2")
    yield* live.list()
    const { entries, ...stats } = yield* live.stats
    const metrics = yield* metricsOf(name)
    for (const [of, count] of Object.entries(metrics)) {
      if (of === "entries") expect(count).toBe(entries)
      else expect([of, count]).toEqual([of, stats[of as keyof typeof stats]])
    }
    expect(metrics).toMatchObject({
      loadFailures: 1,
      writes: 3,
      writesRefused: 1,
      writesFailed: 1
    })
    expect(metrics.hits).toBeGreaterThan(0)
    expect(metrics.evicted).toBeGreaterThan(0)
    // Another live table has its own.
    expect(yield* metricsOf("another one")).toMatchObject({ hits: 0, loads: 0 })
  })

  scenario("count the hits that were stale, as the meter finds them", function* () {
    const name = "observed by the meter"
    const { live, master } = yield* liveKeys({ name, sample: 1 }, old)
    yield* live.get("k1")
    yield* settled
    yield* master.foreign.patch("k1", { state: "new" })
    live.unsafeGet("k1")
    yield* TestClock.adjust(1_000)
    expect(yield* metricsOf(name)).toMatchObject({ hits: 1, stale: 1 })
  })

  scenario("count the hits and faults of the tier", function* () {
    const name = "observed with a tier"
    const scripted = yield* tier
    const { live } = yield* liveKeys({ name, tier: scripted.tier, maxEntries: 1, graceBackoff: 0 }, old)
    yield* live.get("k1")
    yield* settled
    // It takes the only place.
    yield* live.get("k2")
    yield* settled
    yield* live.get("k1")
    scripted.instead("get", Effect.die("a bug"))
    yield* live.get("k2")
    expect(yield* metricsOf(name)).toMatchObject({ tierHits: 1, tierFaults: 1 })
    expect(live.unsafeStats()).toMatchObject({ tierHits: 1, tierFaults: 1 })
  })
})

const briefOf = ({ attributes, exits, kind, name, parent }: Seen): string =>
  [
    name,
    kind,
    Option.isNone(parent) ? "root" : "child",
    attributes.get("liveTable.name"),
    attributes.get("liveTable.count"),
    ...exits.map((exit) => (Exit.isSuccess(exit) ? "ok" : "failed")),
    ...["refused", "failed"].flatMap((outcome) => {
      const count = attributes.get(`liveTable.${outcome}`)
      return count === undefined || count === 0 ? [] : [`${count} ${outcome}`]
    })
  ].join(" ")

describe("the spans of a live table", () => {
  scenario("are roots around the calls of the master, with their counts and outcomes", function* () {
    const { spans, tracer } = keepingTracer()
    const { live, master } = yield* Effect.withTracer(liveKeys({ name: "keys" }, old), tracer)
    const calls = Effect.gen(function* () {
      yield* live.getMany(["k1", "k2", "none"])
      // A hit is no call of the master.
      yield* live.getMany(["k1", "k2"])
      yield* live.list()
      yield* live.count()
      yield* Effect.all([live.patch("k1", { state: "new" }), live.patch("k2", { state: "new" })], {
        concurrency: "unbounded"
      })
      // Refused by the master, whose call succeeds.
      yield* Effect.flip(live.patch("none", { state: "new" }))
      master.next("write", failing(away()))
      yield* Effect.flip(live.patch("k1", { state: "newer" }))
      master.next("write", never)
      const late = yield* started(Effect.flip(live.patch("k1", { state: "newer" })))
      yield* TestClock.adjust(30_000)
      yield* Fiber.join(late)
      master.next("list", answering({ value: 5 }))
      yield* Effect.flip(live.list({ limit: 1 }))
    })
    yield* calls.pipe(Effect.withSpan("caller"), Effect.withTracer(tracer))
    expect(spans.map(briefOf)).toEqual([
      "caller internal root   ok",
      "keys.getMany client root keys 3 ok",
      "keys.list client root keys 1 ok",
      "keys.count client root keys 1 ok",
      "keys.write client root keys 2 ok",
      "keys.write client root keys 1 ok 1 refused",
      "keys.write client root keys 1 ok 1 failed",
      "keys.write client root keys 1 ok 1 failed",
      "keys.list client root keys 1 failed"
    ])
  })

  scenario("are also around calls of the tier", function* () {
    const { spans, tracer } = keepingTracer()
    const scripted = yield* tier
    const options = { name: "keys", tier: scripted.tier }
    const { live } = yield* Effect.withTracer(liveKeys(options, old), tracer)
    yield* live.get("k1")
    yield* settled
    scripted.instead("get", Effect.die("a bug"))
    yield* live.get("k2")
    expect(spans.map(briefOf)).toEqual([
      "keys.tier.get client root keys 1 ok",
      "keys.getMany client root keys 1 ok",
      "keys.tier.put client root keys 1 ok",
      "keys.tier.get client root keys 1 failed",
      "keys.getMany client root keys 1 ok"
    ])
  })

  scenario("are around each page of a stream, of which the last one found its end", function* () {
    const { spans, tracer } = keepingTracer()
    const many = Array.from({ length: 1_200 }, (_, index) => key(`k${index}`))
    const { live, master } = yield* Effect.withTracer(liveKeys({ name: "keys" }, many), tracer)
    const stream = Stream.runCount(live.stream({ limit: 1_100 })).pipe(
      Effect.withSpan("caller"),
      Effect.withTracer(tracer)
    )
    expect(yield* stream).toBe(1_100)
    master.next("list", failing(away()))
    yield* Effect.flip(stream)
    expect(spans.map(briefOf)).toEqual([
      "caller internal root   ok",
      "keys.stream client root keys 500 ok",
      "keys.stream client root keys 500 ok",
      "keys.stream client root keys 100 ok",
      "keys.stream client root keys 0 ok",
      "caller internal root   failed",
      "keys.stream client root keys 0 failed"
    ])
  })

  scenario("are around the events of the log, which no call asked for", function* () {
    const { spans, tracer } = keepingTracer()
    const { live, log, master } = yield* Effect.withTracer(followed({ name: "keys" }), tracer)
    yield* settled
    expect(spans).toEqual([])
    yield* master.insert(key("k1"))
    yield* settled
    yield* master.write([
      { _tag: "Insert", row: key("k2") },
      { _tag: "Insert", row: key("k3") }
    ])
    yield* settled
    expect(spans.map(briefOf)).toEqual([
      "keys.events consumer root keys 1 ok",
      "keys.events consumer root keys 2 ok"
    ])
    expect(yield* live.health).toMatchObject({
      state: "Live",
      position: Option.some((yield* log.head).head)
    })
  })

  scenario("are not there where no tracer listens", function* () {
    const { spans, tracer } = keepingTracer()
    const { live } = yield* liveKeys({}, old)
    yield* Effect.withTracer(live.get("k1"), tracer)
    expect(spans).toEqual([])
    // A reader's own span gets nothing of it.
    yield* Stream.runDrain(live.stream()).pipe(Effect.withSpan("caller"), Effect.withTracer(tracer))
    expect(spans.map(({ attributes, name }) => [name, [...attributes.keys()]])).toEqual([["caller", []]])
  })
})

/** What the log does with its calls. */
interface Faults {
  isAway: boolean
  /** No doorbell rings. */
  isDeaf: boolean
  /** So many milliseconds later all calls are answered, and reads. */
  all: number
  reading: number
}

/** A live table over a log that can go away, and that answers late. */
const followed = (options: LiveTable.Options<Keys> = {}, given: Partial<Faults> = {}) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<Table.TableChange>()
    const faults: Faults = { isAway: false, isDeaf: false, all: 0, reading: 0, ...given }
    const unavailable = new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "away" })
    const late = <A, E>(call: Effect.Effect<A, E>, millis: () => number) =>
      Effect.suspend((): Effect.Effect<A, E | ChangeLog.ChangeLogError> => {
        if (faults.isAway) return Effect.fail(unavailable)
        return millis() === 0 ? call : Effect.tap(call, () => Effect.sleep(millis()))
      })
    const changes = yield* Watch.make<Table.TableChange>(
      {
        ...log,
        head: late(log.head, () => faults.all),
        read: (query) => late(log.read(query), () => faults.all + faults.reading),
        doorbell: (ring) => log.doorbell(() => (faults.isDeaf ? undefined : ring()))
      },
      { heartbeat: 10_000 }
    )
    const master = yield* Table.memory(keys, { log })
    const live = yield* LiveTable.make(master, { changes, sample: 0, closeDeadline: 0, ...options })
    yield* live.ready
    return { live, log, faults, master, changes }
  }).pipe(Effect.orDie)

const minute = 60_000

describe("the health of a live table", () => {
  scenario("without a log promises what its times allow", function* () {
    const options = { ttl: minute, grace: 5_000, staleWhileRevalidate: 8_000 }
    const { live } = yield* liveKeys(options, old)
    expect(yield* live.health).toEqual({
      state: "Alone",
      position: Option.none(),
      lag: Option.none(),
      cause: Option.none(),
      staleness: minute + 8_000
    })
  })

  scenario(
    "with a log has the position that is applied, and the time since it was known to be the head",
    function* () {
      const { live, log, master } = yield* followed({ ttl: minute, grace: 5_000 })
      yield* settled
      const { head: start } = yield* log.head
      expect(yield* live.health).toMatchObject({
        state: "Live",
        position: Option.some(start),
        lag: Option.some(0),
        cause: Option.none(),
        staleness: 5_000
      })
      yield* TestClock.adjust(3_000)
      expect(yield* live.health).toMatchObject({ state: "Live", lag: Option.some(3_000), staleness: 8_000 })
      yield* master.insert(key("k1"))
      yield* settled
      const { head } = yield* log.head
      expect(head.seq).toBe(start.seq + 1)
      expect(yield* live.health).toMatchObject({ position: Option.some(head), lag: Option.some(0) })
      // A heartbeat that finds nothing new counts too.
      yield* TestClock.adjust(11_000)
      const { lag } = yield* live.health
      expect(Option.getOrThrow(lag)).toBeLessThanOrEqual(5_000)
    }
  )

  scenario(
    "counts the lag from the question that the log was asked, however late its answer is",
    function* () {
      const { faults, live, master } = yield* followed({ ttl: minute })
      yield* settled
      faults.all = 500
      yield* master.insert(key("k1"))
      yield* TestClock.adjust(500)
      expect(yield* live.health).toMatchObject({ state: "Live", lag: Option.some(500), staleness: 500 })
      // The heartbeat is asked after 9 to 11 s, and answered half a second later.
      yield* TestClock.adjust(12_000)
      const { lag } = yield* live.health
      expect(Option.getOrThrow(lag)).toBeGreaterThanOrEqual(500)
      expect(Option.getOrThrow(lag)).toBeLessThan(4_000)
    }
  )

  scenario("is Suspect while the log is silent, and promises no more than the time to live", function* () {
    const { faults, live, log, master } = yield* followed({ ttl: minute })
    yield* live.get("k1")
    faults.isAway = true
    yield* master.insert(key("k1"))
    yield* TestClock.adjust(19_000)
    const before = yield* live.health
    expect(before.state).toBe("Live")
    expect(before.staleness).toBeGreaterThanOrEqual(19_000)
    yield* TestClock.adjust(2_000)
    const { lag, position, staleness, state } = yield* live.health
    expect([state, staleness]).toEqual(["Suspect", minute])
    expect(Option.getOrThrow(lag)).toBeGreaterThanOrEqual(21_000)
    expect(position).toEqual(before.position)
    // What is read is asked of the master.
    expect(Option.isSome((yield* live.get("k1")).value)).toBe(true)
    faults.isAway = false
    yield* TestClock.adjust(minute)
    const { head } = yield* log.head
    expect(yield* live.health).toMatchObject({ state: "Live", position: Option.some(head) })
  })

  scenario("has the cause while the log is not followed", function* () {
    const { changes, live } = yield* followed({ ttl: minute })
    yield* settled
    yield* changes.close
    yield* settled
    const { cause, staleness, state } = yield* live.health
    expect([state, staleness]).toEqual(["Suspect", minute])
    expect(Option.getOrThrow(cause)).toMatchObject({ _tag: "WatchEnded", reason: "Closed" })
    yield* TestClock.adjust(minute)
    expect(Option.getOrThrow((yield* live.health).cause)).toMatchObject({ _tag: "WatchRefused" })
  })

  scenario("is Starting until the log was reached, with the cause if it cannot be", function* () {
    const { faults, live } = yield* followed({ ttl: minute }, { isAway: true })
    yield* settled
    const { cause, state } = yield* live.health
    expect(state).toBe("Starting")
    expect(Option.getOrThrow(cause)).toMatchObject({ _tag: "ChangeLogError", message: "away" })
    faults.isAway = false
    yield* TestClock.adjust(minute)
    expect(yield* live.health).toMatchObject({ state: "Live", cause: Option.none() })
  })

  scenario("is Behind while it is known that there is more than is applied", function* () {
    const { faults, live, log, master } = yield* followed({ ttl: minute })
    yield* settled
    const { head: start } = yield* log.head
    faults.isDeaf = true
    faults.reading = 5_000
    yield* master.insert(key("k1"))
    // The heartbeat finds the head after 9 to 11 s.
    yield* TestClock.adjust(11_000)
    expect(yield* live.health).toMatchObject({ state: "Behind", position: Option.some(start) })
    expect((yield* live.health).staleness).toBeGreaterThanOrEqual(11_000)
    yield* TestClock.adjust(5_000)
    const { head } = yield* log.head
    expect(yield* live.health).toMatchObject({ state: "Live", position: Option.some(head) })
  })
})
