/** What a user of a Recorder sees of a table storage: one suite over every backend. */
import { expect, it } from "@effect/vitest"
import { Effect, Exit, Option, type Scope } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { Column, ColumnError, Query, type RowOf, type Storage } from "../../../src/Storage.js"

export const columns = {
  id: Column.text,
  n: Column.integer,
  at: Column.timestamp,
  ratio: Column.nullable(Column.real),
  more: Column.nullable(Column.json)
}

export type Row = RowOf<typeof columns>
export type Rows = Storage<Row, Query<typeof columns>, ReadonlyArray<Row>>

/** Opens an empty table of {@link columns}. */
export type Open = Effect.Effect<Rows, unknown, Scope.Scope>

const row = (n: number, over: Partial<Record<keyof Row, unknown>> = {}): Row =>
  // The point of the suite: records that are not what their type says.
  ({ id: `r${String(n).padStart(5, "0")}`, n, at: new Date(1_700_000_000_000 + n), ...over }) as Row

/** Every way for a record to be unstorable, and the rule that says so. */
const unstorable: ReadonlyArray<readonly [string, Partial<Record<keyof Row, unknown>>]> = [
  ["a value of another type", { n: "seven" }],
  ["U+0000", { id: "a\0b" }],
  ["U+0000 inside of JSON", { more: { note: "a\0b" } }],
  ["a lone surrogate", { id: "\ud800" }],
  ["NaN", { ratio: Number.NaN }],
  ["an infinity", { ratio: Number.POSITIVE_INFINITY }],
  ["an invalid date", { at: new Date(Number.NaN) }],
  ["an id that is too long", { id: "x".repeat(513) }],
  ["a missing id", { id: undefined }],
  ["an empty id", { id: "" }]
]

const balances = (stats: Recorder.Stats) =>
  expect(stats.accepted).toBe(
    stats.stored + stats.setAside + stats.dropped + stats.handedBack + stats.pending
  )

export const recorderSuite = (name: string, opened: Open): void => {
  it.scopedLive(
    `${name}: sets a record aside with its reason, and stores the others of its batch in order`,
    () =>
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(yield* opened)
        const good: Array<string> = []
        for (const [i, [, over]] of unstorable.entries()) {
          expect(recorder.unsafeSave(row(2 * i, over))).toBe(true)
          expect(recorder.unsafeSave(row(2 * i + 1))).toBe(true)
          good.push(row(2 * i + 1).id)
        }
        const stored = yield* recorder.load({ orderBy: [Query.asc("n")] })
        expect(stored.map(({ id }) => id)).toEqual(good)
        const { setAside, stats, unsaved } = yield* recorder.close
        expect(unsaved).toEqual([])
        expect(setAside.map(({ record }) => record.n)).toEqual(
          unstorable.map(([, over], i) => over.n ?? 2 * i)
        )
        for (const [i, { cause, outcome }] of setAside.entries()) {
          const [what] = unstorable[i] as (typeof unstorable)[number]
          expect(cause.kind, what).toBe("Poison")
          expect(outcome, what).toBe("NotStored")
          expect(cause.cause, what).toBeInstanceOf(ColumnError)
        }
        expect(stats.setAside).toBe(unstorable.length)
        balances(stats)
      })
  )

  it.scopedLive(`${name}: stores each id once, however often it is sent`, () =>
    Effect.gen(function* () {
      const storage = yield* opened
      const first = yield* Recorder.make(storage)
      yield* first.saveAll([row(1), row(2), row(1)])
      yield* first.flush
      const { stats } = yield* first.close
      expect([stats.stored, stats.duplicates]).toEqual([3, 1])
      const second = yield* Recorder.make(storage)
      yield* second.saveDurable(row(2))
      expect((yield* second.load({})).length).toBe(2)
      expect((yield* second.stats).duplicates).toBe(1)
    })
  )

  it.scopedLive(`${name}: keeps the order over many batches, and answers between them`, () =>
    Effect.gen(function* () {
      const recorder = yield* Recorder.make(yield* opened, { maxBatchSize: 100 })
      for (let n = 0; n < 1_050; n++) recorder.unsafeSave(row(n))
      const seen = recorder.load({ orderBy: [Query.asc("n")] })
      const [before] = yield* Effect.all([seen, Effect.sync(() => recorder.unsafeSave(row(1_050)))], {
        concurrency: 2
      })
      expect(before.map(({ n }) => n)).toEqual(Array.from({ length: 1_050 }, (_, n) => n))
      const { storage, stats } = yield* recorder.close
      expect(stats.stored).toBe(1_051)
      const again = yield* Option.getOrThrow(storage).load({ where: Query.gte("n", 1_049) })
      expect(again.map(({ n }) => n)).toEqual([1_049, 1_050])
    })
  )
}

/** A storage that cannot come up: told by `status`, `load` and `close`, and nothing that was saved is lost. */
export const failsToStart = (
  name: string,
  acquire: Effect.Effect<Rows, unknown, Scope.Scope>,
  says: RegExp
): void => {
  it.scopedLive(`${name}: a typed error through status, load and close, and the saves come back`, () =>
    Effect.gen(function* () {
      const recorder = yield* Recorder.makeDeferred(acquire)
      recorder.unsafeSave(row(1))
      const durable = yield* Effect.fork(recorder.saveDurable(row(2)))
      const asked = yield* Effect.exit(recorder.load({}))
      const failure = Exit.isFailure(asked) && asked.cause._tag === "Fail" ? asked.cause.error : undefined
      expect(failure?._tag).toBe("RecorderFailed")
      expect(failure?.message).toMatch(says)
      expect((yield* recorder.status)._tag).toBe("Failed")
      expect((yield* Effect.flip(Effect.fromFiber(durable))).reason).toBe("HandedBack")
      const { setAside, stats, storage, unsaved } = yield* recorder.close
      expect(Option.isNone(storage)).toBe(true)
      expect(unsaved.map(({ reason, record }) => [record.n, reason])).toEqual([
        [1, "Failed"],
        [2, "Failed"]
      ])
      expect(setAside).toEqual([])
      balances(stats)
    })
  )
}
