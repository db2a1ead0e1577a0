/**
 * The span of a bulk save: a root span with the batch size, and links to the spans of the callers whose records it
 * holds. Used only when a tracer is installed.
 */
import { Effect, type Tracer } from "effect"
import type { Save } from "./batchRun.js"

/** The most links of one span. */
const maxLinks = 128
/** Callers are remembered up to here while nothing is saved; the spans of later ones are not linked. */
const maxCallers = 10_000

export interface Spans {
  readonly name: string
  /** In the order of their positions. */
  callers: Array<{ readonly position: number; readonly span: Tracer.AnySpan }>
}

export const make = (name: string): Spans => ({ name, callers: [] })

/** Notes the span of a caller whose record is at this position of the queue. */
export const noteCaller = (spans: Spans, position: number, span: Tracer.AnySpan): void => {
  if (spans.callers.length < maxCallers) spans.callers.push({ position, span })
}

const linksOf = (spans: Spans, { first, from, to }: Positions): ReadonlyArray<Tracer.SpanLink> => {
  const links: Array<Tracer.SpanLink> = []
  let passed = 0
  for (const { position, span } of spans.callers) {
    if (position >= to) break
    if (position < first) passed++
    else if (position >= from && links.length < maxLinks) {
      links.push({ _tag: "SpanLink", span, attributes: {} })
    }
  }
  if (passed > 0) spans.callers = spans.callers.slice(passed)
  return links
}

/** Where the records of a save stood in the queue: `from` to before `to`, in a batch that began at `first`. */
export interface Positions {
  readonly first: number
  readonly from: number
  readonly to: number
}

/** Wraps a save. Each attempt has a span of its own, with all its links. */
export const around = (spans: Spans, save: Save, count: number, positions: Positions): Save =>
  Effect.suspend(() =>
    Effect.withSpan(save, `${spans.name}.save`, {
      root: true,
      kind: "client",
      attributes: { "recorder.name": spans.name, "recorder.batch.size": count },
      links: linksOf(spans, positions),
      captureStackTrace: false
    })
  )
