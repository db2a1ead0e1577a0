/** The account of a recorder, and its metrics. */
import type { Control } from "../../Actor.js"
import * as Metrics from "../../Metrics.js"
import type { Series } from "../series.js"

/**
 * What became of the records that have an outcome. Together with the actor's counts (accepted, dropped, pending) it is
 * the account: `accepted = stored + setAside + dropped + handedBack + pending` after every synchronous change.
 */
export interface Account {
  stored: number
  duplicates: number
  setAside: number
  handedBack: number
  saves: number
  retries: number
  /** Times that a record was set aside, or given back: unlike `setAside` and `handedBack` they never fall. */
  setAsideEvents: number
  handedBackEvents: number
}

export const make = (): Account => ({
  stored: 0,
  duplicates: 0,
  setAside: 0,
  handedBack: 0,
  saves: 0,
  retries: 0,
  setAsideEvents: 0,
  handedBackEvents: 0
})

/**
 * Publishes the counters that have grown, and the gauge when it has changed. It runs with every save: what changes
 * rarely is looked at only when the sum of it has changed.
 */
export const publisher = (
  account: Account,
  { counts }: Pick<Control<never>, "counts">,
  { update }: Pick<Series, "update">
): (() => void) => {
  const rare = {
    duplicates: 0,
    setAsideEvents: 0,
    released: 0,
    dropped: 0,
    handedBackEvents: 0,
    refused: 0,
    retries: 0
  }
  let accepted = 0
  let stored = 0
  let rareSum = 0
  let pending: number | undefined
  const grow = (name: keyof typeof rare, metric: typeof Metrics.stored, now: number): void => {
    if (now === rare[name]) return
    update(metric, now - rare[name])
    rare[name] = now
  }
  return () => {
    const { duplicates, handedBackEvents, retries, setAsideEvents } = account
    const { accepted: acceptedNow, dropped, pending: pendingNow, refused, released } = counts()
    if (acceptedNow !== accepted) {
      update(Metrics.accepted, acceptedNow - accepted)
      accepted = acceptedNow
    }
    if (account.stored !== stored) {
      update(Metrics.stored, account.stored - stored)
      stored = account.stored
    }
    if (pendingNow !== pending) {
      update(Metrics.pending, pendingNow)
      pending = pendingNow
    }
    // None of them ever falls.
    const sum = duplicates + handedBackEvents + retries + setAsideEvents + released + dropped + refused
    if (sum === rareSum) return
    rareSum = sum
    grow("duplicates", Metrics.duplicates, duplicates)
    grow("setAsideEvents", Metrics.setAside, setAsideEvents)
    grow("released", Metrics.released, released)
    grow("dropped", Metrics.dropped, dropped)
    grow("handedBackEvents", Metrics.handedBack, handedBackEvents)
    grow("refused", Metrics.refused, refused)
    grow("retries", Metrics.retries, retries)
  }
}
