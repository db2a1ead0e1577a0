import { expect, it } from "@effect/vitest"
import { Tracer } from "effect"
import * as Spans from "../../src/internal/spans.js"

it("remembers at most 10,000 callers while nothing is saved", () => {
  const spans = Spans.make("audit")
  const span = Tracer.externalSpan({ spanId: "1", traceId: "1" })
  for (let position = 0; position < 10_001; position++) Spans.called(spans, position, span)
  expect(spans.callers).toHaveLength(10_000)
})
