/** The account and its metrics, where a recorder's own tests do not look. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Account from "../../src/internal/recorder/account.js"
import * as Series from "../../src/internal/series.js"
import { metricValuesOf } from "../support/recorder/watching.js"

const made = Effect.fn(function* (name: string) {
  const account = Account.make()
  const counts = { accepted: 0, pending: 0, pendingBytes: 0, dropped: 0, refused: 0, released: 0 }
  const series = yield* Series.open("recorder", name)
  const publish = Account.publisher(account, { counts: () => counts }, series)
  return { account, counts, publish }
})

type Made = Effect.Effect.Success<ReturnType<typeof made>>

/** What raises each of the counters that change rarely, by the metric that shows it. */
const rare: { readonly [metric: string]: (of: Made) => void } = {
  recorder_duplicates_total: ({ account }) => account.duplicates++,
  recorder_set_aside_total: ({ account }) => account.setAsideEvents++,
  recorder_dropped_total: ({ counts }) => counts.dropped++,
  recorder_released_total: ({ counts }) => counts.released++,
  recorder_handed_back_total: ({ account }) => account.handedBackEvents++,
  recorder_refused_total: ({ counts }) => counts.refused++,
  recorder_retries_total: ({ account }) => account.retries++
}

const metrics = Object.keys(rare)

describe("the metrics of a ledger", () => {
  it.scoped.each(metrics.flatMap((one) => metrics.map((other) => ({ one, other }))))(
    "show $one and $other when they have grown at once, by as much as these have",
    ({ one, other }) =>
      Effect.gen(function* () {
        const name = `ledger ${one} ${other}`
        const each = yield* made(name)
        // Twice: what has grown since the last time is looked at again.
        for (const round of [1, 2]) {
          rare[one]!(each)
          rare[other]!(each)
          each.publish()
          const times = one === other ? 2 : 1
          expect(yield* metricValuesOf(name)).toMatchObject({ [one]: times * round, [other]: times * round })
        }
      })
  )
})
