/** What shows from outside: metrics and spans. */
import { describe, expect } from "@effect/vitest"
import { Effect, Metric, MetricLabel, Option } from "effect"
import * as Metrics from "../../src/Metrics.js"
import * as Projection from "../../src/Projection.js"
import { accounts, logOf, opened, paid } from "../support/projection/accounts.js"
import { scenario } from "../support/time/turn.js"
import { keepingTracer } from "../support/tracing.js"

const named = MetricLabel.make("projection", "observed")
const by = (strategy: Projection.Strategy) => MetricLabel.make("strategy", strategy)

const countOf = (metric: Metric.Metric.Counter<number>, ...labels: ReadonlyArray<MetricLabel.MetricLabel>) =>
  Effect.map(Metric.value(Metric.taggedWithLabels(metric, [named, ...labels])), ({ count }) => count)

describe("a projection", () => {
  scenario("counts answers by strategy, events, and how long folds take", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make(accounts, log, { name: "observed" })
    yield* Effect.all([projection.project("a"), projection.project("a")], { concurrency: "unbounded" })
    for (let n = 0; n < 300; n++) yield* projection.project("a")
    yield* log.append([paid("a", 1)])
    yield* projection.project("a")
    expect(yield* countOf(Metrics.projections, by("Direct"))).toBe(2)
    expect(yield* countOf(Metrics.projections, by("SlotHit"))).toBe(300)
    expect(yield* countOf(Metrics.projections, by("SlotIncremental"))).toBe(1)
    expect(yield* countOf(Metrics.projectionEvents)).toBe(3)
    expect(yield* countOf(Metrics.projectionJoined)).toBe(1)
    const durations = Metric.taggedWithLabels(Metrics.projectionFoldDuration, [named, by("SlotIncremental")])
    expect((yield* Metric.value(durations)).count).toBe(1)
  })

  scenario("is one span, under its caller's, where a tracer listens", function* () {
    const { spans, tracer } = keepingTracer()
    const log = yield* logOf(opened("a"), paid("a", 5))
    yield* Effect.gen(function* () {
      const projection = yield* Projection.make(accounts, log)
      yield* Effect.withSpan(projection.project("a"), "caller")
    }).pipe(Effect.withTracer(tracer))
    expect(spans.map(({ name }) => name)).toEqual(["caller", "accounts.project"])
    const [caller, span] = spans
    expect(Option.getOrUndefined(span?.parent ?? Option.none())).toBe(caller)
    expect(Object.fromEntries(span?.attributes ?? [])).toEqual({
      "projection.name": "accounts",
      "projection.strategy": "Direct",
      "projection.freshness": "Fresh"
    })
    const quiet = yield* Projection.make(accounts, log)
    yield* quiet.project("a")
    expect(spans.length).toBe(2)
  })
})
