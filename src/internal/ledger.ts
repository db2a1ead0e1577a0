/** The account of a recorder, and its metrics. */
import type { MetricLabel } from "effect"
import * as Metrics from "../Metrics.js"
import * as Intake from "./intake.js"

/**
 * What became of the records that have an outcome. Together with the intake (accepted, dropped, pending) it is the
 * account: `accepted = stored + setAside + dropped + handedBack + pending` after every synchronous change.
 */
export interface Ledger {
  stored: number
  duplicates: number
  setAside: number
  handedBack: number
  saves: number
  retries: number
  /** Times that a record was set aside: unlike `setAside` it never falls. */
  setAsideEvents: number
}

export const make = (): Ledger => ({
  stored: 0,
  duplicates: 0,
  setAside: 0,
  handedBack: 0,
  saves: 0,
  retries: 0,
  setAsideEvents: 0
})

/** Publishes the counters that have grown, and the gauges. */
export const publisher = <Item>(
  ledger: Ledger,
  source: { readonly intake: Intake.Intake<Item> },
  labels: ReadonlyArray<MetricLabel.MetricLabel>
): (() => void) => {
  const counter = (metric: typeof Metrics.stored, read: () => number) => {
    let published = 0
    return () => {
      const now = read()
      if (now === published) return
      metric.unsafeUpdate(now - published, labels)
      published = now
    }
  }
  const counters = [
    counter(Metrics.accepted, () => Intake.accepted(source.intake)),
    counter(Metrics.stored, () => ledger.stored),
    counter(Metrics.duplicates, () => ledger.duplicates),
    counter(Metrics.setAside, () => ledger.setAsideEvents),
    counter(Metrics.dropped, () => Intake.dropped(source.intake)),
    counter(Metrics.handedBack, () => ledger.handedBack),
    counter(Metrics.refused, () => source.intake.refused),
    counter(Metrics.retries, () => ledger.retries)
  ]
  return () => {
    for (const publish of counters) publish()
    Metrics.pending.unsafeUpdate(Intake.pending(source.intake), labels)
  }
}
