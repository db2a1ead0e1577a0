import { expect, it } from "@effect/vitest"
import { Effect, Tracer } from "effect"
import * as Spans from "../../src/internal/recorder/spans.js"

it("remembers at most 10,000 callers while nothing is saved", () => {
  const spans = Spans.make("audit")
  const span = Tracer.externalSpan({ spanId: "1", traceId: "1" })
  for (let position = 0; position < 10_001; position++) Spans.noteCaller(spans, position, span)
  expect(spans.callers).toHaveLength(10_000)
})

it.effect("forgets the callers of the batches before: later ones are linked, however many there were", () =>
  Effect.gen(function* () {
    const spans = Spans.make("audit")
    const span = Tracer.externalSpan({ spanId: "1", traceId: "1" })
    let links = 0
    const save = Effect.map(Effect.orDie(Effect.currentSpan), (own) => {
      links += own.links.length
    })
    for (let first = 0; first < 20_000; first += 100) {
      for (let position = first; position < first + 100; position++) Spans.noteCaller(spans, position, span)
      yield* Spans.around(spans, save, 100, { first, from: first, to: first + 100 })
    }
    expect(links).toBe(20_000)
    expect(spans.callers.length).toBeLessThanOrEqual(200)
  })
)
