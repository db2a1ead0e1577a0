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
  const published = { ...make(), accepted: 0, dropped: 0, refused: 0 }
  const grow = (name: keyof typeof published, metric: typeof Metrics.stored, now: number): void => {
    if (now === published[name]) return
    metric.unsafeUpdate(now - published[name], labels)
    published[name] = now
  }
  return () => {
    const { intake } = source
    grow("accepted", Metrics.accepted, Intake.accepted(intake))
    grow("stored", Metrics.stored, ledger.stored)
    grow("duplicates", Metrics.duplicates, ledger.duplicates)
    grow("setAsideEvents", Metrics.setAside, ledger.setAsideEvents)
    grow("dropped", Metrics.dropped, Intake.dropped(intake))
    grow("handedBack", Metrics.handedBack, ledger.handedBack)
    grow("refused", Metrics.refused, intake.refused)
    grow("retries", Metrics.retries, ledger.retries)
    Metrics.pending.unsafeUpdate(Intake.pending(intake), labels)
  }
}
