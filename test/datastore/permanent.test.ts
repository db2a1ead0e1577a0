/** What permanent stores do beside answering: they leave memory, end what other processes left behind, and are counted. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Metric, MetricLabel, Option, Scope, Stream, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import * as Metrics from "../../src/Metrics.js"
import { scripted, withLogs } from "../support/datastore/backends.js"

interface Task {
  readonly id: string
  readonly text?: string
}

const permanent = { id: "board", kind: "permanent" } as const

describe.each(["memory", "flushed"] as const)("a permanent store that is idle, ack %s", (ack) => {
  it.scoped("leaves memory, and comes back with its epoch, its records and what it remembers", () =>
    Effect.gen(function* () {
      const backend = yield* Datastore.memory()
      const stores = yield* Datastore.make(backend, { idleTimeout: "10 minutes" })
      const store = yield* stores.open<Task>({ ...permanent, ack })
      const as = { principal: "ann", client: "tab", n: 1 }
      const first = yield* store.set({ id: "a" }, { as, expect: "absent" })
      const epoch = yield* store.epoch
      yield* TestClock.adjust("9 minutes")
      expect((yield* stores.stats).stores).toBe(1)
      yield* TestClock.adjust("3 minutes")
      expect((yield* stores.stats).stores).toBe(0)
      expect(yield* store.set({ id: "a" }, { as, expect: "absent" })).toEqual(first)
      expect([yield* store.epoch, (yield* stores.stats).stores]).toEqual([epoch, 1])
      expect(Option.isSome(yield* store.get("a"))).toBe(true)
    })
  )

  it.scoped("stays while it is followed", () =>
    Effect.gen(function* () {
      const backend = yield* Datastore.memory()
      const stores = yield* Datastore.make(backend, { idleTimeout: "10 minutes" })
      const store = yield* stores.open<Task>({ ...permanent, ack })
      yield* Effect.forkScoped(Stream.runDrain(store.follow()))
      yield* TestClock.adjust("12 minutes")
      expect((yield* stores.stats).stores).toBe(1)
    })
  )
})

describe("the session of a process that is gone", () => {
  it.scoped("ends in another process when its lease is over, with its records in one revision", () =>
    Effect.gen(function* () {
      const backend = yield* Datastore.memory()
      const scope = yield* Scope.make()
      const gone = yield* Scope.extend(Datastore.make(backend, { name: "gone" }), scope)
      const here = yield* Datastore.make(backend, { name: "here" })
      const theirs = yield* gone.open<Task>(permanent)
      const mine = yield* here.open<Task>(permanent)
      const as = { principal: "ann", client: "tab" }
      // It lives as long as its catalog, which goes without a goodbye.
      const { id } = yield* Scope.extend(gone.session(as), scope)
      yield* theirs.batch([Datastore.set({ id: "a" }), Datastore.set({ id: "b" })], { as, session: id })
      yield* theirs.set({ id: "c" })
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("20 seconds")
      expect((yield* mine.snapshot()).rows.length).toBe(3)
      yield* TestClock.adjust("3 minutes")
      const { rows, seq } = yield* mine.snapshot({ read: "latest" })
      expect([seq, rows.map(({ key }) => key)]).toEqual([3, ["c"]])
    })
  )
})

describe("the metrics of a catalog", () => {
  it.scoped("count its stores, followers and operations by their outcome", () =>
    Effect.gen(function* () {
      const backend = yield* Datastore.memory()
      const stores = yield* Datastore.make(backend, { name: "counted", quotas: { records: 1 } })
      const store = yield* stores.open<Task>({ id: "board" })
      const as = { principal: "ann", client: "tab", n: 1 }
      yield* store.set({ id: "a" }, { as })
      yield* store.set({ id: "a" }, { as })
      yield* Effect.flip(store.set({ id: "b" }))
      yield* stores.revoke("ann")
      yield* Effect.forkScoped(Stream.runDrain(store.follow()))
      yield* TestClock.adjust("10 seconds")
      const named = MetricLabel.make("name", "counted")
      const valueOf = <T, I, O>(metric: Metric.Metric<T, I, O>, outcome?: string) =>
        Metric.value(
          Metric.taggedWithLabels(metric, [
            named,
            ...(outcome === undefined ? [] : [MetricLabel.make("outcome", outcome)])
          ])
        )
      expect(yield* valueOf(Metrics.datastoreStores)).toMatchObject({ value: 1 })
      expect(yield* valueOf(Metrics.datastoreSubscribers)).toMatchObject({ value: 1 })
      for (const outcome of ["applied", "repeated", "refused"]) {
        expect(yield* valueOf(Metrics.datastoreOperations, outcome)).toMatchObject({ count: 1 })
      }
      expect(yield* valueOf(Metrics.datastoreRevocations)).toMatchObject({ count: 1 })
      expect(yield* valueOf(Metrics.datastoreQuotaRefusals)).toMatchObject({ count: 1 })
    })
  )

  const gauge = (metric: Metric.Metric.Gauge<number>, name: string) =>
    Effect.map(
      Metric.value(Metric.taggedWithLabels(metric, [MetricLabel.make("name", name)])),
      ({ value }) => value
    )

  it.scoped("show what an owner has answered and not stored yet", () =>
    Effect.gen(function* () {
      const { backend, held, hold, release } = yield* scripted
      const stores = yield* Datastore.make(backend, { name: "behind" })
      const store = yield* stores.open<Task>({ ...permanent, ack: "memory" })
      hold()
      yield* store.set({ id: "a" })
      yield* held
      yield* TestClock.adjust("10 seconds")
      expect(yield* gauge(Metrics.datastoreUnsaved, "behind")).toBe(1)
      yield* release
      yield* store.flush
      yield* TestClock.adjust("10 seconds")
      expect(yield* gauge(Metrics.datastoreUnsaved, "behind")).toBe(0)
    })
  )

  it.scoped("show how far a process is behind what it was answered", () =>
    Effect.gen(function* () {
      const memory = yield* Datastore.memory()
      const delivered = yield* Deferred.make<void>()
      const backend = withLogs(memory, ({ read }) => ({
        read: (options) => Effect.andThen(Deferred.await(delivered), read(options))
      }))
      const stores = yield* Datastore.make(backend, { name: "late" })
      const store = yield* stores.open<Task>(permanent)
      const writing = yield* Effect.fork(store.set({ id: "a" }))
      yield* TestClock.adjust("10 seconds")
      expect(yield* gauge(Metrics.datastoreLag, "late")).toBe(1)
      yield* Deferred.succeed(delivered, undefined)
      yield* Fiber.join(writing)
      yield* TestClock.adjust("10 seconds")
      expect(yield* gauge(Metrics.datastoreLag, "late")).toBe(0)
    })
  )
})
