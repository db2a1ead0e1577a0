/** A log through a view of its values: the mapped log, which nothing is appended through. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import { readView } from "../../src/internal/log/readView.js"
import { holdsEffect } from "../support/laws/laws.js"

const shown = (key: string, value: number): string => `${key}:${value}`

const changes = fc.array(
  fc.record({
    key: fc.constantFrom("a", "b", "c"),
    value: fc.option(fc.nat({ max: 9 }), { nil: undefined })
  }),
  { minLength: 1, maxLength: 3 }
)

describe("a view of a log", () => {
  it.effect("reads the mapped events, values before, snapshots and heads of its log", () =>
    holdsEffect(fc.array(changes, { minLength: 1, maxLength: 8 }), 60, (revisions) =>
      Effect.gen(function* () {
        const log = yield* ChangeLog.make<number>({ state: "latest" })
        const view = readView(log, shown)
        const start = (yield* log.head).head
        for (const given of revisions) {
          yield* log.append(
            given.map(({ key, value }) =>
              value === undefined ? ChangeLog.remove(key) : ChangeLog.put(key, value)
            )
          )
        }
        const options = { after: start, limit: 100 }
        const rows = yield* log.read(options)
        expect(yield* view.read(options)).toEqual(
          rows.map(({ events, previous, revision }) => ({
            revision,
            events: events.map((event) =>
              event._tag === "Put" ? { ...event, value: shown(event.key, event.value) } : event
            ),
            previous: previous?.map((before, n) =>
              Option.map(before, (value) => shown(events[n]!.key, value))
            )
          }))
        )
        const selector = ChangeLog.prefix("")
        const { entries, revision } = yield* log.snapshot(selector)
        expect(yield* view.snapshot(selector)).toEqual({
          revision,
          entries: entries.map((entry) => ({ ...entry, value: shown(entry.key, entry.value) }))
        })
        expect(yield* view.head).toEqual(yield* log.head)
        expect(view.state).toBe(log.state)
      })
    )
  )

  it.effect("refuses every call that changes the log, and changes nothing", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ state: "latest" })
      yield* log.append([ChangeLog.put("a", 1)])
      const before = yield* log.head
      const view = readView(log, shown)
      const changes = [ChangeLog.put("a", "2")]
      const exits = yield* Effect.all([
        Effect.exit(view.append(changes)),
        Effect.exit(view.commit([{ changes }])),
        Effect.exit(view.compact(before.head.seq)),
        Effect.exit(view.renewEpoch)
      ] as ReadonlyArray<Effect.Effect<Exit.Exit<unknown, ChangeLog.ChangeLogError>>>)
      for (const exit of exits) expect(exit).toMatchObject({ cause: { error: { reason: "Invalid" } } })
      expect(exits.every(Exit.isFailure)).toBe(true)
      expect(yield* log.head).toEqual(before)
    })
  )
})
