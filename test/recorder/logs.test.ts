/** The log lines of a recorder: when there is one, and what it never holds. */
import { describe, expect } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Schedule, Scope, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { StorageError } from "../../src/Storage.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, fatal, poison, refusing, transient } from "../support/recorder/backends.js"
import { type Line, logs, status } from "../support/recorder/watching.js"
import { scenario, started } from "../support/time/turn.js"

const retry = Schedule.spaced("100 millis")

const raise = (message: string): never => {
  throw new Error(message)
}

describe("log lines", () => {
  const has = (level: string, text: string) => (line: Line) =>
    line.level === level && line.text.includes(text)

  scenario("report once that the storage is away, and once that it is back", function* () {
    const { layer, lines } = logs()
    const storage = backend<number>({
      save: failingFirst(...Array(5).fill(transient({ message: "code 57P01" })))
    })
    const recorder = yield* Effect.provide(Recorder.make(storage.storage, { name: "audit", retry }), layer)
    numbers(100).forEach(recorder.unsafeSave)
    yield* TestClock.adjust("1 second")
    recorder.unsafeSave(101)
    yield* recorder.flush
    yield* closeAndAccount(recorder, storage, { accepted: numbers(101) })
    expect(lines.filter(has("WARN", "audit: the storage is away"))).toHaveLength(1)
    expect(lines.filter(has("WARN", "code 57P01"))).toHaveLength(1)
    expect(lines.filter(has("INFO", "audit: the storage is back"))).toHaveLength(1)
    expect(lines).toHaveLength(2)
  })

  scenario(
    "show the message of a storage that knows no kind, and no error that it has not classified",
    function* () {
      const secret = "the name of the caller"
      const message = "PostgreSQL 08P01: no more connections allowed"
      for (const [error, shown] of [
        [new StorageError({ kind: "Unknown", outcome: "Unknown", message }), message],
        [new Error(secret), "an error that the storage has not classified"]
      ] as const) {
        const { layer, lines } = logs()
        const storage = backend<number>({ save: failingFirst(error as StorageError) })
        const recorder = yield* Effect.provide(Recorder.make(storage.storage, { retry }), layer)
        recorder.unsafeSave(1)
        yield* TestClock.adjust("1 second")
        yield* closeAndAccount(recorder, storage, { accepted: [1] })
        expect(lines.filter(has("WARN", `the storage is away, retrying: ${shown}`))).toHaveLength(1)
        expect(lines.filter(({ text }) => text.includes(secret))).toEqual([])
      }
    }
  )

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

  scenario("also when as many are set aside as are unsaved", function* () {
    const { layer, lines } = logs()
    const scope = yield* Scope.make()
    const storage = backend<number>({
      save: (call) => (call.batch[0] === 1 ? Effect.fail(poison()) : Effect.never)
    })
    const recorder = yield* Recorder.make(storage.storage, { name: "audit", maxBatchSize: 1 }).pipe(
      Scope.extend(scope),
      Effect.provide(layer)
    )
    numbers(2).forEach(recorder.unsafeSave)
    const ended = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("11 seconds")
    yield* Fiber.join(ended)
    expect(lines.filter(({ level }) => level === "ERROR").map(({ text }) => text)).toEqual([
      "audit: closed by its scope with 1 records unsaved (1 of unknown outcome) and 1 set aside"
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
    const reports: Array<Recorder.CloseReport<number>> = []
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
      Effect.void,
      Effect.fail(code("Poison")),
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
