/** What an operator sees of a recorder: its statuses, its log lines and its metrics. */
import { Cause, Effect, type Layer, Logger, Metric, Option, Stream } from "effect"
import type { Status } from "../../../src/Recorder.js"

interface Watched {
  readonly statusChanges: Stream.Stream<Status>
}

/** The first status with this tag, from now on. */
export const status = <Tag extends Status["_tag"]>(
  recorder: Watched,
  tag: Tag,
  also: (status: Extract<Status, { readonly _tag: Tag }>) => boolean = () => true
): Effect.Effect<Extract<Status, { readonly _tag: Tag }>> =>
  recorder.statusChanges.pipe(
    Stream.filter((seen): seen is Extract<Status, { readonly _tag: Tag }> => seen._tag === tag),
    Stream.filter(also),
    Stream.runHead,
    Effect.map(Option.getOrThrowWith(() => new Error(`the recorder ended without the status ${tag}`)))
  )

export interface Line {
  readonly level: string
  readonly text: string
}

/** Keeps the log lines of whatever is made with its layer. */
export const logs = (): { readonly lines: ReadonlyArray<Line>; readonly layer: Layer.Layer<never> } => {
  const lines: Array<Line> = []
  const logger = Logger.make<unknown, void>((entry) => {
    // All that any logger could print of it.
    const annotations = [...entry.annotations].map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    const cause = Cause.isEmpty(entry.cause) ? [] : [Cause.pretty(entry.cause)]
    const message = Array.isArray(entry.message) ? entry.message : [entry.message]
    const parts = [...message.map(String), ...annotations, ...cause]
    lines.push({ level: entry.logLevel.label, text: parts.join(" ") })
  })
  return { lines, layer: Logger.add(logger) }
}

/** The metrics of one recorder, by their exported names. */
export const metricsOf = (name: string) =>
  Effect.map(Metric.snapshot, (pairs) => {
    const found: { [metric: string]: unknown } = {}
    for (const { metricKey, metricState } of pairs) {
      const tagged = metricKey.tags.some(({ key, value }) => key === "recorder" && value === name)
      if (tagged) found[metricKey.name] = metricState
    }
    return found as { [metric: string]: { readonly [field: string]: unknown } }
  })

/** The counts and values of its metrics. */
export const metricValuesOf = (name: string) =>
  Effect.map(metricsOf(name), (found) =>
    Object.fromEntries(Object.entries(found).map(([metric, state]) => [metric, state.count ?? state.value]))
  )
