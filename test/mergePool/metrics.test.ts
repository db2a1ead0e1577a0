/** The metrics of catalogs of pools: what happened since, and what is now. */
import { expect } from "@effect/vitest"
import { Effect, Metric, MetricLabel, TestClock } from "effect"
import * as Metrics from "../../src/Metrics.js"
import { board, clientOf, followed } from "../support/mergePool/served.js"
import { scenario } from "../support/time/turn.js"

scenario(
  "the metrics of a catalog count its pools, followers, merges by outcome, cells, ticks and removals",
  function* () {
    const { pool, pools } = yield* board({ name: "counted pools", quotas: { records: 2 } })
    const ann = yield* clientOf(pool, "ann")
    yield* followed(pool)
    yield* ann.edit("a", { title: { _tag: "Set", value: "one" }, votes: { _tag: "Increment", by: 1 } })
    const { patch } = yield* ann.replica.edit("b", { title: { _tag: "Set", value: "two" } })
    yield* pool.merge(patch, { as: ann.as })
    yield* pool.merge(patch, { as: ann.as })
    yield* Effect.flip(ann.title("c", "one more"))
    yield* pools.revoke("ann")
    yield* TestClock.adjust(100)
    yield* ann.remove("a")
    yield* TestClock.adjust("10 seconds")
    const named = MetricLabel.make("name", "counted pools")
    const valueOf = <T, I, O>(metric: Metric.Metric<T, I, O>, outcome?: string) =>
      Metric.value(
        Metric.taggedWithLabels(metric, [
          named,
          ...(outcome === undefined ? [] : [MetricLabel.make("outcome", outcome)])
        ])
      )
    const now = [
      Metrics.mergePoolPools,
      Metrics.mergePoolSubscribers,
      Metrics.mergePoolRemovals,
      Metrics.mergePoolUnsaved,
      Metrics.mergePoolLag
    ]
    expect(yield* Effect.forEach(now, (metric) => valueOf(metric))).toMatchObject(
      [1, 1, 1, 0, 0].map((value) => ({ value }))
    )
    const outcomes = ["applied", "unchanged", "refused"]
    expect(
      yield* Effect.forEach(outcomes, (outcome) => valueOf(Metrics.mergePoolMerges, outcome))
    ).toMatchObject([3, 1, 1].map((count) => ({ count })))
    const since = [
      Metrics.mergePoolCells,
      Metrics.mergePoolTicks,
      Metrics.mergePoolQuotaRefusals,
      Metrics.mergePoolRevocations,
      Metrics.mergePoolFailed
    ]
    expect(yield* Effect.forEach(since, (metric) => valueOf(metric))).toMatchObject(
      [4, 3, 1, 1, 0].map((count) => ({ count }))
    )
  }
)
