/** A tracer that keeps every span. */
import { type Exit, Option, Tracer } from "effect"

export interface Seen extends Tracer.Span {
  readonly name: string
  readonly exits: ReadonlyArray<Exit.Exit<unknown, unknown>>
}

export const keepingTracer = () => {
  const spans: Array<Seen> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const span: Seen = {
        _tag: "Span",
        name,
        spanId: `${spans.length}`,
        traceId: Option.isSome(parent) ? parent.value.traceId : `trace ${spans.length}`,
        parent,
        context,
        status: { _tag: "Started", startTime },
        attributes,
        links,
        sampled: true,
        kind,
        exits,
        end: (_, exit) => void exits.push(exit),
        attribute: (key, value) => void attributes.set(key, value),
        event: () => undefined,
        addLinks: () => undefined
      }
      spans.push(span)
      return span
    },
    context: (f) => f()
  })
  return { tracer, spans }
}
