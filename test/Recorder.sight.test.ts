/** What an operator sees of a recorder: status, stats, metrics and log lines. */
import { describe, expect } from "@effect/vitest"
import {
  Chunk,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Logger,
  Metric,
  Schedule,
  Scope,
  Stream,
  TestClock
} from "effect"
import * as Recorder from "../src/Recorder.js"
import { StorageError } from "../src/Storage.js"
import { closeAndAccount, expectBalance, numbers } from "./support/account.js"
import { backend, failingFirst, fatal, poison, refusing, stepped, transient } from "./support/backends.js"
import { scenario, settled, started } from "./support/turn.js"
import { type Line, logs, status } from "./support/watching.js"

const retry = Schedule.spaced("100 millis")

const tags = (seen: Iterable<Recorder.Status>) => Array.from(seen, ({ _tag }) => _tag)

describe("status", () => {
  scenario("goes Starting, Running, Degraded, Running, Closing, Closed", function* () {
    const storage = backend<number>({ save: failingFirst(transient()) })
    const arrival = yield* Deferred.make<typeof storage.storage>()
    const recorder = yield* Recorder.makeDelayed(Deferred.await(arrival), { retry })
    const watcher = yield* started(Stream.runCollect(recorder.statusChanges))
    recorder.unsafeSave(1)
    yield* Deferred.succeed(arrival, storage.storage)
    yield* status(recorder, "Degraded")
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(tags(yield* Fiber.join(watcher))).toEqual([
      "Starting",
      "Running",
      "Degraded",
      "Running",
      "Closing",
      "Closed"
    ])
  })

  scenario(
    "changes begin with the present one, for each watcher, and end with the terminal one",
    function* () {
      const storage = yield* stepped<number>()
      const recorder = yield* Recorder.make(storage.storage)
      yield* recorder.ready
      const early = yield* started(Stream.runCollect(recorder.statusChanges))
      recorder.unsafeSave(1)
      const closing = yield* started(recorder.close)
      const late = yield* started(Stream.runCollect(recorder.statusChanges))
      yield* Effect.flatMap(storage.next, (call) => call.succeed)
      yield* Fiber.join(closing)
      expect(tags(yield* Fiber.join(early))).toEqual(["Running", "Closing", "Closed"])
      expect(tags(yield* Fiber.join(late))).toEqual(["Closing", "Closed"])
      expect(tags(yield* Stream.runCollect(recorder.statusChanges))).toEqual(["Closed"])
    }
  )

  scenario("Failed is terminal too, and carries the cause", function* () {
    const storage = backend<number>({ save: () => Effect.fail(fatal({ message: "no such table" })) })
    const recorder = yield* Recorder.make(storage.storage)
    yield* recorder.ready
    const watcher = yield* started(Stream.runCollect(recorder.statusChanges))
    recorder.unsafeSave(1)
    const seen = Chunk.toReadonlyArray(yield* Fiber.join(watcher))
    expect(tags(seen)).toEqual(["Running", "Failed"])
    expect(seen[1]).toMatchObject({ cause: { _tag: "StorageError", message: "no such table" } })
    expect(tags(yield* Stream.runCollect(recorder.statusChanges))).toEqual(["Failed"])
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
  })

  scenario(
    "a watcher that reads late misses changes, never the terminal one; one that goes disturbs nobody",
    function* () {
      const storage = backend<number>({
        save: (call) => (call.nth % 2 === 1 ? Effect.fail(transient()) : call.commit)
      })
      const recorder = yield* Recorder.make(storage.storage, { retry })
      const gate = yield* Deferred.make<void>()
      const seen: Array<Recorder.Status> = []
      const slow = yield* started(
        Stream.runForEach(recorder.statusChanges, (next) =>
          Effect.zipRight(
            Deferred.await(gate),
            Effect.sync(() => seen.push(next))
          )
        )
      )
      const gone = yield* started(Stream.runDrain(recorder.statusChanges))
      yield* Fiber.interrupt(gone)
      for (const record of numbers(60)) {
        recorder.unsafeSave(record)
        yield* TestClock.adjust("100 millis")
      }
      yield* closeAndAccount(recorder, storage, { accepted: numbers(60) })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(slow)
      expect(seen.length).toBeLessThan(100)
      expect(seen.at(-1)?._tag).toBe("Closed")
    }
  )
})

describe("stats", () => {
  scenario("unsafeStats is synchronous and holds the account at every instant", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { retry, maxBatchSize: 4 })
    const zero = { accepted: 0, pending: 0, stored: 0, duplicates: 0, setAside: 0, dropped: 0, handedBack: 0 }
    const rest = { refused: 0, saves: 0, retries: 0, pendingBytes: 0, oldestAge: 0, gaps: [] }
    expect(recorder.unsafeStats()).toEqual({ ...zero, ...rest })
    const seen: Array<Recorder.Stats> = []
    const look = () => {
      seen.push(recorder.unsafeStats())
      expectBalance(recorder.unsafeStats())
    }
    numbers(6).forEach((record) => {
      recorder.unsafeSave(record)
      look()
    })
    const first = yield* storage.next
    look()
    yield* first.answer(Effect.zipRight(first.commitFirst(1), Effect.fail(transient({ stored: 1 }))))
    yield* settled
    look()
    yield* TestClock.adjust("100 millis")
    const second = yield* storage.next
    look()
    yield* second.fail(poison({ bad: [{ index: 0, cause: "bad" }] }))
    const third = yield* storage.next
    look()
    yield* third.succeed
    yield* Effect.flatMap(storage.next, (call) => call.succeed)
    yield* recorder.flush
    look()
    expect(
      seen.map(({ accepted, pending, setAside, stored }) => [accepted, stored, setAside, pending])
    ).toEqual([
      ...numbers(6).map((n) => [n, 0, 0, n]),
      [6, 0, 0, 6],
      [6, 1, 0, 5],
      [6, 1, 0, 5],
      [6, 1, 1, 4],
      [6, 5, 1, 0]
    ])
    expect(yield* recorder.stats).toMatchObject({ saves: 2, retries: 1 })
    yield* closeAndAccount(recorder, storage, { accepted: numbers(6) })
  })

  scenario("oldestAge is the age of the oldest pending record, in flight or queued", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage)
    yield* TestClock.adjust("1 second")
    expect(recorder.unsafeStats().oldestAge).toBe(0)
    recorder.unsafeSave(1)
    const first = yield* storage.next
    yield* TestClock.adjust("3 seconds")
    recorder.unsafeSave(2)
    yield* TestClock.adjust("2 seconds")
    expect(recorder.unsafeStats().oldestAge).toBe(5000)
    yield* first.succeed
    const second = yield* storage.next
    expect(recorder.unsafeStats().oldestAge).toBe(2000)
    yield* second.succeed
    yield* recorder.flush
    yield* TestClock.adjust("1 second")
    expect(recorder.unsafeStats().oldestAge).toBe(0)
    yield* closeAndAccount(recorder, storage, { accepted: [1, 2] })
  })

  scenario("are a snapshot: what is held does not change later", function* () {
    const recorder = yield* Recorder.make(backend<number>().storage, {
      bound: { count: 1, overflow: "drop-newest" }
    })
    numbers(3).forEach(recorder.unsafeSave)
    const before = recorder.unsafeStats()
    const copy = structuredClone(before)
    numbers(3).forEach(recorder.unsafeSave)
    yield* recorder.close
    expect(before).toEqual(copy)
  })
})

describe("metrics", () => {
  /** The metrics of one recorder, by their exported names. */
  const metricsOf = (name: string) =>
    Effect.map(Metric.snapshot, (pairs) => {
      const found: { [metric: string]: unknown } = {}
      for (const { metricKey, metricState } of pairs) {
        const tagged = metricKey.tags.some(({ key, value }) => key === "recorder" && value === name)
        if (tagged) found[metricKey.name] = metricState
      }
      return found as { [metric: string]: { readonly [field: string]: unknown } }
    })
  const valuesOf = (name: string) =>
    Effect.map(metricsOf(name), (found) =>
      Object.fromEntries(Object.entries(found).map(([metric, state]) => [metric, state.count ?? state.value]))
    )

  scenario("by name and tag: the counters of the account, refused, duplicates, retries", function* () {
    const storage = backend<number>({
      save: (call) =>
        call.nth === 1
          ? Effect.zipRight(call.commitFirst(2), Effect.fail(transient({ outcome: "Unknown" })))
          : call.batch.includes(13)
            ? Effect.never
            : refusing<number>((record) => record === 3)(call)
    })
    const recorder = yield* Recorder.make(storage.storage, {
      name: "metrics-account",
      retry,
      bound: { count: 5, overflow: "drop-newest", sizeOf: (record) => (record === 99 ? raise("no size") : 1) }
    })
    numbers(7).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    yield* recorder.flush
    expect(recorder.unsafeSave(99)).toBe(false)
    recorder.unsafeSave(13)
    const closing = yield* started(recorder.closeWithin("1 second"))
    yield* TestClock.adjust("1100 millis")
    const { stats } = yield* Fiber.join(closing)
    expect(stats).toMatchObject({
      accepted: 8,
      stored: 4,
      setAside: 1,
      dropped: 2,
      handedBack: 1,
      refused: 1
    })
    expect(yield* valuesOf("metrics-account")).toMatchObject({
      recorder_accepted_total: 8,
      recorder_stored_total: 4,
      recorder_duplicates_total: 2,
      recorder_set_aside_total: 1,
      recorder_dropped_total: 2,
      recorder_handed_back_total: 1,
      recorder_refused_total: 1,
      recorder_retries_total: 1,
      recorder_pending: 0
    })
  })

  scenario("two recorders do not share them", function* () {
    const recorders = yield* Effect.forEach(["metrics-one", "metrics-two"], (name) =>
      Recorder.make(backend<number>().storage, { name })
    )
    recorders[0]!.unsafeSave(1)
    numbers(2).forEach(recorders[1]!.unsafeSave)
    yield* Effect.forEach(recorders, (recorder) => recorder.close)
    expect(yield* valuesOf("metrics-one")).toMatchObject({ recorder_stored_total: 1 })
    expect(yield* valuesOf("metrics-two")).toMatchObject({ recorder_stored_total: 2 })
  })

  scenario("pending and oldest age are seen while a save hangs, and fall when it is over", function* () {
    const storage = yield* stepped<number>()
    const recorder = yield* Recorder.make(storage.storage, { name: "metrics-hang" })
    numbers(3).forEach(recorder.unsafeSave)
    const call = yield* storage.next
    yield* TestClock.adjust("5 seconds")
    const hanging = yield* valuesOf("metrics-hang")
    expect(hanging).toMatchObject({ recorder_pending: 3, recorder_accepted_total: 3 })
    expect(hanging.recorder_oldest_pending_age_millis).toBeGreaterThanOrEqual(4000)
    yield* call.succeed
    yield* TestClock.adjust("1 second")
    expect(yield* valuesOf("metrics-hang")).toMatchObject({
      recorder_pending: 0,
      recorder_oldest_pending_age_millis: 0
    })
    yield* closeAndAccount(recorder, storage, { accepted: numbers(3) })
  })

  scenario("batch size and save duration are histograms of the acknowledged saves", function* () {
    const storage = backend<number>({
      save: (call) =>
        call.nth === 2
          ? Effect.fail(transient())
          : Effect.zipRight(Effect.sleep(call.nth === 1 ? 7 : 40), call.commit)
    })
    const recorder = yield* Recorder.make(storage.storage, { name: "metrics-saves", retry, maxBatchSize: 60 })
    yield* Effect.sync(() => numbers(90).forEach(recorder.unsafeSave))
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: numbers(90) })
    const found = yield* metricsOf("metrics-saves")
    expect(found.recorder_batch_size).toMatchObject({ count: 2, min: 30, max: 60, sum: 90 })
    expect(found.recorder_save_duration_millis).toMatchObject({ count: 2, min: 7, max: 40, sum: 47 })
  })

  scenario("refused shows what a failed or closed recorder refuses", function* () {
    const storage = backend<number>({ save: () => Effect.fail(fatal()) })
    const recorder = yield* Recorder.make(storage.storage, { name: "metrics-refused" })
    recorder.unsafeSave(1)
    yield* status(recorder, "Failed")
    expect(recorder.unsafeSave(2)).toBe(false)
    expect(yield* valuesOf("metrics-refused")).toMatchObject({ recorder_refused_total: 1 })
    yield* recorder.close
    expect(yield* recorder.saveAll([3, 4])).toBe(false)
    expect(yield* valuesOf("metrics-refused")).toMatchObject({ recorder_refused_total: 3 })
  })
})

describe("log lines", () => {
  const has = (level: string, text: string) => (line: Line) =>
    line.level === level && line.text.includes(text)

  scenario("say once that the storage is away, and once that it is back", function* () {
    const { layer, lines } = logs()
    const storage = backend<number>({
      save: failingFirst(...Array(5).fill(transient({ message: "code 57P01" })))
    })
    const recorder = yield* Effect.provide(Recorder.make(storage.storage, { name: "audit", retry }), layer)
    numbers(100).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    yield* closeAndAccount(recorder, storage, { accepted: numbers(100) })
    expect(lines.filter(has("WARN", "audit: the storage is away"))).toHaveLength(1)
    expect(lines.filter(has("WARN", "code 57P01"))).toHaveLength(1)
    expect(lines.filter(has("INFO", "audit: the storage is back"))).toHaveLength(1)
    expect(lines).toHaveLength(2)
  })

  scenario("there is no line per record: one for all the bad ones of a batch", function* () {
    const { layer, lines } = logs()
    const storage = backend<number>({ save: refusing<number>(() => true, poison({ message: "code 22P05" })) })
    const recorder = yield* Effect.provide(Recorder.make(storage.storage), layer)
    numbers(64).forEach(recorder.unsafeSave)
    yield* closeAndAccount(recorder, storage, { accepted: numbers(64) })
    expect(lines).toHaveLength(1)
    expect(lines.filter(has("WARN", "code 22P05"))).toHaveLength(1)
  })

  scenario("there is one when it fails, and none when all is well", function* () {
    const { layer, lines } = logs()
    const well = yield* Effect.provide(Recorder.make(backend<number>().storage), layer)
    numbers(10).forEach(well.unsafeSave)
    yield* well.close
    expect(lines).toEqual([])
    const storage = backend<number>({ save: () => Effect.fail(fatal({ message: "code 42P01" })) })
    const recorder = yield* Effect.provide(Recorder.make(storage.storage), layer)
    numbers(10).forEach(recorder.unsafeSave)
    yield* status(recorder, "Failed")
    yield* recorder.close
    expect(lines.filter(has("ERROR", "code 42P01"))).toHaveLength(1)
    expect(lines).toHaveLength(1)
  })

  scenario("a scope that ends without close gives exactly one error with counts", function* () {
    const { layer, lines } = logs()
    const scope = yield* Scope.make()
    const storage = backend<number>({
      save: (call) =>
        call.nth === 1 ? Effect.fail(poison({ bad: [{ index: 0, cause: "bad" }] })) : Effect.never
    })
    const recorder = yield* Recorder.make(storage.storage, { name: "audit", maxBatchSize: 3 }).pipe(
      Scope.extend(scope),
      Effect.provide(layer)
    )
    numbers(7).forEach(recorder.unsafeSave)
    const ended = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("11 seconds")
    yield* Fiber.join(ended)
    const errors = lines.filter(({ level }) => level === "ERROR")
    expect(errors.map(({ text }) => text)).toEqual([
      "audit: closed by its scope with 6 records unsaved (2 of unknown outcome) and 1 set aside"
    ])
  })

  scenario("a scope that ends without close gives no error when everything is written", function* () {
    const { layer, lines } = logs()
    const scope = yield* Scope.make()
    const recorder = yield* Recorder.make(backend<number>().storage).pipe(
      Scope.extend(scope),
      Effect.provide(layer)
    )
    numbers(7).forEach(recorder.unsafeSave)
    yield* Scope.close(scope, Exit.void)
    expect(lines).toEqual([])
  })

  scenario("a logger that throws costs its lines, and nothing else", function* () {
    const throwing = Logger.add(Logger.make(() => raise("logger")))
    const scope = yield* Scope.make()
    const storage = backend<number>({
      save: (call) =>
        call.nth === 1 ? Effect.fail(transient()) : call.nth === 2 ? Effect.never : call.commit
    })
    const reports: Array<Recorder.Closed<number>> = []
    const recorder = yield* Recorder.make(storage.storage, {
      retry,
      maxBatchSize: 2,
      saveTimeout: "1 second",
      closeDeadline: "2 seconds",
      onClosed: (report) => Effect.sync(() => void reports.push(report))
    }).pipe(Scope.extend(scope), Effect.provide(throwing))
    numbers(2).forEach(recorder.unsafeSave)
    // The time limit is still looked after, the drain goes on, and the end is told.
    yield* TestClock.adjust("2 seconds")
    yield* recorder.flush
    expect(storage.held).toEqual([1, 2])
    const hanging = yield* Recorder.make(backend<number>({ save: () => Effect.never }).storage, {
      closeDeadline: "2 seconds",
      onClosed: (report) => Effect.sync(() => void reports.push(report))
    }).pipe(Scope.extend(scope), Effect.provide(throwing))
    hanging.unsafeSave(3)
    const ended = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("3 seconds")
    yield* Fiber.join(ended)
    expect(reports.map(({ stats }) => [stats.stored, stats.handedBack])).toEqual([
      [0, 1],
      [2, 0]
    ])
  })

  scenario("none of them ever holds the row", function* () {
    const { layer, lines } = logs()
    const scope = yield* Scope.make()
    const secret = "4111-1111"
    const row = { card: secret }
    const quoting = Object.assign(new Error(`duplicate key: ${secret}`), { detail: `Failing row: ${secret}` })
    const code = (kind: StorageError["kind"]) =>
      new StorageError({ kind, outcome: "Unknown", message: "code 23505", cause: quoting })
    const failures = [
      Effect.fail(quoting),
      Effect.die(quoting),
      Effect.fail(code("Transient")),
      Effect.fail(code("Unknown")),
      Effect.fail(code("Poison")),
      Effect.fail(quoting),
      Effect.die(quoting),
      Effect.fail(code("Fatal"))
    ]
    const storage = backend<typeof row>({
      save: (call) => failures[call.nth - 1] ?? call.commit,
      load: () => Effect.fail(quoting)
    })
    const recorder = yield* Recorder.make(storage.storage, {
      retry,
      maxBatchSize: 2,
      deadLetters: () => Effect.die(quoting)
    }).pipe(Scope.extend(scope), Effect.provide(layer))
    for (let n = 0; n < 6; n++) recorder.unsafeSave({ ...row })
    yield* TestClock.adjust("1 minute")
    yield* Effect.exit(recorder.load(undefined))
    yield* status(recorder, "Failed")
    yield* Scope.close(scope, Exit.void)
    expect(lines.length).toBeGreaterThan(3)
    expect(lines.filter(({ text }) => text.includes(secret))).toEqual([])
  })
})

const raise = (message: string): never => {
  throw new Error(message)
}
