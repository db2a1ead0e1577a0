/** The series that parts have in Effect's registry of metrics: those of names that have ended do not stay for ever. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Metric, Schema, Scope } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Datastore from "../../src/Datastore.js"
import * as Series from "../../src/internal/series.js"
import * as LiveTable from "../../src/LiveTable.js"
import * as MergePool from "../../src/MergePool.js"
import * as Metrics from "../../src/Metrics.js"
import * as Projection from "../../src/Projection.js"
import * as Recorder from "../../src/Recorder.js"
import * as Storage from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { metricValuesOf } from "../support/recorder/watching.js"

const keys = Table.define({ name: "keys", columns: { id: Storage.Column.text }, id: "id" })
const counts = Projection.define({
  name: "counts",
  events: Projection.events({ Counted: Schema.Null }),
  state: Schema.Number,
  initial: 0,
  apply: (count) => count + 1
})

/** Every part that labels its metrics by its name: opens one, and uses it. */
const parts: {
  readonly [part: string]: (name: string) => Effect.Effect<unknown, unknown, Scope.Scope>
} = {
  recorder: (name) =>
    Effect.flatMap(Recorder.make(Storage.memory<string>(), { name }), ({ saveDurable }) => saveDurable("a")),
  watch: (name) =>
    Effect.flatMap(ChangeLog.make<string>(), (log) =>
      Effect.flatMap(Watch.make(log, { name }), (watch) => watch.open(ChangeLog.prefix("")))
    ),
  liveTable: (name) =>
    Effect.flatMap(Table.memory(keys), (table) =>
      Effect.flatMap(LiveTable.make(table, { name }), (live) => live.insert({ id: "a" }))
    ),
  projection: (name) =>
    Effect.flatMap(ChangeLog.make<Projection.EventValue>({ keys: "indexed" }), (log) =>
      Effect.flatMap(Projection.make(counts, log, { name }), ({ project }) => project("a"))
    ),
  datastore: (name) =>
    Effect.flatMap(Datastore.memory(), (backend) =>
      Effect.flatMap(Datastore.make(backend, { name }), (stores) => stores.open({ id: "a" }))
    ),
  mergePool: (name) =>
    Effect.flatMap(MergePool.memory(), (backend) =>
      Effect.flatMap(MergePool.make(backend, { name }), (pools) =>
        pools.open({ strategies: { title: MergePool.last<string>() } })
      )
    )
}

/** The names that begin so and have metrics. */
const named = (prefix: string) =>
  Effect.map(Metric.snapshot, (pairs) => {
    const values = pairs.flatMap(({ metricKey }) => metricKey.tags.map(({ value }) => value))
    return Array.from(new Set(values.filter((value) => value.startsWith(prefix))))
  })

const numbers = (length: number) => Array.from({ length }, (_, index) => index)

/** Keeps the series of 10 to 20 names. */
const ten = Effect.provideServiceEffect(
  Series.Names,
  Effect.sync(() => Series.makeNames(10))
)

describe("the metrics of names that have ended", () => {
  it.effect.each(Object.keys(parts))("are removed when others have ended since: %s", (part) =>
    Effect.gen(function* () {
      const open = parts[part]!
      const prefix = `a ${part} of tenant `
      const scope = yield* Scope.make()
      yield* Scope.extend(open(`${prefix}that stays`), scope)
      yield* Effect.forEach(numbers(25), (index) => Effect.scoped(open(prefix + index)))
      const left = yield* named(prefix)
      yield* Scope.close(scope, Exit.void)
      expect(left).toContain(`${prefix}24`)
      expect(left).not.toContain(`${prefix}0`)
      // What a part is made of ends, too.
      expect(left.length).toBeLessThanOrEqual(20)
      expect(left.length).toBeGreaterThan(1)
    }).pipe(ten)
  )

  const endOthers = Effect.forEach(numbers(20), (index) =>
    Effect.scoped(Recorder.make(Storage.memory<string>(), { name: `another ${index}` }))
  )

  it.effect("go on when the name is used again, and stay while it is in use", () =>
    Effect.gen(function* () {
      const name = "a name that is used again"
      const use = Effect.flatMap(Recorder.make(Storage.memory<string>(), { name }), (recorder) =>
        recorder.saveDurable("a record")
      )
      yield* Effect.scoped(use)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* use
          // One of two ends.
          yield* Effect.scoped(use)
          yield* endOthers
          expect(yield* metricValuesOf(name)).toMatchObject({ recorder_stored_total: 3 })
        })
      )
      yield* endOthers
      expect(yield* metricValuesOf(name)).toEqual({})
      yield* Effect.scoped(use)
      expect(yield* metricValuesOf(name)).toMatchObject({ recorder_stored_total: 1 })
    }).pipe(ten)
  )

  it.scoped("end with the close of a recorder, and do not come back by what is asked of it later", () =>
    Effect.gen(function* () {
      const name = "a recorder that was closed"
      const recorder = yield* Recorder.make(Storage.memory<string>(), { name })
      yield* recorder.saveDurable("a record")
      yield* recorder.close
      expect(yield* metricValuesOf(name)).toMatchObject({ recorder_stored_total: 1 })
      yield* endOthers
      // The first that is refused.
      expect(recorder.unsafeSave("another")).toBe(false)
      expect(yield* metricValuesOf(name)).toEqual({})
    }).pipe(ten)
  )

  it.effect("are kept for a hundred names", () =>
    Effect.gen(function* () {
      // Other tests of this process have ended names too: the same number, from none.
      const { maxEnded } = yield* Series.Names
      const names = Series.makeNames(maxEnded)
      const use = (index: number) =>
        Effect.scoped(
          Effect.map(Series.open("recorder", `of a hundred ${index}`), ({ update }) =>
            update(Metrics.stored, 1)
          )
        ).pipe(Effect.provideService(Series.Names, names))
      yield* Effect.forEach(numbers(220), use)
      expect(yield* named("of a hundred ")).toEqual(
        numbers(120).map((index) => `of a hundred ${index + 100}`)
      )
    })
  )
})
